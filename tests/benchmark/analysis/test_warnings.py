from dataclasses import replace

import pytest

from brinery.benchmark.analysis.summary import cell_results
from brinery.benchmark.analysis.warnings import REMEDIES, run_warnings, steal_share
from brinery.benchmark.ledger import Ledger
from brinery.benchmark.result.estimates import Drift, Estimate, Ratio
from brinery.benchmark.result.findings import SentinelSample
from brinery.benchmark.result.measured import MachineUse, WorkerSample

from ..made import pooled, result, sample


def use(**changes):
    values = {"steal_ns": 0, "throttled_ns": 0, "io_stalled_ns": 0, "device_busy_ns": 0}
    return MachineUse(200_000_000, **values | changes)


def worker(**changes):
    one = WorkerSample(1, 0, 200_000_000, 190_000_000, 10_000_000, 1, 1, 0, 0, {})
    return replace(one, **changes)


def codes(*samples, op="load"):
    ledger = Ledger()
    cell = pooled("npy", op, 2)
    ledger.expect(cell, 100)
    for number, changes in enumerate(samples):
        ledger.add(cell, sample(cell, number, 200, **changes), 100, 0)
    (found,) = cell_results(ledger, 2.0)
    assert set(found.warnings) <= set(REMEDIES)
    return set(found.warnings)


def test_a_quiet_cell_has_no_warning():
    assert codes(*[{"machine": use()}] * 5) == set()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"machine": use(steal_ns=20_000_000)}, "steal"),
        ({"machine": use(throttled_ns=20_000_000)}, "throttled"),
        ({"skew_ns": 20_000_000}, "start-skew"),
        ({"tail_ns": 80_000_000}, "tail"),
        ({"workers": (worker(process_cpu_ns=230_000_000),)}, "hidden-threads"),
    ],
)
def test_what_disturbs_a_cell_is_named(changes, code):
    assert codes(*[changes] * 5) == {code}


def test_a_backlog_of_writes_disturbs_what_writes():
    waiting = [{"machine": use(dirty_bytes=200 << 20)}] * 5
    assert codes(*waiting, op="dump") == {"dirty-backlog"}
    assert codes(*waiting, op="load") == set()


def test_an_effect_of_the_sampler_below_the_noise_floor_is_none():
    made = result([(pooled("npy", "load", 1), [100.0] * 5)])
    effect = Ratio(1.19, 1.02, 1.41, 0.03, 7, paired=True)
    told = {
        floor: run_warnings(replace(made, noise=replace(made.noise, sampler_effect=effect, floor=floor)))
        for floor in (0.05, 1.3)
    }
    assert any("slows the work by 19.0%" in line for line in told[0.05])
    assert not any("slows the work" in line for line in told[1.3])


def test_a_sampler_that_sees_other_cpu_time_than_the_workers_is_told():
    made = result([(pooled("npy", "load", 1), [100])])
    off = replace(made.sampler, workers_cpu_ns=10_000_000_000, workers_seen_cpu_ns=11_000_000_000)
    assert any("+10.0% of the CPU time" in line for line in run_warnings(replace(made, sampler=off)))
    near = replace(off, workers_seen_cpu_ns=10_200_000_000)
    assert not any("CPU time that" in line for line in run_warnings(replace(made, sampler=near)))


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        ("a worker process died (killed)", "worker-died"),
        ("warm was not warm: 40% of a", "not-warm"),
        ("a worker was restarted", "worker-restarted"),
        ("swapped: 12 KiB of a worker's memory lay in swap", "swapped"),
        ("1 of 2 bytes came from storage: cold was not cold", "not-cold"),
    ],
)
def test_a_void_sample_tells_why(problem, code):
    assert codes(*[{}] * 5, {"valid": False, "problem": problem}) == {"void-samples", code}


def test_one_tick_of_steal_is_not_told_from_none():
    assert steal_share([use(steal_ns=10_000_000)], 2.0) == 0
    assert steal_share([use(steal_ns=None)], 2.0) is None
    assert steal_share([use(steal_ns=40_000_000)], 2.0) == pytest.approx(0.1)


def test_a_quiet_run_has_no_warning():
    assert run_warnings(result([(pooled("npy", "load", 1), [200] * 5)])) == []


def test_what_disturbs_a_run_comes_with_its_remedy():
    made = result([(pooled("npy", "load", 1), [200] * 5)])
    drift = Drift(Estimate(0.5, 0.4, 0.6), Estimate(0.1, 0.05, 0.15), significant=True)
    sentinel = (SentinelSample("seed", 0, "open", "a", 0, 1),)
    made = replace(
        made,
        noise=replace(made.noise, foreign_cpu=0.2, steal=0.05, throttled=0.1, drift=drift, sentinel=sentinel),
        storage=replace(made.storage, filesystem="tmpfs"),
        sampler=replace(made.sampler, wall_ns=1000, cpu_ns=50, longest_gap_ns=5_000_000_000),
        run=replace(made.run, quick=True),
    )
    text = "\n".join(run_warnings(made))
    for words in ("close them", "dedicated", "quota", "drift", "--scratch", "sampler took", "gap", "quick"):
        assert words in text


def test_regions_with_images_of_other_sizes_are_told():
    made = result([(pooled("npy", "load", 1), [1.0]), (pooled("json", "load", 1), [1.0])])
    assert not [text for text in run_warnings(made) if "several sizes" in text]
    npy, json = made.cells
    small = replace(json, size=replace(json.size, pixel_bytes_per_image=14_400.0))
    (told,) = [text for text in run_warnings(replace(made, cells=(npy, small))) if "several sizes" in text]
    assert "load 14 to 230 kB of pixels an image" in told
    assert "compare MB/s" in told
