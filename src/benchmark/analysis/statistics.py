"""How sure a number is, and whether two numbers differ.

The round is the unit: samples within one share its weather. Times vary by factors, so ratios and their
intervals are taken in logarithms: a ratio is that of geometric means. All intervals are at 95 %, and fewer
than five rounds have none: even the whole range of four holds the median in 87 % only.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...errors import MissingLibraryError
from ..result.estimates import Drift, Estimate, Ratio

__all__ = [
    "FEWEST_ROUNDS",
    "Judgement",
    "benjamini_hochberg",
    "drift",
    "holds_interval",
    "judge",
    "log_mean",
    "median_interval",
    "noise_floor",
    "paired_ratio",
    "student_quantile",
    "unpaired_ratio",
]

Floats: TypeAlias = NDArray[np.float64]
Judgement: TypeAlias = Literal["faster", "slower", "regressed", "same", "inconclusive"]

FEWEST_ROUNDS = 5
SMALLEST_CHANGE = 0.03
FALSE_DISCOVERIES = 0.05

_RESAMPLES = 2000
_SMALLEST_ERROR = 1e-9  # a standard error in ln time; below it is only rounding
_NS_PER_HOUR = 3.6e12


def student_quantile(degrees: float) -> float:
    """Return how many standard errors Student's t interval at 95 % reaches to either side.

    Raises:
        MissingLibraryError: scipy is not installed.
    """
    return float(_special().stdtrit(degrees, 0.975))


def log_mean(logs: Floats) -> Estimate:
    """Return the geometric mean with Student's t interval over rounds.

    Args:
        logs: ln of one positive value a round, at least one.
    """
    mean = float(logs.mean())
    if logs.size < FEWEST_ROUNDS:
        return Estimate(math.exp(mean))
    reach = student_quantile(logs.size - 1) * float(logs.std(ddof=1)) / math.sqrt(logs.size)
    return Estimate(math.exp(mean), math.exp(mean - reach), math.exp(mean + reach))


def median_interval(
    rounds: Sequence[Sequence[float]], generator: np.random.Generator, resamples: int = _RESAMPLES
) -> Estimate:
    """Return the median of round medians with its hierarchical bootstrap interval.

    Rounds are drawn with replacement, then samples within each. Plain percentiles are too narrow for few
    rounds (87 % for the median of seven), so they are taken farther out, at the normal probability of
    sqrt(n / (n-1)) t: Hesterberg, "What teachers should know about the bootstrap", The American Statistician
    2015. For seven rounds of one sample that is their range, which holds the median in 98 %.

    Args:
        rounds: the samples of each round, at least one in at least one round; empty rounds are left out.
        generator: of the resampling.
        resamples: how many.

    Raises:
        MissingLibraryError: scipy is not installed.
    """
    kept = [np.asarray(samples, dtype=np.float64) for samples in rounds if len(samples)]
    count = len(kept)
    middle = float(np.median([np.median(samples) for samples in kept]))
    if count < FEWEST_ROUNDS:
        return Estimate(middle)
    picks = generator.integers(count, size=(resamples, count))
    medians = np.empty(picks.shape)
    for number, samples in enumerate(kept):
        here = picks == number
        drawn = generator.integers(samples.size, size=(int(here.sum()), samples.size))
        medians[here] = np.median(samples[drawn], axis=1)
    tail = float(_special().ndtr(-math.sqrt(count / (count - 1)) * student_quantile(count - 1)))
    low, high = np.quantile(np.median(medians, axis=1), [tail, 1 - tail])
    return Estimate(middle, float(low), float(high))


def paired_ratio(a_rounds: Sequence[float], b_rounds: Sequence[float]) -> Ratio:
    """Return b / a from the log-ratios within rounds, by the t test of their mean.

    The exact sign test is no choice: its least p is 2^(1-n), 0.016 for 7 rounds, which no correction for 36
    cells leaves significant.

    Args:
        a_rounds: one positive value a round; NaN where missing.
        b_rounds: the same rounds in the same order; the longer of the two is cut.

    Raises:
        MissingLibraryError: scipy is not installed.
        ValueError: they have no round in common.
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

    Args:
        a_rounds: one positive value a round of the one run; NaN where missing.
        b_rounds: of the other run.

    Raises:
        MissingLibraryError: scipy is not installed.
        ValueError: one of them is empty.
    """
    a, b = (logs[~np.isnan(logs)] for logs in (_logs(a_rounds), _logs(b_rounds)))
    if not a.size or not b.size:
        raise ValueError("a run has no value")
    fewer = min(a.size, b.size)
    error = math.sqrt(a.var(ddof=1) / a.size + b.var(ddof=1) / b.size) if fewer > 1 else math.nan
    return _ratio(float(b.mean() - a.mean()), error, fewer, paired=False)


def benjamini_hochberg(p_values: Sequence[float | None]) -> list[float | None]:
    """Return the q value of each p: the false discovery rate at which it would still be called.

    q(i) = min over j >= i of m p(j) / j, with p sorted. Benjamini & Hochberg, "Controlling the false
    discovery rate", Journal of the Royal Statistical Society B 1995.

    Args:
        p_values: of all comparisons that are judged together; None is none, and stays None.
    """
    tested = np.array([p for p in p_values if p is not None], dtype=np.float64)
    order = np.argsort(tested)
    scaled = tested[order] * tested.size / np.arange(1, tested.size + 1)
    q_values = np.empty_like(tested)
    q_values[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1)
    following: Iterator[float] = iter(q_values.tolist())
    return [None if p is None else next(following) for p in p_values]


def noise_floor(sentinel_a: Sequence[float], sentinel_b: Sequence[float]) -> float | None:
    """Return the relative change that the same work shows under two names, such as 0.02.

    It is the larger distance from 1 within the interval of their ratio: what a comparison of as many rounds
    may take for a change when there is none.

    Args:
        sentinel_a: one time a round.
        sentinel_b: the same rounds of the same work.

    Returns:
        The floor, or None for fewer than five rounds.

    Raises:
        MissingLibraryError: scipy is not installed.
        ValueError: they have no round in common.
    """
    ratio = paired_ratio(sentinel_a, sentinel_b)
    if ratio.low is None or ratio.high is None:
        return None
    return max(ratio.high, 1 / ratio.low) - 1


def judge(
    ratio: Ratio,
    q_value: float | None,
    floor: float | None,
    *,
    machine: float | None = None,
    worse: Literal["slower", "regressed"] = "regressed",
) -> Judgement:
    """Say what a ratio of times, new over old, means.

    With the margin m = max(3 %, noise floor), a change is called when the interval excludes 1, q < .05 and
    the ratio is beyond 1 + m or 1 / (1 + m), and beyond what the machine may have changed; "same" when the
    interval lies within the margin; otherwise the answer is open. With old and new swapped it is mirrored.

    Args:
        ratio: fewer than five rounds are inconclusive.
        q_value: of this ratio among all that are judged together.
        floor: of `noise_floor`; None leaves 3 %.
        machine: the machine's own change between two runs, likewise relative.
        worse: the word for slower: "regressed" for a newer version of the same code.
    """
    if ratio.rounds < FEWEST_ROUNDS or ratio.low is None or ratio.high is None:
        return "inconclusive"
    margin = 1 + max(SMALLEST_CHANGE, floor or 0.0)
    beyond = max(margin, 1 + (machine or 0.0))
    if q_value is not None and q_value < FALSE_DISCOVERIES:
        if ratio.low > 1 and ratio.value > beyond:
            return worse
        if ratio.high < 1 and ratio.value < 1 / beyond:
            return "faster"
    return "same" if 1 / margin <= ratio.low and ratio.high <= margin else "inconclusive"


def drift(begin_ns: Sequence[float], times: Sequence[float]) -> Drift | None:
    """Return the trend of the sentinel: the least-squares slope of ln(time), with Student's t interval.

    Args:
        begin_ns: when each sentinel began.
        times: how long it took, in any unit.

    Returns:
        The trend, or None for fewer than five sentinels or no time between them.

    Raises:
        MissingLibraryError: scipy is not installed.
    """
    hours = np.asarray(begin_ns, dtype=np.float64) / _NS_PER_HOUR
    hours = hours - hours.mean() if hours.size else hours
    spread = float(hours @ hours)
    if hours.size < FEWEST_ROUNDS or spread == 0:
        return None
    logs = _logs(times)
    slope = float(hours @ logs) / spread
    residual = logs - logs.mean() - slope * hours
    error = math.sqrt(float(residual @ residual) / (hours.size - 2) / spread)
    reach = student_quantile(hours.size - 2) * error
    ends = (slope, slope - reach, slope + reach)
    length = float(hours.max() - hours.min())
    return Drift(
        Estimate(*ends), Estimate(*(math.expm1(end * length) for end in ends)), not ends[1] <= 0 <= ends[2]
    )


def holds_interval(samples: Sequence[float], target: float) -> bool:
    """Tell whether a cell may stop: the interval of its geometric mean is tighter than the target.

    Args:
        samples: one positive value a round, so far; fewer than five never hold.
        target: the most that its upper half may be, relative, such as 0.02.

    Raises:
        MissingLibraryError: scipy is not installed.
    """
    estimate = log_mean(_logs(samples)) if len(samples) >= FEWEST_ROUNDS else None
    return estimate is not None and estimate.high is not None and estimate.high / estimate.value - 1 < target


def _ratio(mean: float, error: float, rounds: int, *, paired: bool) -> Ratio:
    """Return the ratio of a mean log-ratio and its standard error over rounds - 1 degrees of freedom."""
    if rounds < FEWEST_ROUNDS:
        return Ratio(math.exp(mean), None, None, None, rounds, paired)
    error = max(error, _SMALLEST_ERROR)
    reach = student_quantile(rounds - 1) * error
    p_value = 2 * float(_special().stdtr(rounds - 1, -abs(mean) / error))
    return Ratio(math.exp(mean), math.exp(mean - reach), math.exp(mean + reach), p_value, rounds, paired)


def _logs(values: Sequence[float]) -> Floats:
    """Return natural logarithms.

    Raises:
        ValueError: a value is not positive.
    """
    array = np.asarray(values, dtype=np.float64)
    if np.any(array <= 0):
        raise ValueError("times and throughputs must be positive")
    return np.log(array)


def _special() -> Any:
    """Import scipy's distribution functions."""
    try:
        import scipy.special  # type: ignore[import-untyped]  # noqa: PLC0415
    except ImportError as error:
        raise MissingLibraryError("statistics need scipy: pip install 'brinery[bench]'") from error
    return scipy.special
