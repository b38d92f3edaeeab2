"""Runs the ceilings as cells of the sweep, in the same pools and the same random order."""

import os
import time

from ...engine import pool
from ..cells import CEILING
from ..result.cell import Cell
from ..result.measured import Sample
from ..worker.ceilings import COLD, COLD_BYTES, READ_BYTES, READ_FILE, WRITING, no_op
from ..worker.shards import Part
from ..worker.tasks import Report, Task, run_action
from .samples import combine
from .session import Session

__all__ = ["CeilingRegion"]

_REGION_NS = 50_000_000
_QUICK_NS = 25_000_000
_LONGER = {"create": 4}  # the first few hundred files of a folder cost a fraction of the later ones
_OVERHEAD_NS = 40_000_000
_EACH_OVERHEAD_NS = 10_000_000
_READ_CHUNK = 1 << 20


class CeilingRegion:
    """Runs one ceiling with so many workers, each for a given time."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._region_ns = _QUICK_NS if session.options.quick else _REGION_NS

    def expected_ns(self, cell: Cell) -> float:
        """How long a region is expected to take, all in all."""
        return self._length_ns(cell) + _OVERHEAD_NS + _EACH_OVERHEAD_NS * cell.workers

    def _length_ns(self, cell: Cell) -> int:
        return self._region_ns * _LONGER.get(cell.protocol, 1)

    def stage(self) -> None:
        """Write the files that raw reads read."""
        folder = self._session.folder("raw")
        files = {READ_FILE: READ_BYTES}
        if "cold" in self._session.options.caches:
            files |= {f"cold-{worker}": COLD_BYTES for worker in range(max(self._session.options.cores))}
        block = os.urandom(_READ_CHUNK)
        for name, size in files.items():
            with (folder / name).open("wb") as file:
                for _ in range(size // _READ_CHUNK):
                    file.write(block)

    def run(
        self, cell: Cell, pids: frozenset[int], *, round_number: int, order: int
    ) -> tuple[Sample, list[Report]]:
        """Run one region.

        Raises:
            WorkerError: a worker died.
        """
        if cell.protocol == "no-op":
            return self._no_op(cell, round_number, order), []
        session, cold = self._session, cell.protocol == COLD
        folder = session.folder("raw")
        meeting = session.meeting(cell.workers)
        tasks = [
            Task(
                worker,
                meeting,
                Part(
                    protocol=cell.protocol,
                    op=CEILING,
                    layout="shards",
                    slices=(),
                    passes=1,
                    corpus=session.corpus.index,
                    files=str(folder / f"cold-{worker}" if cold else folder),
                    scratch=str(session.new_folder(cell.protocol)) if cell.protocol in WRITING else "",
                    check=False,
                    cache="cold" if cold else "warm",
                    region_ns=self._length_ns(cell),
                ),
            )
            for worker in range(cell.workers)
        ]
        reports = list(pool.run(run_action, tasks, workers=cell.workers))
        sample = combine(
            reports, round_number=round_number, order=order, passes=1, pids=pids, parent_pss=None
        )
        return sample, reports

    def _no_op(self, cell: Cell, round_number: int, order: int) -> Sample:
        """Send tasks that do nothing, one after the other, until the time is over."""
        parent_cpu, begin = time.process_time_ns(), time.perf_counter_ns()
        end = begin + self._region_ns
        tasks = iter(lambda: int(time.perf_counter_ns() >= end), 1)
        count = sum(1 for _ in pool.run(no_op, tasks, workers=cell.workers))
        wall = time.perf_counter_ns() - begin
        parent_cpu = time.process_time_ns() - parent_cpu
        return Sample(
            round=round_number,
            order=order,
            valid=count > 0,
            problem=None if count else "no task came back",
            images=count,
            passes=1,
            pixel_bytes=0,
            file_bytes=0,
            wall_ns=wall,
            skew_ns=0,
            tail_ns=0,
            parent_wall_ns=wall,
            parent_cpu_ns=parent_cpu,
            peak_pss_bytes=None,
            workers=(),
        )
