"""The sampler sees the whole tree and costs little."""

import os
import threading
import time

import psutil
import pytest

from brinery.engine.machine.sampler import Sampler
from brinery.engine.workers import pool


def burn(cpu_seconds):
    end = time.process_time() + cpu_seconds
    while time.process_time() < end:
        pass
    return bytearray(50_000_000)[0]


def test_it_sees_parent_and_workers_and_their_memory():
    with Sampler() as sampler:
        list(pool.run(burn, [0.4] * 4, workers=2))
    roles = {reading.role for reading in sampler.timeline}
    assert roles == {"parent", "worker"}
    workers = [reading for reading in sampler.timeline if reading.role == "worker"]
    last = {reading.pid: reading for reading in workers}
    spent = sum(reading.cpu_user_ns + reading.cpu_system_ns for reading in last.values())
    assert spent > 1e9
    assert sampler.peak.rss_bytes > 50_000_000
    assert sampler.peak.pss_bytes is None or 0 < sampler.peak.pss_bytes <= sampler.peak.rss_bytes
    assert [r.t_ns for r in sampler.timeline] == sorted(r.t_ns for r in sampler.timeline)
    assert sampler.cpu_ns > 0


def test_a_long_run_stays_small(monkeypatch):
    monkeypatch.setattr("brinery.engine.machine.sampler._INTERVAL_NS", 1_000_000)
    monkeypatch.setattr("brinery.engine.machine.sampler._MAX_TICKS", 20)
    monkeypatch.setattr("brinery.engine.machine.sampler._REST", 0)
    with Sampler() as sampler:
        time.sleep(0.4)
    times = sorted({reading.t_ns for reading in sampler.timeline})
    assert 5 < len(times) <= 21
    assert times[0] < 50_000_000
    assert times[-1] > 350_000_000


def test_without_proc_there_are_no_readings_but_a_peak(monkeypatch):
    def gone():
        raise psutil.NoSuchProcess(os.getpid())

    monkeypatch.setattr(psutil, "Process", gone)
    with Sampler() as sampler:
        sampler.before_the_end()
    assert sampler.timeline == []
    assert sampler.peak.rss_bytes > 1 << 20
    assert sampler.peak.pss_bytes is None


@pytest.mark.parametrize(
    ("counters", "error"),
    [
        ("io_counters", psutil.AccessDenied(1)),
        ("io_counters", PermissionError(1, "Operation not permitted")),
        ("num_ctx_switches", NotImplementedError("lines were not found")),
        ("memory_full_info", psutil.AccessDenied(1)),
    ],
)
def test_what_the_system_keeps_to_itself_is_none(monkeypatch, counters, error):
    def refused(_):
        raise error

    monkeypatch.setattr(psutil.Process, counters, refused)
    with Sampler() as sampler:
        pass
    first, last = sampler.timeline[0], sampler.timeline[-1]
    assert first.rss_bytes > 1 << 20
    assert (first.read_chars is None) == (counters == "io_counters")
    assert (first.switches_voluntary is None) == (counters == "num_ctx_switches")
    assert (last.pss_bytes is None) == (counters == "memory_full_info")


def test_without_a_thread_of_its_own_it_reads_at_the_beginning_and_the_end(monkeypatch):
    def refused(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    with Sampler() as sampler:
        pass
    assert len(sampler.timeline) == 2
    assert sampler.peak.pss_bytes is not None
