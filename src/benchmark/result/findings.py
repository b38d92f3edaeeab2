"""What a bench finds beside its cells: ceilings, noise, scaling; plain data for result.json."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from .cell import Cache, Dispatch, Durability
from .estimates import ScalingFit
from .measured import WorkerSample

Unit: TypeAlias = Literal["loops", "bytes", "files", "tasks", "images"]
SentinelName: TypeAlias = Literal["a", "b", "unsampled"]
Place: TypeAlias = Literal["open", "close"]
Limit: TypeAlias = Literal[
    "cpu",
    "memory-bandwidth",
    "disk",
    "file-creation",
    "lock",
    "dispatch",
    "throttled",
    "oversubscribed",
    "undetermined",
]

UNITS: dict[str, Unit] = {
    "spin": "loops",
    "memcpy": "bytes",
    "raw-write": "bytes",
    "raw-write-fsync": "bytes",
    "raw-files": "bytes",
    "raw-read": "bytes",
    "raw-read-cold": "bytes",
    "create": "files",
    "no-op": "tasks",
    "decode": "images",
}

LIMITS: dict[Limit, str] = {
    "cpu": "computing: more or faster CPUs help",
    "memory-bandwidth": "memory is as fast as it gets: fewer copies help, more workers do not",
    "disk": "storage: smaller files or a faster disk help",
    "file-creation": "making files: more images a file help",
    "lock": "workers wait for one another: processes instead of threads, or fewer workers",
    "dispatch": "the parent hands out work too slowly: larger units help",
    "throttled": "a quota or the hypervisor takes CPU time away",
    "oversubscribed": "more is ready to run than there are CPUs: use fewer workers, or stop other programs",
    "undetermined": "no limit has all its evidence",
}


@dataclass(frozen=True, slots=True)
class CeilingSample:
    """One timed region of a ceiling; the attributes are those of a cell's sample.

    Attributes:
        round: which round it belongs to, from 0.
        order: which region of that round it was, from 0.
        valid: it counts.
        problem: why it does not.
        amount: done by all workers, in the ceiling's unit.
        wall_ns: last end less first start.
        parent_cpu_ns: the parent's CPU time in it ("no-op" only).
        workers: each worker's part.
    """

    round: int
    order: int
    valid: bool
    problem: str | None
    amount: int
    wall_ns: int
    parent_cpu_ns: int | None
    workers: tuple[WorkerSample, ...]


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The most that the machine can do with a number of workers.

    Attributes:
        name: what was done: "spin", "memcpy", "raw-write", "raw-write-fsync", "raw-files", "raw-read",
            "raw-read-cold", "create", "no-op", "decode".
        unit: of the amounts.
        workers: how many.
        valid: it has valid samples.
        problem: why it has none.
        per_s: median over rounds of what all workers did in a second; None where it is void.
        min_per_s: the slowest round.
        max_per_s: the fastest.
        cpu_ns_per_unit: CPU time for one unit, median over rounds.
        samples: all of them, in order of time.
    """

    name: str
    unit: Unit
    workers: int
    valid: bool
    problem: str | None
    per_s: float | None
    min_per_s: float | None
    max_per_s: float | None
    cpu_ns_per_unit: float | None
    samples: tuple[CeilingSample, ...]


@dataclass(frozen=True, slots=True)
class SentinelSample:
    """One run of the sentinel: the same small work, from the first round to the last.

    Attributes:
        part: "seed" or "scaling".
        round: which round of that part, from 0.
        place: it opened or closed the round.
        name: "a" and "b" are the same work under two names; "unsampled" is without the sampler.
        begin_ns: when it began, on the clock that all processes share.
        wall_ns: how long it took.
    """

    part: str
    round: int
    place: Place
    name: SentinelName
    begin_ns: int
    wall_ns: int


@dataclass(frozen=True, slots=True)
class Startup:
    """How long new worker processes took to be ready, outside every region.

    Attributes:
        workers: how many were started together.
        spawn_ns: until the last of them took its first task.
        import_ns: what the slowest then took to import every library and use it once.
    """

    workers: int
    spawn_ns: int
    import_ns: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What limits a cell.

    Attributes:
        workers: how many the cell has.
        limit: what it is.
        evidence: what holds, with its numbers and thresholds; the split of time where undetermined.
        runner_up: the limit that has most of its evidence besides; None where none has half.
        lacking: what the runner-up lacks.
        missing: counters that were not there and might have decided.
    """

    workers: int
    limit: Limit
    evidence: tuple[str, ...]
    runner_up: Limit | None
    lacking: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scaling:
    """How one protocol's operation grows with workers, and what limits it.

    Attributes:
        protocol: its label.
        op: the operation.
        cache: of its cells.
        durability: of its cells.
        dispatch: of its cells.
        fit: throughput in images/s; None without scipy or without valid rounds.
        verdicts: what limits it at each number of workers.
    """

    protocol: str
    op: str
    cache: Cache
    durability: Durability
    fit: ScalingFit | None
    verdicts: tuple[Verdict, ...]
    dispatch: Dispatch = "partitioned"
