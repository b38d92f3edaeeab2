"""hdf5: a group for each shape and dtype with `images`, a stack (N, H, W, C), and `keys`.

Format: HDF5 file format specification, version 0 superblock (libver "earliest"), which every HDF5 library
reads. Stacks are contiguous; compressed ones are chunked, one sample a chunk, so that a sample is read alone.
`keys` are UTF-8 bytes of dtype S. A file of one array holds it as the dataset `image` at the root.

The first stack of large samples is not gathered in memory: they are written where HDF5 will place the first
dataset, and the file is made around them when the shard is complete.
"""

import math
import os
from abc import abstractmethod
from collections.abc import Iterator
from os import PathLike
from typing import Any, BinaryIO, cast

import numpy as np

from .base import (
    Abilities,
    Array,
    Compression,
    OutputFile,
    Placement,
    Serializer,
    ShardReader,
    ShardWriter,
    Spec,
)
from .checks import CheckedFile, array_from
from .optional import library
from .safe_hdf5 import SafeHdf5
from .stacks import Stack, Stacks, StreamedStack, group_name

__all__ = ["Hdf5Serializer", "StackedWriter", "chunk_options", "open_hdf5", "payload_of"]

_DEFAULT_GZIP = 4
_MAX_CHUNK = (1 << 32) - 1  # bytes; HDF5 counts a chunk's in 32 bits
_STREAM_FROM = 1 << 16  # bytes of a sample
_STREAM_AT = 4096  # the first multiple of the alignment behind what HDF5 writes before the first dataset


_STACKS = """\
    samples = {}
    for group in file.values():
        for key, image in zip(group["keys"], group["images"][()]):
            samples[key.decode()] = image
"""


def open_hdf5(file: OutputFile, **options: Any) -> Any:
    """Start an HDF5 file, an `h5py.File`, in an open file; versions are fixed, so the bytes are too."""
    return library("h5py").File(file, "w", libver=("earliest", "v110"), **options)


class _Unwritten:
    """A file that is empty to HDF5 until it writes: in one that is not, it looks for its own signature."""

    def __init__(self, file: OutputFile) -> None:
        self._file = file
        self._written = False

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        if whence == os.SEEK_END and not self._written:
            return self._file.seek(0)
        return self._file.seek(offset, whence)

    def write(self, data: Any, /) -> int:
        self._written = True
        return self._file.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def chunk_options(compression: Compression | None, shape: tuple[int, ...], itemsize: int) -> dict[str, Any]:
    """Return how to create a dataset: keyword arguments of `create_dataset`.

    Args:
        compression: gzip, lzf or None.
        shape: of one chunk, in elements; made smaller where it passes 4 GiB.
        itemsize: bytes of an element.
    """
    if compression is None or not shape or 0 in shape:
        return {}
    chunk = list(shape)
    for axis in range(len(chunk)):
        while chunk[axis] > 1 and math.prod(chunk) * itemsize > _MAX_CHUNK:
            chunk[axis] = -(-chunk[axis] // 2)
    options: dict[str, Any] = {"chunks": tuple(chunk), "compression": compression.name}
    if compression.name == "gzip":
        options["compression_opts"] = _DEFAULT_GZIP if compression.level is None else compression.level
    return options


def payload_of(dataset: Any) -> int | None:
    """Return where the bytes of a dataset begin in its file: None if chunked, 0 if there are none."""
    if dataset.chunks is not None:
        return None
    offset: int | None = dataset.id.get_offset()
    return 0 if offset is None else offset


def _placements(stacks: Stacks, payloads: dict[str, int | None]) -> list[Placement]:
    """Return the placement of each sample, given where each stack, by name, begins."""
    placements = []
    for stack, row in stacks.records:
        base = payloads[stack.name]
        payload = None if base is None else base + row * stack.sample_bytes
        placements.append(Placement(row, 0, payload))
    return placements


class StackedWriter(ShardWriter):
    """Gathers a shard's stacks, all but a first one of large samples; a subclass writes them at the end."""

    def __init__(self, file: OutputFile, compression: Compression | None) -> None:
        self._file = file
        self._compression = compression
        self._stacks = Stacks()

    def add(self, key: str, array: Array) -> None:
        """Append a sample to its stack."""
        if not self._stacks.records and array.nbytes >= _STREAM_FROM and self._compression is None:
            self._stacks.stream(array, self._file)
            self._file.seek(_STREAM_AT)
        self._stacks.add(key, array)

    def finish(self) -> list[Placement]:
        """Write the stacks and give their memory back."""
        if self._stacks.streamed is None:
            with open_hdf5(self._file) as container:
                payloads = self._write(container, None)
        else:
            alignment = {"alignment_threshold": _STREAM_FROM, "alignment_interval": _STREAM_AT}
            with open_hdf5(cast("OutputFile", _Unwritten(self._file)), **alignment) as container:
                payloads = self._write(container, self._adopt(container, self._stacks.streamed))
        self._stacks.release()
        return _placements(self._stacks, payloads)

    def _adopt(self, container: Any, stack: StreamedStack) -> Any:
        """Return a dataset, without a name as yet, that holds what was streamed."""
        h5py = library("h5py")
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        properties.set_obj_track_times(False)
        shape = (len(stack.keys), *stack.shape)
        kind, space = h5py.h5t.py_create(stack.dtype, logical=True), h5py.h5s.create_simple(shape)
        dataset = h5py.Dataset(h5py.h5d.create(container.id, None, kind, space, properties))
        if dataset.id.get_offset() != _STREAM_AT:  # another HDF5 than those that are known
            data = CheckedFile(cast("BinaryIO", self._file)).bytes(_STREAM_AT, shape[0] * stack.sample_bytes)
            dataset[...] = array_from(data, stack.dtype, shape)
        return dataset

    def _place(self, parent: Any, name: str, stack: Stack, streamed: Any) -> Any:
        """Put a stack's dataset, made now or the streamed one, under a name, and return it."""
        if stack is self._stacks.streamed:
            parent[name] = streamed
            return streamed
        options = chunk_options(self._compression, (1, *stack.shape), stack.dtype.itemsize)
        return parent.create_dataset(name, data=stack.images(), track_times=False, **options)

    @abstractmethod
    def _write(self, container: Any, streamed: Any) -> dict[str, int | None]:
        """Write the stacks and return where each, by name, begins; `streamed` is the dataset of the first."""


class _Hdf5Writer(StackedWriter):
    """Writes a group for each stack through h5py."""

    def _write(self, container: Any, streamed: Any) -> dict[str, int | None]:
        payloads: dict[str, int | None] = {}
        for stack in self._stacks:
            group = container.create_group(stack.name)
            images = self._place(group, "images", stack, streamed)
            group.create_dataset("keys", data=stack.key_array(), track_times=False)
            payloads[stack.name] = payload_of(images)
        return payloads


class Hdf5Serializer(Serializer):
    """HDF5 through h5py."""

    name = "hdf5"
    suffix = ".h5"
    abilities = Abilities(raw_payload=True, safe_load=True, portable=True, compressions=("gzip", "lzf"))

    def writer(self, file: OutputFile) -> ShardWriter:
        """Start a shard; samples are held in memory until it is finished, but for the first stack's."""
        return _Hdf5Writer(file, self.compression)

    def dump(self, array: Array, file: OutputFile) -> Placement:
        """Write the dataset `image`."""
        with open_hdf5(file) as container:
            options = chunk_options(self.compression, array.shape, array.dtype.itemsize)
            dataset = container.create_dataset("image", data=array, track_times=False, **options)
            return Placement(0, 0, payload_of(dataset))

    def load(self, path: str | PathLike[str]) -> Array:
        """Read the dataset `image` whole with h5py."""
        with library("h5py").File(path, "r") as container:
            dataset = container["image"]
            array: Array = np.empty(dataset.shape, dataset.dtype)
            dataset.read_direct(array)
        return array

    def load_shard(self, path: str | PathLike[str]) -> Iterator[tuple[str | None, Array]]:
        """Read stack by stack with h5py."""
        with library("h5py").File(path, "r") as container:
            for group in container.values():
                keys, images = group["keys"][()], group["images"][()]
                for row, key in enumerate(keys):
                    yield key.decode("utf-8"), images[row, ...]

    def lines(self, file: str, *, single: bool) -> str:
        """Read by h5py, stack by stack."""
        body = '    array = file["image"][()]\n' if single else _STACKS
        return f'import h5py\n\nwith h5py.File("{file}") as file:\n{body}'

    def shard_reader(self, file: BinaryIO) -> ShardReader:
        """Read rows of checked stacks."""
        return SafeHdf5(file, _path_of, roots=None, stacked=True)

    def single_reader(self, file: BinaryIO) -> ShardReader:
        """Read the checked dataset `image`."""
        return SafeHdf5(file, lambda _: ("image",), roots=frozenset({"image"}), stacked=False)


def _path_of(spec: Spec) -> tuple[str, ...]:
    return group_name(spec.shape, spec.dtype), "images"
