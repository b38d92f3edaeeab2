"""Which protocol suits an objective, by how much, how surely, and which others are as good. Measures nothing.

A candidate is a protocol with its best number of workers, no more than the usable CPUs. Of those that are as
good the safe one wins, then the portable and the simplest: what is no faster must not cost anything else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...engine.protocols.base import Abilities
from ..result.recommendations import Choice, Objective, Recommendation, Weights
from ..result.result import BenchResult
from .candidates import SOURCE, Candidate, Condition, Field
from .ranking import ranked, ratio_of
from .sizes import DIFFERENT_IMAGES, Sizes

_SAME_SIZE = 1.01  # sizes are exact, but nobody chooses by less


def recommend(
    result: BenchResult,
    weights: Weights | None = None,
    *,
    seed: int = 0,
    abilities: Mapping[str, Abilities] | None = None,
    trouble: str | None = None,
) -> tuple[Recommendation, ...]:
    """Return one recommendation for each objective; the article's loops are no candidates.

    Args:
        result: of a bench.
        weights: how the cost is weighed; by default ten reads a write, no link, no bound on memory.
        seed: of the resampling.
        abilities: as `Field` takes them.
        trouble: why no time of this run decides anything; None if they do.
    """
    weights, field = weights or Weights(), Field(result, abilities)
    rank = _Ranks(result, field, seed, trouble)
    loads, loading = field.candidates("load"), field.condition("load")
    warm, cold = field.read_condition()
    read = field.reads(warm) if warm.cache == "warm" else []
    costing, costs = Field(result, abilities, weights.memory_bytes).costs(weights)
    no_cost = "a write and a read through brinery.open were not both measured"
    if weights.memory_bytes is not None:
        no_cost = f"no protocol measured stays {_cap(weights.memory_bytes)} in writing and reading"
    if weights.link_mb_per_s is not None and not field.sizes().comparable:
        costs, no_cost = [], DIFFERENT_IMAGES
    no_cold = "reads from storage were not measured (--cache warm,cold)"
    stored, from_storage = cold or Condition(warm.layout, "cold"), field.reads(cold) if cold else []
    dumps, dumping = field.candidates("dump"), field.condition("dump")
    safe = [one for one in loads if field.safe(one.protocol)]
    no_safe = "no protocol measured has a library that is safe on files from others"
    portable = [one for one in loads if field.portable(one.protocol)]
    return (
        rank.timed("fastest-read", warm, read, "no read through brinery.open was measured"),
        rank.timed("fastest-read-cold", stored, from_storage, no_cold),
        rank.timed("fastest-load", loading, loads, "load was not measured"),
        rank.timed("fastest-dump", dumping, dumps, "dump was not measured"),
        rank.sized(field.sizes()),
        rank.timed("safe", loading, safe, no_safe),
        rank.timed("portable", loading, portable, "no protocol measured is readable outside Python"),
        rank.timed("cost", costing, costs, no_cost, _weighed(weights, costs)),
    )


def _cap(memory_bytes: int) -> str:
    return f"within {memory_bytes / (1 << 20):.0f} MiB of memory"


def _weighed(weights: Weights, costs: Sequence[Candidate]) -> list[str]:
    writes = {one.terms[0].op for one in costs if one.protocol != SOURCE}
    assumed = [f"{weights.reads_per_write:g} reads a write", *(f"a write is a {op}" for op in writes)]
    if weights.link_mb_per_s is not None:
        assumed.insert(0, f"a link of {weights.link_mb_per_s:g} MB/s that every write and read crosses")
    return assumed + ([_cap(weights.memory_bytes)] if weights.memory_bytes is not None else [])


class _Ranks:
    """Answers objectives from the cells of one result."""

    def __init__(self, result: BenchResult, field: Field, seed: int, trouble: str | None) -> None:
        self._floor, self._field, self._seed, self._trouble = result.noise.floor, field, seed, trouble

    def timed(
        self,
        objective: Objective,
        condition: Condition,
        candidates: Sequence[Candidate],
        missing: str,
        assumed: Sequence[str] = (),
    ) -> Recommendation:
        """Recommend by times; `missing` says why there is no candidate."""
        if not candidates:
            return replace(_answer(objective, condition, reason=missing), assumptions=tuple(assumed))
        found = ranked(candidates, self._floor, self._seed)
        first, ties = found.order[0], [one.protocol for one in found.ties]
        level = [first, *found.ties] if found.enough else [first]
        best = min(level, key=lambda one: self._field.preference(one.protocol))
        others = [one for one in found.order if one is not best]
        tied = [name for name in (first.protocol, *ties) if name != best.protocol]
        reason = f"statistically tied with {_and(tied)}{self._better(best.protocol, tied)}" if tied else ""
        if not found.enough:
            what = f"tell {first.protocol} from {_and(ties)}" if ties else "be sure"
            more = f"about {found.more} more round{'' if found.more == 1 else 's'}"
            more = "not even 30 rounds" if found.more is None else more
            reason = f"too few rounds ({found.rounds}) to {what}; {more} would decide"
        elif best.terms[0].op == "convert" and (share := self._field.beyond(best.protocol)):
            reason = (
                f"its convert reached {share:.0%} of what decoding and writing alone did, so that is noise"
            )
        choices = [self._choice(one, best, found.odds) for one in (best, *others)]
        answer = _answer(objective, condition, choices, tied, reason)
        if self._trouble is not None:
            nobody = replace(answer, winner=None, workers=None, margin=None, probability=None, ties=())
            answer = replace(nobody, decided=False, reason=self._trouble)
        told = (*assumed, *self._assumed(condition, candidates))
        return replace(answer, assumptions=told, rounds=found.rounds, more_rounds=found.more)

    def sized(self, sizes: Sizes) -> Recommendation:
        """Recommend by stored bytes of the same images, which do not vary."""
        condition, own = Condition(sizes.layout), sizes.values.keys() - {SOURCE}
        if not own or not sizes.comparable:
            return _answer("smallest", condition, reason=DIFFERENT_IMAGES if own else "no size was measured")
        order = sorted(sizes.values, key=sizes.values.__getitem__)
        limit = _SAME_SIZE * sizes.values[order[0]]
        level = [name for name in order if sizes.values[name] <= limit]
        best = min(level, key=self._field.preference)
        ties = [name for name in level if name != best]
        ratios = {name: sizes.values[name] / sizes.values[best] for name in dict.fromkeys([best, *order])}
        choices = [
            self._marked(Choice(name, None, None, sizes.values[name], ratio, None, None, None))
            for name, ratio in ratios.items()
        ]
        reason = f"within 1 % of {_and(ties)}{self._better(best, ties)}" if ties else ""
        return replace(
            _answer("smallest", condition, choices, ties, reason), assumptions=tuple(self._left_out())
        )

    def _better(self, best: str, tied: Sequence[str]) -> str:
        """Say what the one has that some of the others lack."""
        if best == SOURCE:
            return ", and there already"
        traits = {"safe to load": self._field.safe, "readable outside Python": self._field.portable}
        own = [what for what, has in traits.items() if has(best) and not all(map(has, tied))]
        if any(all(has(one) == has(best) for has in traits.values()) for one in tied):
            own.append("the simplest")
        return f", but {_and(own)}"

    def _marked(self, choice: Choice) -> Choice:
        name = choice.protocol
        if not self._field.knows(name):
            return choice
        return replace(choice, safe=self._field.safe(name), portable=self._field.portable(name))

    def _choice(self, one: Candidate, best: Candidate, odds: Mapping[str, float]) -> Choice:
        write, read = one.terms[0], one.terms[-1]
        ratio = None if one is best else ratio_of(one.by_round(), best.by_round())
        choice = Choice(
            protocol=one.protocol,
            workers=read.workers,
            dump_workers=write.workers if len(one.terms) > 1 else None,
            value=one.value,
            ratio=one.value / best.value,
            ratio_low=ratio.low if ratio else None,
            ratio_high=ratio.high if ratio else None,
            probability=odds.get(one.protocol),
            read=read.op if read.op in ("map", "load", "decode") else None,
            link_ns=one.link_ns or None,
        )
        return self._marked(choice)

    def _assumed(self, condition: Condition, candidates: Sequence[Candidate]) -> list[str]:
        """Return what times rest on beside the objective's own weights."""
        found, there, cold = [], {one.protocol for one in candidates}, condition.cache == "cold"
        if cold:
            found.append("read from storage by the format's own library")
        if SOURCE in there and condition.layout == "shards":
            found.append(f"source files are {'read raw from storage' if cold else 'in memory'} and decoded")
        absent = [name for name in self._field.protocols if name not in there and not self._field.safe(name)]
        if absent and any(one.terms[-1].op in ("map", "decode") for one in candidates):
            found.append(f"without {_and(absent)}, of which no safe read was timed")
        if self._field.uneven:
            found.append("times scaled by pixels to the corpus's mean image")
        return found + self._left_out()

    def _left_out(self) -> list[str]:
        lossy = self._field.lossy
        return [f"without {_and(lossy)}, whose pixels are not those of the source"] if lossy else []


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _answer(
    objective: Objective,
    condition: Condition,
    choices: Sequence[Choice] = (),
    ties: Sequence[str] = (),
    reason: str = "",
) -> Recommendation:
    best, second = (*choices, None, None)[:2]
    return Recommendation(
        objective=objective,
        unit="bytes_per_image" if objective == "smallest" else "ns_per_image",
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
