"""The result of a bench as plain data, and its JSON form, schema `brinery.bench/1`.

docs/bench-result.schema.json describes the document. Units stand in the names; what the system did not
tell is None, never 0.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

__all__ = [
    "SCHEMA",
    "BenchResult",
    "CellResult",
    "CorpusInfo",
    "Host",
    "Memory",
    "Noise",
    "Run",
    "Sample",
    "SamplerInfo",
    "Settings",
    "Size",
    "Software",
    "Stats",
    "Storage",
    "Timer",
    "Verify",
    "WorkerSample",
]

SCHEMA = "brinery.bench/1"

Layout: TypeAlias = Literal["single", "shards"]
PoolKind: TypeAlias = Literal["none", "loky"]


@dataclass(frozen=True, slots=True)
class Run:
    """The run itself; times in seconds and ISO 8601."""

    argv: tuple[str, ...]
    preset: str
    seed: int
    quick: bool
    brinery: str
    commit: str | None
    started_at: str
    seconds: float
    finished: bool
    rounds_planned: int
    rounds_done: dict[str, int]


@dataclass(frozen=True, slots=True)
class Host:
    """The machine. `usable_cpus` is the smallest of affinity and cgroup quotas, fraction kept."""

    cpu: str | None
    architecture: str
    cpus_online: int | None
    usable_cpus: float
    memory_bytes: int
    kernel: str
    governor: str | None


@dataclass(frozen=True, slots=True)
class Storage:
    """Where the scratch files lay."""

    path: str
    filesystem: str | None
    device: str | None
    free_bytes: int


@dataclass(frozen=True, slots=True)
class Software:
    """Versions: of Python, and of each library by its distribution's name."""

    python: str
    libraries: dict[str, str]


@dataclass(frozen=True, slots=True)
class Timer:
    """The clock of all times."""

    name: str
    resolution_ns: int


@dataclass(frozen=True, slots=True)
class CorpusInfo:
    """The images.

    Attributes:
        source: the archive, or "generated".
        xxh3: over the checksums of all arrays in order.
        images: how many there are.
        unusable: members that gave no image.
        cut: the limit of pixels ended the corpus before `limit` images.
        source_bytes: encoded bytes.
        pixel_bytes: bytes of the arrays.
        shapes: how many images there are of each shape and dtype, such as "240x320x3 uint8".
    """

    source: str
    xxh3: str
    images: int
    unusable: int
    cut: bool
    source_bytes: int
    pixel_bytes: int
    shapes: dict[str, int]


@dataclass(frozen=True, slots=True)
class Settings:
    """What was asked for and what the plan made of it."""

    cores: tuple[int, ...]
    protocols: tuple[str, ...]
    ops: tuple[str, ...]
    rounds: int | None
    budget_s: float
    limit: int
    region_ns: int
    cache: Literal["warm"]
    durability: Literal["none"]
    memory_method: str


@dataclass(frozen=True, slots=True)
class Noise:
    """What else the machine did meanwhile.

    Attributes:
        load_average_before: over one minute, before the first region.
        load_average_after: the same after the last.
        foreign_cpu: CPU time of others over the time that this process may use; None if not known.
    """

    load_average_before: float
    load_average_after: float
    foreign_cpu: float | None


@dataclass(frozen=True, slots=True)
class SamplerInfo:
    """What the sampler saw over the measured rounds: one row a process and second.

    Attributes:
        wall_ns: how long it watched.
        cpu_ns: its own CPU time.
        peak_rss_bytes: highest sum of resident memory over the tree.
        peak_pss_bytes: the same with shared pages counted once.
        columns: what the values of a row are.
        rows: the timeline.
    """

    wall_ns: int
    cpu_ns: int
    peak_rss_bytes: int
    peak_pss_bytes: int | None
    columns: tuple[str, ...]
    rows: tuple[tuple[int | str | None, ...], ...]


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
        median_ns: of the time an image.
        min_ns: the fastest.
        max_ns: the slowest.
        low_ns: lower end of the bootstrap 95 % interval of the median; None below four samples.
        high_ns: upper end likewise.
        bootstrap_seed: of the resampling.
        images_per_s: from the median.
        pixel_bytes_per_s: from the median.
        cores_busy: median of CPU time over wall time.
        read_bytes_per_image: fetched from storage, median.
        write_bytes_per_image: sent towards storage, median.
    """

    samples: int
    median_ns: float
    min_ns: float
    max_ns: float
    low_ns: float | None
    high_ns: float | None
    bootstrap_seed: int
    images_per_s: float
    pixel_bytes_per_s: float
    cores_busy: float
    read_bytes_per_image: float | None
    write_bytes_per_image: float | None


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
class CellResult:
    """One cell.

    Attributes:
        protocol: its label, or a baseline: "article-pickle-0", "article-pickle-2", "source-files".
        op: what was timed.
        workers: how many; 1 also where there is no pool.
        layout: "single" is one file an image, "shards" many images a file.
        pool: "none" is this process itself.
        valid: it has valid samples and every array compared was right.
        warnings: codes; the report tells what to do.
        problem: why it is void.
        size: of its work.
        samples: all of them, in order of time.
        stats: None where no sample is valid.
        memory: None likewise.
        verify: what was compared, outside the timing.
    """

    protocol: str
    op: str
    workers: int
    layout: Layout
    pool: PoolKind
    valid: bool
    warnings: tuple[str, ...]
    problem: str | None
    size: Size
    samples: tuple[Sample, ...]
    stats: Stats | None
    memory: Memory | None
    verify: Verify


@dataclass(frozen=True, slots=True)
class BenchResult:
    """Everything a bench found."""

    run: Run
    host: Host
    storage: Storage
    software: Software
    timer: Timer
    dataset: CorpusInfo
    settings: Settings
    noise: Noise
    sampler: SamplerInfo
    warnings: tuple[str, ...]
    cells: tuple[CellResult, ...]
    schema: str = SCHEMA

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON document."""
        return asdict(self)
