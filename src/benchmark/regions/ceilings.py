"""Runs the ceilings as cells of the sweep, in the same pools and the same random order."""

import os
import time

from ...engine.workers import pool
from ..cells import CEILING
from ..result.cell import Cell
from ..worker.ceilings import COLD, COLD_BYTES, READ_BYTES, READ_FILE, WRITING, no_op
from ..worker.shards import Part
from ..worker.tasks import Task, run_action
from .region import Region, of_reports, parent_time
from .session import Session

_REGION_NS = 50_000_000
_QUICK_NS = 25_000_000
_LONGER = {"create": 4}  # the first few hundred files of a folder cost a fraction of the later ones
_OVERHEAD_NS = 40_000_000
_EACH_OVERHEAD_NS = 10_000_000
_READ_CHUNK = 1 << 20


class CeilingRegion:
    """Runs one ceiling with a number of workers, each for a given time."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._region_ns = _QUICK_NS if session.options.quick else _REGION_NS

    def expected_ns(self, cell: Cell) -> float:
        """Return how long a region is expected to take with its preparation."""
        return self._length_ns(cell) + _OVERHEAD_NS + _EACH_OVERHEAD_NS * cell.workers

    def _length_ns(self, cell: Cell) -> int:
        return self._region_ns * _LONGER.get(cell.protocol, 1)

    def stage(self) -> None:
        """Write the files that raw reads read."""
        folder = self._session.scratch.folder("raw")
        files = {READ_FILE: READ_BYTES}
        if "cold" in self._session.options.caches:
            files |= {f"cold-{worker}": COLD_BYTES for worker in range(max(self._session.options.cores))}
        block = os.urandom(_READ_CHUNK)
        for name, size in files.items():
            with (folder / name).open("wb") as file:
                for _ in range(size // _READ_CHUNK):
                    file.write(block)

    def run(self, cell: Cell, pids: frozenset[int]) -> Region:
        """Run one region."""
        if cell.protocol == "no-op":
            return self._no_op(cell)
        session, cold = self._session, cell.protocol == COLD
        meeting, folder = session.scratch.meeting(cell.workers), session.scratch.folder("raw")
        tasks = []
        for worker in range(cell.workers):
            part = Part(
                cell.protocol,
                CEILING,
                corpus=session.corpus.index,
                files=str(folder / f"cold-{worker}" if cold else folder),
                scratch=str(session.scratch.new_folder(cell.protocol)) if cell.protocol in WRITING else "",
                cache="cold" if cold else "warm",
                region_ns=self._length_ns(cell),
            )
            tasks.append(Task(worker, meeting, part))
        return of_reports(list(pool.run(run_action, tasks, workers=cell.workers)), pids=pids)

    def _no_op(self, cell: Cell) -> Region:
        """Send tasks that do nothing, one after the other, until the time is over."""
        with parent_time(self._session.scratch.path) as parent:
            end = time.perf_counter_ns() + self._region_ns
            tasks = iter(lambda: int(time.perf_counter_ns() >= end), 1)
            count = sum(1 for _ in pool.run(no_op, tasks, workers=cell.workers))
        parent.machine = None
        return Region(images=count, parent=parent, problem=None if count else "no task came back")
