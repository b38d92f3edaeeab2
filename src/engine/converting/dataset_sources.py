"""Datasets as sources of a run: recognised among folders, checked, and listed by their manifests.

A member is listed with the size, time and CRC-32 of the image that it was, so that units are cut as they
would be of the archive itself. Workers read its arrays (`exporting`) and decode nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ...errors import ArchiveError, CorruptError, DatasetError, UsageError
from ...parser.archives.listing import Source, archive_states
from ...parser.archives.members import Member
from ...parser.archives.reading import ArchiveState, archive_state
from ...parser.images.signature import UNREAD_ARCHIVES
from ..datasets.decoding import decoding_of
from ..datasets.member_records import DATASET, MemberRecord, is_dataset, notes_of, records_of, units_of
from ..locks.folder_lock import is_locked
from ..manifest.reader import Catalog
from ..manifest.schema import MANIFEST_NAME
from ..options import ConvertOptions
from ..protocols.registry import get_serializer
from ..records import Failure, Skipped
from .options import ConvertCall
from .planner import Listed, Note

__all__ = [
    "carried",
    "holds_record",
    "is_export",
    "list_dataset",
    "manifest_of",
    "recognise_datasets",
    "source_states",
]

_USUAL: Final = ConvertOptions()
_SHOWN: Final = {True: "yes", False: "no"}
_FRAMES: Final = """
SELECT frame, frames, dtype, shape, xxh3, orientation, salvaged, source_xxh3, colours FROM samples
    WHERE key = ?1 AND frame = 0
UNION ALL SELECT frame, frames, dtype, shape, xxh3, orientation, salvaged, source_xxh3, colours FROM samples
    WHERE member = ?1 ORDER BY frame
"""
_FAILURES: Final = "SELECT stage, error, message FROM failures WHERE key = ? AND unit IS NOT NULL"
_SKIPPED: Final = "SELECT reason FROM skipped WHERE key = ? AND unit IS NOT NULL"


def is_export(sources: Sequence[Source]) -> bool:
    """Return whether the sources of a run are datasets."""
    return any(source.kind == DATASET for source in sources)


def manifest_of(source: Source) -> str:
    """Return the path of the manifest of a dataset, whose state is the dataset's."""
    return f"{source.path}/{MANIFEST_NAME}"


def source_states(sources: Sequence[Source]) -> dict[str, ArchiveState]:
    """Return the state of every source that is one file, and of every dataset, by the source's path."""
    states = archive_states([source for source in sources if source.kind != DATASET])
    for source in sources:
        if source.kind == DATASET:
            states[source.path] = archive_state(Path(manifest_of(source)).stat())
    return states


def recognise_datasets(plan: Sequence[Source], call: ConvertCall) -> tuple[list[Source], ConvertCall]:
    """Return the sources with the kind of those that are datasets, and the call with their settings.

    Raises:
        UsageError: archives are named beside datasets, or other settings than a dataset was made with.
        DatasetError: a dataset cannot be read, or a convert writes into it.
    """
    found = [
        replace(source, kind=DATASET) if source.kind == "folder" and is_dataset(Path(source.path)) else source
        for source in plan
    ]
    datasets = [source for source in found if source.kind == DATASET]
    archives = [source for source in found if source.kind != DATASET]
    if datasets and archives:
        raise UsageError(
            f"{datasets[0].shown} is a dataset, and {archives[0].shown} is none: convert one after the other,"
            " the second with --add"
        )
    for source in datasets:
        call = _with_settings(call, source, first=source is datasets[0])
    return found, call


def _with_settings(call: ConvertCall, source: Source, *, first: bool) -> ConvertCall:
    """Return a call with the settings by which the images of a dataset were decoded."""
    if is_locked(Path(source.path)):
        raise DatasetError(f"a convert is writing into {source.shown}: wait for its end")
    catalog = Catalog(Path(source.path))
    catalog.close()
    settings = catalog.settings
    has: dict[str, Any] = {name: settings[name] for name in ("mode", "frames")}
    has["orient"] = settings.get("orient") == "yes"
    for name, value in has.items():
        asked = getattr(call, name)
        if asked != value and not (first and asked == getattr(_USUAL, name)):
            raise UsageError(
                f"{source.shown} was made with {name} {_SHOWN.get(value, value)}, not"
                f" {_SHOWN.get(asked, asked)}, and no image is decoded again: leave --{name} out, name only"
                " datasets of the same settings, or convert what it was made from"
            )
    if get_serializer(call.protocol).abilities.keeps_source:
        has |= _decoding(call, source, settings)
    call = replace(call, **has)
    try:
        call.validate()
    except UsageError as error:
        raise CorruptError(f"{catalog.path} makes no sense: {error}") from error
    return call


def _decoding(call: ConvertCall, source: Source, settings: Mapping[str, str]) -> dict[str, Any]:
    """Return the limits by which the images that a dataset keeps can be decoded again."""
    protocol = settings["protocol"]
    try:
        keeps_source = get_serializer(protocol, to_open=True).abilities.keeps_source
    except UsageError as error:
        raise DatasetError(f"{source.shown}: {error}") from error
    if not keeps_source:
        raise UsageError(
            f"{source.shown} holds arrays ({protocol}) and not the images that they were made from, which"
            f" {call.protocol} keeps: convert what it was made from"
        )
    options = decoding_of(Path(source.path), settings)
    return {
        "salvage": call.salvage or options.salvage,
        "max_pixels": max(call.max_pixels, options.max_pixels),
        "max_frames": max(call.max_frames, options.max_frames),
    }


def list_dataset(source: Source, is_recorded: Callable[[MemberRecord, str], bool]) -> Iterator[Listed]:
    """Yield the members of a dataset, failed ones too, and then what its own listings noted.

    Args:
        source: the dataset.
        is_recorded: returns whether the destination holds what is recorded of a member, given with the prefix
            of its key. It is asked if the dataset was changed since it was last listed.

    Raises:
        DatasetError: the manifest is damaged.
        ArchiveError: the dataset was changed while it was listed.
    """
    manifest = Path(manifest_of(source))
    catalog = Catalog(Path(source.path))
    try:
        status = manifest.stat()
        changed = status.st_ctime_ns >= source.doubt_from
        for unit in units_of(catalog):
            for record in records_of(catalog, unit):
                doubted = changed and not is_recorded(record, source.prefix)
                yield _member(catalog, source, record)._replace(doubted=doubted)
        for note in notes_of(catalog):
            yield carried(note, None, source.prefix)
        if archive_state(manifest.stat()) != archive_state(status):
            raise ArchiveError(f"{source.shown} was changed while it was being read")
    finally:
        catalog.close()


def _member(catalog: Catalog, source: Source, record: MemberRecord) -> Member:
    nbytes, was = 0, record.source
    with suppress(CorruptError):  # whoever reads the sample says so
        nbytes = sum([catalog.spec(sample.dtype, sample.shape).nbytes for sample in record.samples])
    return Member(
        f"{source.prefix}{record.key}",
        source.path,
        0,
        nbytes,
        was.size,
        was.mtime_ns,
        "dataset",
        record.samples[0].source_crc32 if record.samples else None,
        identity=(record.unit, record.ordinal),
    )


def carried(note: Note, ordinal: int | None, prefix: str) -> Note:
    """Return what a dataset records of an entry that is no sample, as it stands in another one.

    Args:
        note: the dataset's record.
        ordinal: its member's place in the other dataset; None for what a listing noted.
        prefix: what stands before its key there.
    """
    note = replace(note, key=f"{prefix}{note.key}", ordinal=ordinal)
    if isinstance(note, Skipped) and note.reason in UNREAD_ARCHIVES:  # with advice for the archive's listing
        note = replace(note, reason=note.reason.partition(":")[0])
    return note


def holds_record(rows: Callable[..., list[Any]], record: MemberRecord, prefix: str) -> bool:
    """Return whether a manifest holds the same of a member as the record of another one.

    Args:
        rows: returns the rows of a statement and its values.
        record: of the other.
        prefix: what stands before the other's keys.
    """
    frames = [
        (s.frame, s.frames, s.dtype, s.shape, s.xxh3, s.orientation, s.salvaged, s.source_xxh3, s.colours)
        for s in record.samples
    ]
    if rows(_FRAMES, f"{prefix}{record.key}") != frames:
        return False
    for note in record.notes:
        one = carried(note, None, prefix)
        about, statement = (
            ((one.stage, one.error, one.message), _FAILURES)
            if isinstance(one, Failure)
            else ((one.reason,), _SKIPPED)
        )
        if about not in rows(statement, one.key):
            return False
    return True
