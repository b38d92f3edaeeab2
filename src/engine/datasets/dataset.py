"""A dataset as a sequence of arrays, mapped if its protocol stores raw bytes."""

import os
import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, overload

import numpy as np

from ...errors import CorruptError, DatasetError, UsageError
from ..checksums import array_checksum
from ..manifest.kept import kept_of, sources_in
from ..manifest.reader import Catalog, Entry, Places
from ..paths import PathLike, absolute
from ..protocols.base import Array, Serializer
from ..protocols.registry import get_serializer
from .keys import Keys
from .open_shard import OpenedShard
from .shard_files import ShardFiles, read_only
from .stored_rows import StoredRows

if TYPE_CHECKING:
    from .encoded import EncodedSamples

__all__ = ["Dataset", "Via", "open_dataset"]

Via: TypeAlias = Literal["payload", "protocol"]

_MAX_PLACES = 1 << 22  # samples whose places are remembered: 32 to 64 MiB
# Looking up one sample takes as long as reading the places of this many; in small shards all places are read.
_PLACES_A_LOOKUP = 32
_FEW_PLACES = 128
_SOURCE_AS_PLACES = 3  # what the place of an image takes


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


class Dataset(StoredRows, Sequence[Array]):
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
            self._files = ShardFiles(self.path, self._serializer)
            self._encoded = self._samples()
        except OSError as error:
            self._catalog.close()
            raise DatasetError(f"{self.path} cannot be opened: {error.strerror}") from error
        except BaseException:
            self._catalog.close()
            raise
        self._check_open = self._files.check_open
        self._shards: dict[int, OpenedShard] = {}
        self._places = 0
        self._direct = not verify and self._catalog.settings["layout"] == "shards"
        self._direct = self._direct and (self.via == "payload" or self._encoded is not None)
        _datasets.add(self)

    def _samples(self) -> "EncodedSamples | None":
        """Return what decodes the images, if the dataset keeps images."""
        if not self._serializer.abilities.keeps_source:
            return None
        from .encoded import EncodedSamples  # noqa: PLC0415 - other datasets need no decoder

        return EncodedSamples(self.path, self._catalog.settings, self._files)

    def _way(self, via: Via | None) -> tuple[Serializer, Via]:
        """Return what reads the dataset's protocol, and by which way."""
        try:
            serializer = get_serializer(self._catalog.settings["protocol"], to_open=True)
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
    def keeps_images(self) -> bool:
        """Whether the dataset holds images as they were, which `encoded` returns and reading decodes."""
        return self._encoded is not None

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
        self._check_open()
        position = self._catalog.shards.position(index)
        number = self._catalog.shards.holding(position)
        shard = self._shards.get(number) or self._shard(number)
        return self._array(shard, position - shard.first)

    def __getitems__(self, indices: Iterable[int]) -> list[Array]:
        """Return a batch of arrays by position; data loaders such as PyTorch's call this.

        Raises:
            IndexError: there is no such position.
            DatasetError: the dataset is closed, or its files are not what the manifest says.
        """
        self._check_open()
        position, holding = self._catalog.shards.position, self._catalog.shards.holding
        shards, array = self._shards, self._array
        arrays = []
        for index in indices:
            at = position(index)
            number = holding(at)
            shard = shards.get(number) or self._shard(number)
            arrays.append(array(shard, at - shard.first))
        return arrays

    def encoded(self, index: int | str) -> bytes:
        """Return the bytes of the image that a sample was made from, if the dataset keeps them.

        Args:
            index: the sample's position or key; frames of one image have the same bytes.

        Raises:
            UsageError: the dataset's protocol keeps arrays only; "encoded" keeps images.
            IndexError: there is no such position.
            KeyError: there is no such key.
            DatasetError: the dataset is closed, or its files are not what the manifest says.
        """
        self._check_open()
        if self._encoded is None:
            raise UsageError(
                f"{self.protocol} keeps arrays, not the images that they were made from:"
                ' convert with protocol="encoded" to have both'
            )
        if isinstance(index, str):
            entry = self._find(index)
            shard = self._shard(self._catalog.shards.number_of(entry.shard))
        else:
            position = self._catalog.shards.position(index)
            shard = self._shard(self._catalog.shards.holding(position))
            entry = self._catalog.entry(shard.info, position - shard.first)
        kept = kept_of(self._catalog, entry)
        return self._encoded.source(self._file_of(shard, entry.shard), entry, kept, verify=self._verify)

    def __iter__(self) -> Iterator[Array]:
        """Yield every array in order."""
        self._check_open()
        for number in range(len(self._catalog.shards.ids)):
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
        state = "closed" if self._files.closed else f"{len(self)} samples, {self.protocol}"
        return f"<brinery.Dataset {str(self.path)!r}: {state}>"

    def close(self) -> None:
        """Close the files. Arrays that were handed out stay valid, and closing again does nothing."""
        with self._files.lock:
            self._shards.clear()
            self._files.close()
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

    def _by_key(self, key: str) -> Array:
        self._check_open()
        entry = self._find(key)
        return self._read(self._shard(self._catalog.shards.number_of(entry.shard)), entry)

    def _find(self, key: str) -> Entry:
        entry = self._catalog.find(key)
        if entry is None:
            raise KeyError(key)
        return entry

    def _shard(self, number: int) -> OpenedShard:
        with self._files.lock:
            self._check_open()
            shard = self._shards.get(number)
            if shard is None:
                info = self._catalog.shard(number)
                shard = self._shards[number] = OpenedShard(info)
        return shard

    def _array(self, shard: OpenedShard, place: int) -> Array:
        places, buffer = shard.places, shard.buffer
        if places is not None and buffer is not None:
            spec = places.specs[place] if len(places.specs) > 1 else places.specs[0]
            return np.ndarray(spec.shape, spec.dtype, buffer, places.payloads[place])
        if places is not None and places.shards is not None:
            return self._beside(shard, places, places.shards[place], place)
        if shard.sources is not None:
            assert self._encoded is not None
            try:
                return self._encoded.at(shard, shard.sources, place)
            except (CorruptError, OSError):
                return self._read(shard, self._catalog.entry(shard.info, place))  # which says what is wrong
        shard.lookups += 1
        enough = max(_FEW_PLACES, shard.lookups * _PLACES_A_LOOKUP)
        if shard.info.samples <= enough and self._prepare(shard):
            return self._array(shard, place)
        return self._read(shard, self._catalog.entry(shard.info, place))

    def _beside(self, shard: OpenedShard, places: Places, file: int, place: int) -> Array:
        """Return an array of several shards that were filled side by side, from the file that holds it."""
        buffer = self._files.mapped(self._file_of(shard, file), None)
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
            with self._files.lock:
                self._check_open()
                info = replace(shard.info, id=file, last=file, name=self._catalog.name_of(file))
                opened = shard.beside.setdefault(file, OpenedShard(info))
        return opened

    def _prepare(self, shard: OpenedShard) -> bool:
        """Map a shard and remember the places of its arrays; return whether reading needs nothing else."""
        if not self._direct or shard.irregular:
            return False
        if self._encoded is not None:
            return self._locate(shard)
        with self._files.lock:
            self._check_open()
            buffer = self._files.mapped(shard, None) if shard.info.alone else None
            if shard.places is None:
                places = self._catalog.places(shard.info)
                if places is None or (buffer is not None and places.end > len(buffer)):
                    shard.irregular = True  # its samples are read or refused one by one
                    return False
                shard.places = places
                self._places += shard.info.samples
                self._forget_places(shard)
        return True

    def _locate(self, shard: OpenedShard) -> bool:
        """Remember where a shard's images lie; return whether reading needs nothing else."""
        with self._files.lock:
            self._check_open()
            if shard.sources is None and shard.info.alone:
                shard.sources = sources_in(self._catalog, shard.info)
                self._places += _SOURCE_AS_PLACES * shard.info.samples
                self._forget_places(shard)
            shard.irregular = shard.sources is None
        return not shard.irregular

    def _forget_places(self, kept: OpenedShard) -> None:
        """Drop the places that were remembered first when there are too many."""
        while self._places > _MAX_PLACES and len(self._shards) > 1:
            oldest = next(shard for shard in self._shards.values() if shard is not kept)
            if oldest.places is not None:
                self._places -= oldest.info.samples
            if oldest.sources is not None:
                self._places -= _SOURCE_AS_PLACES * oldest.info.samples
            self._files.shut(oldest)
            del self._shards[oldest.info.number]

    def _read(self, shard: OpenedShard, entry: Entry, *, mapped: bool = True) -> Array:
        shard = self._file_of(shard, entry.shard)
        if self._encoded is not None:
            return self._encoded.read(shard, entry, kept_of(self._catalog, entry), verify=self._verify)
        if self.via == "payload" and mapped and not self._verify:
            array = self._mapped(shard, entry)
        else:
            try:
                array = (self._files.parsed if self.via == "protocol" else self._files.copied)(shard, entry)
            except OSError as error:
                raise CorruptError(f"{entry.key!r}: cannot be read: {error.strerror or error}") from error
        if self._verify and array_checksum(array) != entry.xxh3:
            raise CorruptError(f"{entry.key!r}: its bytes do not give the checksum that was recorded")
        return array

    def _mapped(self, shard: OpenedShard, entry: Entry) -> Array:
        buffer = self._files.mapped(shard, entry)
        spec, payload = entry.spec, entry.placement.payload
        if payload is None or payload + spec.nbytes > len(buffer):
            raise CorruptError(f"{entry.key!r}: its bytes lie outside the file of {len(buffer)} bytes")
        if not spec.nbytes:
            return read_only(np.empty(spec.shape, spec.dtype))
        return np.ndarray(spec.shape, spec.dtype, buffer, payload)

    def _forked(self) -> None:
        """Give up locks and file positions shared with the parent of this new process."""
        self._catalog.forked()
        self._files.forked(positions=self.via == "protocol")
        if self.via == "protocol":
            self._shards.clear()


_datasets: "weakref.WeakSet[Dataset]" = weakref.WeakSet()


def _after_fork() -> None:
    for dataset in list(_datasets):
        dataset._forked()  # noqa: SLF001 - this module's own


os.register_at_fork(after_in_child=_after_fork)
