"""A bench's cells in the groups that the page draws: one variant over protocols and workers."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from ...benchmark.result.cell import Variant
from ...benchmark.result.findings import Scaling
from ...benchmark.result.measured import CellResult
from ...benchmark.result.result import BenchResult
from ...benchmark.text.table import Entry


@dataclass(frozen=True, slots=True)
class Group:
    """The cells of a variant over worker processes and many images a file."""

    variant: Variant  # the operation and its condition
    cells: dict[str, list[CellResult]]  # by protocol, then ascending in workers
    usable: float  # CPUs that the bench could use
    curves: list[Scaling]  # how its protocols grow, and what limits them

    @property
    def workers(self) -> list[int]:
        """All numbers of workers, ascending."""
        return sorted({cell.workers for cell in self.every})

    @property
    def every(self) -> list[CellResult]:
        """All cells."""
        return [cell for own in self.cells.values() for cell in own]

    def marked(self, workers: int) -> Entry:
        """Return a number of workers, with a star where it is more than the CPUs."""
        return Entry(f"{workers}{'*' if workers > self.usable else ''}", workers)


def groups_of(result: BenchResult) -> list[Group]:
    """Return the groups, in the order of the run's operations."""
    found = []
    names = list(dict.fromkeys(cell.protocol for cell in result.cells))
    for variant in result.variants:
        own = [cell for cell in result.cells if cell.pool == "loky" and Variant.of(cell) == variant]
        own.sort(key=lambda cell: (names.index(cell.protocol), cell.workers))
        cells = {protocol: list(some) for protocol, some in groupby(own, attrgetter("protocol"))}
        curves = [one for one in result.scaling if Variant.of(one) == variant]
        found += [Group(variant, cells, result.host.usable_cpus, curves)] if cells else []
    return found


def within(cells: Iterable[CellResult], usable: float) -> list[CellResult]:
    """Return the cells with no more workers than usable CPUs, and those with one."""
    return [cell for cell in cells if cell.workers <= max(1.0, usable)]
