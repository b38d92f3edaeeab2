"""The cells of a result as candidates for a recommendation: each protocol with its numbers of workers."""

from dataclasses import dataclass, replace

from ..result.cell import BASELINES
from ..result.measured import CellResult, round_times
from ..result.recommendations import Weights
from ..result.result import BenchResult
from ..result.stats import median
from .sizes import Sizes, shown_layout, sizes_of

_BYTES_PER_MB = 1e6


@dataclass(frozen=True, slots=True)
class Condition:
    """Which cells count: layout, cache of loads, durability of dumps; None where it does not matter."""

    layout: str
    cache: str | None = None
    durability: str | None = None

    def admits(self, cell: CellResult) -> bool:
        """Return whether a cell is one of them."""
        if cell.layout != self.layout or (cell.pool == "none") != (self.layout == "single"):
            return False
        if cell.dispatch == "engine" and cell.op != "convert":
            return False
        wanted, own = {"load": (self.cache, cell.cache), "dump": (self.durability, cell.durability)}.get(
            cell.op, (None, None)
        )
        return wanted is None or own == wanted


@dataclass(frozen=True, slots=True)
class Term:
    """A weighted time, by the best of its options: ns an image by round, for each number of workers."""

    op: str
    weight: float
    options: dict[int, dict[int, float]]

    @property
    def workers(self) -> int:
        """The number of workers with the lowest median."""
        return min(self.options, key=lambda workers: median(list(self.options[workers].values())))

    @property
    def times(self) -> dict[int, float]:
        """Times by round."""
        return self.options[self.workers]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A protocol's value: a constant and its terms."""

    protocol: str
    constant: float
    terms: tuple[Term, ...]

    @property
    def value(self) -> float:
        """The value, from medians."""
        return self.constant + sum(term.weight * median(list(term.times.values())) for term in self.terms)

    def by_round(self) -> dict[int, float]:
        """Return the value of each round that all terms have."""
        weighted = [(term.weight, term.times) for term in self.terms]
        common = sorted(set.intersection(*(set(times) for _, times in weighted)))
        return {n: self.constant + sum(weight * times[n] for weight, times in weighted) for n in common}


class Field:
    """The cells of a result that candidates are made of."""

    def __init__(self, result: BenchResult) -> None:
        self._result = result
        most = max(1.0, result.host.usable_cpus)
        cells = [cell for cell in result.cells if cell.valid and cell.workers <= most and cell.counting]
        self._cells = [cell for cell in cells if cell.protocol not in BASELINES]

    def condition(self, *ops: str) -> Condition:
        """Return the cells for some operations: over workers, warm and buffered where there are such."""
        over_workers = {cell.op for cell in self._cells if cell.layout == "shards" and cell.pool != "none"}
        layout = "shards" if over_workers.issuperset(ops) else "single"
        own = [cell for cell in self._cells if cell.layout == layout and cell.op in ops]
        caches = {cell.cache for cell in own if cell.op == "load"}
        durabilities = {cell.durability for cell in own if cell.op == "dump"}
        return Condition(
            layout,
            None if "load" not in ops else "cold" if caches == {"cold"} else "warm",
            None if "dump" not in ops else "fsync" if durabilities == {"fsync"} else "buffered",
        )

    def candidates(self, op: str) -> list[Candidate]:
        """Return every protocol by its time an image in an operation."""
        terms = {name: self._term(name, op, 1.0, self.condition(op), None) for name in self._protocols()}
        return [Candidate(name, 0.0, (term,)) for name, term in terms.items() if term.options]

    def costs(self, weights: Weights) -> list[Candidate]:
        """Return every protocol by its weighted cost an image, in ns."""
        condition, sizes = self.condition("dump", "load"), self.sizes().values
        reads, memory, link = weights.reads_per_write, weights.memory_bytes, weights.link_mb_per_s
        found = []
        for name in self._protocols():
            dump = self._term(name, "dump", 1.0, condition, memory)
            load = self._term(name, "load", reads, condition, memory)
            if dump.options and load.options and (link is None or name in sizes):
                transfer = 0.0 if link is None else sizes[name] / (link * _BYTES_PER_MB) * 1e9
                found.append(Candidate(name, (1 + reads) * transfer, (dump, load)))
        return found

    def sizes(self) -> Sizes:
        """Return every protocol's stored bytes an image."""
        found, names = sizes_of(self._result, shown_layout(self._result), self._cells), self._protocols()
        return replace(found, values={name: size for name, size in found.values.items() if name in names})

    def _protocols(self) -> list[str]:
        return list(dict.fromkeys(cell.protocol for cell in self._cells))

    def _term(self, name: str, op: str, weight: float, condition: Condition, memory: int | None) -> Term:
        own = [
            cell for cell in self._cells if (cell.protocol, cell.op) == (name, op) and condition.admits(cell)
        ]
        peaks = {cell.workers: cell.memory.peak_pss_bytes if cell.memory else None for cell in own}
        kept = [cell for cell in own if memory is None or (peaks[cell.workers] or 0.0) <= memory]
        return Term(op, weight, {cell.workers: round_times(cell.samples) for cell in kept})
