"""Regions that others disturb are taken again; which one counts does not hang on its time."""

from dataclasses import replace

import pytest

from brinery.benchmark.analysis.summary import cell_results
from brinery.benchmark.ledger import Ledger
from brinery.benchmark.options import make_bench_options
from brinery.benchmark.regions.session import Session
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
    return replace(made, workers=workers, machine=MachineUse(wall, 0, 0, 0, 0, busy_ns=busy))


@pytest.fixture(autouse=True)
def two_cpus(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {0, 1})


@pytest.fixture
def session(tmp_path):
    ledger = Ledger()
    ledger.expect(CELL, 100)
    made = Session(make_bench_options(output=tmp_path), None, tmp_path, USABLE, ledger, lambda _: None)
    made.allow_retakes(8)
    return made


def taken(session, *regions):
    """Return the region that counts and those that do not, when these come one after the other."""
    left = iter(regions)
    counted, reports = session.calmly(CELL, lambda: (next(left), []))
    session.record(CELL, counted, reports)
    (cell,) = cell_results(session.ledger, USABLE)
    return counted, [one for one in cell.samples if not one.valid]


def test_what_others_take_of_the_cpus_is_their_share_in_the_region():
    assert disturbed_share(region(others=0.4), USABLE) == pytest.approx(0.4)
    assert disturbed_share(region(others=0.1), USABLE) == 0  # two ticks: perhaps nothing
    assert disturbed_share(region(waits=0.3), USABLE) == pytest.approx(0.3)
    assert disturbed_share(region(waits=0.3), 1.0) == 0  # more workers than CPUs wait for one another
    assert disturbed_share(sample(CELL, 0, 100), USABLE) == 0  # nothing is known


def test_a_calm_region_is_taken_once(session):
    assert taken(session, region()) == (region(), [])
    assert session.retakes == 2


def test_a_disturbed_region_is_taken_again_and_the_calm_one_counts(session):
    counted, others = taken(session, region(ms=90, others=0.5), region(ms=110))
    assert counted == region(ms=110)
    assert [one.problem for one in others] == ["disturbed: others took 50% of the CPUs"]
    (cell,) = cell_results(session.ledger, USABLE)
    assert "void-samples" not in cell.warnings
    assert "disturbed" not in cell.warnings


def test_of_disturbed_regions_the_least_disturbed_counts_and_the_cell_says_so(session):
    counted, others = taken(session, region(others=0.5), region(others=0.3), region(others=0.9))
    assert counted == region(others=0.3)
    assert len(others) == 2
    (cell,) = cell_results(session.ledger, USABLE)
    assert "disturbed" in cell.warnings


def test_no_more_than_a_quarter_of_a_round_is_taken_again(session):
    taken(session, region(others=0.5), region(others=0.5), region(others=0.5))
    assert session.retakes == 0
    counted, _ = taken(session, region(others=0.6))
    assert counted == region(others=0.6)
