"""A timed region as the parent sees it, from what its workers report.

Whatever runs a region raises WorkerError where a worker died.
"""

import os
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import psutil

from ...engine.machine.counters import Counters
from ..result.measured import MachineUse, Sample, WorkerSample
from ..result.stats import total
from ..worker.machine import Watch
from ..worker.tasks import Report, worker_sample

_MEMORY = ("peak_rss_bytes", "rss_bytes", "pss_bytes", "swap_bytes")


@dataclass(slots=True)
class ParentTime:
    """What the parent saw of a region: its length, the parent's CPU time in it, what else went on."""

    wall_ns: int | None = None
    cpu_ns: int | None = None
    machine: MachineUse | None = None


@contextmanager
def parent_time(folder: os.PathLike[str]) -> Iterator[ParentTime]:
    """Time a region in the parent; the machine's device is the one that holds the folder."""
    found, watch = ParentTime(), Watch(folder)
    cpu, begin = time.process_time_ns(), time.perf_counter_ns()
    yield found
    found.wall_ns, found.cpu_ns = time.perf_counter_ns() - begin, time.process_time_ns() - cpu
    found.machine = watch.use()


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A timed region: a sample without its place in the rounds."""

    workers: tuple[WorkerSample, ...] = ()  # each worker's part; none where the parent alone timed it
    images: int = 0  # handled by all, passes included
    passes: int = 1  # of each worker
    pixel_bytes: int = 0  # of the arrays
    file_bytes: int = 0  # of the files written or read
    parent: ParentTime | None = None  # what the parent saw, where it handed out the work
    machine: MachineUse | None = None  # what else went on
    peak_pss_bytes: int | None = None  # of workers and parent together
    problem: str | None = None  # why it does not count
    checked: int = 0  # arrays compared with the source
    wrong: int = 0  # how many of them were not the same

    def sample(self, round_number: int, order: int) -> Sample:
        """Return the sample of a round, at its place in it."""
        parent = self.parent or ParentTime()
        begins = [worker.begin_ns for worker in self.workers] or [0]
        ends = [worker.begin_ns + worker.wall_ns for worker in self.workers] or [parent.wall_ns or 0]
        return Sample(
            round=round_number,
            order=order,
            valid=self.problem is None,
            problem=self.problem,
            images=self.images,
            passes=self.passes,
            pixel_bytes=self.pixel_bytes,
            file_bytes=self.file_bytes,
            wall_ns=max(ends) - min(begins),
            skew_ns=max(begins) - min(begins),
            tail_ns=max(ends) - min(ends),
            parent_wall_ns=parent.wall_ns,
            parent_cpu_ns=parent.cpu_ns,
            peak_pss_bytes=self.peak_pss_bytes,
            workers=self.workers,
            machine=self.machine or parent.machine,
        )


def of_reports(
    reports: Sequence[Report], *, passes: int = 1, pids: Collection[int] = (), parent_pss: int | None = None
) -> Region:
    """Return the region of which each worker made one report.

    The processes are those that were warmed; there are none without a pool. The parent's memory is added, in
    bytes; 0 where it is the one worker.
    """
    workers, seen = tuple(report.sample for report in reports), {report.sample.pid for report in reports}
    problems = [
        *(report.problem for report in reports if not report.checked),
        *(report.problem for report in reports if report.wrong),
        "two parts fell to one worker" if len(seen) != len(reports) else None,
        "a worker was restarted" if pids and seen != set(pids) else None,
        *(report.void for report in reports),
    ]
    return Region(
        workers=workers,
        passes=passes,
        machine=next((report.machine for report in reports if report.machine), None),
        peak_pss_bytes=_peak_pss(workers, parent_pss),
        **_done(reports, problems),
    )


def of_pieces(
    pieces: Sequence[Report],
    checks: Sequence[Report],
    memory: Mapping[int, WorkerSample],
    pids: Collection[int],
    problems: Sequence[str | None],
) -> Region:
    """Return the region that was handed out in small tasks, by what these and the comparisons reported.

    Memory is that of every worker at the region's end, by process; the processes are those that were warmed;
    the problems are why it does not count, if that is known.
    """
    by_worker: dict[int, list[WorkerSample]] = {}
    for piece in pieces:
        by_worker.setdefault(piece.sample.pid, []).append(piece.sample)
    workers = tuple(_merged(own, memory.get(pid)) for pid, own in sorted(by_worker.items()))
    swapped = any(worker.swap_bytes for worker in workers)
    problems = [
        *problems,
        *(check.problem for check in checks),
        "a worker was restarted" if set(memory) != set(pids) else None,
        "swapped: part of a worker's memory lay in swap" if swapped else None,
    ]
    idle = [one for pid, one in memory.items() if pid not in by_worker]
    done = _done(pieces, problems) | {
        name: sum(getattr(one, name) for one in checks) for name in ("checked", "wrong")
    }
    return Region(workers=workers, peak_pss_bytes=_peak_pss([*workers, *idle], own_pss()), **done)


def _done(reports: Sequence[Report], problems: Sequence[str | None]) -> dict[str, Any]:
    """Return what all tasks did together, and the first problem."""
    names = ("images", "pixel_bytes", "file_bytes", "checked", "wrong")
    sums = {name: sum(getattr(report, name) for report in reports) for name in names}
    return sums | {"problem": next(filter(None, problems), None)}


def _merged(pieces: Sequence[WorkerSample], memory: WorkerSample | None) -> WorkerSample:
    """Add up a worker's pieces; its wall time is from its first one's start to its last one's end."""
    begin = min(piece.begin_ns for piece in pieces)
    wall = max(piece.begin_ns + piece.wall_ns for piece in pieces) - begin
    phases: Counter[str] = Counter()
    for piece in pieces:
        phases.update(piece.phases_ns)
    sums: dict[str, Any] = {
        name: total([getattr(piece, name) for piece in pieces]) for name in Counters._fields[1:]
    }
    merged = worker_sample(begin, Counters(wall, **sums), dict(phases))
    held: dict[str, Any] = {name: getattr(memory, name) for name in _MEMORY} if memory else {}
    return replace(merged, pid=pieces[0].pid, **held)


def _peak_pss(workers: Sequence[WorkerSample], parent_pss: int | None) -> int | None:
    """Return the sum of the workers' peaks and the parent's memory, in bytes.

    What a process had above its resident memory at the end was its own, so it counts whole.
    """
    found = parent_pss
    for worker in workers:
        pss, rss, peak = worker.pss_bytes, worker.rss_bytes, worker.peak_rss_bytes
        if found is None or pss is None or rss is None or peak is None:
            return None
        found += pss + max(0, peak - rss)
    return found


def own_pss() -> int | None:
    """Return this process's memory in bytes, shared pages divided, or None where the kernel does not tell."""
    with suppress(psutil.Error):
        pss: int | None = getattr(psutil.Process().memory_full_info(), "pss", None)
        return pss
    return None
