"""Each limit is named by its own evidence, and by nothing less."""

from dataclasses import replace

import pytest

from brinery.benchmark.analysis.bottleneck import Facts, find_limit
from brinery.benchmark.text.findings import verdict_lines

# Two workers that copy 32 MiB blocks on two cores of one socket: recorded.
COPYING = Facts(
    workers=2, user=0.968, system=0.005, run_wait=0.012, block_wait=None, other=0.015, switches_per_s=0.0,
    storage_bytes_per_s=0.0, gain=1.31, spin_gain=1.97, cpu_growth=1.48, spin_growth=1.02, memcpy_share=0.97,
    disk_share=0.0, create_share=0.0, steal=0.0, throttled=0.0, io_pressure=0.0, device_busy=0.02,
)  # fmt: skip
SPINNING = replace(COPYING, gain=1.93, cpu_growth=1.01, memcpy_share=0.0)
CROWDED = replace(SPINNING, user=0.5, run_wait=0.48, other=0.0, usable=2.0)
WAITING = replace(SPINNING, user=0.3, system=0.1, other=0.588)
FLUSHING = replace(WAITING, user=0.02, system=0.1, other=0.868, storage_bytes_per_s=9e7, disk_share=0.9)


def test_memory_bandwidth_from_recorded_counters():
    found = find_limit(COPYING)
    assert found.limit == "memory-bandwidth"
    assert any("1.48" in text for text in found.evidence)


@pytest.mark.parametrize(
    ("facts", "limit"),
    [
        (SPINNING, "cpu"),
        (replace(SPINNING, workers=1, gain=None), "cpu"),
        (replace(SPINNING, gain=1.2), "undetermined"),
        (replace(COPYING, spin_growth=1.4), "undetermined"),
        (replace(COPYING, memcpy_share=0.3), "undetermined"),
        (replace(COPYING, gain=1.93), "cpu"),  # two are as fast as two: memory holds nobody back
        (replace(SPINNING, user=0.5, run_wait=0.48), "oversubscribed"),
        (replace(CROWDED, workers=1), "other-programs"),  # one worker on two CPUs crowds nobody
        (replace(CROWDED, workers=2, foreign=0.61), "other-programs"),
        (replace(CROWDED, workers=2, foreign=0.01), "oversubscribed"),  # a library's own threads
        (replace(CROWDED, workers=4, foreign=0.3), "oversubscribed"),
        (replace(CROWDED, workers=2, run_wait=0.2, parent_busy=0.6, foreign=0.1), "oversubscribed"),
        (replace(SPINNING, throttled=0.3), "throttled"),
        (replace(SPINNING, steal=0.2), "throttled"),
        (replace(SPINNING, user=0.1, system=0.0, other=0.3, throttled=0.6), "throttled"),
        (replace(FLUSHING, steal=0.12), "disk"),  # nobody missed the time that was stolen
        (replace(WAITING, storage_bytes_per_s=9e7, disk_share=0.9), "disk"),
        (replace(WAITING, storage_bytes_per_s=9e7, io_pressure=0.5), "disk"),
        (replace(WAITING, storage_bytes_per_s=9e7, device_busy=0.95), "disk"),
        (replace(WAITING, storage_bytes_per_s=9e7, disk_share=0.2), "undetermined"),
        (replace(WAITING, switches_per_s=300.0), "lock"),
        (replace(WAITING, switches_per_s=300.0, user=0.0), "undetermined"),  # a sleeper: nobody holds it
        (replace(WAITING, switches_per_s=1.0), "undetermined"),
        (replace(WAITING, parent_busy=0.97), "dispatch"),
        (replace(SPINNING, user=0.1, system=0.85, create_share=0.95), "file-creation"),
    ],
)
def test_a_limit_needs_all_its_evidence(facts, limit):
    assert find_limit(facts).limit == limit


def test_the_runner_up_tells_what_it_lacks():
    found = find_limit(replace(COPYING, memcpy_share=0.6))
    assert found.limit == "undetermined"
    assert found.runner_up == "memory-bandwidth"
    assert found.lacking == ("bytes moved, of memcpy 60% (at least 70%)",)
    assert "user 97%" in found.evidence[0]


def test_what_is_not_known_stands_with_what_it_would_have_to_be():
    found = find_limit(replace(WAITING, storage_bytes_per_s=9e7, disk_share=None, device_busy=0.1, user=0.1))
    assert found.runner_up == "disk"
    lacking = (
        "share of the raw ceiling (at least 80%, not known) or device busy 10% (at least 90%) "
        "or I/O pressure 0% (at least 20%)"
    )
    assert found.lacking == (lacking,)
    told = " ".join(verdict_lines(found))
    assert f"Next likely is disk, which lacks: {lacking}. Not counted here: share of the raw ceiling." in told


def test_other_programs_are_named_with_their_share():
    found = find_limit(replace(CROWDED, foreign=0.61))
    assert found.evidence[:2] == (
        "CPU time taken by other programs 61% (at least 5%)",
        "waiting for a CPU 48% (at least 10%)",
    )
    assert (found.runner_up, found.lacking) == ("cpu", ("on a CPU 50% (at least 85%)",))


def test_a_counter_that_is_not_there_is_missing_and_decides_nothing():
    blind = replace(WAITING, storage_bytes_per_s=9e7, disk_share=0.2, io_pressure=None, device_busy=None)
    found = find_limit(blind)
    assert found.limit == "undetermined"
    assert set(found.missing) == {"device busy", "I/O pressure"}
    assert not find_limit(SPINNING).missing
