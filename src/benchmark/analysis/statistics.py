"""How sure a number is, and whether two numbers differ.

The round is the unit: samples within one share its weather. Times vary by factors, so ratios and their
intervals are taken in logarithms: a ratio is that of geometric means. Fewer than five rounds have no
interval: even the whole range of four holds the median in 87 % only. An interval, a p or q value, a curve and
a recommendation need scipy: what finds one raises MissingLibraryError without it, here and in every module
above.
"""

import math
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...errors import MissingLibraryError
from ..result.estimates import Drift, Estimate, Ratio

Floats: TypeAlias = NDArray[np.float64]
Judgement: TypeAlias = Literal["faster", "slower", "regressed", "same", "inconclusive"]

FEWEST_ROUNDS = 5
SMALLEST_CHANGE = 0.03
FALSE_DISCOVERIES = 0.05

_COVERAGE = 0.95
_NINE_OF_TEN = 1.28  # standard errors below the mean
_SMALLEST_ERROR = 1e-9  # a standard error in ln time; below it is only rounding
_NS_PER_HOUR = 3.6e12


def scipy(part: str) -> Any:
    """Import a part of scipy, such as "stats"; MissingLibraryError where it is not installed."""
    try:
        return import_module(f"scipy.{part}")
    except ImportError as error:
        raise MissingLibraryError("statistics need scipy: pip install 'brinery[bench]'") from error


@cache
def student_quantile(degrees: float) -> float:
    """Return how many standard errors Student's t interval at 95 % reaches to either side."""
    return float(scipy("stats").t.ppf(0.975, degrees))


def log_mean(logs: Floats) -> Estimate:
    """Return the geometric mean with Student's t interval, of the ln of a positive value for each round."""
    mean = float(logs.mean())
    if logs.size < FEWEST_ROUNDS:
        return Estimate(math.exp(mean))
    reach = student_quantile(logs.size - 1) * float(logs.std(ddof=1)) / math.sqrt(logs.size)
    return Estimate(math.exp(mean), math.exp(mean - reach), math.exp(mean + reach))


def median_interval(rounds: Sequence[float]) -> tuple[float, float, float] | None:
    """Return the ends of the median's interval, and how often such an interval holds the median.

    The ends are order statistics, the k-th value from either side. Whatever the distribution, they miss the
    median only where fewer than k of the n rounds lie to one side of it, so they hold it with probability
    1 - 2 sum over i < k of C(n, i) / 2^n. k is the largest for which that is 95 % or more, otherwise 1: five
    rounds reach 93.8 %, six 96.9 %, seven 98.4 %. David & Nagaraja, "Order Statistics", Wiley 2003, 7.1.
    Fewer than five rounds have no interval. No value is NaN.
    """
    ordered, count = sorted(rounds), len(rounds)
    if count < FEWEST_ROUNDS:
        return None
    place, missed = 1, 2 / 2**count
    while (more := missed + 2 * math.comb(count, place) / 2**count) <= 1 - _COVERAGE:
        place, missed = place + 1, more
    return ordered[place - 1], ordered[-place], 1 - missed


def paired_ratio(a_rounds: Sequence[float], b_rounds: Sequence[float]) -> Ratio:
    """Return b / a from the log-ratios within rounds, by the t test of their mean.

    Both have one positive value a round, NaN where missing, in the same order; the longer of the two is cut.
    ValueError is raised where they have no round in common. The exact sign test is no choice: its least p is
    2^(1-n), 0.016 for 7 rounds, which no correction for 36 cells leaves significant.
    """
    length = min(len(a_rounds), len(b_rounds))
    logs = _logs(b_rounds[:length]) - _logs(a_rounds[:length])
    logs = logs[~np.isnan(logs)]
    if not logs.size:
        raise ValueError("no round has both values")
    error = float(logs.std(ddof=1)) / math.sqrt(logs.size) if logs.size > 1 else math.nan
    return _ratio(float(logs.mean()), error, logs.size, paired=True)


def unpaired_ratio(a_rounds: Sequence[float], b_rounds: Sequence[float]) -> Ratio:
    """Return b / a of two runs, by Welch's t test on the logs of round medians.

    Its degrees of freedom are the fewer rounds less one, the bound that Welch's own estimate cannot undercut:
    rounds of one run resemble one another more than those of two runs do, and where the true error is half as
    large again as the rounds show, Welch's estimate calls several times as many changes that are none.
    Both have one positive value a round, NaN where missing; ValueError is raised where one has none.
    """
    a, b = (logs[~np.isnan(logs)] for logs in (_logs(a_rounds), _logs(b_rounds)))
    if not a.size or not b.size:
        raise ValueError("a run has no value")
    fewer = min(a.size, b.size)
    error = math.sqrt(a.var(ddof=1) / a.size + b.var(ddof=1) / b.size) if fewer > 1 else math.nan
    return _ratio(float(b.mean() - a.mean()), error, fewer, paired=False)


def benjamini_hochberg(p_values: Sequence[float | None]) -> list[float | None]:
    """Return the q value of each p: the false discovery rate at which it would still be called.

    Benjamini & Hochberg, "Controlling the false discovery rate", Journal of the Royal Statistical Society B
    1995. All p values are judged together; None is none, and stays None.
    """
    tested = [p for p in p_values if p is not None]
    following = iter(scipy("stats").false_discovery_control(tested).tolist() if tested else ())
    return [None if p is None else next(following) for p in p_values]


def noise_floor(sentinel_a: Sequence[float], sentinel_b: Sequence[float]) -> float | None:
    """Return the relative change that the same work shows under two names, such as 0.02.

    It is the larger distance from 1 within the interval of their ratio: what a comparison of as many rounds
    may take for a change when there is none; None for fewer than five rounds. Both have one time a round.
    """
    return paired_ratio(sentinel_a, sentinel_b).farthest


def judge(
    ratio: Ratio,
    q_value: float | None,
    floor: float | None,
    *,
    machine: float | None = None,
    worse: Literal["slower", "regressed"] = "regressed",
    level: float = FALSE_DISCOVERIES,
) -> Judgement:
    """Say what a ratio of times, new over old, means.

    With the margin m = max(3 %, noise floor), a change is called when the interval excludes 1, q < level and
    the ratio is beyond 1 + m or 1 / (1 + m), and beyond what the machine may have changed; "same" when the
    interval lies within the margin; otherwise the answer is open. With old and new swapped it is mirrored.

    Args:
        ratio: fewer than five rounds are inconclusive.
        q_value: of this ratio among all that are judged together.
        floor: of `noise_floor`; None leaves 3 %.
        machine: the machine's own relative change between two runs.
        worse: the word for slower: "regressed" for a newer version of the same code.
        level: the share of calls that may be false.
    """
    if ratio.rounds < FEWEST_ROUNDS or ratio.low is None or ratio.high is None:
        return "inconclusive"
    margin = 1 + max(SMALLEST_CHANGE, floor or 0.0)
    beyond = max(margin, 1 + (machine or 0.0))
    if q_value is not None and q_value < level:
        if ratio.low > 1 and ratio.value > beyond:
            return worse
        if ratio.high < 1 and ratio.value < 1 / beyond:
            return "faster"
    return "same" if 1 / margin <= ratio.low and ratio.high <= margin else "inconclusive"


def detectable_change(
    ratio: Ratio, compared: int, floor: float | None, *, machine: float | None = None, level: float
) -> float | None:
    """Return the least slowdown, such as 0.08, that would be called in nine of ten comparisons as noisy.

    It is counted as if none of the other cells that are `compared` with this one had changed; where others
    have, somewhat less is called. None for fewer than five rounds. The rest is as `judge` takes it.
    """
    if ratio.high is None:
        return None
    error = math.log(ratio.high / ratio.value) / student_quantile(ratio.rounds - 1)
    least = math.log1p(max(SMALLEST_CHANGE, floor or 0.0, machine or 0.0)) + _NINE_OF_TEN * error
    shift = _shift_found(ratio.rounds - 1, min(level / compared, 1 - _COVERAGE))
    return math.expm1(max(least, shift * error))


@cache
def _shift_found(degrees: int, p_value: float) -> float:
    """Return how many standard errors from 0 a mean must lie for nine of ten t tests to find it."""
    stats = scipy("stats")
    critical = float(stats.t.isf(p_value / 2, degrees))
    found = scipy("optimize").brentq(
        lambda shift: stats.nct.sf(critical, degrees, shift) - 0.9, 0, 3 * critical
    )
    return float(found)


def drift(begin_ns: Sequence[float], times: Sequence[float]) -> Drift | None:
    """Return the trend of the sentinel: the least-squares slope of ln(time), with Student's t interval.

    Times are in any unit. None for fewer than five sentinels or no time between them.
    """
    hours = np.asarray(begin_ns, dtype=np.float64) / _NS_PER_HOUR
    if hours.size < FEWEST_ROUNDS or not (length := float(np.ptp(hours))):
        return None
    line = scipy("stats").linregress(hours - hours.mean(), _logs(times))
    slope, reach = float(line.slope), student_quantile(hours.size - 2) * float(line.stderr)
    ends = (slope, slope - reach, slope + reach)
    over_run = Estimate(*(math.expm1(end * length) for end in ends))
    return Drift(Estimate(*ends), over_run, not ends[1] <= 0 <= ends[2])


def holds_interval(samples: Sequence[float], target: float) -> bool:
    """Tell whether a cell may stop: the upper half of its geometric mean's interval is below the target.

    The target is relative, such as 0.02. Of the samples, one a round, fewer than five never hold.
    """
    estimate = log_mean(_logs(samples)) if len(samples) else Estimate(math.nan)
    return estimate.high is not None and estimate.high / estimate.value - 1 < target


def _ratio(mean: float, error: float, rounds: int, *, paired: bool) -> Ratio:
    """Return the ratio of a mean log-ratio and its standard error over rounds - 1 degrees of freedom."""
    if rounds < FEWEST_ROUNDS:
        return Ratio(math.exp(mean), None, None, None, rounds, paired)
    error = max(error, _SMALLEST_ERROR)
    reach = student_quantile(rounds - 1) * error
    p_value = 2 * float(scipy("stats").t.sf(abs(mean) / error, rounds - 1))
    return Ratio(math.exp(mean), math.exp(mean - reach), math.exp(mean + reach), p_value, rounds, paired)


def _logs(values: Sequence[float]) -> Floats:
    """Return natural logarithms; ValueError where a value is not positive."""
    array = np.asarray(values, dtype=np.float64)
    if np.any(array <= 0):
        raise ValueError("times and throughputs must be positive")
    return np.log(array)
