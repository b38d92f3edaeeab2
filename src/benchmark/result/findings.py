"""What a bench finds beside its cells: ceilings, noise, sizes, scaling; plain data for result.json."""

from dataclasses import dataclass, fields
from typing import Literal, TypeAlias

from .cell import Cache, Dispatch, Durability, Layout
from .estimates import ScalingFit
from .measured import Sample, WorkerSample

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
    "other-programs",
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
    "other-programs": "they hold the CPUs: stop them, or run when they are done",
    "oversubscribed": "more is ready to run than there are CPUs: use fewer workers",
    "undetermined": "no limit has all its evidence",
}


@dataclass(frozen=True, slots=True)
class CeilingSample:
    """One timed region of a ceiling; the attributes are those of a cell's sample."""

    round: int  # which round it belongs to, from 0
    order: int  # which region of that round it was, from 0
    valid: bool  # it counts
    problem: str | None  # why it does not
    amount: int  # done by all workers, in the ceiling's unit
    wall_ns: int  # last end less first start
    parent_cpu_ns: int | None  # the parent's CPU time in it ("no-op" only)
    workers: tuple[WorkerSample, ...]  # each worker's part

    @classmethod
    def of(cls, one: Sample) -> "CeilingSample":
        """Return a region whose images are the amount."""
        values = {field.name: getattr(one, field.name) for field in fields(cls) if field.name != "amount"}
        return cls(**values, amount=one.images)


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The most that the machine can do with a number of workers."""

    # what was done: "spin", "memcpy", "raw-write", "raw-write-fsync", "raw-files", "raw-read",
    # "raw-read-cold", "create", "no-op", "decode"
    name: str
    unit: Unit  # of the amounts
    workers: int  # how many
    valid: bool  # it has valid samples
    problem: str | None  # why it has none
    per_s: float | None  # median over rounds of what all workers did in a second; None where it is void
    min_per_s: float | None  # the slowest round
    max_per_s: float | None  # the fastest
    cpu_ns_per_unit: float | None  # CPU time for one unit, median over rounds
    samples: tuple[CeilingSample, ...]  # all of them, in order of time


@dataclass(frozen=True, slots=True)
class SentinelSample:
    """One run of the sentinel: the same small work, from the first round to the last."""

    part: str  # "seed" or "scaling"
    round: int  # which round of that part, from 0
    place: Place  # it opened or closed the round
    name: SentinelName  # "a" and "b" are the same work under two names; "unsampled" is without the sampler
    begin_ns: int  # when it began, on the clock that all processes share
    wall_ns: int  # how long it took


@dataclass(frozen=True, slots=True)
class Startup:
    """How long new worker processes took to be ready, outside every region."""

    workers: int  # how many were started together
    spawn_ns: int  # until the last of them took its first task
    import_ns: int  # what the slowest then took to import every library and use it once


@dataclass(frozen=True, slots=True)
class Verdict:
    """What limits a cell."""

    workers: int  # how many the cell has
    limit: Limit  # what it is
    # what holds, with its numbers and thresholds; the split of time where undetermined
    evidence: tuple[str, ...]
    runner_up: Limit | None  # the limit that has most of its evidence besides; None where none has half
    lacking: tuple[str, ...]  # what the runner-up lacks
    missing: tuple[str, ...]  # counters that were not there and might have decided


@dataclass(frozen=True, slots=True)
class Scaling:
    """How one protocol's operation grows with workers, and what limits it."""

    protocol: str  # its label
    op: str  # the operation
    cache: Cache  # of its cells
    durability: Durability  # of its cells
    fit: ScalingFit | None  # throughput in images/s; None without scipy or without valid rounds
    verdicts: tuple[Verdict, ...]  # what limits it at each number of workers
    dispatch: Dispatch = "partitioned"  # of its cells


@dataclass(frozen=True, slots=True)
class StoredSize:
    """A protocol's files of one set of images, written once and outside any region.

    All protocols of a layout store the same images: the whole corpus, or a sample spread over its sizes.
    """

    protocol: str  # a label, or the name of a baseline
    layout: Layout  # "shards" as convert cuts them, or "single" for one file an image
    images: int  # how many were written
    of_images: int  # how many the corpus has
    pixel_bytes: int  # of the arrays written
    source_bytes: int  # of their encoded images
    file_bytes: int  # of the files

    def per_image(self, corpus_pixel_bytes: int) -> float:
        """Return bytes an image of the corpus; if not all were written, extrapolated by bytes of pixels."""
        if self.images < self.of_images and self.pixel_bytes:
            return self.file_bytes / self.pixel_bytes * corpus_pixel_bytes / self.of_images
        return self.file_bytes / self.images
