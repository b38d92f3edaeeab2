"""A dataset as a sequence of arrays, mapped if its protocol stores raw bytes."""

import mmap
import os
import threading
import weakref
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from errno import ELOOP
from functools import partial
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias, overload

import numpy as np

from ...errors import CorruptError, DatasetError, MemberError, UsageError
from ..checksums import array_checksum
from ..layout import FILES_FOLDER, SHARDS_FOLDER, single_path
from ..machine.inside import Descriptor, Folder
from ..manifest.reader import Catalog, Entry, Places, ShardInfo
from ..paths import PathLike, absolute
from ..protocols.base import Array, Serializer
from ..protocols.checks import pixels
from ..protocols.registry import get_serializer
from .keys import Keys
from .open_shard import DESCRIPTORS, OpenedShard, Stored, map_file

__all__ = ["Dataset", "Via", "open_dataset"]

Via: TypeAlias = Literal["payload", "protocol"]

_MAX_OPEN_SHARDS = min(8192, max(16, DESCRIPTORS // 4))
_MAX_PLACES = 1 << 22  # samples whose places are remembered: 32 to 64 MiB
# Looking up one sample takes as long as reading the places of this many; in small shards all places are read.
_PLACES_A_LOOKUP = 32
_FEW_PLACES = 128
_SHARDS = (SHARDS_FOLDER,)


def open_dataset(path: PathLike, *, via: Via | None = None, verify: bool = False) -> "Dataset":
    """Open a dataset for reading. Nothing in it is executed, and no link inside it is followed.

    Mapped arrays are views of the file. If something cuts the file short while they are in use, the process
    ends with SIGBUS. With `verify=True` or `via="protocol"` arrays are copies, and such a file raises
    CorruptError.

    Args:
        path: the dataset's folder.
        via: "payload" maps the arrays' raw bytes; "protocol" reads through the format, by its safe path.
            The default is "payload" if the protocol stores raw bytes, else "protocol".
        verify: copy every array and compare it with its checksum.

    Raises:
        DatasetError: `path` is no dataset, or its manifest is damaged.
        UsageError: `via="payload"` with a protocol that stores no raw bytes.

    Example:
        with brinery.open("photos.brine") as dataset:
            print(len(dataset), dataset[0].shape, dataset[0].dtype)
    """
    return Dataset(path, via=via, verify=verify)


class Dataset(Sequence[Array]):
    """A read-only sequence of arrays, in the order of the archive they came from.

    `dataset[3]`, `dataset[-1]` and `dataset["a/b.jpg"]` give an array, `dataset[10:20]` a list of arrays.
    `len(dataset)`, `key in dataset` and `with brinery.open(path) as dataset` work as they do for lists and
    files. Arrays are read-only, and mapped ones stay valid after `close()`. A dataset may be shared between
    threads, pickled, and used in forked or spawned processes.

    Example:
        dataset = brinery.open("photos.brine")
        first_key = dataset.keys[0]
        array = dataset[first_key]
        batch = dataset.__getitems__([5, 3, 8])
        dataset.close()
    """

    def __init__(self, path: PathLike, *, via: Via | None = None, verify: bool = False) -> None:
        self.path = absolute(path)
        self._catalog = Catalog(self.path)
        self._verify = verify
        try:
            self._serializer, self.via = self._way(via)
            self._folder = Folder(self.path)
        except OSError as error:
            self._catalog.close()
            raise DatasetError(f"{self.path} cannot be opened: {error.strerror}") from error
        except BaseException:
            self._catalog.close()
            raise
        self._lock = threading.RLock()
        self._shards: dict[int, OpenedShard] = {}
        self._open: dict[int, OpenedShard] = {}
        self._places = 0
        self._closed = False
        self._direct = self.via == "payload" and not verify and self._catalog.settings["layout"] == "shards"
        _datasets.add(self)

    def _way(self, via: Via | None) -> tuple[Serializer, Via]:
        """Return what reads the dataset's protocol, and by which way."""
        try:
            serializer = get_serializer(self._catalog.settings["protocol"])
        except UsageError as error:
            raise DatasetError(f"{self.path}: {error}") from error
        if via not in (None, "payload", "protocol"):
            raise UsageError(f'via is "payload" or "protocol", not {via!r}')
        if via == "payload" and not serializer.maps:
            raise UsageError(f"{serializer.label} stores no raw bytes to map: open it without via")
        return serializer, via or ("payload" if serializer.maps else "protocol")

    @property
    def protocol(self) -> str:
        """The protocol's label, such as "hdf5+gzip:4"."""
        return self._serializer.label

    @property
    def keys(self) -> "Keys":
        """The samples' keys, in the same order."""
        self._check_open()
        return Keys(self._catalog, self._check_open)

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
            IndexError: there is no such position.
            KeyError: there is no such key.
            DatasetError: the dataset is closed, or its files are not what the manifest says.
        """
        if isinstance(index, str):
            return self._by_key(index)
        if isinstance(index, slice):
            return self.__getitems__(range(*index.indices(len(self))))
        shard, place = self._shard_of(index)
        return self._array(shard, place)

    def __getitems__(self, indices: Iterable[int]) -> list[Array]:
        """Return a batch of arrays by position; data loaders such as PyTorch's call this.

        Raises:
            IndexError: there is no such position.
            DatasetError: the dataset is closed, or its files are not what the manifest says.
        """
        self._check_open()
        position, ends, shards = self._catalog.position, self._catalog.ends, self._shards
        arrays = []
        for index in indices:
            at = position(index)
            number = bisect_right(ends, at)
            shard = shards.get(number) or self._shard(number)
            arrays.append(self._array(shard, at - shard.first))
        return arrays

    def __iter__(self) -> Iterator[Array]:
        """Yield every array in order."""
        self._check_open()
        for number in range(len(self._catalog.shard_ids)):
            shard = self._shard(number)
            self._prepare(shard)
            places, buffer = shard.places, shard.buffer
            if places is not None and buffer is not None:
                specs = places.specs * shard.info.samples if len(places.specs) == 1 else places.specs
                for spec, payload in zip(specs, places.payloads, strict=True):
                    yield np.ndarray(spec.shape, spec.dtype, buffer, payload)
            else:
                for place in range(shard.info.samples):
                    yield self._array(shard, place)

    def __contains__(self, key: object) -> bool:
        self._check_open()
        return isinstance(key, str) and self._catalog.find(key) is not None

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{len(self)} samples, {self.protocol}"
        return f"<brinery.Dataset {str(self.path)!r}: {state}>"

    def close(self) -> None:
        """Close the files. Arrays that were handed out stay valid, and closing again does nothing."""
        with self._lock:
            for shard in self._open.values():
                shard.close()
            self._open.clear()
            self._shards.clear()
            self._closed = True
            self._folder.close()
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

    def each_in_shard(self, shard: int) -> Iterator[Stored]:
        """Yield the samples of a shard, by its id in the manifest; each is read when its array is asked for.

        Nothing is mapped, so that a failing disk is an error of the sample and not a signal to the process.
        """
        self._check_open()
        opened = self._shard(self._catalog.number_of(shard))
        colours = self._catalog.colours(opened.info)
        for entry in self._catalog.entries(opened.info):
            read = partial(self._read, opened, entry, mapped=False)
            yield Stored(entry.key, read, colours.get(entry.record))

    def _check_open(self) -> None:
        if self._closed:
            raise DatasetError(f"the dataset {self.path} is closed: open it again with brinery.open")

    def _shard_of(self, index: int) -> tuple[OpenedShard, int]:
        """Return the shard of a sample and the sample's place in it."""
        self._check_open()
        position = self._catalog.position(index)
        number = bisect_right(self._catalog.ends, position)
        shard = self._shards.get(number) or self._shard(number)
        return shard, position - shard.first

    def _by_key(self, key: str) -> Array:
        self._check_open()
        entry = self._catalog.find(key)
        if entry is None:
            raise KeyError(key)
        return self._read(self._shard(self._catalog.number_of(entry.shard)), entry)

    def _shard(self, number: int) -> OpenedShard:
        with self._lock:
            self._check_open()
            shard = self._shards.get(number)
            if shard is None:
                info = self._catalog.shard(number)
                shard = self._shards[number] = OpenedShard(info, info.first)
        return shard

    def _array(self, shard: OpenedShard, place: int) -> Array:
        places, buffer = shard.places, shard.buffer
        if places is not None and buffer is not None:
            spec = places.specs[place] if len(places.specs) > 1 else places.specs[0]
            return np.ndarray(spec.shape, spec.dtype, buffer, places.payloads[place])
        if places is not None and places.shards is not None:
            return self._beside(shard, places, places.shards[place], place)
        shard.lookups += 1
        enough = max(_FEW_PLACES, shard.lookups * _PLACES_A_LOOKUP)
        if shard.info.samples <= enough and self._prepare(shard):
            return self._array(shard, place)
        return self._read(shard, self._catalog.entry(shard.info, place))

    def _beside(self, shard: OpenedShard, places: Places, file: int, place: int) -> Array:
        """Return an array of several shards that were filled side by side, from the file of its own."""
        buffer = self._buffer(self._file_of(shard, file), None)
        spec = places.specs[place] if len(places.specs) > 1 else places.specs[0]
        payload = places.payloads[place]
        if payload + spec.nbytes > len(buffer):
            return self._read(shard, self._catalog.entry(shard.info, place))  # which says what is wrong
        return np.ndarray(spec.shape, spec.dtype, buffer, payload)

    def _file_of(self, shard: OpenedShard, file: int) -> OpenedShard:
        """Return what reads the file of a shard, by its id, that is this one or was filled beside it."""
        if shard.info.alone:
            return shard
        opened = shard.beside.get(file)
        if opened is None:
            with self._lock:
                self._check_open()
                info = replace(shard.info, id=file, last=file, name=self._catalog.name_of(file))
                opened = shard.beside.setdefault(file, OpenedShard(info, info.first))
        return opened

    def _prepare(self, shard: OpenedShard) -> bool:
        """Map a shard and remember the places of its arrays; return whether reading needs nothing else."""
        if not self._direct or shard.irregular:
            return False
        with self._lock:
            self._check_open()
            buffer = self._buffer(shard, None) if shard.info.alone else None
            if shard.places is None:
                places = self._catalog.places(shard.info)
                if places is None or (buffer is not None and places.end > len(buffer)):
                    shard.irregular = True  # its samples are read or refused one by one
                    return False
                shard.places = places
                self._places += shard.info.samples
                self._forget_places(shard)
        return True

    def _forget_places(self, kept: OpenedShard) -> None:
        """Drop the places that were remembered first when there are too many."""
        while self._places > _MAX_PLACES and len(self._shards) > 1:
            oldest = next(shard for shard in self._shards.values() if shard is not kept)
            if oldest.places is not None:
                self._places -= oldest.info.samples
            self._shut(oldest)
            del self._shards[oldest.info.number]

    def _read(self, shard: OpenedShard, entry: Entry, *, mapped: bool = True) -> Array:
        shard = self._file_of(shard, entry.shard)
        if self.via == "payload" and mapped and not self._verify:
            array = self._mapped(shard, entry)
        else:
            try:
                array = (self._parsed if self.via == "protocol" else self._copied)(shard, entry)
            except OSError as error:
                raise CorruptError(f"{entry.key!r}: cannot be read: {error.strerror or error}") from error
        if self._verify and array_checksum(array) != entry.xxh3:
            raise CorruptError(f"{entry.key!r}: its bytes do not give the checksum that was recorded")
        return array

    def _mapped(self, shard: OpenedShard, entry: Entry) -> Array:
        buffer = self._buffer(shard, entry)
        spec, payload = entry.spec, entry.placement.payload
        if payload is None or payload + spec.nbytes > len(buffer):
            raise CorruptError(f"{entry.key!r}: its bytes lie outside the file of {len(buffer)} bytes")
        if not spec.nbytes:
            return _read_only(np.empty(spec.shape, spec.dtype))
        return np.ndarray(spec.shape, spec.dtype, buffer, payload)

    def _copied(self, shard: OpenedShard, entry: Entry) -> Array:
        with self._lock:
            file = shard.descriptor
            if file is None:
                file = Descriptor(self._open_file(shard.info, entry))
                if shard.info.name is not None:
                    shard.descriptor = file
                    self._hold(shard)
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
        return _read_only(array)

    def _buffer(self, shard: OpenedShard, entry: Entry | None) -> mmap.mmap | bytes:
        """Map a shard, or a sample's own file."""
        buffer = shard.buffer
        if buffer is None:
            with self._lock:
                buffer = map_file(Descriptor(self._open_file(shard.info, entry)))
                if shard.info.name is not None:
                    shard.buffer = buffer
                    self._hold(shard)
        return buffer

    def _parsed(self, shard: OpenedShard, entry: Entry) -> Array:
        with self._lock:
            if shard.info.name is None:
                with (
                    os.fdopen(self._open_file(shard.info, entry), "rb") as file,
                    self._serializer.single_reader(file) as reader,
                ):
                    return _read_only(reader.read(entry.placement, entry.spec))
            if shard.reader is None:
                shard.file = os.fdopen(self._open_file(shard.info, entry), "rb")
                shard.reader = self._serializer.shard_reader(shard.file)
                self._hold(shard)
            return _read_only(shard.reader.read(entry.placement, entry.spec))

    def _hold(self, shard: OpenedShard) -> None:
        """Count a shard as open, and close the one opened first if there are too many."""
        if shard.info.id in self._open:
            return
        while len(self._open) >= _MAX_OPEN_SHARDS:
            self._shut(next(iter(self._open.values())))
        self._open[shard.info.id] = shard

    def _shut(self, shard: OpenedShard) -> None:
        for one in (shard, *shard.beside.values()):
            one.close()
            self._open.pop(one.info.id, None)

    def _forked(self) -> None:
        """Give up locks and file positions shared with the parent of this new process."""
        self._lock = threading.RLock()
        self._catalog.forked()
        if self.via == "protocol":
            self._open.clear()
            self._shards.clear()

    def _open_file(self, info: ShardInfo, entry: Entry | None) -> int:
        """Open a shard's file, or the sample's own, if it is a regular file inside the dataset."""
        self._check_open()
        folders, name = self._place_of(info, entry)
        try:
            return self._folder.open(folders, name)
        except OSError as error:
            path = "/".join((*folders, name))
            what = "copy the dataset with its links followed" if error.errno == ELOOP else "convert again"
            raise CorruptError(
                f"cannot open {path} in {self.path}: {error.strerror}; {what} to make it anew"
            ) from error

    def _place_of(self, info: ShardInfo, entry: Entry | None) -> tuple[tuple[str, ...], str]:
        """Return the folders that lead to a shard's file, or the sample's own, and the file's name."""
        if info.name is not None:
            return _SHARDS, info.name
        assert entry is not None
        try:
            *folders, name = single_path(entry.key, self._serializer.file_suffix).parts
        except MemberError as error:
            raise CorruptError(f"{entry.key!r}: {error}") from error
        return (FILES_FOLDER, *folders), name


def _read_only(array: Array) -> Array:
    array.flags.writeable = False
    return array


_datasets: "weakref.WeakSet[Dataset]" = weakref.WeakSet()


def _after_fork() -> None:
    for dataset in list(_datasets):
        dataset._forked()  # noqa: SLF001 - this module's own


os.register_at_fork(after_in_child=_after_fork)
