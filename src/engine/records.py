"""What travels between the parent and its workers: units out, small records back."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..parser.archives.members import Member
from ..parser.archives.reading import ArchiveState
from ..parser.options import DecodeOptions, ReadBudget
from .choices import Layout, Stage
from .machine.counters import Counters
from .travelling import Travelling

__all__ = [
    "PARTS_PER_UNIT",
    "Failure",
    "Job",
    "Numbered",
    "Phases",
    "Sample",
    "Shard",
    "Skipped",
    "Source",
    "Unit",
    "UnitResult",
    "Usage",
    "sample_rows",
    "shard_id",
]

PARTS_PER_UNIT = 1_000_000


def shard_id(unit: int, part: int) -> int:
    """Return the id of a unit's shard; ids rise in the dataset's order."""
    return unit * PARTS_PER_UNIT + part


@dataclass(frozen=True, slots=True)
class Job:
    """What every unit of one run shares.

    Attributes:
        destination: the dataset's folder.
        protocol: label of the serializer, compression included.
        layout: many samples a shard, or one file an image.
        shard_size: bytes of pixels after which a shard ends.
        fsync: flush files and folders before they are recorded.
        decode: how images become arrays.
        token: names the run, so that its units in threads can be told to stop.
        claims: folder where worker processes say which member they are at; None for threads.
        budget: what a member's bytes may amount to.
        archives: the state of each archive that is one file, by its path, when it was listed.
        memory: bytes that a worker process may take; None for threads.
        twins: the destination's file system takes different names for the same.
        check: decode each image; False with a protocol that keeps images as they are.
    """

    destination: str
    protocol: str
    layout: Layout
    shard_size: int
    fsync: bool
    decode: DecodeOptions
    token: str
    claims: str | None = None
    budget: ReadBudget = field(default_factory=ReadBudget)
    archives: dict[str, ArchiveState] = field(default_factory=dict)
    memory: int | None = None
    twins: bool = False
    check: bool = True


class Numbered(NamedTuple):
    """A member and its ordinal, the place it has in the dataset's order."""

    ordinal: int
    member: Member


@dataclass(frozen=True, slots=True)
class Source(Travelling):
    """Which state of a member's source a record stands for.

    Attributes:
        size: bytes of the encoded image.
        mtime_ns: its time of change, in ns since the epoch.
        xxh3: xxh3-64 of the encoded bytes as 16 hex digits; None where they were never read.
    """

    size: int
    mtime_ns: int
    xxh3: str | None = None


@dataclass(frozen=True, slots=True)
class Failure(Travelling):
    """A member that gave no sample, and why; without an ordinal where the listing itself found it."""

    key: str
    ordinal: int | None
    stage: Stage
    error: str
    message: str
    source: Source


@dataclass(frozen=True, slots=True)
class Unit(Travelling):
    """A batch of consecutive members that one worker call handles.

    Attributes:
        number: names the unit's shards.
        members: in order.
        quarantined: failures of members that must not be touched: they kill workers.
        recorded: where the unit is one to compare and not to convert, xxh3-64 of each member's bytes as they
            were; its number is negative.
    """

    number: int
    members: tuple[Numbered, ...]
    quarantined: tuple[Failure, ...] = ()
    recorded: tuple[str, ...] = ()

    def __reduce__(self) -> tuple[Any, Any]:
        """Send members as plain tuples, which cost a quarter of named ones."""
        rows = [(ordinal, *member) for ordinal, member in self.members]
        return _unit_of, (self.number, rows, self.quarantined, self.recorded)


def _unit_of(
    number: int,
    rows: list[tuple[Any, ...]],
    quarantined: tuple[Failure, ...],
    recorded: tuple[str, ...],
) -> Unit:
    members = tuple([Numbered(ordinal, Member(*member)) for ordinal, *member in rows])
    return Unit(number, members, quarantined, recorded)


class Sample(NamedTuple):
    """One array in a shard: a row of the manifest's table `samples`.

    Attributes:
        shard: id of the shard, see `shard_id`.
        record: number of the sample within its shard and those beside it, in order.
        ordinal: place of its member in the dataset's order.
        key: unique in the dataset; later frames of a member have `#N` behind the member's key.
        member: key of its member where that differs.
        frame: number of the frame, from 0.
        frames: how many the member has; 0 if it was not decoded, as with `check=False`.
        start: first byte of the record; its row in stacked containers.
        length: bytes of the record; 0 in stacked containers.
        payload: first byte of the raw C-order array, or None.
        dtype: numpy's short name, such as `|u1`.
        shape: in elements, as a JSON list; `[0]` if it was not decoded.
        xxh3: xxh3-64 of the raw C-order bytes, as 16 hex digits.
        orientation: the EXIF orientation; 1 if the file has none, 0 if it was not decoded.
        salvaged: decoded from a damaged image.
        source_size: bytes of the encoded image.
        source_mtime_ns: its time of change, in ns since the epoch.
        source_xxh3: xxh3-64 of the encoded bytes.
        colours: what the channels are, where their number does not say it, such as "CMYK"; else None.
        source_crc32: CRC-32 of the encoded bytes where the archive gives one: a zip.
    """

    shard: int
    record: int
    ordinal: int
    key: str
    member: str | None
    frame: int
    frames: int
    start: int
    length: int
    payload: int | None
    dtype: str
    shape: str
    xxh3: str
    orientation: int
    salvaged: bool
    source_size: int
    source_mtime_ns: int
    source_xxh3: str | None
    colours: str | None = None
    source_crc32: int | None = None


def sample_rows(**columns: Any) -> tuple[tuple[Any, ...], ...]:
    """Return rows of the table `samples`, each field of `Sample` given as a column of values."""
    given: Any = Sample(**columns)
    return tuple(zip(*given, strict=True))


@dataclass(frozen=True, slots=True)
class Shard(Travelling):
    """One output file of a unit; in the mirror layout, all of the unit's files.

    Attributes:
        part: which of the unit's shards it is.
        name: of the file; None in the mirror layout.
        file_bytes: size of the file.
        pixel_bytes: size of the arrays in it.
        samples: how many it holds.
        beside: part of the first of the shards that were filled at the same time; None for that one.
    """

    part: int
    name: str | None
    file_bytes: int
    pixel_bytes: int
    samples: int
    beside: int | None = None


@dataclass(frozen=True, slots=True)
class Skipped(Travelling):
    """An entry that is no image; without an ordinal where the listing itself found it."""

    key: str
    ordinal: int | None
    reason: str
    source: Source


@dataclass(frozen=True, slots=True)
class Phases(Travelling):
    """Where a worker's time went, in ns.

    Attributes:
        read_ns: reading members from their archives, and unpacking them.
        decode_ns: turning encoded bytes into arrays.
        hash_ns: checksums.
        dump_ns: serializing.
        write_ns: writing files.
        fsync_ns: flushing files to storage.
    """

    read_ns: int = 0
    decode_ns: int = 0
    hash_ns: int = 0
    dump_ns: int = 0
    write_ns: int = 0
    fsync_ns: int = 0


@dataclass(frozen=True, slots=True)
class Usage(Travelling):
    """What one unit cost its worker, by the worker's own counters.

    Attributes:
        pid: the worker process.
        begin_ns: `time.perf_counter_ns` at its start, comparable between processes of one machine.
        spent: its thread's counters over the unit.
        source_bytes: encoded bytes read; of an export the bytes of its arrays.
        pixel_bytes: bytes of the arrays written.
        file_bytes: bytes of the files written.
        phases: where the time went.
        lifetime_cpu_ns: CPU time of the worker process from its start to the unit's end.
    """

    pid: int
    begin_ns: int
    spent: Counters
    source_bytes: int
    pixel_bytes: int
    file_bytes: int
    phases: Phases
    lifetime_cpu_ns: int = 0


@dataclass(frozen=True, slots=True)
class UnitResult(Travelling):
    """What became of a unit.

    Attributes:
        number: of the unit.
        members: how many it had.
        rows: of the manifest's table `samples`: plain tuples travel at a third of the cost.
        fatal: why nothing can be written any more (no space, read-only ...); the run must end.
        changed: which archive is not the one that was listed any more; the run must end.
        stopped: the run was told to stop before the unit was done; nothing of it counts.
        differing: of a unit that was compared, ordinals of members with other bytes; nothing is to record.
    """

    number: int
    members: int
    shards: tuple[Shard, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    failures: tuple[Failure, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    usage: Usage | None = None
    fatal: str | None = None
    changed: str | None = None
    stopped: bool = False
    differing: tuple[int, ...] | None = None

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The rows with their columns' names."""
        return tuple(map(Sample._make, self.rows))

    @property
    def shard_names(self) -> tuple[str, ...]:
        """The files of the shards; none in the mirror layout."""
        return tuple(shard.name for shard in self.shards if shard.name is not None)
