"""What the parts of a bench share: the corpus, the scratch folder, the ledger, the way a region is taken."""

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ...engine.workers import pool
from ...errors import StorageError, WorkerError
from ..ledger import Ledger
from ..options import BenchOptions
from ..result.cell import Cell
from ..result.findings import StoredSize
from ..result.measured import DISTURBED, WorkerSample, disturbed_share
from ..worker.corpus import Corpus
from ..worker.tasks import Meeting, Task, run_action, run_memory
from .region import Region, of_reports, own_pss

_AGAIN = 2


@contextmanager
def scratch_folder(output: Path, place: Path, prefix: str) -> Iterator[Path]:
    """Make the output folder, and in `place` a new folder that is removed at the end.

    Raises:
        StorageError: one of them cannot be made, or what was done within failed with an OSError.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        place.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=prefix, dir=place.resolve()))
    except OSError as error:
        raise StorageError(f"cannot write into {place}: {error.strerror}") from error
    try:
        yield scratch
    except OSError as error:
        raise StorageError(
            f"cannot go on in {scratch}: {error.strerror or error}; make room, or choose --scratch"
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class BenchProgress:
    """How far a bench is.

    Attributes:
        done: regions measured.
        total: regions in all.
        doing: what was measured last, and in which round.
    """

    done: int
    total: int
    doing: str


class Progress:
    """Counts regions and tells how far the bench is, before the first and after each."""

    def __init__(self, tell: Callable[[BenchProgress], None]) -> None:
        self._tell = tell
        self._done = self._total = 0

    def begin(self, total: int) -> None:
        """Say how many regions there will be."""
        self._total = total
        self._tell(BenchProgress(0, total, "prepared"))

    def leave_out(self, regions: int) -> None:
        """Expect fewer regions."""
        self._total -= regions

    def step(self, cell: Cell, number: int) -> None:
        """Count a region of the round of this number, from 0."""
        self._done += 1
        self._tell(BenchProgress(self._done, self._total, f"round {number + 1}, {cell}"))


class Scratch:
    """The scratch folder of one bench."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._meetings, self._folders = itertools.count(1), itertools.count(1)

    def meeting(self, workers: int) -> Meeting:
        """Lay out a meeting of that many workers."""
        return Meeting.make(self.path / f"meeting-{next(self._meetings) % 4}-{workers}", workers)

    def folder(self, name: str) -> Path:
        """Return a folder, made if it is not there."""
        path = self.path / name
        path.mkdir(exist_ok=True)
        return path

    def new_folder(self, name: str) -> Path:
        """Make a folder for one region, which afterwards is emptied and stays."""
        path = self.path / f"{name}-{next(self._folders)}"
        path.mkdir()
        return path

    def memory(self, workers: int) -> dict[int, WorkerSample]:
        """Ask every worker for its memory since it reported last; by process."""
        meeting = self.meeting(workers)
        tasks = [Task(worker, meeting) for worker in range(workers)]
        return {report.sample.pid: report.sample for report in pool.run(run_memory, tasks, workers=workers)}


@dataclass(frozen=True, slots=True)
class Session:
    """What the regions of one bench share."""

    options: BenchOptions  # what was asked for
    corpus: Corpus  # the images
    scratch: Scratch  # where its files lie
    usable: float  # CPUs that this process may use
    ledger: Ledger  # the samples
    progress: Progress  # how far it is
    sizes: tuple[StoredSize, ...] = ()  # of every protocol's files


class Round:
    """One round of a part: its regions are taken in turn and recorded.

    Where other programs disturb a region it is taken again, but no more than a quarter of a round's regions,
    and none for a quick look. Where the rounds are not given, cells that are steady take no part.
    """

    def __init__(self, session: Session, number: int, cells: Sequence[Cell]) -> None:
        self._session, self._order = session, 0
        self.number, self.cells = number, list(cells)
        if session.options.rounds is None:
            self.cells = session.ledger.still_open(cells)
            session.progress.leave_out(len(cells) - len(self.cells))
        self.retakes = 0 if session.options.quick else max(1, len(self.cells) // 4)

    def take(
        self, cell: Cell, attempt: Callable[[], Region], mend: Callable[[], object] | None = None
    ) -> Region:
        """Run a region and record it; `mend`, and once more, where it is void though its arrays are right."""
        region = self._calmly(cell, attempt)
        if mend is not None and region.problem and not region.wrong:
            self._record(cell, region, region.problem)
            mend()
            region = attempt()
        sample = region.sample(self.number, self._order)
        self._session.ledger.add(cell, sample, region.checked, region.wrong)
        self._session.progress.step(cell, self.number)
        self._order += 1
        return region

    def _calmly(self, cell: Cell, attempt: Callable[[], Region]) -> Region:
        """Run a region; where other programs disturbed it, up to twice more: the least disturbed counts."""
        best = attempt()
        for _ in range(_AGAIN):
            share = self._disturbed(best)
            if best.problem or share <= DISTURBED or self.retakes < 1:
                break
            self.retakes -= 1
            other = attempt()
            less = self._disturbed(other)
            if not other.problem and less < share:
                best, other, less = other, best, share
            if not other.problem:
                self._record(cell, other, f"disturbed: others took {less:.0%} of the CPUs")
        return best

    def _disturbed(self, region: Region) -> float:
        return disturbed_share(region.sample(self.number, self._order), self._session.usable)

    def _record(self, cell: Cell, region: Region, problem: str) -> None:
        sample = region.sample(self.number, self._order)
        self._session.ledger.add(cell, replace(sample, valid=False, problem=problem))


def ignore(_: object) -> None:
    """Ignore what nobody asked for."""


def inline(task: Task) -> Region:
    """Run a region in this process."""
    return of_reports([run_action(task)], passes=task.part.passes, parent_pss=0)


def pooled(tasks: Sequence[Task], pids: frozenset[int]) -> Region:
    """Run a region with one task for each worker."""
    reports = list(pool.run(run_action, tasks, workers=len(tasks)))
    if len(reports) != len(tasks):
        raise WorkerError(f"{len(reports)} of {len(tasks)} workers reported")
    return of_reports(reports, passes=tasks[0].part.passes, pids=pids, parent_pss=own_pss())
