"""The files of one unit: shards of many samples, or one file per image."""

import errno
import os
import threading
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter_ns

from ...errors import MemberError
from ..layout import FILES_FOLDER, SHARDS_FOLDER, refusal, single_path
from ..machine.inside import Descriptor, Folder
from ..machine.new_file import PARTIAL_FOLDER, NewFile, fsync_paths, wait_for_writing
from ..protocols.base import Array, Placement, Serializer, ShardWriter
from ..records import Job, Shard

__all__ = [
    "UnitFiles",
    "open_unit_files",
    "publish_shards",
]


class UnitFiles(ABC):
    """Takes a unit's samples in order and leaves complete files.

    Attributes:
        placed: each shard's part and the places of its samples, in order; complete after `close`.
        shards: the finished files.
        write_ns: time in system calls that write, in ns.
        fsync_ns: time spent waiting for the device, in ns.
    """

    def __init__(self, job: Job, number: int, serializer: Serializer) -> None:
        self._job = job
        self._serializer = serializer
        self._name = f"{number:06d}"
        self.placed: list[tuple[int, list[Placement]]] = []
        self.shards: list[Shard] = []
        self.write_ns = 0
        self.fsync_ns = 0

    @abstractmethod
    def add(self, key: str, array: Array) -> None:
        """Write a sample.

        Raises:
            MemberError: this sample cannot be written; the unit can go on without it.
            OSError: the destination cannot be written.
        """

    @abstractmethod
    def close(self) -> None:
        """Finish the files still open."""

    @abstractmethod
    def discard(self) -> None:
        """Delete what is unfinished."""

    def _partial(self, name: str) -> NewFile:
        return NewFile(f"{self._job.destination}/{PARTIAL_FOLDER}/{name}", early=self._job.fsync)


class _ShardFiles(UnitFiles):
    """Layout shards: a new shard begins when the pixels would pass the shard size.

    Finished shards stay in the folder of partial files until `publish_shards` moves them.
    """

    def __init__(self, job: Job, number: int, serializer: Serializer) -> None:
        super().__init__(job, number, serializer)
        self._file: NewFile | None = None
        self._writer: ShardWriter | None = None
        self._pixel_bytes = 0
        self._samples = 0

    def add(self, key: str, array: Array) -> None:
        if self._samples and self._pixel_bytes + array.nbytes > self._job.shard_size:
            self._finish()
        if self._file is None or self._writer is None:
            self._file = self._partial(self._shard_name())
            self._writer = self._serializer.writer(self._file)
        try:
            self._writer.add(key, array)
        except Exception as error:
            self._file.raise_own(error)
            raise
        self._pixel_bytes += array.nbytes
        self._samples += 1

    def close(self) -> None:
        if self._samples:
            self._finish()
        self.discard()

    def discard(self) -> None:
        if self._file is not None:
            self._file.discard()
        self._file = self._writer = None

    def _shard_name(self) -> str:
        part = len(self.shards)
        return self._name + (f"-{part}" if part else "") + self._serializer.file_suffix

    def _finish(self) -> None:
        assert self._file is not None
        assert self._writer is not None
        part, name = len(self.shards), self._shard_name()
        try:
            placements = self._writer.finish()
        except Exception as error:
            self._file.raise_own(error)
            raise
        self._file.close()
        self.write_ns += self._file.write_ns
        if self._file.early:
            self.fsync_ns += _wait_for_the_one_before(self._file.path)
        self.placed.append((part, placements))
        self.shards.append(Shard(part, name, self._file.size, self._pixel_bytes, self._samples))
        self._file = self._writer = None
        self._pixel_bytes = self._samples = 0


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

    def add(self, key: str, array: Array) -> None:
        path = single_path(key, self._serializer.file_suffix)
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
        file = self._partial(f"{self._name}-{len(self._placements)}{self._serializer.file_suffix}")
        try:
            placement = self._serializer.dump(array, file)
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
            self.placed.append((0, self._placements))
            self.shards.append(Shard(0, None, self._file_bytes, self._pixel_bytes, len(self._placements)))
        if self._job.fsync:
            begin = perf_counter_ns()
            for folders in self._changed:
                self._root.flush(folders)
            self.fsync_ns += perf_counter_ns() - begin

    def discard(self) -> None:
        """Do nothing: no file is open, and finished ones are overwritten when the unit is done again."""


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


_before = threading.local()  # `path` of the shard that this thread finished last


def _wait_for_the_one_before(path: str) -> int:
    """Keep a worker from running more than a shard ahead of the device; return the time it took, in ns.

    The kernel reports an error of write-back once. If it does so here, the file is deleted, so that it is not
    published.
    """
    before: str | None = getattr(_before, "path", None)
    _before.path = path
    if before is None or os.path.dirname(before) != os.path.dirname(path):  # noqa: PTH120 - none, or of another dataset
        return 0
    try:
        return wait_for_writing(before)
    except FileNotFoundError:  # it is published
        return 0
    except OSError:
        Path(before).unlink(missing_ok=True)
        raise
