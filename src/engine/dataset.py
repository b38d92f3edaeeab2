"""A dataset as a sequence of arrays, mapped where its protocol stores raw bytes."""

import mmap
import operator
import os
import stat
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal, Self, TypeAlias, overload

import numpy as np

from ..errors import CorruptError, DatasetError, MemberError, UsageError
from .catalog import Catalog, Entry, ShardInfo
from .checksums import array_checksum
from .options import PathLike
from .protocols.base import Array, ShardReader
from .protocols.registry import get_serializer
from .shards import FILES_FOLDER, SHARDS_FOLDER, single_path

__all__ = ["Dataset", "Keys", "Via", "open_dataset"]

Via: TypeAlias = Literal["payload", "protocol"]

_MAX_OPEN_SHARDS = 256
# From Python 3.13 a mapping needs no descriptor of its own.
_MMAP_OPTIONS: dict[str, Any] = {"trackfd": False} if sys.version_info >= (3, 13) else {}


def open_dataset(path: PathLike, *, via: Via | None = None, verify: bool = False) -> "Dataset":
    """Open a dataset; nothing in it is executed.

    Args:
        path: the dataset's folder.
        via: "payload" maps the arrays' raw bytes; "protocol" reads through the format, by its safe
            path; by default the first where the protocol has raw bytes, else the second.
        verify: compare every array with its checksum when it is read.

    Raises:
        DatasetError: it is no dataset, or its manifest is damaged.
        UsageError: the protocol has no raw bytes to map.
    """
    return Dataset(path, via=via, verify=verify)


class Dataset(Sequence[Array]):
    """A read-only sequence of arrays, in the order of the archive they came from.

    `dataset[3]`, `dataset[-1]` and `dataset["a/b.jpg"]` give an array; `dataset[10:20]` a list of
    arrays. Arrays are read-only; mapped ones stay valid after close. It may be shared between threads,
    pickled, and used in forked or spawned processes.
    """

    def __init__(self, path: PathLike, *, via: Via | None = None, verify: bool = False) -> None:
        self.path = Path(path)
        self._catalog = Catalog(self.path)
        try:
            self._serializer = get_serializer(self._catalog.settings["protocol"])
        except UsageError as error:
            raise DatasetError(f"{self.path}: {error}") from error
        if via not in (None, "payload", "protocol"):
            raise UsageError(f'via is "payload" or "protocol", not {via!r}')
        if via == "payload" and not self._serializer.maps:
            raise UsageError(f"{self.protocol} stores no raw bytes to map: open it without via")
        self.via: Via = via or ("payload" if self._serializer.maps else "protocol")
        self._verify = verify
        self._lock = threading.RLock()
        self._open: dict[int, _Shard] = {}
        self._closed = False

    @property
    def protocol(self) -> str:
        """The protocol's label, such as "hdf5+gzip:4"."""
        return self._serializer.label

    @property
    def keys(self) -> "Keys":
        """The samples' keys, a sequence in the same order."""
        self._check_open()
        return Keys(self)

    def __len__(self) -> int:
        self._check_open()
        return len(self._catalog)

    @overload
    def __getitem__(self, index: int | str) -> Array: ...
    @overload
    def __getitem__(self, index: slice) -> list[Array]: ...
    def __getitem__(self, index: int | str | slice) -> Array | list[Array]:
        """Return an array by position or key, or a list of arrays by slice.

        Raises:
            IndexError: no such position.
            KeyError: no such key.
            DatasetError: the dataset is closed, or its files are not what the manifest says.
        """
        if isinstance(index, str):
            return self._by_key(index)
        if isinstance(index, slice):
            return self.__getitems__(range(*index.indices(len(self))))
        shard, place = self._shard_of(index)
        return self._array(shard, shard.entries[place])

    def __getitems__(self, indices: Iterable[int]) -> list[Array]:
        """Return a batch of arrays by position."""
        return [self[index] for index in indices]

    def __iter__(self) -> Iterator[Array]:
        self._check_open()
        for info in self._catalog.shards:
            shard = self._open_shard(info)
            for entry in shard.entries:
                yield self._array(shard, entry)

    def __contains__(self, key: object) -> bool:
        self._check_open()
        return isinstance(key, str) and self._catalog.find(key) is not None

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{len(self)} samples, {self.protocol}"
        return f"<brinery.Dataset {str(self.path)!r}: {state}>"

    def close(self) -> None:
        """Close the files; arrays that were handed out stay valid. Closing again does nothing."""
        with self._lock:
            for shard in self._open.values():
                shard.close()
            self._open.clear()
            self._closed = True
            self._catalog.close()

    def __enter__(self) -> Self:
        self._check_open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        self._check_open()
        return {"path": self.path, "via": self.via, "verify": self._verify}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["path"], via=state["via"], verify=state["verify"])  # type: ignore[misc]

    def each_in_shard(self, shard: int) -> Iterator["Stored"]:
        """Yield the samples of a shard, by its id in the manifest, each to be read when it is asked for.

        Nothing is mapped: where a disk fails, that is an error of the sample, and no signal to the process.
        """
        self._check_open()
        info, _ = self._catalog.locate(self._catalog.first_index(shard))
        opened = self._open_shard(info)
        colours = self._catalog.colours(shard)
        for entry in opened.entries:
            read = partial(self._array, opened, entry, mapped=False)
            yield Stored(entry.key, read, colours.get(entry.record))

    def _check_open(self) -> None:
        if self._closed:
            raise DatasetError(f"the dataset {self.path} is closed: open it again with brinery.open")

    def _shard_of(self, index: int) -> tuple["_Shard", int]:
        length = len(self)
        position = operator.index(index)
        if position < 0:
            position += length
        if not 0 <= position < length:
            raise IndexError(f"index {index} is out of range: the dataset has {length} samples")
        info, place = self._catalog.locate(position)
        return self._open_shard(info), place

    def _key_at(self, index: int) -> str:
        shard, place = self._shard_of(index)
        return shard.entries[place].key

    def _index_of(self, key: str) -> int:
        entry = self._catalog.find(key)
        if entry is None:
            raise KeyError(key)
        info, _ = self._catalog.locate(self._catalog.first_index(entry.shard))
        place = [found.record for found in self._open_shard(info).entries].index(entry.record)
        return self._catalog.first_index(entry.shard) + place

    def _by_key(self, key: str) -> Array:
        self._check_open()
        entry = self._catalog.find(key)
        if entry is None:
            raise KeyError(key)
        info, _ = self._catalog.locate(self._catalog.first_index(entry.shard))
        return self._array(self._open_shard(info), entry)

    def _open_shard(self, info: ShardInfo) -> "_Shard":
        shard = self._open.get(info.id)
        if shard is None:
            with self._lock:
                self._check_open()
                entries = self._catalog.entries(info.id)
                if len(entries) != info.samples:
                    raise CorruptError(
                        f"shard {info.id} of {self.path} has {len(entries)} of {info.samples} samples"
                    )
                shard = _Shard(info, entries)
                while len(self._open) >= _MAX_OPEN_SHARDS:
                    self._open.pop(next(iter(self._open))).close()
                self._open[info.id] = shard
        return shard

    def _array(self, shard: "_Shard", entry: Entry, *, mapped: bool = True) -> Array:
        if self.via == "payload" and mapped:
            array = self._mapped(shard, entry)
        else:
            try:
                array = (self._parsed if self.via == "protocol" else self._copied)(shard, entry)
            except OSError as error:
                raise CorruptError(f"{entry.key!r}: cannot be read: {error.strerror or error}") from error
        if self._verify and array_checksum(array) != entry.xxh3:
            raise CorruptError(f"{entry.key!r}: its bytes do not give the checksum that was recorded")
        return array

    def _mapped(self, shard: "_Shard", entry: Entry) -> Array:
        buffer = shard.buffer
        if buffer is None:
            with self._lock:
                file = self._open_file(shard.info, entry)
                try:
                    buffer = _map(file)
                finally:
                    file.close()
                if shard.info.name is not None:
                    shard.buffer = buffer
        spec, payload = entry.spec, entry.placement.payload
        if payload is None or payload + spec.nbytes > len(buffer):
            raise CorruptError(f"{entry.key!r}: its bytes lie outside the file of {len(buffer)} bytes")
        if not spec.nbytes:
            return _read_only(np.empty(spec.shape, spec.dtype))
        return np.ndarray(spec.shape, spec.dtype, buffer, payload)

    def _copied(self, shard: "_Shard", entry: Entry) -> Array:
        with self._lock:
            file = shard.file or self._open_file(shard.info, entry)
            if shard.info.name is not None:
                shard.file = file
        spec, payload = entry.spec, entry.placement.payload
        try:
            size = os.fstat(file.fileno()).st_size
            if payload is None or payload + spec.nbytes > size:
                raise CorruptError(f"{entry.key!r}: its bytes lie outside the file of {size} bytes")
            data = bytearray(spec.nbytes)
            if spec.nbytes and os.preadv(file.fileno(), [data], payload) != spec.nbytes:
                file.seek(payload)
                data = bytearray(file.read(spec.nbytes))  # an array of 2 GiB and more
        finally:
            if shard.file is None:
                file.close()
        return _read_only(np.ndarray(spec.shape, spec.dtype, data or None))

    def _parsed(self, shard: "_Shard", entry: Entry) -> Array:
        with self._lock:
            if shard.info.name is None:
                with (
                    self._open_file(shard.info, entry) as file,
                    self._serializer.single_reader(file) as reader,
                ):
                    return _read_only(reader.read(entry.placement, entry.spec))
            if shard.reader is None:
                shard.file = self._open_file(shard.info, entry)
                shard.reader = self._serializer.shard_reader(shard.file)
            return _read_only(shard.reader.read(entry.placement, entry.spec))

    def _open_file(self, info: ShardInfo, entry: Entry) -> BinaryIO:
        """Open a shard's file, or the sample's own, only where it is a regular file inside the dataset."""
        path = self._path_of(info, entry)
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
        try:
            descriptor = os.open(path, flags)
        except OSError as error:
            raise CorruptError(
                f"cannot open {path}: {error.strerror}; convert again to make it anew"
            ) from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise CorruptError(f"{path} is no regular file")
        return os.fdopen(descriptor, "rb", buffering=0 if self.via == "payload" else -1)

    def _path_of(self, info: ShardInfo, entry: Entry) -> Path:
        if info.name is not None:
            return self.path / SHARDS_FOLDER / info.name
        try:
            return self.path / FILES_FOLDER / single_path(entry.key, self._serializer.file_suffix)
        except MemberError as error:
            raise CorruptError(f"{entry.key!r}: {error}") from error


@dataclass(frozen=True, slots=True)
class Stored:
    """A sample that is read when `array` is called; that raises CorruptError where it is damaged.

    `colours` says what its channels are where their number does not: "CMYK", "LAB", "HSV".
    """

    key: str
    array: Callable[[], Array]
    colours: str | None = None


@dataclass(slots=True)
class _Shard:
    """An open shard: its samples, and its mapping or reader once one was needed."""

    info: ShardInfo
    entries: list[Entry]
    buffer: mmap.mmap | bytes | None = None
    file: BinaryIO | None = None
    reader: ShardReader | None = None

    def close(self) -> None:
        if self.reader is not None:
            self.reader.close()
        if self.file is not None:
            self.file.close()
        self.buffer = self.reader = self.file = None


class Keys(Sequence[str]):
    """The keys of a dataset, looked up as they are asked for."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def __len__(self) -> int:
        return len(self._dataset)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self._dataset._key_at(i) for i in range(*index.indices(len(self)))]  # noqa: SLF001 - its other half
        return self._dataset._key_at(index)  # noqa: SLF001 - its other half

    def __iter__(self) -> Iterator[str]:
        self._dataset._check_open()  # noqa: SLF001 - its other half
        return self._dataset._catalog.keys()  # noqa: SLF001 - its other half

    def __contains__(self, key: object) -> bool:
        return key in self._dataset

    def index(self, value: str, start: int = 0, stop: int | None = None) -> int:
        """Return the position of a key; ValueError where there is none."""
        try:
            position = self._dataset._index_of(value)  # noqa: SLF001 - its other half
        except KeyError:
            raise ValueError(f"{value!r} is no key of this dataset") from None
        if position not in range(*slice(start, stop).indices(len(self))):
            raise ValueError(f"{value!r} lies outside the range asked for")
        return position


def _map(file: BinaryIO) -> mmap.mmap | bytes:
    if os.fstat(file.fileno()).st_size == 0:
        return b""
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ, **_MMAP_OPTIONS)


def _read_only(array: Array) -> Array:
    array.flags.writeable = False
    return array
