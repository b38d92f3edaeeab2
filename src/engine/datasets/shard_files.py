"""The files of a dataset, opened when they are needed, and only as many as the process may have."""

import mmap
import os
import threading
from errno import ELOOP
from pathlib import Path

import numpy as np

from ...errors import CorruptError, DatasetError, MemberError
from ..layout import FILES_FOLDER, SHARDS_FOLDER, single_path
from ..machine.inside import Descriptor, Folder
from ..manifest.reader import Entry, ShardInfo
from ..protocols.base import Array, Serializer
from ..protocols.checks import pixels
from .open_shard import DESCRIPTORS, OpenedShard, map_file

__all__ = ["ShardFiles", "file_of", "read_only"]

_MAX_OPEN_SHARDS = min(8192, max(16, DESCRIPTORS // 4))
_SHARDS = (SHARDS_FOLDER,)
_LITTLE = 1 << 20


class ShardFiles:
    """Opens the files of shards, and of samples that have one each, and reads from them.

    Attributes:
        closed: nothing can be opened any more.
        lock: held while something is opened or closed.

    Args:
        path: the dataset's folder.
        serializer: of its protocol.

    Raises:
        OSError: the folder cannot be opened.
    """

    def __init__(self, path: Path, serializer: Serializer) -> None:
        self.lock = threading.RLock()
        self._path = path
        self._serializer = serializer
        self._folder = Folder(path)
        self._open: dict[int, OpenedShard] = {}
        self.closed = False

    def check_open(self) -> None:
        """Raise DatasetError if the dataset is closed."""
        if self.closed:
            raise DatasetError(f"the dataset {self._path} is closed: open it again with brinery.open")

    def close(self) -> None:
        """Close all files; arrays that were handed out keep their mappings."""
        for shard in self._open.values():
            shard.close()
        self._open.clear()
        self.closed = True
        self._folder.close()

    def forked(self, *, positions: bool) -> None:
        """Replace the lock, which a thread of the parent may hold, in a child process.

        Args:
            positions: also give up files, whose positions are shared with the parent.
        """
        self.lock = threading.RLock()
        if positions:
            self._open.clear()

    def shut(self, shard: OpenedShard) -> None:
        """Close the files of a shard and of those beside it."""
        for one in (shard, *shard.beside.values()):
            one.close()
            self._open.pop(one.info.id, None)

    def mapped(self, shard: OpenedShard, entry: Entry | None) -> mmap.mmap | bytes:
        """Map a shard, or a sample's own file."""
        buffer = shard.buffer
        if buffer is None:
            with self.lock:
                buffer = map_file(
                    Descriptor(self._open_file(shard.info, None if entry is None else entry.key))
                )
                if shard.info.name is not None:
                    shard.buffer = buffer
                    self._hold(shard)
        return buffer

    def _descriptor(self, shard: OpenedShard, key: str | None) -> Descriptor:
        """Return the open file of a shard, or of the sample of this key."""
        with self.lock:
            file = shard.descriptor
            if file is None:
                file = Descriptor(self._open_file(shard.info, key))
                if shard.info.name is not None:
                    shard.descriptor = file
                    self._hold(shard)
        return file

    def ranged(self, shard: OpenedShard, start: int, length: int, key: str | None = None) -> bytes:
        """Read a range of bytes of a shard's file.

        Args:
            shard: the shard.
            start: the first byte.
            length: how many.
            key: of the file, where each image has its own.

        Raises:
            CorruptError: they are not there.
            OSError: they cannot be read.
        """
        file = shard.descriptor or self._descriptor(shard, key)
        if length > _LITTLE:  # a call makes room for all that it is asked for
            self._check_bounds(file, start, length)
        try:
            data = os.pread(file.number, length, start)
            while len(data) < length:  # one call gives 2 GiB at most
                self._check_bounds(file, start, length)
                data += os.pread(file.number, length - len(data), start + len(data))
        except (MemoryError, OverflowError) as error:
            raise CorruptError(f"{length} bytes from {start} cannot be read: {error}") from error
        return data

    @staticmethod
    def _check_bounds(file: Descriptor, start: int, length: int) -> None:
        size = os.fstat(file.number).st_size
        if start + length > size:
            raise CorruptError(f"its bytes lie outside the file of {size} bytes")

    def copied(self, shard: OpenedShard, entry: Entry) -> Array:
        """Read the raw bytes of a sample's array.

        Raises:
            CorruptError: they are not there.
            OSError: they cannot be read.
        """
        file = self._descriptor(shard, entry.key)
        spec, payload = entry.spec, entry.placement.payload
        size = os.fstat(file.number).st_size
        if payload is None or payload + spec.nbytes > size:
            raise CorruptError(f"{entry.key!r}: its bytes lie outside the file of {size} bytes")
        try:
            array = np.empty(spec.shape, spec.dtype)
        except MemoryError as error:
            raise CorruptError(f"{entry.key!r}: {spec.nbytes} bytes are more than memory holds") from error
        missing = pixels(array)
        while missing:
            count = os.preadv(file.number, [missing], payload + spec.nbytes - len(missing))
            if not count:
                raise CorruptError(f"{entry.key!r}: its file was cut short while it was read")
            missing = missing[count:]
        return read_only(array)

    def parsed(self, shard: OpenedShard, entry: Entry) -> Array:
        """Read a sample by its protocol.

        Raises:
            CorruptError: its record is damaged.
            OSError: it cannot be read.
        """
        with self.lock:
            if shard.info.name is None:
                with (
                    os.fdopen(self._open_file(shard.info, entry.key), "rb") as file,
                    self._serializer.single_reader(file) as reader,
                ):
                    return read_only(reader.read(entry.placement, entry.spec))
            if shard.reader is None:
                shard.file = os.fdopen(self._open_file(shard.info, entry.key), "rb")
                shard.reader = self._serializer.shard_reader(shard.file)
                self._hold(shard)
            return read_only(shard.reader.read(entry.placement, entry.spec))

    def _hold(self, shard: OpenedShard) -> None:
        """Count a shard as open, and close the one opened first if there are too many."""
        if shard.info.id in self._open:
            return
        while len(self._open) >= _MAX_OPEN_SHARDS:
            self.shut(next(iter(self._open.values())))
        self._open[shard.info.id] = shard

    def _open_file(self, info: ShardInfo, key: str | None) -> int:
        """Open a shard's file, or the sample's own, if it is a regular file inside the dataset."""
        self.check_open()
        folders, name = self._place_of(info, key)
        try:
            return self._folder.open(folders, name)
        except OSError as error:
            path = "/".join((*folders, name))
            what = "copy the dataset with its links followed" if error.errno == ELOOP else "convert again"
            raise CorruptError(
                f"cannot open {path} in {self._path}: {error.strerror}; {what} to make it anew"
            ) from error

    def _place_of(self, info: ShardInfo, key: str | None) -> tuple[tuple[str, ...], str]:
        """Return the folders that lead to a shard's file, or the sample's own, and the file's name."""
        if info.name is not None:
            return _SHARDS, info.name
        assert key is not None
        try:
            *folders, name = single_path(key, self._serializer.single_suffix).parts
        except MemberError as error:
            raise CorruptError(f"{key!r}: {error}") from error
        return (FILES_FOLDER, *folders), name


def file_of(info: ShardInfo, own: str = "") -> str:
    """Return the path of a shard's file below the dataset's folder; of a sample's own, if that has one."""
    if info.name is not None:
        return f"{SHARDS_FOLDER}/{info.name}"
    return f"{FILES_FOLDER}/{own}" if own else FILES_FOLDER


def read_only(array: Array) -> Array:
    """Return an array after forbidding to write into it."""
    array.flags.writeable = False
    return array
