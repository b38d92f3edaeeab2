"""The cells of a result as candidates for a recommendation: each protocol with its numbers of workers.

Keeping the source files is one of them: writing them costs nothing, and each read decodes them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from ...engine.protocols.base import Abilities
from ...engine.protocols.registry import known_protocols
from ..result.cell import BASELINES, Layout
from ..result.measured import CellResult, round_times
from ..result.recommendations import Weights
from ..result.result import BenchResult
from ..result.stats import median
from .sizes import Sizes, shown_layout, sizes_of
from .statistics import median_interval

SOURCE = BASELINES[2]
OTHER_IMAGES = 1.01  # a region's mean image that differs by more is another one than the corpus's
IMPOSSIBLE = 1.5  # share of the time of decoding and writing alone that no convert can pass
_UNKNOWN = Abilities(raw_payload=False, safe_load=False, portable=False)
_OF_SOURCE = Abilities(raw_payload=True, safe_load=True, portable=True)

_BYTES_PER_MB = 1e6

RoundTimes: TypeAlias = Mapping[int, float]
"""Time an image in ns, by round."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What the cells that count have in common; None where it does not matter."""

    layout: Layout
    cache: str | None = None  # of reads
    durability: str | None = None  # of dumps


@dataclass(frozen=True, slots=True)
class Term:
    """A weighted time, by the best of its options."""

    op: str
    options: Mapping[int, RoundTimes]  # by number of workers
    weight: float = 1.0

    @property
    def workers(self) -> int:
        """The number of workers with the lowest median."""
        return min(self.options, key=lambda workers: median(list(self.options[workers].values())))

    @property
    def times(self) -> RoundTimes:
        """Times by round."""
        return self.options[self.workers]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A protocol's value: its terms, writing before reading, and what an assumed link takes; ns an image."""

    protocol: str
    terms: tuple[Term, ...]
    link_ns: float = 0.0

    @property
    def value(self) -> float:
        """The value, from medians."""
        return self.link_ns + sum(term.weight * median(list(term.times.values())) for term in self.terms)

    @property
    def span(self) -> tuple[float, float, bool]:
        """The ends of the value's interval and whether it is one: fewer than five rounds have a range."""
        values = list(self.by_round().values()) or [self.value]
        ends = median_interval(values)
        return (min(values), max(values), False) if ends is None else (*ends[:2], True)

    def by_round(self) -> dict[int, float]:
        """Return the value of each round that all terms have."""
        weighted = [(term.weight, term.times) for term in self.terms]
        common = sorted(set.intersection(*(set(times) for _, times in weighted)))
        return {n: self.link_ns + sum(weight * times[n] for weight, times in weighted) for n in common}


class Field:
    """The cells of a result that candidates are made of.

    `abilities` tell what each protocol can do, by its name without compression; by default the registry does.
    Cells whose peak is above `memory_bytes` are left out; those whose peak is not known stay. Those of
    protocols in `lossy` are left out, since what they give back is not what was stored.
    """

    def __init__(
        self,
        result: BenchResult,
        abilities: Mapping[str, Abilities] | None = None,
        memory_bytes: int | None = None,
    ) -> None:
        self._result, self._memory = result, memory_bytes
        self._usable = max(1.0, result.host.usable_cpus)
        known = {one.name: one.abilities for one in known_protocols()} if abilities is None else abilities
        cells = [cell for cell in result.cells if self._admits(cell)]
        self._source = [cell for cell in cells if (cell.protocol, cell.op) == (SOURCE, "load")]
        own = [cell for cell in cells if cell.protocol not in BASELINES]
        named = list(dict.fromkeys(cell.protocol for cell in own))
        self._abilities = {name: known.get(name.partition("+")[0], _UNKNOWN) for name in named}
        self.lossy = [name for name, able in self._abilities.items() if able.loses(name)]
        self.protocols = [name for name in named if name not in self.lossy]
        self._cells = [cell for cell in own if cell.protocol not in self.lossy]
        self._abilities[SOURCE] = _OF_SOURCE
        self._order = {SOURCE: -1} | {name: place for place, name in enumerate(known)}

    def _admits(self, cell: CellResult) -> bool:
        return (
            cell.valid
            and bool(cell.counting)
            and cell.workers <= self._usable
            and (cell.pool == "none") == (cell.layout == "single")
            and (cell.dispatch == "partitioned" or cell.op == "convert")
        )

    def knows(self, protocol: str) -> bool:
        """Return whether it is known what a protocol can do."""
        return self._abilities[protocol] is not _UNKNOWN

    def safe(self, protocol: str) -> bool:
        """Return whether its own library runs no code from a file."""
        return self._abilities[protocol].safe_load

    def portable(self, protocol: str) -> bool:
        """Return whether it is readable outside Python."""
        return self._abilities[protocol].portable

    def preference(self, protocol: str) -> tuple[bool, bool, bool, bool, int]:
        """Return what orders protocols that are as good: safe, portable, plain, mapped and simple first."""
        name, plus, _ = protocol.partition("+")
        place = self._order.get(name, len(self._order))
        flaws = (not self.safe(protocol), not self.portable(protocol), bool(plus), not self._maps(protocol))
        return *flaws, place

    def condition(self, *ops: str) -> Condition:
        """Return the cells for some operations: over workers, warm and buffered where there are such."""
        over_workers = {cell.op for cell in self._cells if cell.layout == "shards"}
        layout: Layout = "shards" if over_workers.issuperset(ops) else "single"
        own = [cell for cell in self._cells if cell.layout == layout and cell.op in ops]
        caches = {cell.cache for cell in own if cell.op == "load"}
        durabilities = {cell.durability for cell in own if cell.op == "dump"}
        return Condition(
            layout,
            None if not {"load", "map"} & set(ops) else "cold" if caches == {"cold"} else "warm",
            None if "dump" not in ops else "fsync" if durabilities == {"fsync"} else "buffered",
        )

    def candidates(self, op: str) -> list[Candidate]:
        """Return every protocol by its time an image in an operation, with its own library."""
        condition = self.condition(op)
        found = {name: self._term(name, op, condition) for name in self.protocols}
        return [Candidate(name, (term,)) for name, term in found.items() if term]

    def reads(self, condition: Condition) -> list[Candidate]:
        """Return every protocol, and the source files, by the time an image that reading it safely takes.

        Through `brinery.open` where that was measured, else by the protocol's own library if that is safe.
        Out of storage the own library stands for the mapped read: both wait for the same bytes.
        """
        found = {name: term for name in self.protocols if (term := self._read(name, condition))}
        if found and (decode := self._decode(condition)):
            found[SOURCE] = decode
        return [Candidate(name, (term,)) for name, term in found.items()]

    def read_condition(self, *writes: str) -> tuple[Condition, Condition | None]:
        """Return the cells that read from memory, and those that read from storage if there are any."""
        warm = self.condition("map", *writes)
        if not any(cell.op == "map" and cell.layout == warm.layout for cell in self._cells):
            warm = self.condition("load", *writes)
        cold = Condition(warm.layout, "cold", warm.durability)
        there = any((one.op, one.cache, one.layout) == ("load", "cold", cold.layout) for one in self._cells)
        return warm, cold if there else None

    def costs(self, weights: Weights) -> tuple[Condition, list[Candidate]]:
        """Return every protocol by its weighted cost an image: a write and the reads, each over the link.

        Reads are from storage where that was measured. The write is a convert; where not every protocol has
        one, it is a dump, with the decoding before it if that was measured.
        """
        write = "convert" if self._have("convert") >= self._have("dump") else "dump"
        warm, cold = self.read_condition(write)
        condition, reads = cold or warm, weights.reads_per_write
        decode = self._decode(Condition(condition.layout)) if write == "dump" else None
        read = {one.protocol: one.terms[0] for one in self.reads(condition)}
        sizes, link = self.sizes().values, weights.link_mb_per_s
        found = []
        for name, term in read.items():
            transfer = 0.0 if link is None else sizes.get(name, 0.0) / (link * _BYTES_PER_MB) * 1e9
            weighted = Term(term.op, term.options, reads)
            if name == SOURCE:
                if reads:
                    found.append(Candidate(name, (weighted,), reads * transfer))
            elif (written := self._term(name, write, condition)) and (link is None or name in sizes):
                before = (decode,) if decode else ()
                found.append(Candidate(name, (written, *before, weighted), (1 + reads) * transfer))
        return condition, found if any(one.protocol != SOURCE for one in found) else []

    def sizes(self) -> Sizes:
        """Return the stored bytes an image of every protocol and of the source files."""
        names = {*self.protocols, SOURCE}
        return sizes_of(self._result, shown_layout(self._result), self._cells).only(names)

    def beyond(self, protocol: str) -> float | None:
        """Return how much of its ceiling a protocol's convert reached, where that is more than can be."""
        own = [cell.bound for cell in self._cells if (cell.protocol, cell.op) == (protocol, "convert")]
        return max((one.fraction for one in own if one and one.fraction > IMPOSSIBLE), default=None)

    @property
    def uneven(self) -> bool:
        """Whether regions had other images than the corpus's, so that their times are scaled by pixels."""
        return any(not 1 / OTHER_IMAGES < self._scale(cell) < OTHER_IMAGES for cell in self._cells)

    def _have(self, op: str) -> set[str]:
        return {cell.protocol for cell in self._cells if cell.op == op}

    def _maps(self, protocol: str) -> bool:
        return self._abilities[protocol].raw_payload and "+" not in protocol

    def _read(self, name: str, condition: Condition) -> Term | None:
        if condition.cache != "cold" and (mapped := self._term(name, "map", condition)):
            return mapped
        cold = condition.cache == "cold" and self._maps(name)
        return self._term(name, "load", condition) if cold or self.safe(name) else None

    def _decode(self, condition: Condition) -> Term | None:
        """Return what reading and decoding the source files takes; None where it was not measured."""
        if condition.layout == "single":
            return self._over(self._source) if condition.cache != "cold" else None
        options = {}
        for one in self._result.ceilings:
            good = [sample for sample in one.samples if sample.valid and sample.amount and sample.wall_ns]
            reading = self._cold_ns(one.workers) if condition.cache == "cold" else 0.0
            if one.name == "decode" and one.workers <= self._usable and good and reading is not None:
                options[one.workers] = {one.round: one.wall_ns / one.amount + reading for one in good}
        return Term("decode", options) if options else None

    def _cold_ns(self, workers: int) -> float | None:
        """Return what reading a source image from storage takes, by the raw reads of this run."""
        raw = [one for one in self._result.ceilings if (one.name, one.workers) == ("raw-read-cold", workers)]
        rate, size = raw[0].per_s if raw else None, self.sizes().source
        return size / rate * 1e9 if rate and size else None

    def _term(self, name: str, op: str, condition: Condition) -> Term | None:
        wanted = {"load": ("cache", condition.cache), "dump": ("durability", condition.durability)}.get(op)
        return self._over(
            cell
            for cell in self._cells
            if (cell.protocol, cell.op, cell.layout) == (name, op, condition.layout)
            and (wanted is None or wanted[1] in (None, getattr(cell, wanted[0])))
        )

    def _over(self, cells: Iterable[CellResult]) -> Term | None:
        """Return the time in some cells of one operation, scaled by pixels to the corpus's mean image."""
        options, op = {}, ""
        for cell in cells:
            peak = cell.memory.peak_pss_bytes if cell.memory else None
            if self._memory is None or (peak or 0.0) <= self._memory:
                scale, op = self._scale(cell), cell.op
                options[cell.workers] = {n: scale * ns for n, ns in round_times(cell.samples).items()}
        return Term(op, options) if options else None

    def _scale(self, cell: CellResult) -> float:
        corpus, own = self._result.dataset, cell.size.pixel_bytes_per_image
        whole = own and corpus.pixel_bytes and corpus.images
        return corpus.pixel_bytes / corpus.images / own if whole else 1.0
