"""The files of one unit: shards of many samples, or one file per image."""

import errno
import os
import threading
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter
from pathlib import Path
from time import perf_counter_ns
from typing import Any, BinaryIO, TypeAlias, cast

import numpy as np

from ...errors import MemberError
from ..layout import FILES_FOLDER, SHARDS_FOLDER, refusal, single_path
from ..machine.inside import Descriptor, Folder
from ..machine.new_file import PARTIAL_FOLDER, NewFile, fsync_paths, wait_for_writing
from ..protocols.base import Array, Placement, Serializer, ShardWriter, SourceWriter, Spec
from ..records import Job, Shard

__all__ = [
    "UnitFiles",
    "open_unit_files",
    "publish_shards",
]

_MOST_OPEN = 64  # files of one unit; one more is closed until its next sample comes


class UnitFiles(ABC):
    """Takes a unit's samples in order and leaves complete files.

    Attributes:
        placed: of each sample the part of its shard, its record and its place; complete after `close`.
        shards: the finished files.
        write_ns: time in system calls that write, in ns.
        fsync_ns: time spent waiting for the device, in ns.
    """

    def __init__(self, job: Job, number: int, serializer: Serializer) -> None:
        self._job = job
        self._serializer = serializer
        self._name = f"{number:06d}"
        self.placed: list[tuple[int, int, Placement]] = []
        self.shards: list[Shard] = []
        self.write_ns = 0
        self.fsync_ns = 0

    @abstractmethod
    def add(self, key: str, array: Array) -> Array | None:
        """Write a sample; return what reading will give where a lossy protocol gives back another array.

        Raises:
            MemberError: this sample cannot be written; the unit can go on without it.
            OSError: the destination cannot be written.
        """

    def keeper(self) -> Callable[[str, bytes], None] | None:
        """Return what is told each member's key and bytes before its samples; None if they are not kept."""
        return None

    @abstractmethod
    def close(self) -> None:
        """Finish the files still open."""

    @abstractmethod
    def discard(self) -> None:
        """Delete what is unfinished."""

    def _partial(self, name: str) -> NewFile:
        return NewFile(f"{self._job.destination}/{PARTIAL_FOLDER}/{name}", early=self._job.fsync)


@dataclass(slots=True)
class _OpenShard:
    """A shard that is being filled."""

    part: int
    name: str
    file: NewFile
    writer: ShardWriter
    pixel_bytes: int = 0
    samples: int = 0


_Kind: TypeAlias = tuple[tuple[int, ...], "np.dtype[Any]"]


class _ShardFiles(UnitFiles):
    """Layout shards: a new shard begins when the pixels would pass the shard size.

    Where the protocol keeps stacks apart, shards of each shape and dtype are filled side by side, and all end
    when their pixels together would pass the shard size. Finished shards stay in the folder of partial files
    until `publish_shards` moves them.
    """

    def __init__(self, job: Job, number: int, serializer: Serializer) -> None:
        super().__init__(job, number, serializer)
        self._apart, self._lossy = serializer.stacks_apart, serializer.lossy
        self._kind: _Kind | None = None  # of the sample that came last
        self._shard: _OpenShard | None = None  # where it went
        self._beside: dict[_Kind | None, _OpenShard] = {}  # those that were used last stand last
        self._turns: list[int] = []  # the part that each sample went to
        self._pixel_bytes = 0

    def add(self, key: str, array: Array) -> Array | None:
        if self._turns and self._pixel_bytes + array.nbytes > self._job.shard_size:
            self._finish()
        shard, kind = self._shard, (array.shape, array.dtype) if self._apart else None
        if shard is None or kind != self._kind:
            shard = self._turn_to(kind)
        try:
            shard.writer.add(key, array)
            back = shard.writer.given_back() if self._lossy else None
        except Exception as error:
            shard.file.raise_own(error)
            raise
        shard.pixel_bytes += array.nbytes
        shard.samples += 1
        self._turns.append(shard.part)
        self._pixel_bytes += array.nbytes
        return back

    def close(self) -> None:
        if self._turns:
            self._finish()
        self.discard()

    def discard(self) -> None:
        for shard in self._beside.values():
            shard.file.discard()
        self._beside.clear()
        self._shard = None

    def _turn_to(self, kind: _Kind | None) -> _OpenShard:
        """Return the shard of this kind of array, which is begun if there is none."""
        shard = self._beside.pop(kind, None)
        if shard is None:
            part = len(self.shards) + len(self._beside)
            name = self._name + (f"-{part}" if part else "") + self._serializer.file_suffix
            file = self._partial(name)
            self._beside[kind] = _OpenShard(part, name, file, self._serializer.writer(file))
            shard = self._beside[kind]
        else:
            self._beside[kind] = shard
            shard.file.take_up()
        if len(self._beside) > _MOST_OPEN:
            for other in islice(reversed(self._beside.values()), _MOST_OPEN, _MOST_OPEN + 1):
                other.file.lay_down()
        self._kind, self._shard = kind, shard
        return shard

    def _finish(self) -> None:
        shards = sorted(self._beside.values(), key=attrgetter("part"))
        placements = {shard.part: iter(self._complete(shard)) for shard in shards}
        if shards[0].file.early:
            self.fsync_ns += _wait_for_those_before([shard.file.path for shard in shards])
        self.placed += [(part, record, next(placements[part])) for record, part in enumerate(self._turns)]
        first = shards[0].part
        for one in shards:
            beside = None if one.part == first else first
            self.shards.append(Shard(one.part, one.name, one.file.size, one.pixel_bytes, one.samples, beside))
        self._shard = self._kind = None
        self._beside.clear()
        self._turns = []
        self._pixel_bytes = 0

    def _complete(self, shard: _OpenShard) -> list[Placement]:
        """Finish a shard's file and return the places of its samples."""
        shard.file.take_up()
        try:
            placements = shard.writer.finish()
        except Exception as error:
            shard.file.raise_own(error)
            raise
        if len(placements) != shard.samples:
            found = f"{len(placements)} placements for {shard.samples} samples"
            raise ValueError(f"its writer's finish returned {found}: there must be one for each")
        shard.file.close()
        self.write_ns += shard.file.write_ns
        return placements


class _SingleFiles(UnitFiles):
    """Layout mirror: a durable file of one array for each image, in folders like the archive's."""

    def __init__(self, job: Job, number: int, serializer: Serializer) -> None:
        super().__init__(job, number, serializer)
        self._root = Folder(Path(job.destination))
        self._longest = os.pathconf(job.destination, "PC_PATH_MAX")
        self._changed: dict[tuple[str, ...], None] = {}  # folders whose entries have to be flushed
        self._names: tuple[tuple[str, ...], frozenset[str]] = (
            (),
            frozenset(),
        )  # in the folder last looked at
        self._placements: list[Placement] = []
        self._file_bytes = 0
        self._pixel_bytes = 0

    def add(self, key: str, array: Array) -> Array | None:
        path = single_path(key, self._serializer.single_suffix)
        folders = (FILES_FOLDER, *path.parts[:-1])
        # Made folder by folder, a path can become too long to be opened in one piece.
        if len(os.fsencode(f"{self._job.destination}/{FILES_FOLDER}/{path}")) >= self._longest:
            raise refusal(OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG)))
        try:
            folder = self._root.below(folders, made=self._changed)
        except OSError as error:
            raise refusal(error) from error
        if self._job.twins and self._has_twin(folders, folder, path.name):
            raise MemberError("the destination cannot tell its name from that of a file that is there")
        self._changed[folders] = None
        file = self._partial(f"{self._name}-{len(self._placements)}{self._serializer.single_suffix}")
        try:
            placement = self._serializer.dump(array, file)
            back = self._given_back(file, placement, array) if self._serializer.lossy else None
            self.fsync_ns += file.commit(path.name, folder=folder.number, fsync=self._job.fsync)
            self.write_ns += file.write_ns
        except OSError as error:
            file.discard()
            raise refusal(error) from error
        except BaseException as error:
            file.discard()
            file.raise_own(error)
            raise
        self._placements.append(placement)
        self._file_bytes += file.size
        self._pixel_bytes += array.nbytes
        return back

    def _given_back(self, file: NewFile, placement: Placement, array: Array) -> Array:
        with self._serializer.single_reader(cast("BinaryIO", file)) as reader:
            return reader.read(placement, Spec(array.dtype, array.shape))

    def _has_twin(self, folders: tuple[str, ...], folder: Descriptor, name: str) -> bool:
        """Return whether this name finds a file that was made under another name."""
        try:
            os.stat(name, dir_fd=folder.number, follow_symlinks=False)
        except OSError:
            return False
        name = unicodedata.normalize("NFC", name)  # a file system may keep letters in another form
        if folders != self._names[0] or name not in self._names[1]:
            self._names = folders, _names_in(folder)
        return name not in self._names[1]

    def close(self) -> None:
        if self._placements:
            self.placed = [(0, record, placement) for record, placement in enumerate(self._placements)]
            self.shards.append(Shard(0, None, self._file_bytes, self._pixel_bytes, len(self._placements)))
        if self._job.fsync:
            begin = perf_counter_ns()
            for folders in self._changed:
                self._root.flush(folders)
            self.fsync_ns += perf_counter_ns() - begin

    def discard(self) -> None:
        """Do nothing: no file is open, and finished ones are overwritten when the unit is done again."""


class _Keeping(UnitFiles):
    """Keeps members as they are: one record a member, however many frames it has."""

    def __init__(self, job: Job, number: int, serializer: Serializer) -> None:
        super().__init__(job, number, serializer)
        self._member: tuple[str, Array] | None = None  # whose first frame comes next
        self._met = False

    def keeper(self) -> Callable[[str, bytes], None]:
        return self._keep

    def _keep(self, key: str, data: bytes) -> None:
        self._member, self._met = (key, np.frombuffer(data, np.uint8)), True

    def _take(self) -> tuple[str, Array] | None:
        """Return a member with its first frame, None with a later one."""
        if not self._met:
            raise MemberError(
                f"{self._serializer.label} keeps images as they are, and has an array alone here"
            )
        member, self._member = self._member, None
        return member


class _KeptShards(_Keeping, _ShardFiles):
    """Layout shards: a shard ends when its encoded bytes would pass the shard size."""

    def add(self, key: str, array: Array) -> None:  # noqa: ARG002 - the record has its member's key
        member = self._take()
        if member is not None:
            super().add(*member)
        shard = self._shard
        assert shard is not None
        if member is None:
            assert isinstance(shard.writer, SourceWriter)
            shard.writer.repeat()
            shard.samples += 1
            self._turns.append(shard.part)
        shard.pixel_bytes += array.nbytes - (0 if member is None else member[1].nbytes)


class _KeptSingles(_Keeping, _SingleFiles):
    """Layout mirror: each member under its own name."""

    def add(self, key: str, array: Array) -> None:  # noqa: ARG002 - as above
        member = self._take()
        if member is not None:
            super().add(*member)
        else:
            self._placements.append(self._placements[-1])
        self._pixel_bytes += array.nbytes - (0 if member is None else member[1].nbytes)


def _names_in(folder: Descriptor) -> frozenset[str]:
    """Return the names in a folder, normalised to one Unicode form."""
    descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder.number)
    try:
        names = os.listdir(descriptor)  # noqa: PTH208 - Path takes no descriptor
    finally:
        os.close(descriptor)
    return frozenset(unicodedata.normalize("NFC", name) for name in names)


def open_unit_files(job: Job, number: int, serializer: Serializer) -> UnitFiles:
    """Return the writer of a unit's files in the job's layout."""
    if serializer.abilities.keeps_source:
        return (_KeptShards if job.layout == "shards" else _KeptSingles)(job, number, serializer)
    kind = _ShardFiles if job.layout == "shards" else _SingleFiles
    return kind(job, number, serializer)


def publish_shards(root: Path, names: Sequence[str], *, fsync: bool) -> None:
    """Make finished shards durable and give them their names.

    Args:
        root: the dataset's folder.
        names: names of the shards in the folder of partial files.
        fsync: flush the files before and their folder after.
    """
    partial, shards = root / PARTIAL_FOLDER, root / SHARDS_FOLDER
    if fsync:
        fsync_paths(os.path.join(partial, name) for name in names)  # noqa: PTH118 - many short names
    for name in names:
        os.replace(os.path.join(partial, name), os.path.join(shards, name))  # noqa: PTH105, PTH118 - as above
    if fsync and names:
        fsync_paths([shards])


_before = threading.local()  # `paths` of the shards that this thread finished last


def _wait_for_those_before(paths: list[str]) -> int:
    """Keep a worker from running more than a shard ahead of the device; return the time it took, in ns.

    The kernel reports an error of write-back once. If it does so here, the file is deleted, so that it is not
    published.
    """
    before: list[str] = getattr(_before, "paths", [])
    _before.paths = paths
    waited = 0
    for path in before:
        if os.path.dirname(path) != os.path.dirname(paths[0]):  # noqa: PTH120 - of another dataset
            continue
        try:
            waited += wait_for_writing(path)
        except FileNotFoundError:  # it is published
            continue
        except OSError:
            Path(path).unlink(missing_ok=True)
            raise
    return waited
