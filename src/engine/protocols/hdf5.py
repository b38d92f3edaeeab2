"""hdf5: a group for each shape and dtype with `images`, a stack (N, H, W, C), and `keys`.

Format: HDF5 file format specification, version 0 superblock (libver "earliest"), which every HDF5 library
reads. Stacks are contiguous; compressed ones are chunked, one sample a chunk, so that a sample is read alone.
`keys` are UTF-8 bytes of dtype S. A file of one array holds it as the dataset `image` at the root.
"""

import math
from abc import abstractmethod
from collections.abc import Iterator
from os import PathLike
from typing import Any, BinaryIO

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
from .optional import library
from .safe_hdf5 import SafeHdf5
from .stacks import Stacks, group_name

__all__ = ["Hdf5Serializer", "StackedWriter", "chunk_options", "open_hdf5", "payload_of"]

_DEFAULT_GZIP = 4
_MAX_CHUNK = (1 << 32) - 1  # bytes; HDF5 counts a chunk's in 32 bits


def open_hdf5(file: OutputFile) -> Any:
    """Start an HDF5 file, an `h5py.File`, in an open file; versions are fixed, so the bytes are too."""
    return library("h5py").File(file, "w", libver=("earliest", "v110"))


def chunk_options(compression: Compression | None, shape: tuple[int, ...], itemsize: int) -> dict[str, Any]:
    """How to create a dataset: keyword arguments of `create_dataset`.

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
    """Where the bytes of a dataset begin in its file: None if chunked, 0 if there are none."""
    if dataset.chunks is not None:
        return None
    offset: int | None = dataset.id.get_offset()
    return 0 if offset is None else offset


def _placements(stacks: Stacks, payloads: dict[str, int | None]) -> list[Placement]:
    """The placement of each sample, given where each stack, by name, begins."""
    placements = []
    for stack, row in stacks.records:
        base = payloads[stack.name]
        payload = None if base is None else base + row * stack.sample_bytes
        placements.append(Placement(row, 0, payload))
    return placements


class StackedWriter(ShardWriter):
    """Gathers a shard's stacks; a subclass writes them at the end."""

    def __init__(self, file: OutputFile, compression: Compression | None) -> None:
        self._file = file
        self._compression = compression
        self._stacks = Stacks()

    def add(self, key: str, array: Array) -> None:
        """Copy a sample to its stack."""
        self._stacks.add(key, array)

    def finish(self) -> list[Placement]:
        """Write the stacks and give their memory back."""
        payloads = self._write()
        self._stacks.release()
        return _placements(self._stacks, payloads)

    @abstractmethod
    def _write(self) -> dict[str, int | None]:
        """Write the file and return where each stack, by name, begins."""


class _Hdf5Writer(StackedWriter):
    """Writes a group for each stack through h5py."""

    def _write(self) -> dict[str, int | None]:
        payloads: dict[str, int | None] = {}
        with open_hdf5(self._file) as container:
            for stack in self._stacks:
                group = container.create_group(stack.name)
                options = chunk_options(self._compression, (1, *stack.shape), stack.dtype.itemsize)
                images = group.create_dataset("images", data=stack.images(), track_times=False, **options)
                group.create_dataset("keys", data=stack.key_array(), track_times=False)
                payloads[stack.name] = payload_of(images)
        return payloads


class Hdf5Serializer(Serializer):
    """HDF5 through h5py."""

    name = "hdf5"
    suffix = ".h5"
    abilities = Abilities(raw_payload=True, safe_load=True, portable=True, compressions=("gzip", "lzf"))

    def writer(self, file: OutputFile) -> ShardWriter:
        """Start a shard; its samples are held in memory until it is finished."""
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

    def shard_reader(self, file: BinaryIO) -> ShardReader:
        """Read rows of checked stacks."""
        return SafeHdf5(file, _path_of, roots=None, stacked=True)

    def single_reader(self, file: BinaryIO) -> ShardReader:
        """Read the checked dataset `image`."""
        return SafeHdf5(file, lambda _: ("image",), roots=frozenset({"image"}), stacked=False)


def _path_of(spec: Spec) -> tuple[str, ...]:
    return group_name(spec.shape, spec.dtype), "images"
