"""The cells of a result as candidates for a recommendation: each protocol with its numbers of workers."""

from dataclasses import dataclass

from ..result.cell import BASELINES
from ..result.measured import CellResult, round_times
from ..result.recommendations import Weights
from ..result.result import BenchResult
from ..result.stats import median

__all__ = ["Candidate", "Condition", "Field", "Option", "Term"]

_BYTES_PER_MB = 1e6
_SIZE_OPS = ("dump", "load", "convert")


@dataclass(frozen=True, slots=True)
class Condition:
    """Which cells count: layout, cache of loads, durability of dumps; None where it does not matter."""

    layout: str
    cache: str | None = None
    durability: str | None = None

    def admits(self, cell: CellResult) -> bool:
        """Tell whether a cell is one of them."""
        if cell.layout != self.layout or (cell.pool == "none") != (self.layout == "single"):
            return False
        if cell.dispatch == "engine" and cell.op != "convert":
            return False
        if cell.op == "load" and self.cache is not None:
            return cell.cache == self.cache
        return cell.op != "dump" or self.durability is None or cell.durability == self.durability


@dataclass(frozen=True, slots=True)
class Option:
    """A cell that a candidate may use: its number of workers, and ns an image by round."""

    workers: int
    times: dict[int, float]

    @property
    def middle(self) -> float:
        """Median of the rounds."""
        return median(list(self.times.values()))


@dataclass(frozen=True, slots=True)
class Term:
    """A weighted time, by the best of its options."""

    op: str
    weight: float
    options: tuple[Option, ...]

    @property
    def best(self) -> Option:
        """The option with the lowest median."""
        return min(self.options, key=lambda option: option.middle)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A protocol's value: a constant and its terms."""

    protocol: str
    constant: float
    terms: tuple[Term, ...]

    @property
    def value(self) -> float:
        """The value, from medians."""
        return self.constant + sum(term.weight * term.best.middle for term in self.terms)

    def by_round(self) -> dict[int, float]:
        """Return the value of each round that all terms have."""
        bests = [term.best for term in self.terms]
        common = set.intersection(*(set(best.times) for best in bests)) if bests else set()
        weights = [term.weight for term in self.terms]
        return {
            number: self.constant
            + sum(w * best.times[number] for w, best in zip(weights, bests, strict=True))
            for number in sorted(common)
        }


class Field:
    """The cells of a result that candidates are made of."""

    def __init__(self, result: BenchResult) -> None:
        self._most = max(1.0, result.host.usable_cpus)
        self._cells = [
            cell
            for cell in result.cells
            if cell.valid
            and cell.protocol not in BASELINES
            and cell.workers <= self._most
            and round_times(cell.samples)
        ]

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

    def size_condition(self) -> Condition:
        """Return the cells whose files tell the sizes."""
        shards = any(cell.layout == "shards" and cell.op in _SIZE_OPS for cell in self._cells)
        return Condition("shards" if shards else "single")

    def candidates(self, op: str) -> list[Candidate]:
        """Return every protocol by its time an image in an operation."""
        terms = {label: self._term(label, op, 1.0, self.condition(op), None) for label in self._labels()}
        return [Candidate(label, 0.0, (term,)) for label, term in terms.items() if term is not None]

    def costs(self, weights: Weights) -> list[Candidate]:
        """Return every protocol by its weighted cost an image, in ns."""
        condition, sizes = self.condition("dump", "load"), self.sizes()
        reads, memory, link = weights.reads_per_write, weights.memory_bytes, weights.link_mb_per_s
        found = []
        for label in self._labels():
            dump = self._term(label, "dump", 1.0, condition, memory)
            load = self._term(label, "load", reads, condition, memory)
            size = sizes.get(label)
            if dump is None or load is None or (link is not None and size is None):
                continue
            transfer = 0.0 if link is None or size is None else size / (link * _BYTES_PER_MB) * 1e9
            found.append(Candidate(label, (1 + reads) * transfer, (dump, load)))
        return found

    def sizes(self) -> dict[str, float]:
        """Return every protocol's stored bytes an image."""
        layout = self.size_condition().layout
        found: dict[str, float] = {}
        for op in _SIZE_OPS:
            for cell in self._cells:
                size = cell.size.file_bytes_per_image
                if cell.op == op and cell.layout == layout and size is not None:
                    found.setdefault(cell.protocol, size)
        return found

    def _labels(self) -> list[str]:
        return list(dict.fromkeys(cell.protocol for cell in self._cells))

    def _term(
        self, label: str, op: str, weight: float, condition: Condition, memory: int | None
    ) -> Term | None:
        options = tuple(
            Option(cell.workers, round_times(cell.samples))
            for cell in self._cells
            if (cell.protocol, cell.op) == (label, op)
            and condition.admits(cell)
            and (memory is None or _fits(cell, memory))
        )
        return Term(op, weight, options) if options else None


def _fits(cell: CellResult, memory: int) -> bool:
    peak = cell.memory.peak_pss_bytes if cell.memory else None
    return peak is None or peak <= memory
