"""All samples so far, by cell."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from .result.cell import Cell
from .result.measured import Sample


@dataclass(slots=True)
class Gathered:
    """What is known of one cell."""

    images: int  # distinct images of one pass of a worker
    samples: list[Sample] = field(default_factory=list)  # all of them, in order of time
    checked: int = 0  # how many arrays were compared with the source
    wrong: int = 0  # how many of them were not the same
    first: str | None = None  # what the first wrong one was
    stopped: bool = False  # later rounds leave the cell out


class Ledger:
    """The samples of every cell, in the order of naming; `steady` tells which cells need no further round."""

    def __init__(self, steady: Callable[[Gathered], bool] = lambda _: False) -> None:
        self._steady = steady
        self._cells: dict[Cell, Gathered] = {}

    def expect(self, cell: Cell, images: int) -> None:
        """Name a cell and how many distinct images one pass of a worker has, if it is not named yet."""
        self._cells.setdefault(cell, Gathered(images))

    def add(self, cell: Cell, sample: Sample, checked: int = 0, wrong: int = 0) -> None:
        """Record a region."""
        entry = self._cells[cell]
        entry.samples.append(sample)
        entry.checked += checked
        entry.wrong += wrong
        if wrong and entry.first is None:
            entry.first = sample.problem

    def still_open(self, cells: Sequence[Cell]) -> list[Cell]:
        """Return the cells that need another round, and mark the others."""
        for cell in cells:
            entry = self._cells[cell]
            entry.stopped = entry.stopped or self._steady(entry)
        return [cell for cell in cells if not self._cells[cell].stopped]

    def measured(self) -> Iterator[tuple[Cell, Gathered]]:
        """Yield every cell that has a sample."""
        return ((cell, entry) for cell, entry in self._cells.items() if entry.samples)
