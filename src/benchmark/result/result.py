"""The result of a bench as plain data, and its JSON form, schema `brinery.bench/1`.

docs/bench-result.schema.json describes the document. Units stand in the names; what the system did not
tell is None, never 0.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ...errors import UsageError
from .cell import Variant
from .estimates import Drift, Ratio
from .findings import Ceiling, Scaling, SentinelSample, Startup, StoredSize
from .measured import CellResult
from .recommendations import Recommendation, Weights

SCHEMA = "brinery.bench/1"


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
    """The machine.

    `usable_cpus` is the smallest of affinity and cgroup quotas, fraction kept; `cgroups` the lines of
    /proc/self/cgroup; `usable_memory_bytes` the smaller of the machine's memory and the cgroups' limits.
    """

    cpu: str | None
    architecture: str
    cpus_online: int | None
    usable_cpus: float
    memory_bytes: int
    kernel: str
    governor: str | None
    cgroups: tuple[str, ...] = ()
    usable_memory_bytes: int | None = None


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
    """The images."""

    source: str  # the archive, or "generated"
    xxh3: str  # over the checksums of all arrays in order
    images: int  # how many there are
    unusable: int  # members that gave no image
    cut: bool  # the limit of pixels ended the corpus before `limit` images
    source_bytes: int  # encoded bytes
    pixel_bytes: int  # bytes of the arrays
    shapes: dict[str, int]  # how many images there are of each shape and dtype, such as "240x320x3 uint8"
    # of the whole source, where only a part of it was taken; None also where that would take long to count
    archive_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """What was asked for and what the plan made of it.

    `cache`, `durability` and `dispatch` are lists with commas; `weights` are those of the recommendation by
    cost.
    """

    cores: tuple[int, ...]
    protocols: tuple[str, ...]
    ops: tuple[str, ...]
    rounds: int | None
    budget_s: float
    limit: int
    region_ns: int
    cache: str
    durability: str
    memory_method: str
    dispatch: str = "partitioned"
    weights: Weights = field(default_factory=Weights)
    total_bytes: int | None = None  # of the whole source, as the user says


@dataclass(frozen=True, slots=True)
class Noise:
    """What else the machine did meanwhile."""

    load_average_before: float  # over one minute, before the first region
    load_average_after: float  # the same after the last
    foreign_cpu: float | None  # CPU time of others over the time that this process may use; None if not known
    # CPU time that the hypervisor took over the time that this process may use, in the regions
    steal: float | None = None
    throttled: float | None = None  # time that a quota held threads back over wall time, in the regions
    sentinel: tuple[SentinelSample, ...] = ()  # every run of the sentinel
    # how its time changed from the first to the last; None for fewer than five rounds
    drift: Drift | None = None
    # the relative change that it shows under two names, such as 0.02; None if unknown
    floor: float | None = None
    sampler_effect: Ratio | None = None  # its time with the sampler over that without; None if unknown


@dataclass(frozen=True, slots=True)
class SamplerInfo:
    """What the sampler saw over the measured rounds: one row a process and second."""

    wall_ns: int  # how long it watched
    cpu_ns: int | None  # its own CPU time; None while it is still watching
    peak_rss_bytes: int  # highest sum of resident memory over the tree
    peak_pss_bytes: int | None  # the same with shared pages counted once
    columns: tuple[str, ...]  # what the values of a row are
    rows: tuple[tuple[int | str | None, ...], ...]  # the timeline
    # between two readings; usually a tenth of a second, more where many processes run
    longest_gap_ns: int | None = None
    # when it began, on the clock that all processes share; `t_ns` of a row counts from it
    begin_ns: int | None = None
    # CPU time of the workers between their first and last region, as they counted it
    workers_cpu_ns: int | None = None
    workers_seen_cpu_ns: int | None = None  # the same as the sampler saw it; None where it saw none


@dataclass(frozen=True, slots=True)
class InTurns:
    """A result's place in a measurement of two versions in turns, by pairs of processes."""

    id: str  # the same in the results of both versions, and in no other
    side: Literal["base", "head"]
    version: str  # as the user named it
    rounds_each: int  # how many consecutive rounds each pair of processes measured; the next are another's

    def __post_init__(self) -> None:
        """Check the values."""
        if self.rounds_each < 1:
            raise UsageError(f"a pair measures 1 round or more, not {self.rounds_each}")


@dataclass(frozen=True, slots=True)
class BenchResult:
    """Everything a bench found.

    Attributes:
        run: the run itself.
        host: the machine.
        storage: where the scratch files lay.
        software: versions.
        timer: the clock.
        dataset: the images.
        settings: what was asked for.
        noise: what else the machine did.
        sampler: what it saw.
        warnings: sentences for people.
        cells: protocols by operation and number of workers.
        schema: of this document.
        ceilings: what the machine can do at most, by number of workers.
        scaling: curves and limits, by protocol and operation.
        recommendations: one for each objective; none without scipy.
        startups: how long worker processes took to start, each time.
        sizes: of every protocol's files, of the same images; none in results of 0.1.0.
        in_turns: its place beside another version; None for a bench of its own.
    """

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
    ceilings: tuple[Ceiling, ...] = ()
    scaling: tuple[Scaling, ...] = ()
    recommendations: tuple[Recommendation, ...] = ()
    startups: tuple[Startup, ...] = ()
    sizes: tuple[StoredSize, ...] = ()
    in_turns: InTurns | None = None

    @property
    def variants(self) -> list[Variant]:
        """What was measured over many images a file, in the order of the run's operations."""
        ops = self.settings.ops
        found = dict.fromkeys(Variant.of(cell) for cell in self.cells if cell.layout == "shards")
        return sorted(found, key=lambda one: ops.index(one.op) if one.op in ops else len(ops))

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON document."""
        return asdict(self)
