"""What the sampler saw of a bench, thinned for the result, beside what the workers counted themselves."""

import time
from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from ..engine.machine.sampler import Reading, Sampler
from .result.measured import CellResult
from .result.result import SamplerInfo

_ROW_NS = 1_000_000_000
_COLUMNS = (
    "t_ns",
    "pid",
    "role",
    "cpu_user_ns",
    "cpu_system_ns",
    "rss_bytes",
    "pss_bytes",
    "read_bytes",
    "write_bytes",
)


def sampled(sampler: Sampler, cells: Iterable[CellResult]) -> SamplerInfo:
    """Keep one reading a process and second, and all that have shares of memory."""
    timeline = sampler.timeline
    rows, last = [], dict[int, int]()
    for reading in timeline:
        if reading.pss_bytes is not None or reading.t_ns - last.get(reading.pid, -_ROW_NS) >= _ROW_NS:
            last[reading.pid] = reading.t_ns
            rows.append(tuple(getattr(reading, name) for name in _COLUMNS))
    times = sorted({reading.t_ns for reading in timeline})
    wall = time.perf_counter_ns() - sampler.begin_ns if sampler.begin_ns else 0
    own, seen = cpu_seen(timeline, sampler.begin_ns, cells)
    return SamplerInfo(
        wall_ns=wall,
        cpu_ns=sampler.cpu_ns or None,
        peak_rss_bytes=sampler.peak.rss_bytes,
        peak_pss_bytes=sampler.peak.pss_bytes,
        columns=_COLUMNS,
        rows=tuple(rows),
        longest_gap_ns=max((after - before for before, after in pairwise(times)), default=None),
        begin_ns=sampler.begin_ns or None,
        workers_cpu_ns=own,
        workers_seen_cpu_ns=seen,
    )


def cpu_seen(
    timeline: Iterable[Reading], begin_ns: int, cells: Iterable[CellResult]
) -> tuple[int | None, int | None]:
    """Return the workers' CPU time between each one's first and last region: their own count, the sampler's.

    Both are in ns, over the workers that both saw twice or more; None without such workers. The times of the
    readings count from `begin_ns` on, when the sampler began on the clock that all processes share.
    """
    told: dict[int, list[tuple[int, int]]] = defaultdict(list)
    samples = (sample for cell in cells if cell.pool == "loky" for sample in cell.samples)
    for worker in (worker for sample in samples for worker in sample.workers):
        if worker.lifetime_cpu_ns is not None:
            told[worker.pid].append((worker.begin_ns + worker.wall_ns, worker.lifetime_cpu_ns))
    readings: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for one in timeline:
        readings[one.pid].append((begin_ns + one.t_ns, one.cpu_user_ns + one.cpu_system_ns))
    own = seen = 0
    for pid, points in told.items():
        (first, before), (last, after) = min(points), max(points)
        if len(readings[pid]) < 2 or last == first:
            continue
        times, spent = np.array(readings[pid], dtype=np.float64).T
        if (
            times[0] <= first and last <= times[-1]
        ):  # else it worked before the first reading or after the last
            own += after - before
            seen += round(float(np.diff(np.interp([first, last], times, spent))[0]))
    return (own, seen) if own else (None, None)
