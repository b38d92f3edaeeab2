"""A bench's cells in the groups that the report draws: one operation over protocols and workers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...benchmark.result.findings import Scaling
from ...benchmark.result.result import BenchResult, CellResult
from ...benchmark.text.tables import OP_TITLES
from ..html.numbers import counted, known

__all__ = [
    "Variant",
    "interval",
    "protocol_order",
    "variants",
    "within",
    "workers_text",
]

_MARKS = {"cold": "cold cache", "fsync": "with fsync", "engine": "dispatched in small tasks"}
_IDS = {"engine": "dispatched"}


@dataclass(frozen=True, slots=True)
class Variant:
    """The cells of one operation under one condition, over worker processes and many images a file.

    Attributes:
        op: the operation.
        cache: whether what is read was in memory.
        durability: whether what is written was flushed.
        dispatch: "engine" where work was handed out in many small tasks; "" for convert, which always is.
        cells: by protocol, then ascending in workers.
    """

    op: str
    cache: str
    durability: str
    dispatch: str
    cells: dict[str, tuple[CellResult, ...]]

    @property
    def name(self) -> str:
        """An id, such as "load" or "load-cold"."""
        return "-".join([self.op, *(_IDS.get(mark, mark) for mark in self._marks)])

    @property
    def title(self) -> str:
        """Its name for people, such as "load, cold cache"."""
        return ", ".join([self.op, *(_MARKS[mark] for mark in self._marks)])

    @property
    def _marks(self) -> list[str]:
        return [mark for mark in (self.cache, self.durability, self.dispatch) if mark in _MARKS]

    def holds(self, one: CellResult | Scaling) -> bool:
        """Tell whether a cell or a curve belongs to it."""
        return (self.op, self.cache, self.durability, self.dispatch) == _key(one)

    @property
    def meaning(self) -> str:
        """What the operation does."""
        return OP_TITLES.get(self.op, self.op)

    @property
    def workers(self) -> list[int]:
        """All numbers of workers, ascending."""
        return sorted({cell.workers for own in self.cells.values() for cell in own})


def variants(result: BenchResult) -> list[Variant]:
    """Return the groups, in the order of the run's operations."""
    found: dict[tuple[str, str, str, str], dict[str, list[CellResult]]] = {}
    for cell in result.cells:
        if cell.layout == "shards" and cell.pool == "loky":
            group = found.setdefault(_key(cell), {})
            group.setdefault(cell.protocol, []).append(cell)
    ops = list(result.settings.ops)
    keys = sorted(found, key=lambda key: ops.index(key[0]) if key[0] in ops else len(ops))
    order = protocol_order(result)
    return [
        Variant(
            *key,
            {
                protocol: tuple(sorted(found[key][protocol], key=lambda cell: cell.workers))
                for protocol in order
                if protocol in found[key]
            },
        )
        for key in keys
    ]


def _key(one: CellResult | Scaling) -> tuple[str, str, str, str]:
    return (one.op, one.cache, one.durability, one.dispatch if one.op != "convert" else "")


def protocol_order(result: BenchResult) -> list[str]:
    """Return the protocols in the order in which the result first names them."""
    return list(dict.fromkeys(cell.protocol for cell in result.cells))


def within(cells: Iterable[CellResult], usable: float) -> list[CellResult]:
    """Return the cells with no more workers than usable CPUs, and those with one."""
    return [cell for cell in cells if cell.workers <= max(1.0, usable)]


def interval(cell: CellResult) -> tuple[float, float] | None:
    """Return the ends of the interval of the time an image; with few rounds the fastest and the slowest."""
    stats = cell.stats
    if stats is None:
        return None
    low = stats.min_ns if stats.low_ns is None else stats.low_ns
    high = stats.max_ns if stats.high_ns is None else stats.high_ns
    return (low, high) if known(low) and known(high) and low > 0 else None


def workers_text(numbers: Sequence[int]) -> str:
    """Return numbers of workers in words."""
    return counted(numbers[0], "worker") if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]} workers"
