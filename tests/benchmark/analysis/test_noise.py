from dataclasses import replace

import pytest

from brinery.benchmark.analysis.noise import spread, with_floor, with_sentinel
from brinery.benchmark.result.findings import SentinelSample
from brinery.benchmark.result.result import Noise

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


def noise_of(samples):
    return with_sentinel(Noise(0.1, 0.2, None, sentinel=tuple(samples)))


def test_steady_work_has_no_drift_and_a_low_floor():
    found = noise_of(run())
    assert not found.drift.significant
    assert 0 <= found.floor < 0.01
    assert found.sampler_effect.value == pytest.approx(1, abs=0.01)


def test_work_that_slows_down_drifts():
    found = noise_of(run(slope=0.02))
    assert found.drift.significant
    assert found.drift.over_run.value == pytest.approx(0.12, abs=0.02)
    assert found.floor == pytest.approx(0.12, abs=0.02)  # though both names slow down alike


def test_the_floor_is_no_less_than_what_the_same_work_changed_by_from_round_to_round():
    samples = [replace(one, wall_ns=one.wall_ns * 3) if one.round == 4 else one for one in run()]
    found = noise_of(samples)
    assert spread(found) == pytest.approx(2, abs=0.01)
    assert found.floor == spread(found)


def test_a_floor_of_an_earlier_version_is_raised_to_the_spread():
    disturbed = [replace(one, wall_ns=one.wall_ns * (1 + one.round)) for one in run()]
    earlier = replace(noise_of(disturbed), floor=0.107)
    assert with_floor(earlier).floor >= spread(earlier) > 1
    assert with_floor(Noise(0.1, 0.2, None)).floor is None


def test_what_the_sampler_costs_is_the_ratio_to_the_runs_without_it():
    assert noise_of(run(unsampled=0.97)).sampler_effect.value == pytest.approx(1 / 0.97, abs=0.005)


def test_few_rounds_tell_nothing():
    found = noise_of(run(rounds=2))
    assert found.floor is None
    assert noise_of([]).drift is None
