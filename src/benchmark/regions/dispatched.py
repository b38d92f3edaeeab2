"""Loads, dumps and maps handed out as convert hands out units, to show what dispatch costs."""

import time
from dataclasses import replace

from ...engine import pool
from ..result.measured import Sample
from ..worker.leftovers import empty
from ..worker.machine import read_machine, use_between
from ..worker.shards import Part
from ..worker.tasks import Report, Task, run_piece, run_prepare
from .samples import sample_of
from .session import Session, memory_of

__all__ = ["run_dispatched"]


def run_dispatched(
    session: Session, part: Part, workers: int, pids: frozenset[int], *, round_number: int, order: int
) -> tuple[Sample, list[Report]]:
    """Run a region, one pass a task; with `part.check` dumps are written once more after it and compared.

    Args:
        session: the bench.
        part: of all workers together: every pass of each.
        workers: how many.
        pids: of the workers that were warmed.
        round_number: from 0.
        order: of the region in its round.

    Raises:
        WorkerError: a worker died.
    """
    folder = session.new_folder("dispatched")
    check = part.check and part.op == "dump"
    part = replace(part, scratch=str(folder), check=False)
    meeting = session.meeting(workers)
    prepare = [Task(worker, meeting, part) for worker in range(workers)]
    problems = [one.problem for one in pool.run(run_prepare, prepare, workers=workers)]
    try:
        around = read_machine(str(session.scratch))
        parent_cpu, begin = time.process_time_ns(), time.perf_counter_ns()
        pieces = [replace(part, passes=1, first=number) for number in range(part.passes)]
        reports = list(pool.run(run_piece, pieces, workers=workers))
        parent_wall = time.perf_counter_ns() - begin
        parent_cpu = time.process_time_ns() - parent_cpu
        machine = use_between(around, read_machine(str(session.scratch)))
        checks = list(reports)
        if check:
            again = (replace(piece, check=True, first=piece.first + part.passes) for piece in pieces)
            checks += pool.run(run_piece, again, workers=workers)
    finally:
        empty(folder)
    problems += [report.problem for report in checks]
    sample = sample_of(
        [report.sample for report in reports],
        memory_of(session, workers),
        pids,
        round_number=round_number,
        order=order,
        passes=part.passes // workers,
        images=sum(report.images for report in reports),
        pixel_bytes=sum(report.pixel_bytes for report in reports),
        file_bytes=sum(report.file_bytes for report in reports),
        parent_wall_ns=parent_wall,
        parent_cpu_ns=parent_cpu,
        machine=machine,
        problem=next(filter(None, problems), None),
    )
    return sample, checks
