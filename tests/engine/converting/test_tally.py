"""The sums of a run's units."""

import os

import pytest

from brinery.engine.converting.tally import Tally
from brinery.engine.machine.counters import Counters
from brinery.engine.machine.sampler import Sampler
from brinery.engine.records import Phases, UnitResult, Usage


def spent(cpu_ns, read_bytes):
    return Counters(0, cpu_ns, 0, 2, 1, read_bytes, 100)


def unit(number, *, pid, cpu_ns=1000, read_bytes=50, lifetime=0):
    usage = Usage(pid, 0, spent(cpu_ns, read_bytes), 10, 200, 300, Phases(read_ns=7, dump_ns=3), lifetime)
    return UnitResult(number, 4, rows=((),) * 3, failures=(None,), usage=usage)


@pytest.fixture
def sampler():
    with Sampler() as running:
        pass
    return running


def summed(tally, sampler):
    return tally.summary(wall_ns=2_000_000_000, parent_cpu_ns=5, sampler=sampler)


def test_units_are_added_up(sampler):
    tally = Tally()
    for number, pid in enumerate((71, 72, 71)):
        tally.add(unit(number, pid=pid))
    assert (tally.members, tally.samples, tally.failures, tally.skipped) == (12, 9, 3, 0)
    assert (tally.source_bytes, tally.cpu_ns) == (30, 3000)
    summary = summed(tally, sampler)
    assert (summary.samples, summary.pixel_bytes, summary.file_bytes) == (9, 600, 900)
    assert (summary.read_bytes, summary.write_bytes) == (150, 300)
    assert (summary.phases.read_ns, summary.phases.dump_ns) == (21, 9)
    assert summary.units_by_worker == {71: 2, 72: 1}
    assert summary.images_per_second == 4.5


def test_a_counter_that_one_unit_lacks_is_unknown_and_not_zero(sampler):
    tally = Tally()
    tally.add(unit(0, pid=71))
    tally.add(unit(1, pid=71, read_bytes=None))
    assert summed(tally, sampler).read_bytes is None


def test_a_worker_counts_with_its_longest_lifetime(sampler):
    tally = Tally()
    for lifetime in (100, 900, 500):
        tally.add(unit(0, pid=71, lifetime=lifetime))
    own = summed(Tally(), sampler).lifetime_cpu_ns
    assert os.getpid() != 71
    assert summed(tally, sampler).lifetime_cpu_ns >= own + 900
    assert summed(tally, sampler).lifetime_cpu_ns < own + 900 + 10**9


def test_a_unit_that_did_nothing_has_no_usage(sampler):
    tally = Tally()
    tally.add(UnitResult(0, 4, stopped=True))
    assert summed(tally, sampler).units_by_worker == {}
