"""What was measured: a worker's part, a region, a cell; plain data for result.json."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, fields

from .cell import Cell
from .stats import median, total

BACKLOG_BYTES = 64 << 20
DISTURBED = 0.15  # share of the CPUs from which on others disturb a region
_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_TICKS = 3  # busy time is cut to ticks in each of its kinds: less may be no time of others


@dataclass(frozen=True, slots=True)
class WorkerSample:
    """One worker's part of a region, by its own counters.

    Attributes:
        pid: the process.
        begin_ns: when its part began, on the clock that all processes share.
        wall_ns: how long it took.
        user_ns: CPU time in user mode.
        system_ns: CPU time in the kernel.
        switches_voluntary: times it waited.
        switches_involuntary: times it lost the CPU.
        read_bytes: fetched from storage.
        write_bytes: sent towards storage.
        phases_ns: time by phase.
        peak_rss_bytes: highest resident memory within the region.
        rss_bytes: resident memory at its end.
        pss_bytes: the same with shared pages divided among those who share them.
        run_wait_ns: time it was ready and waited for a CPU.
        block_wait_ns: time it waited for storage, in ticks of 10 ms; rarely counted by the kernel.
        other_ns: the rest of its wall time: waiting for locks, for storage where that is not counted, asleep.
        swap_bytes: of its memory that lay in swap at its end.
        process_cpu_ns: CPU time of the whole process in it, whatever threads its libraries run.
        lifetime_cpu_ns: the same from the process's start to the region's end.
    """

    pid: int
    begin_ns: int
    wall_ns: int
    user_ns: int
    system_ns: int
    switches_voluntary: int
    switches_involuntary: int
    read_bytes: int | None
    write_bytes: int | None
    phases_ns: dict[str, int]
    peak_rss_bytes: int | None = None
    rss_bytes: int | None = None
    pss_bytes: int | None = None
    run_wait_ns: int | None = None
    block_wait_ns: int | None = None
    other_ns: int | None = None
    swap_bytes: int | None = None
    process_cpu_ns: int | None = None
    lifetime_cpu_ns: int | None = None


@dataclass(frozen=True, slots=True)
class MachineUse:
    """What the machine did around a region, on all CPUs that the process may use.

    Attributes:
        wall_ns: between the readings, a little more than the region.
        steal_ns: CPU time that the hypervisor gave to others, in ticks of 10 ms.
        throttled_ns: time that a cgroup's quota held threads back.
        io_stalled_ns: time that some task of the machine waited for storage (pressure stall information).
        device_busy_ns: time that the device of the scratch folder had requests.
        dirty_bytes: of all files, what waited to be written to storage at the first reading.
        busy_ns: time that the CPUs worked for anybody, in ticks of 10 ms.
    """

    wall_ns: int
    steal_ns: int | None
    throttled_ns: int | None
    io_stalled_ns: int | None
    device_busy_ns: int | None
    dirty_bytes: int | None = None
    busy_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One timed region.

    Attributes:
        round: which round it belongs to, from 0.
        order: which region of that round it was, from 0.
        valid: it counts.
        problem: why it does not.
        images: images handled by all workers, passes included.
        passes: how often each worker went through its part.
        pixel_bytes: bytes of the arrays handled.
        file_bytes: bytes of the files written or read.
        wall_ns: last end less first start.
        skew_ns: last start less first start.
        tail_ns: last end less first end.
        parent_wall_ns: the region as the parent saw it, dispatch included (convert only).
        parent_cpu_ns: the parent's CPU time in it (convert only).
        peak_pss_bytes: of workers and parent together; see `settings.memory_method`.
        workers: each worker's part.
        machine: what else went on.
    """

    round: int
    order: int
    valid: bool
    problem: str | None
    images: int
    passes: int
    pixel_bytes: int
    file_bytes: int
    wall_ns: int
    skew_ns: int
    tail_ns: int
    parent_wall_ns: int | None
    parent_cpu_ns: int | None
    peak_pss_bytes: int | None
    workers: tuple[WorkerSample, ...]
    machine: MachineUse | None = None

    @property
    def counts(self) -> bool:
        """Whether it is valid and has something to divide by."""
        return self.valid and self.images > 0 and self.wall_ns > 0

    @property
    def ns_per_image(self) -> float:
        """Wall time over images."""
        return self.wall_ns / self.images


@dataclass(frozen=True, slots=True)
class Size:
    """How large a cell's work is.

    Attributes:
        images: distinct images of one worker's pass.
        file_bytes_per_image: stored bytes; None where nothing was stored.
        pixel_bytes_per_image: bytes of the arrays.
    """

    images: int
    file_bytes_per_image: float | None
    pixel_bytes_per_image: float


@dataclass(frozen=True, slots=True)
class Stats:
    """Time an image over the valid samples: all workers' wall time over all images.

    Attributes:
        samples: how many.
        median_ns: of the rounds' medians of the time an image.
        min_ns: the fastest.
        max_ns: the slowest.
        low_ns: lower end of the median's interval, by order statistics of the rounds; None below five rounds.
        high_ns: its upper end.
        images_per_s: from the median.
        pixel_bytes_per_s: from the median.
        cores_busy: median of CPU time over wall time.
        read_bytes_per_image: fetched from storage, median.
        write_bytes_per_image: sent towards storage, median.
        coverage: how often such an interval holds the median, such as 0.984 for seven rounds; None below five
            rounds, and in results of 0.1.0, which resampled the rounds.
    """

    samples: int
    median_ns: float
    min_ns: float
    max_ns: float
    low_ns: float | None
    high_ns: float | None
    images_per_s: float
    pixel_bytes_per_s: float
    cores_busy: float
    read_bytes_per_image: float | None
    write_bytes_per_image: float | None
    coverage: float | None = None


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
    """Where the workers' wall time went: shares of it, over all valid samples; together 1.

    Attributes:
        user: on a CPU in user mode.
        system: on a CPU in the kernel.
        run_wait: ready and waiting for a CPU; None where the kernel does not tell.
        block_wait: waiting for storage; part of `other` where it is None.
        other: the rest.
    """

    user: float
    system: float
    run_wait: float | None
    block_wait: float | None
    other: float


@dataclass(frozen=True, slots=True)
class Bound:
    """The ceiling nearest to a cell, measured in the same run with as many workers.

    Attributes:
        ceiling: its name; "decode + raw-write" is the time of both one after the other.
        fraction: how much of it the cell reached.
    """

    ceiling: str
    fraction: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CellResult(Cell):
    """What was measured of a cell.

    Attributes:
        valid: it has valid samples and every array compared was right.
        warnings: codes; the report tells what to do.
        problem: why it is void.
        size: of its work.
        samples: all of them, in order of time.
        stats: None where no sample is valid.
        memory: None where no sample is valid.
        verify: what was compared, outside the timing.
        split: where the workers' time went; None where no sample is valid.
        bound: the ceiling nearest to it; None where none was measured.
        stopped_early: its interval was tight, so later rounds left it out.
    """

    valid: bool
    warnings: tuple[str, ...]
    problem: str | None
    size: Size
    samples: tuple[Sample, ...]
    stats: Stats | None
    memory: Memory | None
    verify: Verify
    split: TimeSplit | None = None
    bound: Bound | None = None
    stopped_early: bool = False

    @property
    def name(self) -> Cell:
        """The cell itself."""
        return Cell(*(getattr(self, field.name) for field in fields(Cell)))

    @property
    def counting(self) -> list[Sample]:
        """The samples that count."""
        return [sample for sample in self.samples if sample.counts]


def round_times(samples: Iterable[Sample]) -> dict[int, float]:
    """Return the time an image in ns, by round: the median of the round's samples that count."""
    rounds: dict[int, list[float]] = {}
    for sample in samples:
        if sample.counts:
            rounds.setdefault(sample.round, []).append(sample.ns_per_image)
    return {number: median(times) for number, times in sorted(rounds.items())}


def disturbed_share(sample: Sample, usable: float) -> float:
    """Return how much other programs disturbed a region, as a share from 0; 0 if unknown.

    It is the share of CPU time that they took or, where there are as many CPUs as workers and it is larger,
    the share of time that workers waited for a CPU.
    """
    found = [0.0]
    wall = sum(worker.wall_ns for worker in sample.workers)
    waits = [worker.run_wait_ns for worker in sample.workers]
    if wall and len(waits) <= max(1.0, usable) and None not in waits:
        found.append((total(waits) or 0) / wall)
    machine = sample.machine
    if machine is not None and machine.busy_ns is not None and machine.wall_ns:
        own = sum(
            worker.user_ns + worker.system_ns if worker.process_cpu_ns is None else worker.process_cpu_ns
            for worker in sample.workers
        )
        others = machine.busy_ns - own - (sample.parent_cpu_ns or 0)
        if others > _TICKS * _TICK_NS:
            found.append(others / (machine.wall_ns * len(os.sched_getaffinity(0))))
    return max(found)
