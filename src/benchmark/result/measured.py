"""What was measured: a worker's part, a region, a cell; plain data for result.json."""

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass

from ...errors import UsageError
from .cell import Cell
from .stats import median, over, total

BACKLOG_BYTES = 64 << 20
DISTURBED = 0.15  # share of the CPUs from which on others disturb a region
_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_TICKS = 3  # busy time is cut to ticks in each of its kinds: less may be no time of others


@dataclass(frozen=True, slots=True)
class WorkerSample:
    """One worker's part of a region, by its own counters."""

    pid: int  # the process
    begin_ns: int  # when its part began, on the clock that all processes share
    wall_ns: int  # how long it took
    user_ns: int  # CPU time in user mode
    system_ns: int  # CPU time in the kernel
    switches_voluntary: int  # times it waited
    switches_involuntary: int  # times it lost the CPU
    read_bytes: int | None  # fetched from storage
    write_bytes: int | None  # sent towards storage
    phases_ns: dict[str, int]  # time by phase
    peak_rss_bytes: int | None = None  # highest resident memory within the region
    rss_bytes: int | None = None  # resident memory at its end
    pss_bytes: int | None = None  # the same with shared pages divided among those who share them
    run_wait_ns: int | None = None  # time it was ready and waited for a CPU
    # time it waited for storage, in ticks of 10 ms; rarely counted by the kernel
    block_wait_ns: int | None = None
    # the rest of its wall time: waiting for locks, for storage where that is not counted, asleep
    other_ns: int | None = None
    swap_bytes: int | None = None  # of its memory that lay in swap at its end
    # CPU time of the whole process in it, whatever threads its libraries run
    process_cpu_ns: int | None = None
    lifetime_cpu_ns: int | None = None  # the same from the process's start to the region's end

    @property
    def cpu_ns(self) -> int:
        """CPU time, user and system."""
        return self.user_ns + self.system_ns


@dataclass(frozen=True, slots=True)
class MachineUse:
    """What the machine did around a region, on all CPUs that the process may use."""

    wall_ns: int  # between the readings, a little more than the region
    steal_ns: int | None  # CPU time that the hypervisor gave to others, in ticks of 10 ms
    throttled_ns: int | None  # time that a cgroup's quota held threads back
    # time that some task of the machine waited for storage (pressure stall information)
    io_stalled_ns: int | None
    device_busy_ns: int | None  # time that the device of the scratch folder had requests
    dirty_bytes: int | None = None  # of all files, what waited to be written to storage at the first reading
    busy_ns: int | None = None  # time that the CPUs worked for anybody, in ticks of 10 ms
    cpus: int | None = None  # how many CPUs these are


@dataclass(frozen=True, slots=True)
class Sample:
    """One timed region."""

    round: int  # which round it belongs to, from 0
    order: int  # which region of that round it was, from 0
    valid: bool  # it counts
    problem: str | None  # why it does not
    images: int  # images handled by all workers, passes included
    passes: int  # how often each worker went through its part
    pixel_bytes: int  # bytes of the arrays handled
    file_bytes: int  # bytes of the files written or read
    wall_ns: int  # last end less first start
    skew_ns: int  # last start less first start
    tail_ns: int  # last end less first end
    parent_wall_ns: int | None  # the region as the parent saw it, dispatch included (convert only)
    parent_cpu_ns: int | None  # the parent's CPU time in it (convert only)
    peak_pss_bytes: int | None  # of workers and parent together; see `settings.memory_method`
    workers: tuple[WorkerSample, ...]  # each worker's part
    machine: MachineUse | None = None  # what else went on

    @property
    def counts(self) -> bool:
        """Whether it is valid and has something to divide by."""
        return self.valid and self.images > 0 and self.wall_ns > 0

    @property
    def cores_busy(self) -> float:
        """CPU time of workers and parent over wall time."""
        return (sum(worker.cpu_ns for worker in self.workers) + (self.parent_cpu_ns or 0)) / self.wall_ns

    @property
    def ns_per_image(self) -> float:
        """Wall time over images."""
        return self.wall_ns / self.images


@dataclass(frozen=True, slots=True)
class Size:
    """How large a cell's work is."""

    images: int  # distinct images of one worker's pass
    file_bytes_per_image: float | None  # stored bytes; None where nothing was stored
    pixel_bytes_per_image: float  # bytes of the arrays


@dataclass(frozen=True, slots=True)
class Stats:
    """Time an image over the valid samples: all workers' wall time over all images."""

    samples: int  # how many
    median_ns: float  # of the rounds' medians of the time an image
    min_ns: float  # the fastest
    max_ns: float  # the slowest
    # lower end of the median's interval, by order statistics of the rounds; None below five rounds
    low_ns: float | None
    high_ns: float | None  # its upper end
    images_per_s: float  # from the median
    pixel_bytes_per_s: float  # from the median
    cores_busy: float  # median of CPU time over wall time
    read_bytes_per_image: float | None  # fetched from storage, median
    write_bytes_per_image: float | None  # sent towards storage, median
    # how often such an interval holds the median, such as 0.984 for seven rounds; None below five rounds, and
    # in results of 0.1.0, which resampled the rounds
    coverage: float | None = None

    def __post_init__(self) -> None:
        """Check that all times are of work that took time."""
        for name in ("median_ns", "min_ns", "max_ns", "low_ns", "high_ns"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise UsageError(f"{name} of an image must be more than 0, not {value:g}")


@dataclass(frozen=True, slots=True)
class Memory:
    """Medians over the valid samples, summed over workers and parent."""

    peak_pss_bytes: float | None


@dataclass(frozen=True, slots=True)
class Verify:
    """How many arrays were compared with the source, and how many were not the same."""

    checked: int
    wrong: int
    first: str | None


@dataclass(frozen=True, slots=True)
class TimeSplit:
    """Where the workers' wall time went: shares of it, over all valid samples; together 1."""

    user: float  # on a CPU in user mode
    system: float  # on a CPU in the kernel
    run_wait: float | None  # ready and waiting for a CPU; None where the kernel does not tell
    block_wait: float | None  # waiting for storage; part of `other` where it is None
    other: float  # the rest


@dataclass(frozen=True, slots=True)
class Bound:
    """The ceiling nearest to a cell, measured in the same run with as many workers."""

    ceiling: str  # its name; "decode + raw-write" is the time of both one after the other
    fraction: float  # how much of it the cell reached


@dataclass(frozen=True, slots=True, kw_only=True)
class CellResult(Cell):
    """What was measured of a cell."""

    valid: bool  # it has valid samples and every array compared was right
    warnings: tuple[str, ...]  # codes; the report tells what to do
    problem: str | None  # why it is void
    size: Size  # of its work
    samples: tuple[Sample, ...]  # all of them, in order of time
    stats: Stats | None  # None where no sample is valid
    memory: Memory | None  # None where no sample is valid
    verify: Verify  # what was compared, outside the timing
    split: TimeSplit | None = None  # where the workers' time went; None where no sample is valid
    bound: Bound | None = None  # the ceiling nearest to it; None where none was measured
    stopped_early: bool = False  # its interval was tight, so later rounds left it out

    @property
    def counting(self) -> list[Sample]:
        """The samples that count."""
        return [sample for sample in self.samples if sample.counts]

    @property
    def rate(self) -> float:
        """Images/s; 0 where the cell does not count."""
        found = self.stats.images_per_s if self.valid and self.stats else 0.0
        return found if math.isfinite(found) else 0.0


def round_times(samples: Iterable[Sample]) -> dict[int, float]:
    """Return the time an image in ns, by round: the median of the round's samples that count."""
    return median_by_round((sample.round, sample.ns_per_image) for sample in samples if sample.counts)


def median_by_round(values: Iterable[tuple[int, float]]) -> dict[int, float]:
    """Return the median of each round's values, given as pairs of its number and a value."""
    rounds: dict[int, list[float]] = {}
    for number, value in values:
        rounds.setdefault(number, []).append(value)
    return {number: median(own) for number, own in sorted(rounds.items())}


def share_of_time(uses: Iterable[MachineUse], counter: str) -> float | None:
    """Return the time that a counter of the machine counted over the time it was watched; None if unknown."""
    known = [(value, use.wall_ns) for use in uses if (value := getattr(use, counter)) is not None]
    return over(sum(value for value, _ in known), sum(wall for _, wall in known))


def foreign_ns(sample: Sample) -> int | None:
    """Return the CPU time in ns that other programs took in a region, to three ticks; None if unknown."""
    if sample.machine is None or sample.machine.busy_ns is None:
        return None
    spent = (one.cpu_ns if one.process_cpu_ns is None else one.process_cpu_ns for one in sample.workers)
    return max(0, sample.machine.busy_ns - sum(spent) - (sample.parent_cpu_ns or 0))


def foreign_share(sample: Sample) -> float | None:
    """Return the share of the CPUs' time that other programs took in a region; None if unknown."""
    machine, others = sample.machine, foreign_ns(sample)
    if machine is None or others is None or not machine.wall_ns:
        return None
    cpus = machine.cpus or len(os.sched_getaffinity(0))
    return others / (machine.wall_ns * cpus) if others > _TICKS * _TICK_NS else 0.0


def disturbed_share(sample: Sample, usable: float) -> float:
    """Return how much other programs disturbed a region, as a share from 0; 0 if unknown.

    It is the share of CPU time that they took or, where there are as many CPUs as workers and it is larger,
    the share of time that workers waited for a CPU.
    """
    waits = total([worker.run_wait_ns for worker in sample.workers])
    wall = sum(worker.wall_ns for worker in sample.workers)
    alone = len(sample.workers) <= max(1.0, usable)
    return max(foreign_share(sample) or 0.0, waits / wall if alone and waits and wall else 0.0)
