"""Which candidates are as good as the best, and how many rounds it takes to tell.

The probability of being the best comes from resampling rounds: the same rounds for all candidates, since a
round's weather falls on all, and the best number of workers chosen anew in each resample, so that a lucky one
does not count.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..result.estimates import Ratio
from .candidates import Candidate, RoundTimes
from .statistics import FALSE_DISCOVERIES, FEWEST_ROUNDS, SMALLEST_CHANGE, Floats, judge, paired_ratio, scipy

_DRAWS = 4000
_RUNNER_UP = 0.05  # a protocol that is the best with at least this probability ties with the first
_MOST_ROUNDS = 30


@dataclass(frozen=True, slots=True)
class Ranking:
    """Candidates in the order of their values."""

    order: tuple[Candidate, ...]
    ties: tuple[Candidate, ...]  # those that the rounds do not tell from the first
    odds: Mapping[str, float]  # of being the best, by protocol; none below five rounds
    rounds: int  # how many the first has
    enough: bool  # five or more
    more: int | None  # about how many more would decide, if they are not enough; None: more than are sensible


def ranked(candidates: Sequence[Candidate], floor: float | None, seed: int) -> Ranking:
    """Rank one or more candidates; `floor` is None if it is unknown, and `seed` is for resampling."""
    order = sorted(candidates, key=lambda candidate: candidate.value)
    rounds = [candidate.by_round() for candidate in order]
    enough = len(rounds[0]) >= FEWEST_ROUNDS
    odds = _probabilities(order, seed) if enough else {}
    slower = _slower(rounds, floor)
    ties = [
        one
        for one, told in zip(order[1:], slower, strict=True)
        if not told or odds.get(one.protocol, 0.0) > _RUNNER_UP
    ]
    more = None if enough else _more_rounds(rounds, floor)
    return Ranking(tuple(order), tuple(ties), odds, len(rounds[0]), enough, more)


def ratio_of(other: RoundTimes, best: RoundTimes) -> Ratio | None:
    """Return the one's values over the best's, within rounds; None without a round in common."""
    common = sorted(best.keys() & other.keys())
    return paired_ratio([best[n] for n in common], [other[n] for n in common]) if common else None


def _slower(rounds: Sequence[RoundTimes], floor: float | None) -> list[bool]:
    """Tell for each candidate but the first whether it is surely slower than the first.

    The same rounds chose the first, so p values are corrected for all pairs of candidates, step by step:
    one that is told from it leaves the family (Holm, "A simple sequentially rejective multiple test
    procedure", Scandinavian Journal of Statistics 1979). With few rounds in common all must be slower.
    """
    best, *others = rounds
    ratios = [ratio_of(other, best) for other in others]
    slower = [bool(best and other) and min(other.values()) > max(best.values()) for other in others]
    tested = {place: ratio for place, ratio in enumerate(ratios) if ratio and ratio.p_value is not None}
    family, corrected = len(tested) + 1, 0.0
    for place, ratio in sorted(tested.items(), key=lambda item: item[1].p_value or 0.0):
        corrected = max(corrected, min(1.0, (ratio.p_value or 0.0) * family * (family - 1) / 2))
        slower[place] = judge(ratio, corrected, floor, worse="slower") == "slower"
        family -= 1
    return slower


def _more_rounds(rounds: Sequence[RoundTimes], floor: float | None) -> int | None:
    """Return how many more rounds like these would tell the first from the rest, by the t test of `_slower`.

    What is less than 3 % or the noise floor away is no difference to wait for. One round shows no spread:
    then it is what the fewest lack.
    """
    best, *others = rounds
    most, margin = FEWEST_ROUNDS, math.log1p(max(SMALLEST_CHANGE, floor or 0.0))
    pairs = len(rounds) * (len(rounds) - 1) / 2
    for other in others:
        logs = np.log([other[n] / best[n] for n in best.keys() & other.keys()])
        if logs.size < 2 or logs.mean() <= margin:
            continue
        spread = max(float(logs.std(ddof=1)), 1e-9)
        counts = np.arange(most, _MOST_ROUNDS + 1)
        p_values = 2 * scipy("stats").t.sf(logs.mean() / spread * np.sqrt(counts), counts - 1) * pairs
        told = counts[p_values < FALSE_DISCOVERIES]
        if not told.size:
            return None
        most = int(told[0])
    return max(1, most - len(best))


def _probabilities(candidates: Sequence[Candidate], seed: int) -> dict[str, float]:
    """Return how often each candidate is the best when rounds are drawn with replacement."""
    terms = [term for candidate in candidates for term in candidate.terms]
    numbers = sorted({n for term in terms for times in term.options.values() for n in times})
    picks = np.random.default_rng(seed).integers(len(numbers), size=(_DRAWS, len(numbers)))
    values = np.zeros((len(candidates), _DRAWS))
    for place, candidate in enumerate(candidates):
        values[place] = candidate.link_ns
        for term in candidate.terms:
            drawn = [_drawn_medians(times, numbers, picks) for times in term.options.values()]
            values[place] += term.weight * np.min(drawn, axis=0)
    wins = np.bincount(np.argmin(values, axis=0), minlength=len(candidates))
    return {one.protocol: float(count) / _DRAWS for one, count in zip(candidates, wins, strict=True)}


def _drawn_medians(times: RoundTimes, numbers: Sequence[int], picks: NDArray[np.int64]) -> Floats:
    """Return the median of each draw of rounds; of all rounds where a draw holds no round of the cell."""
    drawn = np.array([times.get(number, np.nan) for number in numbers])[picks]
    empty = np.isnan(drawn).all(axis=1)
    drawn[empty] = np.median(list(times.values()))
    middle = np.nanmedian if np.isnan(drawn).any() else np.median  # the latter is much faster
    medians: Floats = middle(drawn, axis=1)
    return medians
