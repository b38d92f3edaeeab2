"""Regions that others disturb are taken again; which one counts does not hang on its time."""

from dataclasses import replace

import pytest

from brinery.benchmark.analysis.summary import cell_results
from brinery.benchmark.ledger import Ledger
from brinery.benchmark.options import make_bench_options
from brinery.benchmark.regions.region import Region
from brinery.benchmark.regions.session import Progress, Round, Scratch, Session
from brinery.benchmark.result.measured import MachineUse, disturbed_share

from ..made import pooled, sample

CELL = pooled("npy", "load", 2)
USABLE = 2.0


def region(ms=100, others=0.0, waits=0.0):
    """Two workers that are on their CPUs for so many ms, or wait; others take a share of all CPUs."""
    made = sample(CELL, 0, ms)
    wall = made.wall_ns
    workers = tuple(replace(one, run_wait_ns=round(waits * wall)) for one in made.workers)
    busy = round(2 * wall + others * 2 * wall)
    return Region(workers=workers, images=100, machine=MachineUse(wall, 0, 0, 0, 0, busy_ns=busy))


def share(one, usable=USABLE):
    return disturbed_share(one.sample(0, 0), usable)


@pytest.fixture(autouse=True)
def two_cpus(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {0, 1})


@pytest.fixture
def taking(tmp_path):
    return taking_with(tmp_path)


def taking_with(tmp_path, **options):
    ledger, options = Ledger(), make_bench_options(output=tmp_path, rounds=7, **options)
    ledger.expect(CELL, 100)
    session = Session(options, None, Scratch(tmp_path), USABLE, ledger, Progress(lambda _: None))
    return Round(session, 0, [CELL] * 8), ledger


def taken(taking, *regions):
    """Return the region that counts, those that do not, and the cell, when these come one after the other."""
    (one_round, ledger), left = taking, iter(regions)
    counted = one_round.take(CELL, lambda: next(left))
    (cell,) = cell_results(ledger, USABLE)
    return counted, [one for one in cell.samples if not one.valid], cell


def test_what_others_take_of_the_cpus_is_their_share_in_the_region():
    assert share(region(others=0.4)) == pytest.approx(0.4)
    assert share(region(others=0.1)) == 0  # two ticks: perhaps nothing
    assert share(region(waits=0.3)) == pytest.approx(0.3)
    assert share(region(waits=0.3), 1.0) == 0  # more workers than CPUs wait for one another
    assert disturbed_share(sample(CELL, 0, 100), USABLE) == 0  # nothing is known


def test_a_calm_region_is_taken_once(taking):
    counted, others, _ = taken(taking, region())
    assert (counted, others) == (region(), [])
    assert taking[0].retakes == 2


def test_a_disturbed_region_is_taken_again_and_the_calm_one_counts(taking):
    counted, others, cell = taken(taking, region(ms=90, others=0.5), region(ms=110))
    assert counted == region(ms=110)
    assert [one.problem for one in others] == ["disturbed: others took 50% of the CPUs"]
    assert "void-samples" not in cell.warnings
    assert "disturbed" not in cell.warnings


def test_of_disturbed_regions_the_least_disturbed_counts_and_the_cell_says_so(taking):
    counted, others, cell = taken(taking, region(others=0.5), region(others=0.3), region(others=0.9))
    assert counted == region(others=0.3)
    assert len(others) == 2
    assert "disturbed" in cell.warnings


def test_no_more_than_a_quarter_of_a_round_is_taken_again(taking):
    taken(taking, region(others=0.5), region(others=0.5), region(others=0.5))
    assert taking[0].retakes == 0
    counted, _, _ = taken(taking, region(others=0.6))
    assert counted == region(others=0.6)


def test_a_quick_look_takes_nothing_again(tmp_path):
    counted, others, _ = taken(taking_with(tmp_path, quick=True), region(others=0.6))
    assert (counted, others) == (region(others=0.6), [])


def test_a_void_region_is_run_once_more_after_mending_and_wrong_arrays_are_not(taking):
    (one_round, ledger), mended = taking, []
    void, fine = Region(problem="a worker was restarted"), region()
    left = iter([void, fine])
    assert one_round.take(CELL, lambda: next(left), lambda: mended.append(1)) == fine
    wrong = Region(problem="image 1: not the same", checked=5, wrong=1)
    assert one_round.take(CELL, lambda: wrong, lambda: mended.append(2)) == wrong
    (cell,) = cell_results(ledger, USABLE)
    assert [(one.order, one.problem) for one in cell.samples] == [
        (0, "a worker was restarted"), (0, None), (1, "image 1: not the same"),
    ]  # fmt: skip
    assert (mended, cell.verify.checked, cell.valid) == ([1], 5, False)
