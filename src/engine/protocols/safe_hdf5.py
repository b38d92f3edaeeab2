"""The safe path's reader of HDF5 files, for hdf5 and hickle.

Files can point anywhere: to other files (external storage and links, virtual datasets), to types that run
code (hickle's table, never touched here), to sizes that exhaust memory, to structures that libhdf5 follows
until the stack ends. So libhdf5 takes no part: a dataset must be plain numbers behind hard links, laid out as
brinery writes it, and its bytes are read from the file by range and inflated within bounds.
"""

import math
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ...errors import CorruptError
from .base import Array, Placement, ShardReader, Spec
from .checks import CheckedFile, array_from, conform, packed_limit
from .frames import DEFLATE_RATIO
from .hdf5_file import Hdf5File, StoredDataset
from .hdf5_types import stored_dtype
from .lzf import Lzf

__all__ = ["SafeHdf5"]

_GZIP, _LZF = 1, 32000  # numbers of the registered HDF5 filters
_DAMAGE = (ArithmeticError, LookupError, MemoryError, ValueError, zlib.error)
_GROUP = re.compile(r'"?(scalar|\d+(x\d+)*)-[a-z]+\d*"?')


@dataclass(frozen=True, slots=True)
class _Stack:
    """Contiguous samples that passed the checks.

    Attributes:
        dtype: in the byte order of the file.
        rows: how many samples there are.
        offset: first byte of the first one.
    """

    dtype: np.dtype[Any]
    rows: int
    offset: int


@dataclass(frozen=True, slots=True)
class _Chunks:
    """Compressed samples that passed the checks.

    Attributes:
        dtype: in the byte order of the file.
        rows: how many samples there are.
        shape: of a chunk, without the samples' axis.
        grid: chunks of a sample along each of its axes.
        numbers: of the chunks that there are, rising; those of a sample follow one another.
        places: where each lies: `address`, `nbytes` and `mask`.
        filter: number of what packed them.
        size: bytes of a chunk.
    """

    dtype: np.dtype[Any]
    rows: int
    shape: tuple[int, ...]
    grid: tuple[int, ...]
    numbers: NDArray[np.int64]
    places: NDArray[Any]
    filter: int
    size: int


class SafeHdf5(ShardReader):
    """Reads samples of checked datasets.

    Args:
        file: the open file; the HDF5 in it is looked at when the first sample is read.
        locate: the names that lead from the root to the dataset of a spec, the dataset's the last.
        roots: the names that the root may hold; None for groups of a shape and dtype.
        stacked: the datasets are stacks (N, *shape), not single arrays.
    """

    def __init__(
        self,
        file: BinaryIO,
        locate: Callable[[Spec], tuple[str, ...]],
        *,
        roots: frozenset[str] | None,
        stacked: bool,
    ) -> None:
        self._file = CheckedFile(file)
        self._locate = locate
        self._roots = roots
        self._stacked = stacked
        self._groups: tuple[Hdf5File, int] | str = ""
        self._sources: dict[Spec, _Stack | _Chunks | str] = {}
        self._lzf = Lzf(0)

    def read(self, placement: Placement, spec: Spec) -> Array:
        """Read a row of the stack of this spec, or the single array."""
        try:
            source = self._sources.get(spec) or self._find(spec)
            if isinstance(source, str):
                raise CorruptError(source)
            row = placement.start
            if placement.length or not 0 <= row < source.rows:
                raise CorruptError(f"the stack of {source.rows} has no row {row}")
            if isinstance(source, _Stack):
                data = self._file.bytes(source.offset + row * spec.nbytes, spec.nbytes)
                return conform(array_from(data, source.dtype, spec.shape), spec)
            return self._assemble(source, row, spec)
        except _DAMAGE as error:
            raise CorruptError(f"damaged HDF5 file: {error}") from error

    def close(self) -> None:
        """Give memory back; the file is its opener's."""
        self._lzf.close()
        self._sources.clear()

    def _find(self, spec: Spec) -> _Stack | _Chunks | str:
        """Return what holds the samples of a spec, or why nothing does; to look again could take long."""
        found: _Stack | _Chunks | str
        try:
            found = self._look_for(spec)
        except CorruptError as error:
            found = str(error)
        except _DAMAGE as error:
            found = f"damaged HDF5 file: {error}"
        self._sources[spec] = found
        return found

    def _look_for(self, spec: Spec) -> _Stack | _Chunks | str:
        *above, last = self._locate(spec)
        self._groups = self._groups or self._open(above[:-1])
        if isinstance(self._groups, str):
            return self._groups
        container, address = self._groups
        members = container.members(address)
        if self._stacked:
            members = container.members(_follow(members, above[-1]))
            if members.keys() != {last, last.replace("images", "keys")}:
                return "a group holds something else than images and keys"
        return self._check(container, container.dataset(_follow(members, last)), spec)

    def _open(self, above: Sequence[str]) -> tuple[Hdf5File, int] | str:
        """Return the file and the address of the group of groups, or of the dataset; or what is wrong."""
        try:
            container = Hdf5File(self._file)
            address = container.root
            if self._roots is not None and container.members(address).keys() != self._roots:
                return "the HDF5 file holds something that brinery does not write"
            for name in above:
                address = _follow(container.members(address), name)
            for name in container.members(address) if self._stacked else ():
                if _GROUP.fullmatch(name) is None:
                    return f"the HDF5 file holds {name[:80]!r}, which brinery does not write"
        except CorruptError as error:
            return str(error)
        except _DAMAGE as error:
            return f"damaged HDF5 file: {error}"
        return container, address

    def _check(self, container: Hdf5File, dataset: StoredDataset, spec: Spec) -> _Stack | _Chunks:
        dtype = stored_dtype(dataset.datatype, spec.dtype)
        if dtype is None:
            raise CorruptError(f"the dataset is not of dtype {spec.dtype}, as the manifest says")
        axes = 1 if self._stacked else 0
        if len(dataset.shape) < axes or dataset.shape[axes:] != spec.shape:
            raise CorruptError(
                f"the dataset has shape {dataset.shape}, the manifest says {spec.shape} for a sample"
            )
        rows = dataset.shape[0] if axes else 1
        if dataset.chunk is not None:
            return self._check_chunks(container, dataset, dtype, rows, spec)
        if dataset.filters or dataset.nbytes != rows * spec.nbytes:
            raise CorruptError("the dataset is stored in a way that brinery does not use")
        if dataset.address is None and dataset.nbytes:
            raise CorruptError("the dataset's bytes were never written")
        offset = dataset.address or 0
        if offset + dataset.nbytes > self._file.size:
            raise CorruptError("the dataset is larger than the file")
        return _Stack(dtype, rows, offset)

    def _check_chunks(
        self, container: Hdf5File, dataset: StoredDataset, dtype: np.dtype[Any], rows: int, spec: Spec
    ) -> _Chunks:
        assert dataset.chunk is not None
        size = math.prod(dataset.chunk) * dtype.itemsize
        ((code, values), *others) = dataset.filters or ((0, ()),)
        if (
            others
            or size > spec.nbytes
            or dataset.itemsize != dtype.itemsize
            or (self._stacked and dataset.chunk[0] != 1)
            or code not in (_GZIP, _LZF)
            or (code == _LZF and values[2:3] != (size,))
        ):
            raise CorruptError("the dataset's chunks are not as brinery makes them")
        chunks = container.chunks(dataset)
        if (chunks["nbytes"] > packed_limit(size)).any():
            raise CorruptError("a chunk is longer than what it holds")
        lengths = np.array((*dataset.chunk, dtype.itemsize), np.uint64)
        grid = tuple(-(-whole // part) for whole, part in zip(dataset.shape, dataset.chunk, strict=True))
        places = chunks["place"] // lengths
        numbers = np.ravel_multi_index(tuple(places[:, :-1].T.astype(np.int64)), grid)
        if (
            (places * lengths != chunks["place"]).any()
            or places[:, -1].any()
            or (np.diff(numbers) <= 0).any()
        ):
            raise CorruptError("the dataset's chunks are out of order")
        axes = 1 if self._stacked else 0
        return _Chunks(dtype, rows, dataset.chunk[axes:], grid[axes:], numbers, chunks, code, size)

    def _assemble(self, source: _Chunks, row: int, spec: Spec) -> Array:
        """Put the chunks of a sample together."""
        count = math.prod(source.grid)
        first = int(np.searchsorted(source.numbers, row * count))
        chunks = source.places[first : first + count]
        ends = source.numbers[first : first + count][[0, -1]] if len(chunks) == count else ()
        if tuple(ends) != (row * count, (row + 1) * count - 1):  # they rise, so all between are there too
            raise CorruptError("a chunk is missing")
        packed = int(chunks["nbytes"].sum(dtype=np.uint64))
        if spec.nbytes > DEFLATE_RATIO * packed:
            raise CorruptError(f"chunks of {packed} bytes cannot hold an array of {spec.nbytes}")
        if source.shape == spec.shape:
            return conform(self._chunk(source, chunks[0]), spec)
        array = np.empty(spec.shape, spec.dtype)
        for place, chunk in zip(np.ndindex(source.grid), chunks, strict=True):
            at = tuple(slice(n * step, (n + 1) * step) for n, step in zip(place, source.shape, strict=True))
            part = array[at]
            part[...] = self._chunk(source, chunk)[tuple(map(slice, part.shape))]
        return array

    def _chunk(self, source: _Chunks, chunk: Any) -> Array:
        stored = self._file.bytes(int(chunk["address"]), int(chunk["nbytes"]))
        if chunk["mask"] > 1:
            raise CorruptError("a chunk went through other filters than its dataset")
        # HDF5 stores a chunk as it is where its filter would make it longer.
        data = stored if chunk["mask"] else self._expand(stored, source)
        return array_from(data, source.dtype, source.shape)

    def _expand(self, packed: bytes, source: _Chunks) -> bytes | memoryview:
        if source.filter == _LZF:
            if self._lzf.size != source.size:
                self._lzf.close()
                self._lzf = Lzf(source.size)
            return self._lzf.expand(packed)
        machine = zlib.decompressobj()
        data = machine.decompress(packed, source.size + 1)
        if not machine.eof or machine.unused_data:
            raise CorruptError("a chunk does not end where it should")
        return data


def _follow(members: dict[str, int | None], name: str) -> int:
    """Return the address of a member of a group, if it is there and behind a hard link."""
    address = members.get(name)
    if address is None:
        raise CorruptError(f"the HDF5 file has no {name[:80]!r} of its own")
    return address
