"""Which protocol suits an objective, by how much, how surely, and which others are as good. Measures nothing.

A candidate is a protocol with its best number of workers, no more than the usable CPUs. The probability of
being the best comes from resampling rounds: the same rounds for all candidates, since a round's weather falls
on all, and the best number of workers chosen anew in each resample, so that a lucky one does not count.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...engine.protocols.base import Abilities
from ...engine.protocols.registry import known_protocols
from ..result.estimates import Ratio
from ..result.recommendations import Choice, Objective, Recommendation, Unit, Weights
from ..result.result import BenchResult
from .candidates import Candidate, Condition, Field
from .sizes import DIFFERENT_IMAGES, Sizes
from .statistics import FEWEST_ROUNDS, judge, paired_ratio

Floats: TypeAlias = NDArray[np.float64]

_DRAWS = 4000
_RUNNER_UP = 0.05  # a protocol that is the best with at least this probability ties with the winner
_SAME_SIZE = 1.01  # sizes are exact, but nobody chooses by less


def recommend(
    result: BenchResult,
    weights: Weights | None = None,
    *,
    seed: int = 0,
    abilities: Mapping[str, Abilities] | None = None,
) -> tuple[Recommendation, ...]:
    """Return one recommendation for each objective.

    Args:
        result: the article's loops and the source files in it are no candidates.
        weights: how the cost is weighed; by default ten reads a write, no link, no bound on memory.
        seed: seed of the resampling.
        abilities: what each protocol can do, by its name without compression; by default the registry's.

    Raises:
        MissingLibraryError: scipy is not installed.
    """
    weights = weights or Weights()
    known = {one.name: one.abilities for one in known_protocols()} if abilities is None else abilities
    field, rank = Field(result), _Ranking(result.noise.floor, seed)
    loading, loads = field.condition("load"), field.candidates("load")
    safe = [one for one in loads if (able := _of(known, one.protocol)) and able.safe_load]
    portable = [one for one in loads if (able := _of(known, one.protocol)) and able.portable]
    no_cost = "dump and load were not both measured"
    if weights.memory_bytes is not None:
        cap = f"{weights.memory_bytes / (1 << 20):.0f} MiB"
        no_cost = f"no protocol measured stays within {cap} in dump and load"
    dumps, costs = field.candidates("dump"), field.costs(weights)
    if weights.link_mb_per_s is not None and not field.sizes().comparable:
        costs, no_cost = [], DIFFERENT_IMAGES
    return (
        rank.timed("fastest-load", loading, loads, "load was not measured"),
        rank.timed("fastest-dump", field.condition("dump"), dumps, "dump was not measured"),
        rank.sized(field.sizes()),
        rank.timed("safe", loading, safe, "no protocol measured is safe to load"),
        rank.timed("portable", loading, portable, "no protocol measured is readable elsewhere"),
        rank.timed("cost", field.condition("dump", "load"), costs, no_cost),
    )


def _of(known: Mapping[str, Abilities], label: str) -> Abilities | None:
    return known.get(label.partition("+")[0])


class _Ranking:
    """Ranks candidates and tells which are as good as the first."""

    def __init__(self, floor: float | None, seed: int) -> None:
        self._floor = floor
        self._seed = seed

    def timed(
        self, objective: Objective, condition: Condition, candidates: Sequence[Candidate], missing: str
    ) -> Recommendation:
        """Recommend by times."""
        if not candidates:
            return _answer(objective, "ns_per_image", condition, reason=missing)
        order = sorted(candidates, key=lambda candidate: candidate.value)
        rounds = [candidate.by_round() for candidate in order]
        enough = len(rounds[0]) >= FEWEST_ROUNDS
        odds = self._probabilities(order) if enough else [None] * len(order)
        ratios = [None, *(_paired(rounds[0], times) for times in rounds[1:])]
        slower = [True, *self._slower(rounds, ratios[1:])]
        ties = [
            one.protocol
            for one, told, chance in zip(order, slower, odds, strict=True)
            if one is not order[0] and (not told or (chance or 0.0) > _RUNNER_UP)
        ]
        choices = [
            _choice(one, order[0], ratio, chance)
            for one, ratio, chance in zip(order, ratios, odds, strict=True)
        ]
        others = " and ".join(filter(None, [", ".join(ties[:-1]), *ties[-1:]]))
        reason = f"cannot be told from {others}" if ties else ""
        if not enough:
            what = f"tell it from {others}" if ties else "be sure"
            reason = f"too few rounds ({len(rounds[0])}) to {what}"
        return _answer(objective, "ns_per_image", condition, choices, ties, reason)

    def sized(self, sizes: Sizes) -> Recommendation:
        """Recommend by stored bytes of the same images, which do not vary."""
        condition = Condition(sizes.layout)
        if not sizes.values or not sizes.comparable:
            reason = DIFFERENT_IMAGES if sizes.values else "no size was measured"
            return _answer("smallest", "bytes_per_image", condition, reason=reason)
        least = min(sizes.values.values())
        order = sorted(sizes.values.items(), key=lambda item: item[1])
        choices = [Choice(label, None, None, size, size / least, None, None, None) for label, size in order]
        ties = [choice.protocol for choice in choices[1:] if choice.ratio <= _SAME_SIZE]
        reason = f"within 1 % of {', '.join(ties)}" if ties else ""
        return _answer("smallest", "bytes_per_image", condition, choices, ties, reason)

    def _slower(self, rounds: Sequence[Mapping[int, float]], ratios: Sequence[Ratio | None]) -> list[bool]:
        """Tell for each candidate but the first whether it is surely slower than the first.

        The same rounds chose the first, so p values are corrected for all pairs of candidates, step by step:
        one that is told from it leaves the family (Holm, "A simple sequentially rejective multiple test
        procedure", Scandinavian Journal of Statistics 1979). With few rounds in common all must be slower.
        """
        best = rounds[0]
        slower = [bool(best and other) and min(other.values()) > max(best.values()) for other in rounds[1:]]
        tested = {place: ratio for place, ratio in enumerate(ratios) if ratio and ratio.p_value is not None}
        family, corrected = len(tested) + 1, 0.0
        for place, ratio in sorted(tested.items(), key=lambda item: item[1].p_value or 0.0):
            corrected = max(corrected, min(1.0, (ratio.p_value or 0.0) * family * (family - 1) / 2))
            slower[place] = judge(ratio, corrected, self._floor, worse="slower") == "slower"
            family -= 1
        return slower

    def _probabilities(self, candidates: Sequence[Candidate]) -> list[float | None]:
        """Return how often each candidate is the best when rounds are drawn with replacement."""
        terms = [term for candidate in candidates for term in candidate.terms]
        numbers = sorted({n for term in terms for times in term.options.values() for n in times})
        generator = np.random.default_rng(self._seed)
        picks = generator.integers(len(numbers), size=(_DRAWS, len(numbers)))
        values = np.zeros((len(candidates), _DRAWS))
        for place, candidate in enumerate(candidates):
            values[place] = candidate.constant
            for term in candidate.terms:
                drawn = [_drawn_medians(times, numbers, picks) for times in term.options.values()]
                values[place] += term.weight * np.min(drawn, axis=0)
        wins = np.bincount(np.argmin(values, axis=0), minlength=len(candidates))
        return [float(count) / _DRAWS for count in wins]


def _drawn_medians(times: Mapping[int, float], numbers: Sequence[int], picks: NDArray[np.int64]) -> Floats:
    """Return the median of each draw of rounds; of all rounds where a draw holds no round of the cell."""
    drawn = np.array([times.get(number, np.nan) for number in numbers])[picks]
    empty = np.isnan(drawn).all(axis=1)
    drawn[empty] = np.median(list(times.values()))
    middle = np.nanmedian if np.isnan(drawn).any() else np.median  # the latter is much faster
    medians: Floats = middle(drawn, axis=1)
    return medians


def _paired(best: Mapping[int, float], other: Mapping[int, float]) -> Ratio | None:
    common = sorted(best.keys() & other.keys())
    return paired_ratio([best[n] for n in common], [other[n] for n in common]) if common else None


def _choice(one: Candidate, best: Candidate, ratio: Ratio | None, chance: float | None) -> Choice:
    by_op = {term.op: term.workers for term in one.terms}
    both = len(by_op) > 1
    return Choice(
        protocol=one.protocol,
        workers=by_op["load"] if both else next(iter(by_op.values())),
        dump_workers=by_op["dump"] if both else None,
        value=one.value,
        ratio=one.value / best.value,
        ratio_low=ratio.low if ratio else None,
        ratio_high=ratio.high if ratio else None,
        probability=chance,
    )


def _answer(
    objective: Objective,
    unit: Unit,
    condition: Condition,
    choices: Sequence[Choice] = (),
    ties: Sequence[str] = (),
    reason: str = "",
) -> Recommendation:
    best, second = (*choices, None, None)[:2]
    return Recommendation(
        objective=objective,
        unit=unit,
        layout=condition.layout,
        cache=condition.cache,
        durability=condition.durability,
        winner=best.protocol if best else None,
        workers=best.workers if best else None,
        margin=second.ratio - 1 if second else None,
        probability=best.probability if best else None,
        ties=tuple(ties),
        decided=not reason,
        reason=reason or None,
        choices=tuple(choices),
    )
