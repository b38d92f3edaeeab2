"""Loads, dumps and maps handed out as convert hands out units, to show what dispatch costs."""

from dataclasses import replace

from ...engine.workers import pool
from ..worker.shards import Part, empty
from ..worker.tasks import Task, run_piece, run_prepare
from .region import Region, of_pieces, parent_time
from .session import Scratch


def run_dispatched(scratch: Scratch, part: Part, workers: int, pids: frozenset[int]) -> Region:
    """Run a region, one pass a task; with `part.check` dumps are written once more after it and compared.

    The part is of all workers together, every pass of each; the processes are those that were warmed.
    """
    folder = scratch.new_folder("dispatched")
    check = part.check and part.op == "dump"
    part = replace(part, scratch=str(folder), check=False)
    meeting = scratch.meeting(workers)
    prepare = [Task(worker, meeting, part) for worker in range(workers)]
    problems = [one.problem for one in pool.run(run_prepare, prepare, workers=workers)]
    pieces = [replace(part, passes=1, first=number) for number in range(part.passes)]
    try:
        with parent_time(scratch.path) as parent:
            reports = list(pool.run(run_piece, pieces, workers=workers))
        checks = list(reports)
        if check:
            again = (replace(piece, check=True, first=piece.first + part.passes) for piece in pieces)
            checks += pool.run(run_piece, again, workers=workers)
    finally:
        empty(folder)
    region = of_pieces(reports, checks, scratch.memory(workers), pids, problems)
    return replace(region, passes=part.passes // workers, parent=parent)
