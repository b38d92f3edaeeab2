"""What a comparison may say: nothing about the same work twice, and everything about a planted change."""

import math
import sys

import numpy as np
import pytest

from brinery.benchmark.analysis.statistics import (
    benjamini_hochberg,
    drift,
    holds_interval,
    judge,
    log_mean,
    median_interval,
    noise_floor,
    paired_ratio,
    student_quantile,
    unpaired_ratio,
)
from brinery.benchmark.result.estimates import Ratio
from brinery.errors import MissingLibraryError

pytest.importorskip("scipy")

HOUR_NS = 3_600_000_000_000
NAN = math.nan


def run(random, cells, rounds=7, noise=0.03):
    """Times of a run, one row a cell."""
    return np.exp(random.normal(0, noise, (cells, rounds)))


def judged(old, new, ratio=unpaired_ratio, floor=None):
    ratios = [ratio(a, b) for a, b in zip(old, new, strict=True)]
    q_values = benjamini_hochberg([found.p_value for found in ratios])
    return [judge(found, q, floor) for found, q in zip(ratios, q_values, strict=True)]


def test_the_same_code_twice_is_called_changed_in_fewer_than_one_pair_of_twenty():
    random = np.random.default_rng(1)
    pairs = 200
    wrong = sum(
        not {"regressed", "faster"}.isdisjoint(judged(run(random, 36), run(random, 36))) for _ in range(pairs)
    )
    assert wrong < pairs / 20


def test_runs_that_differ_by_more_than_their_rounds_show_are_still_rarely_called():
    """Each cell of each run is off by 1 % as a whole, which no spread within a run betrays."""
    random = np.random.default_rng(2)
    pairs = 100
    wrong = 0
    for _ in range(pairs):
        old, new = (run(random, 36) * np.exp(random.normal(0, 0.01, (36, 1))) for _ in "ab")
        wrong += not {"regressed", "faster"}.isdisjoint(judged(old, new))
    assert wrong <= pairs / 8  # Welch's own degrees of freedom call 25 of 100


@pytest.mark.parametrize("ratio", [paired_ratio, unpaired_ratio])
def test_a_planted_fifth_is_found_among_36_cells_and_only_that(ratio):
    random = np.random.default_rng(3)
    found = others = 0
    for _ in range(100):
        old, new = run(random, 36), run(random, 36)
        new[0] *= 1.2
        first, *rest = judged(old, new, ratio, floor=0.04)
        found += first == "regressed"
        others += len(set(rest) & {"regressed", "faster"}) > 0
    assert found >= 98
    assert others <= 10


def test_a_planted_fifth_faster_is_faster():
    random = np.random.default_rng(4)
    old, new = run(random, 36), run(random, 36)
    new[5] /= 1.2
    assert judged(old, new)[5] == "faster"


@pytest.mark.parametrize("ratio", [paired_ratio, unpaired_ratio])
def test_the_interval_of_a_ratio_holds_the_truth(ratio):
    random = np.random.default_rng(5)
    found = [ratio(run(random, 1)[0], 1.1 * run(random, 1)[0]) for _ in range(500)]
    covered = np.mean([one.low <= 1.1 <= one.high for one in found])
    assert 0.92 <= covered <= 0.99


def test_a_ratio_is_that_of_geometric_means_and_swaps_to_its_inverse():
    a, b = [1.0, 2.0, 4.0, 1.0, 2.0], [2.0, 4.0, 8.0, 2.0, 4.4]
    there, back = paired_ratio(a, b), paired_ratio(b, a)
    assert there.value == pytest.approx(2 * 1.1**0.2)
    assert back.value == pytest.approx(1 / there.value)
    assert (back.low, back.high) == pytest.approx((1 / there.high, 1 / there.low))
    assert back.p_value == pytest.approx(there.p_value)


def test_pairing_removes_what_a_round_does_to_both():
    random = np.random.default_rng(6)
    weather = np.exp(random.normal(0, 0.3, 7))
    a, b = weather * run(random, 1, noise=0.01)[0], 1.1 * weather * run(random, 1, noise=0.01)[0]
    assert paired_ratio(a, b).p_value < 0.001
    assert unpaired_ratio(a, b).p_value > 0.2


def test_the_t_test_against_a_worked_example():
    """Log-ratios .01 to .05: mean .03, standard error .0070711, t = 4.2426 on 4 degrees, p = .0132."""
    ratio = paired_ratio([1.0] * 5, np.exp([0.01, 0.02, 0.03, 0.04, 0.05]))
    assert ratio.p_value == pytest.approx(0.01324, abs=1e-5)
    assert math.log(ratio.high) == pytest.approx(0.03 + 2.776445 * 0.0070711, abs=1e-6)


def test_a_round_without_a_value_is_left_out():
    ratio = paired_ratio([1, 1, NAN, 1, 1, 1, 1], [2, 2, 2, 2, 2, NAN, 2])
    assert (ratio.rounds, ratio.value) == (5, pytest.approx(2))
    assert unpaired_ratio([1, 1, NAN], [2, 2, 2, 2]).rounds == 2
    with pytest.raises(ValueError, match="no round"):
        paired_ratio([1, NAN], [NAN, 1])
    with pytest.raises(ValueError, match="positive"):
        paired_ratio([0.0], [1.0])


def test_times_that_never_vary_differ_for_certain_or_not_at_all():
    assert paired_ratio([1.0] * 5, [1.0] * 5).p_value == pytest.approx(1)
    assert unpaired_ratio([1.0] * 5, [2.0] * 5).p_value < 1e-12


def test_benjamini_hochberg_against_a_worked_example():
    """m p / rank is .05 for each of .01 to .04; then .02, 1, .8, .9, of which the 1 takes the .8 after it."""
    assert benjamini_hochberg([0.04, 0.01, 0.5, 0.03, 0.02]) == pytest.approx([0.05, 0.05, 0.5, 0.05, 0.05])
    assert benjamini_hochberg([0.5, 0.005, 0.6, 0.9]) == pytest.approx([0.8, 0.02, 0.8, 0.9])


def test_benjamini_hochberg_counts_only_what_was_tested():
    assert benjamini_hochberg([None, 0.02, None, 0.5]) == [None, 0.04, None, 0.5]
    assert benjamini_hochberg([]) == []


@pytest.mark.parametrize(
    ("value", "low", "high", "q", "floor", "answer"),
    [
        (1.20, 1.10, 1.30, 0.01, 0.02, "regressed"),
        (1.20, 1.10, 1.30, 0.06, 0.02, "inconclusive"),  # q is not below .05
        (1.20, 0.99, 1.45, 0.01, 0.02, "inconclusive"),  # the interval holds 1
        (1.20, 1.10, 1.30, 0.01, 0.25, "inconclusive"),  # within the noise floor
        (1.02, 1.01, 1.025, 0.001, 0.0, "same"),  # certain, and below 3 %
        (1.02, 1.01, 1.04, 0.001, 0.0, "inconclusive"),
        (1.02, 0.98, 1.06, 0.5, 0.07, "same"),  # the floor widens the margin
        (0.80, 0.75, 0.85, 0.01, None, "faster"),
        (0.98, 0.972, 0.99, 0.01, None, "same"),
        (1.00, 0.90, 1.10, 0.9, 0.02, "inconclusive"),
        (1.20, 1.10, 1.30, None, 0.02, "inconclusive"),
    ],
)
def test_the_rule_of_judging(value, low, high, q, floor, answer):
    assert judge(Ratio(value, low, high, 0.01, 7, paired=False), q, floor) == answer


def test_between_protocols_the_word_is_slower():
    assert judge(Ratio(1.2, 1.1, 1.3, 0.001, 7, paired=True), 0.01, 0.0, worse="slower") == "slower"


def test_fewer_than_five_rounds_are_inconclusive():
    ratio = paired_ratio([1.0] * 4, [2.0, 2.01, 2.0, 2.02])
    assert (ratio.low, ratio.high, ratio.p_value) == (None, None, None)
    assert judge(ratio, 0.0, 0.0) == "inconclusive"
    assert judge(Ratio(2.0, 1.9, 2.1, 0.0, 4, paired=True), 0.0, 0.0) == "inconclusive"


def test_the_noise_floor_is_what_the_same_work_may_look_like():
    random = np.random.default_rng(7)
    floors = {
        noise: np.median([noise_floor(*run(random, 2, noise=noise)) for _ in range(200)])
        for noise in (0.01, 0.03)
    }
    # for seven rounds about t sqrt(2/7) = 1.3 times the noise, and the offset of the pair
    assert 0.012 < floors[0.01] < 0.022
    assert 0.036 < floors[0.03] < 0.066
    assert noise_floor([1.0] * 4, [1.0] * 4) is None
    assert noise_floor([1.0] * 7, [1.1] * 7) == pytest.approx(0.1, abs=1e-6)
    assert noise_floor([1.1] * 7, [1.0] * 7) == pytest.approx(0.1, abs=1e-6)


@pytest.mark.parametrize(
    ("rounds", "place", "coverage"),
    [
        (5, 1, 15 / 16),
        (6, 1, 31 / 32),
        (7, 1, 63 / 64),
        (8, 1, 127 / 128),
        (9, 2, 246 / 256),
        (15, 4, 0.9648),
    ],
)
def test_the_interval_of_the_median_is_a_pair_of_rounds_whose_coverage_is_known(rounds, place, coverage):
    values = np.random.default_rng(8).permutation(np.arange(1.0, rounds + 1))
    low, high, found = median_interval(values.tolist())
    assert (low, high) == (place, rounds + 1 - place)
    assert found == pytest.approx(coverage, abs=1e-4)


@pytest.mark.parametrize("rounds", [5, 7, 9, 12])
def test_the_interval_of_the_median_holds_it_as_often_as_it_says_whatever_the_distribution(rounds):
    random = np.random.default_rng(9)
    found = [median_interval((random.pareto(1.2, rounds) + 1).tolist()) for _ in range(3000)]
    middle = 2 ** (1 / 1.2)
    covered = np.mean([low <= middle <= high for low, high, _ in found])
    assert covered == pytest.approx(found[0][2], abs=0.012)


def test_four_rounds_have_no_interval():
    assert median_interval([1.0, 2.0, 3.0, 4.0]) is None


def test_drift_gives_back_a_known_slope():
    random = np.random.default_rng(11)
    covered, begin = 0, np.linspace(0, HOUR_NS / 2, 14)
    for _ in range(300):
        trend = drift(begin, np.exp(0.1 * begin / HOUR_NS + random.normal(0, 0.02, 14)))
        covered += trend.per_hour.low <= 0.1 <= trend.per_hour.high
    assert 0.92 <= covered / 300 <= 0.98
    exact = drift(begin, 3.0 * np.exp(0.1 * begin / HOUR_NS))
    assert exact.per_hour.value == pytest.approx(0.1)
    assert exact.over_run.value == pytest.approx(math.expm1(0.05))
    assert exact.significant


def test_no_drift_is_rarely_called_and_too_little_is_no_trend():
    random = np.random.default_rng(12)
    begin = np.arange(14) * 1e10
    assert sum(drift(begin, run(random, 1, 14)[0]).significant for _ in range(200)) <= 20
    assert drift([0, 1, 2, 3], [1.0] * 4) is None
    assert drift([5] * 6, [1.0] * 6) is None
    assert drift([], []) is None


def test_a_cell_stops_when_its_interval_is_tight_and_not_before_five_rounds():
    steady = [1.0, 1.001, 0.999, 1.0, 1.001]
    assert holds_interval(steady, 0.01)
    assert not holds_interval(steady[:4], 0.01)
    assert not holds_interval([1.0, 1.2, 0.9, 1.1, 0.8], 0.01)


def test_stopping_early_keeps_the_interval_honest():
    random = np.random.default_rng(13)
    covered, spent = 0, 0
    for _ in range(500):
        times = run(random, 1, 7)[0]
        count = next((n for n in (5, 6) if holds_interval(times[:n], 0.03)), 7)
        estimate = log_mean(np.log(times[:count]))
        covered += estimate.low <= 1 <= estimate.high
        spent += count
    assert spent < 6.5 * 500
    assert covered / 500 >= 0.92


def test_without_scipy_the_error_names_the_extra(monkeypatch):
    student_quantile.cache_clear()
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(MissingLibraryError, match=r"brinery\[bench\]"):
        paired_ratio([1.0] * 7, [1.0] * 7)
