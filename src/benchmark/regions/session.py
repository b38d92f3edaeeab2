"""What the parts of a bench share: the corpus, the scratch folder, the ledger, the way a region is run."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ...engine import pool
from ...errors import WorkerError
from ..ledger import Ledger
from ..options import BenchOptions
from ..result.cell import Cell
from ..result.measured import DISTURBED, Sample, WorkerSample, disturbed_share
from ..worker.corpus import Corpus
from ..worker.tasks import Meeting, Report, Task, run_action, run_memory
from .samples import combine, own_pss, void

__all__ = ["BenchProgress", "Session"]

_AGAIN = 2


@dataclass(frozen=True, slots=True)
class BenchProgress:
    """How far a bench is: regions done, of how many, and what is measured now."""

    done: int
    total: int
    doing: str


@dataclass(slots=True)
class Session:
    """One bench at work.

    Attributes:
        options: what was asked for.
        corpus: the images.
        scratch: folder of this bench alone.
        usable: CPUs that this process may use.
        ledger: the samples.
        progress: told before the first region, and after each.
        regions: how many there will be.
        done: how many there were.
        retakes: how many disturbed regions may be taken again in this round.
        visit: called with part, round, "open" or "close", and the size of the pool that is there.
    """

    options: BenchOptions
    corpus: Corpus
    scratch: Path
    usable: float
    ledger: Ledger
    progress: Callable[[BenchProgress], None]
    regions: int = 0
    done: int = 0
    retakes: int = 0
    visit: Callable[[str, int, Literal["open", "close"], int], None] | None = None
    _meetings: int = field(default=0)
    _folders: int = field(default=0)

    def meeting(self, workers: int) -> Meeting:
        """Lay out a meeting of so many workers."""
        self._meetings += 1
        return Meeting.make(self.scratch / f"meeting-{self._meetings % 4}-{workers}", workers)

    def folder(self, name: str) -> Path:
        """Return a folder in the scratch folder, made if it is not there."""
        path = self.scratch / name
        path.mkdir(exist_ok=True)
        return path

    def new_folder(self, name: str) -> Path:
        """Make a folder for one region in the scratch folder, which afterwards is emptied and stays."""
        self._folders += 1
        path = self.scratch / f"{name}-{self._folders}"
        path.mkdir()
        return path

    def tick(self, cell: Cell) -> None:
        """Tell how far it is."""
        self.done += 1
        where = "inline" if cell.pool == "none" else f"{cell.workers} workers"
        self.progress(BenchProgress(self.done, self.regions, f"{cell.op} {cell.protocol}, {where}"))

    def sentinel(self, part: str, round_number: int, place: Literal["open", "close"], workers: int) -> None:
        """Let the sentinel open or close a round."""
        if self.visit is not None:
            self.visit(part, round_number, place, workers)

    def inline(self, task: Task, *, round_number: int, order: int) -> tuple[Sample, list[Report]]:
        """Run a region in this process."""
        assert task.part is not None
        report = run_action(task)
        sample = combine(
            [report],
            round_number=round_number,
            order=order,
            passes=task.part.passes,
            pids=frozenset(),
            parent_pss=0,
        )
        return sample, [report]

    def pooled(
        self, tasks: list[Task], pids: frozenset[int], *, round_number: int, order: int
    ) -> tuple[Sample, list[Report]]:
        """Run a region with one task for each worker.

        Raises:
            WorkerError: a worker died.
        """
        part = tasks[0].part
        assert part is not None
        reports = list(pool.run(run_action, tasks, workers=len(tasks)))
        if len(reports) != len(tasks):
            raise WorkerError(f"{len(reports)} of {len(tasks)} workers reported")
        sample = combine(
            reports,
            round_number=round_number,
            order=order,
            passes=part.passes,
            pids=pids,
            parent_pss=own_pss(),
        )
        return sample, reports

    def allow_retakes(self, regions: int) -> None:
        """Let a quarter of a round's regions be taken again; none for a quick look."""
        self.retakes = 0 if self.options.quick else max(1, regions // 4)

    def calmly(
        self, cell: Cell, attempt: Callable[[], tuple[Sample, list[Report]]]
    ) -> tuple[Sample, list[Report]]:
        """Run a region; where other programs disturbed it, up to twice more: the least disturbed counts."""
        best = attempt()
        for _ in range(_AGAIN):
            share = disturbed_share(best[0], self.usable)
            if not best[0].valid or share <= DISTURBED or self.retakes < 1:
                break
            self.retakes -= 1
            other = attempt()
            less = disturbed_share(other[0], self.usable)
            if other[0].valid and less < share:
                best, other, less = other, best, share
            if other[0].valid:
                self.ledger.add(cell, void(other[0], f"disturbed: others took {less:.0%} of the CPUs"), 0, 0)
        return best

    def to_do(self, cells: list[Cell]) -> list[Cell]:
        """Return the cells that take part in the next round: all of them where the rounds are given."""
        if self.options.rounds is not None:
            return cells
        left = self.ledger.still_open(cells)
        self.regions -= len(cells) - len(left)
        return left

    def record(self, cell: Cell, sample: Sample, reports: list[Report]) -> None:
        """Keep a region."""
        checked, wrong = sum(one.checked for one in reports), sum(one.wrong for one in reports)
        self.ledger.add(cell, sample, checked, wrong)


def memory_of(session: Session, workers: int) -> dict[int, WorkerSample]:
    """Ask every worker for its memory since it reported last; by process."""
    meeting = session.meeting(workers)
    tasks = [Task(worker, meeting) for worker in range(workers)]
    return {report.sample.pid: report.sample for report in pool.run(run_memory, tasks, workers=workers)}
