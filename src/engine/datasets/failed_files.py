"""Copies the files behind a dataset's failures from the archives that they are in."""

import csv
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from ...errors import ArchiveError, BrineryError, CorruptError, ReadError, StorageError, UsageError
from ...parser.archives.blocks import Blocks, Passing
from ...parser.archives.listing import Source, list_sources, plan_sources
from ...parser.archives.members import Entry, Member
from ...parser.archives.names import checked_encoding
from ...parser.archives.reading import copy_member
from ...parser.archives.tarfiles import list_compressed_tar
from ...parser.options import ReadBudget
from ..checksums import bytes_checksum
from ..documents import parse_document
from ..machine.inside import Folder
from ..manifest.reader import Catalog
from ..paths import PathLike, absolute
from ..printable import printable
from .failures import Failed, MadeFrom, made_from, source_of
from .member_records import DATASET
from .out_folder import make_out_folder

__all__ = ["INDEX", "CopyResult", "NotCopied", "copy_failed"]

INDEX = "failures.csv"
"""The file that says which failure each copied file belongs to."""

_PLAIN = {"folder", "tar", "zip", ""}  # kinds of sources whose bytes need no unpacking to be listed
_ANY_SIZE = ReadBudget(max_bytes=1 << 62)  # copied piece by piece
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LONGEST_NAME = 200  # bytes
_MOST_TWINS = 10_000
_FRAME = re.compile(r"(.+)#\d+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class NotCopied:
    """A failure whose file was not copied.

    Attributes:
        key: the failure's key.
        reason: why not.
    """

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class CopyResult:
    """What copying did.

    Attributes:
        path: the folder of the files.
        files: how many were copied.
        not_copied: failures whose files were not.
    """

    path: Path
    files: int
    not_copied: tuple[NotCopied, ...]

    @property
    def exit_code(self) -> int:
        """0, or 3 if some files were not copied."""
        return 3 if self.not_copied else 0


def copy_failed(
    path: PathLike,
    out: PathLike,
    wanted: Iterable[Failed],
    progress: Callable[[int], None] | None = None,
) -> CopyResult:
    """Copy the files behind failures, as they are in their archives, into a folder of their own.

    A file has its key's path below the folder, with what no path can hold replaced. The file `failures.csv`
    says which failure each belongs to.

    Args:
        path: the dataset's folder.
        out: a new or empty folder outside the dataset and its sources.
        wanted: failures of the dataset.
        progress: called with the number of files copied so far.

    Raises:
        DatasetError: `path` is no dataset, or its manifest is damaged.
        UsageError: `out` is not empty, or lies inside the dataset or a source.
        StorageError: `out` cannot be written.
    """
    catalog = Catalog(absolute(path))
    try:
        sources = made_from(catalog)
        _check_encodings(catalog.path, sources)
        linked = catalog.settings.get("listed_twice") == "yes"
        nested = catalog.settings.get("nested") == "yes"
        follow = _followed_links(catalog)
    finally:
        catalog.close()
    _check_outside(out, sources)
    missing: list[NotCopied] = []
    by_source: dict[MadeFrom, list[Failed]] = {}
    for failed in wanted:
        source = source_of(sources, failed.key)
        if source is None:
            missing.append(NotCopied(failed.key, "the dataset does not record which source it is from"))
        else:
            by_source.setdefault(source, []).append(failed)
    target = make_out_folder(out, path)
    try:
        with closing(_Copies(target, progress)) as copies:
            for source, failures in by_source.items():
                missing += _copy_from(source, failures, copies, linked=linked, nested=nested, follow=follow)
    except OSError as error:
        raise StorageError(f"cannot write into {target}: {error.strerror or error}") from error
    return CopyResult(target, copies.count, tuple(missing))


def _check_encodings(manifest: Path, sources: Iterable[MadeFrom]) -> None:
    """Raise CorruptError if names cannot be read as a source says: the manifest may come from anyone."""
    for source in sources:
        try:
            if source.encoding is not None:
                checked_encoding(source.encoding)
        except UsageError as error:
            raise CorruptError(f"{manifest}: the table sources makes no sense: {error}") from error


def _check_outside(out: PathLike, sources: Sequence[MadeFrom]) -> None:
    for source in sources:
        with suppress(OSError, RuntimeError, ValueError):  # neither can then be made or listed
            folder = Path(source.path)
            if folder.is_dir() and absolute(out).resolve().is_relative_to(folder.resolve()):
                raise UsageError(f"{out} lies inside the source {source.path}: give a folder outside of it")


def _followed_links(catalog: Catalog) -> bool:
    """Return whether the last run followed links that lead out of a folder."""
    for batch in catalog.table("runs", ("settings",), "ORDER BY id DESC LIMIT 1"):
        for (settings,) in batch:
            try:
                document = parse_document(settings)
            except ValueError:
                return False
            return isinstance(document, dict) and document.get("follow_links") is True
    return False


def _copy_from(
    made: MadeFrom, failures: list[Failed], copies: "_Copies", *, linked: bool, nested: bool, follow: bool
) -> list[NotCopied]:
    """Copy the files of one source's failures; return those that were not copied."""
    wanted: dict[str, list[Failed]] = {}
    for failed in failures:
        wanted.setdefault(_member_of(failed), []).append(failed)
    missing: list[NotCopied] = []
    ended = ""
    if made.kind == DATASET:
        reason = f"its source {made.path} is a dataset, from which `brinery failures` copies it"
        return [NotCopied(failed.key, reason) for failed in failures]
    try:
        if not Path(made.path).is_absolute():
            raise UsageError("a source's path is absolute")
        (source,) = plan_sources([made.path], follow_links=follow, encoding=made.encoding, nested=nested)
        source = replace(source, prefix=made.prefix)
        second = {key for key, (first, *_) in wanted.items() if first.error == "DuplicateKey"}
        for entry in _entries(source, linked=linked):
            if not wanted:
                break
            if not isinstance(entry, Member) or entry.key not in wanted:
                continue
            if entry.key in second:  # the first one of this key is a sample
                second.discard(entry.key)
                continue
            missing += copies.copy(entry, wanted.pop(entry.key))
    except BrineryError as error:
        ended = f"{made.path} cannot be read any more: {error}"
        if isinstance(error, UsageError):
            ended = (
                f"its source {made.path} is not there any more:"
                " a convert that names its new place makes the dataset know it"
            )
    for failed in chain.from_iterable(wanted.values()):
        no_bytes = f"it has no bytes of its own in {made.path}: {failed.message}"
        gone = f"{made.path} does not hold it any more"
        missing.append(NotCopied(failed.key, ended or (no_bytes if failed.stage == "list" else gone)))
    return missing


def _member_of(failed: Failed) -> str:
    """Return the key of a failure's member: that of lost frames has a number behind it."""
    frame = _FRAME.fullmatch(failed.key) if failed.message.startswith("frame") else None
    return frame[1] if frame else failed.key


def _entries(source: Source, *, linked: bool) -> Iterator[Entry]:
    """List a source; members of compressed tars come with all their bytes."""
    if source.kind in _PLAIN or source.nested:
        yield from list_sources([source], link=linked)
        return
    about = (source.path, source.kind, source.prefix)
    yield from list_compressed_tar(*about, _ANY_SIZE, source.encoding, _whole)
    if linked:
        yield from list_sources([source], link=True)


def _whole(blocks: Blocks, position: int, member: Member, _head: bytes) -> Iterator[Entry]:
    """List a member of a compressed tar that is no image, as `Inner` says, with all its bytes."""
    return iter([member._replace(data=Passing(blocks, position, member.size))])


class _Copies:
    """Writes files into a folder, each under a name of its own, and an index of them.

    Attributes:
        count: how many were written.
    """

    def __init__(self, target: Path, progress: Callable[[int], None] | None = None) -> None:
        self._progress = progress
        self._folder = Folder(target)
        descriptor = os.open(INDEX, _FLAGS, 0o666, dir_fd=self._folder.number)
        self._index = os.fdopen(descriptor, "w", encoding="utf-8", newline="")
        self._rows = csv.writer(self._index)
        self._rows.writerow(("file", "key", "stage", "error", "message"))
        self.count = 0

    def close(self) -> None:
        """Close the index and the folder."""
        self._index.close()
        self._folder.close()

    def copy(self, member: Member, failures: Sequence[Failed]) -> list[NotCopied]:
        """Copy a member; return its failures if that is not possible."""
        first = failures[0]
        then, now = (first.source_size, first.source_mtime_ns), (member.size, member.mtime_ns)
        if first.stage != "list" and then not in {now, (0, 0)}:
            reason = "it was changed since it failed: convert again, which tries it anew"
            return [NotCopied(failed.key, reason) for failed in failures]
        folders, name, descriptor = self._new_file(member.key)
        try:
            with os.fdopen(descriptor, "wb") as file:
                copy_member(member, file.write)
        except (ReadError, ArchiveError) as error:
            self._folder.remove(folders, name)
            return [NotCopied(failed.key, str(error)) for failed in failures]
        self.count += 1
        if self._progress is not None:
            self._progress(self.count)
        shown = "/".join((*folders, name))
        self._rows.writerows(
            (shown, printable(f.key), f.stage, f.error, printable(f.message)) for f in failures
        )
        return []

    def _new_file(self, key: str) -> tuple[tuple[str, ...], str, int]:
        """Make a file for a key; return its folders, its name and its descriptor."""
        *folders, name = _safe_names(key)
        stem, dot, suffix = name.rpartition(".") if "." in name.strip(".") else (name, "", "")
        for number in range(_MOST_TWINS):
            shown = name if not number else f"{stem}~{number}{dot}{suffix}"
            try:
                above = self._folder.below(folders, {}).number
                return tuple(folders), shown, os.open(shown, _FLAGS, 0o666, dir_fd=above)
            except FileExistsError:
                continue
            except NotADirectoryError:  # another key's file has the name of the folder
                folders = [*folders[:-1], f"{folders[-1]}~"] if len(folders) == 1 else ["~".join(folders)]
        raise StorageError(f"too many keys like {key!r:.200} for one folder")


def _safe_names(key: str) -> list[str]:
    """Return a key as names of folders and, last, of a file, which lead nowhere else."""
    names = [_safe(name) for name in key.split("/") if name not in ("", ".")]
    return names or ["_"]


def _safe(name: str) -> str:
    name = printable(name).replace("\\", "_")
    if name.strip(".") == "":
        name = f"_{name}"
    data = name.encode()
    if len(data) <= _LONGEST_NAME:
        return name
    suffix = name.rpartition(".")[2][-8:]
    return f"{data[:150].decode(errors='ignore')}~{bytes_checksum(data)}.{suffix}"
