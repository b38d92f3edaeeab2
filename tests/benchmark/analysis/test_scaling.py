"""Throughput over workers: synthetic rounds from known curves give these back, with intervals that hold."""

import math
import os
from collections import Counter

import numpy as np
import pytest

from brinery.benchmark.analysis.scaling import fit_scaling, karp_flatt

pytest.importorskip("scipy")

CPUS = 64
ALL_N = (1, 2, 4, 8, 16, 32)
SOAK = bool(os.environ.get("BRINERY_SOAK"))
DRAWS = 1000 if SOAK else 100
CHANCE = 0.0 if SOAK else 0.02  # a standard error of a share of 100 draws


def usl(workers, alpha, beta, gamma=1000.0):
    n = np.asarray(workers, dtype=float)
    return gamma * n / (1 + alpha * (n - 1) + beta * n * (n - 1))


def rounds(workers, truth, random, noise=0.03, count=7, weather=0.0):
    """Each round's throughputs: noise a cell, and weather that a whole round shares."""
    logs = random.normal(0, noise, (count, len(workers))) + random.normal(0, weather, (count, 1))
    table = truth * np.exp(logs)
    return {n: table[:, column].tolist() for column, n in enumerate(workers)}


def exact(workers, truth, count=7):
    return {n: [value] * count for n, value in zip(workers, truth.tolist(), strict=True)}


def parameters(fit):
    return {parameter.name: parameter.estimate for parameter in fit.parameters}


def holds(estimate, truth):
    return estimate.low <= truth * (1 + 1e-12) and (
        estimate.high is None or truth <= estimate.high * (1 + 1e-12)
    )


@pytest.mark.parametrize(
    ("alpha", "beta", "noise", "count", "weather"),
    [
        (0.03, 0.001, 0.03, 7, 0.0),
        (0.1, 0.002, 0.02, 7, 0.05),
        (0.05, 0.0005, 0.05, 7, 0.0),
        (0.03, 0.001, 0.03, 5, 0.02),
    ],
)
def test_the_intervals_hold_a_known_curve_in_90_to_98_percent_of_draws(alpha, beta, noise, count, weather):
    random = np.random.default_rng(20)
    truth = usl(ALL_N, alpha, beta)
    best = math.sqrt((1 - alpha) / beta)
    hits, tries = Counter(), Counter()
    for _ in range(DRAWS):
        fit = fit_scaling(rounds(ALL_N, truth, random, noise, count, weather), CPUS)
        known = {"gamma": 1000.0, "alpha": alpha, "beta": beta}
        seen = [(name, estimate, known[name]) for name, estimate in parameters(fit).items() if name in known]
        seen += [(f"X({n})", estimate, usl(n, alpha, beta)) for n, estimate in at(fit, ALL_N)]
        if fit.peak.workers is not None:
            seen += [
                ("peak", fit.peak.workers, best),
                ("ceiling", fit.peak.throughput, usl(best, alpha, beta)),
            ]
        for name, estimate, value in seen:
            tries[name] += 1
            hits[name] += holds(estimate, value)
    covered = {name: hits[name] / tries[name] for name in tries if tries[name] > DRAWS / 2}
    assert {"gamma", "alpha", "beta", "X(32)"} <= set(covered)
    assert all(0.90 - CHANCE <= share <= 0.98 + CHANCE for share in covered.values()), covered


def at(fit, workers):
    return [(int(point.workers), point.throughput) for point in fit.band if point.workers in workers]


def test_having_chosen_the_simpler_curve_does_not_make_the_band_too_narrow():
    """At beta = 0.0001 the USL and Amdahl win about as often; even beyond the data the band must hold."""
    random = np.random.default_rng(5)
    truth = usl(ALL_N, 0.02, 0.0001)
    models, hits = Counter(), 0
    for _ in range(DRAWS):
        fit = fit_scaling(rounds(ALL_N, truth, random), CPUS)
        models[fit.model] += 1
        hits += holds(fit.band[-1].throughput, usl(48, 0.02, 0.0001))
    assert models["usl"] > DRAWS / 5
    assert models["amdahl"] > DRAWS / 5
    assert hits / DRAWS >= 0.90


@pytest.mark.parametrize(
    ("workers", "tried", "doubtful"),
    [
        ((1,), set(), False),
        ((1, 2), set(), False),
        ((1, 2, 4), {"linear", "amdahl"}, False),
        ((1, 2, 4, 8), {"linear", "amdahl", "usl"}, True),
        ((1, 2, 4, 8, 16), {"linear", "amdahl", "usl"}, True),
        ((1, 2, 4, 8, 16, 32), {"linear", "amdahl", "usl"}, False),
    ],
)
def test_few_distinct_n_allow_few_curves(workers, tried, doubtful):
    random = np.random.default_rng(7)
    fit = fit_scaling(rounds(workers, usl(workers, 0.05, 0.02), random), CPUS)
    assert {candidate.model for candidate in fit.candidates} == tried
    assert fit.low_confidence is doubtful
    assert fit.distinct == len(workers)
    if not tried:
        assert fit.model is None
        assert (fit.parameters, fit.peak, fit.band) == ((), None, ())


def test_two_distinct_n_still_give_ratios_and_the_serial_fraction():
    fit = fit_scaling({1: [100.0] * 7, 2: [160.0] * 7}, CPUS)
    two = fit.points[1]
    assert two.speedup.value == pytest.approx(1.6)
    assert two.efficiency.value == pytest.approx(0.8)
    assert two.karp_flatt.value == pytest.approx(0.25)


def test_more_workers_than_usable_cpus_are_shown_but_never_fitted():
    collapsed = exact((1, 2, 4, 8), usl((1, 2, 4, 8), 0.1, 0.0)) | {16: [1.0] * 7}
    fit = fit_scaling(collapsed, usable_cpus=8.5)
    assert [point.oversubscribed for point in fit.points] == [False, False, False, False, True]
    assert fit.distinct == 4
    assert fit.model == "amdahl"
    assert fit.points[-1].speedup is not None
    assert fit.points[-1].karp_flatt is None
    assert max(point.workers for point in fit.band) == pytest.approx(12)


def test_two_usable_cpus_allow_no_curve_however_many_workers_were_tried():
    fit = fit_scaling(exact(ALL_N, usl(ALL_N, 0.05, 0.01)), usable_cpus=2)
    assert fit.model is None
    assert len(fit.points) == 6


@pytest.mark.parametrize(
    ("alpha", "beta", "model"), [(0.0, 0.0, "linear"), (0.1, 0.0, "amdahl"), (0.05, 0.005, "usl")]
)
def test_aicc_chooses_the_curve_that_the_data_came_from(alpha, beta, model):
    random = np.random.default_rng(8)
    chosen = Counter(
        fit_scaling(rounds(ALL_N, usl(ALL_N, alpha, beta), random), CPUS).model for _ in range(100)
    )
    assert chosen[model] >= 80, chosen


def test_exact_data_give_the_exact_curve():
    fit = fit_scaling(exact(ALL_N, usl(ALL_N, 0.03, 0.001)), CPUS)
    found = parameters(fit)
    assert found["gamma"].value == pytest.approx(1000)
    assert found["alpha"].value == pytest.approx(0.03)
    assert found["beta"].value == pytest.approx(0.001)
    assert fit.peak.workers.value == pytest.approx(math.sqrt(0.97 / 0.001))
    assert fit.candidates[0].misfit < 1e-6
    assert sum(candidate.weight for candidate in fit.candidates) == pytest.approx(1)


def test_a_peak_far_beyond_the_data_is_no_number():
    random = np.random.default_rng(9)
    truth = usl((1, 2, 4, 8), 0.2, 0.003)  # its peak is at 16, twice the largest N
    fits = [fit_scaling(rounds((1, 2, 4, 8), truth, random, noise=0.002), CPUS) for _ in range(20)]
    assert {fit.model for fit in fits} == {"usl"}
    assert all(
        fit.peak.beyond_data and fit.peak.workers is None and fit.peak.throughput is None for fit in fits
    )


def test_amdahl_and_a_straight_line_have_no_peak():
    for alpha in (0.0, 0.1):
        fit = fit_scaling(exact(ALL_N, usl(ALL_N, alpha, 0.0)), CPUS)
        assert fit.peak.beyond_data


def test_a_peak_within_reach_whose_upper_end_is_not_known_has_none():
    random = np.random.default_rng(10)
    fits = [
        fit_scaling(rounds((1, 2, 4, 8), usl((1, 2, 4, 8), 0.05, 0.012), random), CPUS) for _ in range(50)
    ]
    peaks = [fit.peak.workers for fit in fits if fit.peak.workers is not None]
    assert any(peak.high is None for peak in peaks)
    assert all(peak.high is None or peak.high <= 12 for peak in peaks)
    assert all(peak.low <= peak.value for peak in peaks)


def test_alpha_and_beta_are_never_negative_and_faster_than_linear_is_said():
    faster = 1000.0 * np.array(ALL_N) ** 1.1
    fit = fit_scaling(rounds(ALL_N, faster, np.random.default_rng(11)), CPUS)
    found = parameters(fit)
    assert fit.superlinear
    assert found["alpha"].value == found["alpha"].low == 0
    assert not fit_scaling(rounds(ALL_N, usl(ALL_N, 0.05, 0.0), np.random.default_rng(11)), CPUS).superlinear


def test_fewer_than_five_rounds_give_a_curve_without_intervals():
    fit = fit_scaling(rounds(ALL_N, usl(ALL_N, 0.03, 0.002), np.random.default_rng(12), count=3), CPUS)
    assert fit.model == "usl"
    assert all(parameter.estimate.low is None for parameter in fit.parameters)
    assert all(point.throughput.low is None for point in (*fit.points, *fit.band))
    assert fit.peak.workers.low is None


def test_a_disturbed_round_shifts_the_level_and_not_the_shape():
    random = np.random.default_rng(13)
    calm = rounds(ALL_N, usl(ALL_N, 0.03, 0.001), random)
    slowed = {n: [*values[:-1], values[-1] / 2] for n, values in calm.items()}
    before, after = (parameters(fit_scaling(data, CPUS)) for data in (calm, slowed))
    assert after["alpha"].value == pytest.approx(before["alpha"].value)
    assert after["alpha"].high == pytest.approx(before["alpha"].high)
    assert after["gamma"].low < before["gamma"].low


def test_missing_rounds_are_left_out_without_bending_the_curve():
    random = np.random.default_rng(14)
    data = rounds(ALL_N, usl(ALL_N, 0.03, 0.001), random, noise=0.001, weather=0.1)
    data[32] = data[32][:5]
    data[4][2] = math.nan
    fit = fit_scaling(data, CPUS)
    assert [point.rounds for point in fit.points] == [7, 7, 6, 7, 7, 5]
    assert parameters(fit)["alpha"].value == pytest.approx(0.03, abs=0.003)
    assert parameters(fit)["beta"].value == pytest.approx(0.001, abs=0.0001)


def test_speed_up_is_paired_within_rounds_so_that_weather_cancels():
    random = np.random.default_rng(15)
    fit = fit_scaling(rounds((1, 4), np.array([100.0, 320.0]), random, noise=0.005, weather=0.2), CPUS)
    four = fit.points[1]
    assert holds(four.speedup, 3.2)
    assert four.speedup.high / four.speedup.low < 1.03
    assert four.throughput.high / four.throughput.low > 1.2
    assert four.efficiency.low == pytest.approx(four.speedup.low / 4)
    assert four.karp_flatt.low == pytest.approx(karp_flatt(four.speedup.high, 4))


def test_without_one_worker_there_is_no_speed_up():
    fit = fit_scaling(exact((2, 4, 8), usl((2, 4, 8), 0.1, 0.0)), CPUS)
    assert all(point.speedup is None for point in fit.points)
    assert fit.model == "amdahl"


@pytest.mark.parametrize(
    ("speedup", "workers", "serial"), [(4.0, 4, 0.0), (1.0, 8, 1.0), (2.0, 4, 1 / 3), (3.2, 8, 3 / 14)]
)
def test_karp_flatt_is_exact(speedup, workers, serial):
    assert karp_flatt(speedup, workers) == pytest.approx(serial)


def test_a_throughput_must_be_positive():
    with pytest.raises(ValueError, match="positive"):
        fit_scaling({1: [1.0], 2: [0.0]}, CPUS)


def test_nothing_measured_is_nothing_fitted():
    assert fit_scaling({}, CPUS).points == ()
