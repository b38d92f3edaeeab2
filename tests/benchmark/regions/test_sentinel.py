import time

import pytest

from brinery.benchmark.analysis.ledger import Ledger
from brinery.benchmark.regions.sentinel import noise_of
from brinery.benchmark.result.findings import SentinelSample
from brinery.engine.sampler import Sampler

from ..made import pooled, sample

pytest.importorskip("scipy")

SECOND = 1_000_000_000


def run(rounds=7, slope=0.0, unsampled=1.0, wobble=0.001):
    """A run whose sentinel takes 80 ms, changes by `slope` a round and differs a little."""
    samples = []
    for number in range(rounds):
        for place in ("open", "close"):
            for order, name in enumerate(("a", "b", "unsampled")):
                sign = 1 if (number + order + (place == "close")) % 2 else -1
                wall = 80e6 * (1 + slope * number) * (1 + sign * wobble)
                wall *= unsampled if name == "unsampled" else 1
                begin = (30 * number + 25 * (place == "close") + order) * SECOND
                samples.append(SentinelSample("scaling", number, place, name, begin, round(wall)))
    return samples


def test_steady_work_has_no_drift_and_a_low_floor():
    found = noise_of(run())
    assert not found.drift.significant
    assert 0 <= found.floor < 0.01
    assert found.sampler_effect.value == pytest.approx(1, abs=0.01)


def test_work_that_slows_down_drifts():
    found = noise_of(run(slope=0.02))
    assert found.drift.significant
    assert found.drift.over_run.value == pytest.approx(0.12, abs=0.02)
    assert found.floor < 0.01  # both names slow down alike


def test_what_the_sampler_costs_is_the_ratio_to_the_runs_without_it():
    assert noise_of(run(unsampled=0.97)).sampler_effect.value == pytest.approx(1 / 0.97, abs=0.005)


def test_few_rounds_tell_nothing():
    found = noise_of(run(rounds=2))
    assert found.floor is None
    assert noise_of([]).drift is None


def test_a_cell_whose_interval_is_tight_needs_no_further_round():
    ledger = Ledger(0, 2.0)
    steady, unsteady = pooled("npy", "load", 1), pooled("json", "load", 1)
    for cell in (steady, unsteady):
        ledger.expect(cell, 100)
    for number in range(5):
        ledger.add(steady, sample(steady, number, 200 + 0.2 * number), 100, 0)
        ledger.add(unsteady, sample(unsteady, number, 200 + 20 * number), 100, 0)
        if number == 3:
            assert ledger.still_open([steady, unsteady]) == [steady, unsteady]
    assert ledger.still_open([steady, unsteady]) == [unsteady]
    assert [cell.stopped_early for cell in ledger.results()] == [True, False]


def test_a_paused_sampler_reads_nothing():
    with Sampler() as sampler:
        time.sleep(0.25)
        with sampler.paused():
            before = len(sampler.timeline)
            time.sleep(0.3)
            assert len(sampler.timeline) == before
        time.sleep(0.3)
    assert len(sampler.timeline) > before
