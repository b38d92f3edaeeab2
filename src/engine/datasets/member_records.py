"""What a dataset records of the members that it was made from: samples, failures, skipped entries."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ...errors import CorruptError
from ..layout import FILES_FOLDER, SHARDS_FOLDER
from ..manifest.reader import Catalog
from ..manifest.schema import MANIFEST_NAME
from ..records import PARTS_PER_UNIT, Failure, Sample, Skipped, Source, shard_id

__all__ = ["DATASET", "MemberRecord", "array_bytes", "is_dataset", "notes_of", "records_of", "units_of"]

DATASET: Final = "dataset"
"""The kind of a source that is a dataset, beside those of `Source` for archives."""

_FAILURE: Final = ("ordinal", "key", "stage", "error", "message")
_SKIPPED: Final = ("ordinal", "key", "reason")
_SOURCE: Final = ("source_size", "source_mtime_ns", "source_xxh3")
_AT_ONCE: Final = 1024
_MOST_UNITS: Final = 1 << 40


@dataclass(frozen=True, slots=True)
class MemberRecord:
    """What became of one member.

    Attributes:
        ordinal: its place in the dataset's order.
        unit: the unit that it belongs to.
        samples: its frames, in order.
        notes: that it failed, or frames of it, or why it is no image.
    """

    ordinal: int
    unit: int
    samples: list[Sample] = field(default_factory=list)
    notes: list[Failure | Skipped] = field(default_factory=list)

    @property
    def key(self) -> str:
        """The member's key."""
        for sample in self.samples:
            return sample.member or sample.key
        return self.notes[0].key

    @property
    def source(self) -> Source:
        """The encoded image that it was."""
        for sample in self.samples:
            return Source(sample.source_size, sample.source_mtime_ns, sample.source_xxh3)
        return self.notes[0].source


def is_dataset(path: Path) -> bool:
    """Return whether a folder is laid out as a dataset; what its manifest holds is not looked at."""
    folders = (path / SHARDS_FOLDER, path / FILES_FOLDER)
    return (path / MANIFEST_NAME).is_file() and any(folder.is_dir() for folder in folders)


def array_bytes(path: Path) -> int:
    """Return the bytes of all arrays in a dataset's files.

    Raises:
        DatasetError: `path` is no dataset, or its manifest is damaged.
    """
    catalog = Catalog(path)
    try:
        return sum(nbytes for batch in catalog.table("shards", ("pixel_bytes",)) for (nbytes,) in batch)
    finally:
        catalog.close()


def units_of(catalog: Catalog) -> list[int]:
    """Return the units that a dataset records members of, in order.

    Raises:
        DatasetError: the manifest is damaged.
    """
    units = {shard // PARTS_PER_UNIT for shard in catalog.shards.ids}
    for table in ("failures", "skipped"):
        units |= {unit for (unit,) in catalog.counted(table, ("unit",)) if unit is not None}
    if max(units, default=0) > _MOST_UNITS:
        raise CorruptError(f"{catalog.path}: no dataset has {max(units):,} units")
    return sorted(units)


def records_of(catalog: Catalog, unit: int) -> list[MemberRecord]:
    """Return what became of the members of a unit, in order.

    Raises:
        DatasetError: the manifest is damaged.
    """
    found: dict[int, MemberRecord] = {}

    def of(ordinal: int) -> MemberRecord:
        return found.get(ordinal) or found.setdefault(ordinal, MemberRecord(ordinal, unit))

    among = "WHERE shard BETWEEN ? AND ? ORDER BY shard, record"
    shards = shard_id(unit, 0), shard_id(unit + 1, 0) - 1
    for row in _rows(catalog, "samples", Sample._fields, among, *shards):
        sample = Sample._make(row)
        of(sample.ordinal).samples.append(sample)
    among = "WHERE unit = ? AND ordinal IS NOT NULL ORDER BY ordinal, key"
    for failure in _failures(catalog, among, unit):
        of(failure.ordinal or 0).notes.append(failure)
    for skipped in _skipped(catalog, among, unit):
        of(skipped.ordinal or 0).notes.append(skipped)
    return [found[ordinal] for ordinal in sorted(found)]


def notes_of(catalog: Catalog) -> Iterator[Failure | Skipped]:
    """Yield what the listing of its sources found to be no member.

    Raises:
        DatasetError: the manifest is damaged.
    """
    yield from _failures(catalog, "WHERE unit IS NULL")
    yield from _skipped(catalog, "WHERE unit IS NULL")


def _failures(catalog: Catalog, among: str, *values: Any) -> Iterator[Failure]:
    for ordinal, key, stage, error, message, *source in _rows(
        catalog, "failures", (*_FAILURE, *_SOURCE), among, *values
    ):
        yield Failure(key, ordinal, stage, error, message, Source(*source))


def _skipped(catalog: Catalog, among: str, *values: Any) -> Iterator[Skipped]:
    for ordinal, key, reason, *source in _rows(catalog, "skipped", (*_SKIPPED, *_SOURCE), among, *values):
        yield Skipped(key, ordinal, reason, Source(*source))


def _rows(
    catalog: Catalog, table: str, columns: tuple[str, ...], among: str, *values: Any
) -> Iterator[tuple[Any, ...]]:
    for batch in catalog.table(table, columns, among, *values, at_once=_AT_ONCE):
        yield from batch
