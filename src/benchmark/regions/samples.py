"""Regions handed out in many small tasks, as the engine does it: each worker's part from its pieces."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import psutil

from ..result.measured import MachineUse, Sample, WorkerSample
from ..result.stats import total
from ..worker.tasks import Report

__all__ = ["sample_of"]


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


def combine(
    reports: Sequence[Report],
    *,
    round_number: int,
    order: int,
    passes: int,
    pids: frozenset[int],
    parent_pss: int | None,
) -> Sample:
    """Make one sample of what the workers of a region report.

    Args:
        reports: one of each worker.
        round_number: from 0.
        order: of the region in its round.
        passes: of each worker.
        pids: of the workers that were warmed; empty where there is no pool.
        parent_pss: the parent's memory, in bytes, to be added; 0 where it is the one worker.
    """
    failed = next((report.problem for report in reports if report.problem and not report.checked), None)
    wrong = sum(report.wrong for report in reports)
    problem = failed
    if wrong and problem is None:
        problem = next(report.problem for report in reports if report.problem)
    seen = {report.sample.pid for report in reports}
    if problem is None and len(seen) != len(reports):
        problem = "two parts fell to one worker"
    if problem is None and pids and seen != pids:
        problem = "a worker was restarted"
    if problem is None:
        problem = next((report.void for report in reports if report.void), None)
    workers = tuple(report.sample for report in reports)
    first = min(worker.begin_ns for worker in workers)
    ends = [worker.begin_ns + worker.wall_ns for worker in workers]
    return Sample(
        round=round_number,
        order=order,
        valid=problem is None,
        problem=problem,
        images=sum(report.images for report in reports),
        passes=passes,
        pixel_bytes=sum(report.pixel_bytes for report in reports),
        file_bytes=sum(report.file_bytes for report in reports),
        wall_ns=max(ends) - first,
        skew_ns=max(worker.begin_ns for worker in workers) - first,
        tail_ns=max(ends) - min(ends),
        parent_wall_ns=None,
        parent_cpu_ns=None,
        peak_pss_bytes=peak_pss(workers, parent_pss),
        workers=workers,
        machine=next((report.machine for report in reports if report.machine), None),
    )


def peak_pss(workers: Sequence[WorkerSample], parent_pss: int | None) -> int | None:
    """Return the sum of the workers' peaks and the parent's memory, in bytes.

    What a process had above its resident memory at the end was its own, so it counts whole.
    """
    total = parent_pss
    for worker in workers:
        if (
            total is None
            or worker.pss_bytes is None
            or worker.rss_bytes is None
            or worker.peak_rss_bytes is None
        ):
            return None
        total += worker.pss_bytes + max(0, worker.peak_rss_bytes - worker.rss_bytes)
    return total


def void(sample: Sample, problem: str) -> Sample:
    """Return the sample, not counting."""
    return replace(sample, valid=False, problem=problem)


def own_pss() -> int | None:
    """Return this process's memory in bytes, shared pages divided; None where it is not told."""
    try:
        pss: int | None = getattr(psutil.Process().memory_full_info(), "pss", None)
    except psutil.Error:
        return None
    return pss
