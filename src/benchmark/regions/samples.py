"""Regions handed out in many small tasks, as the engine does it: each worker's part from its pieces."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from ...engine import pool
from ..analysis.ledger import peak_pss
from ..result.measured import MachineUse, Sample, WorkerSample
from ..result.stats import total
from ..worker.tasks import Task, run_memory
from .session import Session, own_pss

__all__ = ["memory_of", "sample_of"]


def memory_of(session: Session, workers: int) -> dict[int, WorkerSample]:
    """Ask every worker for its memory since it reported last; by process."""
    meeting = session.meeting(workers)
    tasks = [Task(worker, meeting) for worker in range(workers)]
    return {report.sample.pid: report.sample for report in pool.run(run_memory, tasks, workers=workers)}


def sample_of(
    pieces: Sequence[WorkerSample],
    memory: Mapping[int, WorkerSample],
    pids: Collection[int],
    *,
    round_number: int,
    order: int,
    passes: int,
    images: int,
    pixel_bytes: int,
    file_bytes: int,
    parent_wall_ns: int,
    parent_cpu_ns: int,
    machine: MachineUse,
    problem: str | None,
) -> Sample:
    """Make one sample of a region's pieces.

    Args:
        pieces: in any order; each was one task.
        memory: of every worker, at the region's end.
        pids: of the workers that were warmed.
        round_number: from 0.
        order: of the region in its round.
        passes: of each worker.
        images: handled by all.
        pixel_bytes: of their arrays.
        file_bytes: of the files written or read.
        parent_wall_ns: the region as the parent saw it.
        parent_cpu_ns: the parent's CPU time in it.
        machine: what else went on.
        problem: why it does not count, if that is known.
    """
    by_worker = [
        _merged([piece for piece in pieces if piece.pid == pid], memory.get(pid))
        for pid in sorted({piece.pid for piece in pieces})
    ]
    if problem is None and set(memory) != set(pids):
        problem = "a worker was restarted"
    if problem is None and any(worker.swap_bytes for worker in by_worker):
        problem = "swapped: part of a worker's memory lay in swap"
    begins = [worker.begin_ns for worker in by_worker] or [0]
    ends = [worker.begin_ns + worker.wall_ns for worker in by_worker] or [0]
    idle = [one for pid, one in memory.items() if pid not in {worker.pid for worker in by_worker}]
    return Sample(
        round=round_number,
        order=order,
        valid=problem is None,
        problem=problem,
        images=images,
        passes=passes,
        pixel_bytes=pixel_bytes,
        file_bytes=file_bytes,
        wall_ns=max(ends) - min(begins),
        skew_ns=max(begins) - min(begins),
        tail_ns=max(ends) - min(ends),
        parent_wall_ns=parent_wall_ns,
        parent_cpu_ns=parent_cpu_ns,
        peak_pss_bytes=peak_pss([*by_worker, *idle], own_pss()),
        workers=tuple(by_worker),
        machine=machine,
    )


def _merged(pieces: Sequence[WorkerSample], memory: WorkerSample | None) -> WorkerSample:
    """Add up a worker's pieces; its wall time is from its first one's start to its last one's end."""
    begin = min(piece.begin_ns for piece in pieces)
    wall = max(piece.begin_ns + piece.wall_ns for piece in pieces) - begin
    phases: Counter[str] = Counter()
    for piece in pieces:
        phases.update(piece.phases_ns)
    user, system = sum(piece.user_ns for piece in pieces), sum(piece.system_ns for piece in pieces)
    run_wait = total([piece.run_wait_ns for piece in pieces])
    block_wait = total([piece.block_wait_ns for piece in pieces])
    return WorkerSample(
        pid=pieces[0].pid,
        begin_ns=begin,
        wall_ns=wall,
        user_ns=user,
        system_ns=system,
        switches_voluntary=sum(piece.switches_voluntary for piece in pieces),
        switches_involuntary=sum(piece.switches_involuntary for piece in pieces),
        read_bytes=total([piece.read_bytes for piece in pieces]),
        write_bytes=total([piece.write_bytes for piece in pieces]),
        phases_ns=dict(phases),
        peak_rss_bytes=memory.peak_rss_bytes if memory else None,
        rss_bytes=memory.rss_bytes if memory else None,
        pss_bytes=memory.pss_bytes if memory else None,
        run_wait_ns=run_wait,
        block_wait_ns=block_wait,
        other_ns=max(0, wall - user - system - (run_wait or 0) - (block_wait or 0)),
        swap_bytes=memory.swap_bytes if memory else None,
    )
