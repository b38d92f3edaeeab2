"""The safe path's reader of HDF5 files, for hdf5 and hickle.

Files can point anywhere: to other files (external storage and links, virtual datasets), to types that run
code (hickle's table, never touched here), to sizes that exhaust memory. So what is read must be a plain
dataset of numbers behind hard links, laid out as brinery writes it, and h5py only finds it: its bytes are
read from the file by range and inflated within bounds (lzf chunks by h5py, which bounds them).
"""

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from ...errors import CorruptError
from .base import Array, Placement, ShardReader, Spec
from .checks import CheckedFile, array_from, conform
from .frames import DEFLATE_RATIO
from .optional import library

__all__ = ["SafeHdf5"]

_GZIP, _LZF = 1, 32000  # numbers of the registered HDF5 filters
_GROUP = re.compile(r'"?(scalar|\d+(x\d+)*)-[a-z]+\d*"?')


@dataclass(frozen=True, slots=True)
class _Source:
    """A dataset that passed the checks.

    Attributes:
        dataset: the h5py.Dataset.
        dtype: its dtype, in its own byte order.
        rows: the number of samples in it.
        offset: first byte of its contiguous bytes, None if chunked.
        filter: number of the filter of its chunks, 0 if contiguous.
        whole: each chunk is one whole sample.
    """

    dataset: Any
    dtype: np.dtype[Any]
    rows: int
    offset: int | None
    filter: int
    whole: bool


class SafeHdf5(ShardReader):
    """Reads samples of checked datasets.

    Args:
        file: the open file; the HDF5 in it is opened at the first read.
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
        self._container: Any = None
        self._sources: dict[Spec, _Source] = {}

    def read(self, placement: Placement, spec: Spec) -> Array:
        """Read a row of the stack of this spec, or the single array."""
        try:
            source = self._sources.get(spec)
            if source is None:
                source = self._sources[spec] = self._find(spec)
            return self._read(source, placement, spec)
        except CorruptError:
            raise
        except Exception as error:
            # h5py passes HDF5's errors on as many classes of exceptions.
            raise CorruptError(f"damaged HDF5 file: {error}") from error

    def close(self) -> None:
        """Close the HDF5 file over the opener's file."""
        self._sources.clear()
        if self._container is not None:
            self._container.close()
            self._container = None

    def _open(self) -> Any:
        if self._container is None:
            container = library("h5py").File(self._file.file, "r")
            self._container = container
            names = set(container)
            if container.userblock_size:
                raise CorruptError("the HDF5 file begins with something else")
            if self._roots is None:
                self._check_groups(names)
            elif names != self._roots:
                raise CorruptError("the HDF5 file holds something that brinery does not write")
        return self._container

    def _check_groups(self, names: set[str]) -> None:
        for name in names:
            if _GROUP.fullmatch(name) is None:
                raise CorruptError(f"the HDF5 file holds {name[:80]!r}, which brinery does not write")

    def _find(self, spec: Spec) -> _Source:
        node: Any = self._open()
        h5py = library("h5py")
        *groups, last = self._locate(spec)
        for name in groups:
            node = _follow(node, name, h5py.Group)
        if self._stacked:
            if len(groups) > 1:
                self._check_groups(set(node.parent))
            keys = last.replace("images", "keys")
            if set(node) != {last, keys}:
                raise CorruptError("a group holds something else than images and keys")
        return self._check(_follow(node, last, h5py.Dataset), spec)

    def _check(self, dataset: Any, spec: Spec) -> _Source:
        h5py = library("h5py")
        kinds = (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.ENUM, h5py.h5t.COMPOUND)
        if dataset.id.get_type().get_class() not in kinds or dataset.is_virtual:
            raise CorruptError("the dataset is not of plain numbers")
        dtype, shape = dataset.dtype, dataset.shape
        if dtype.kind not in "buifc" or dtype.newbyteorder("=") != spec.dtype:
            raise CorruptError(f"the dataset has dtype {dtype}, the manifest says {spec.dtype}")
        sample = shape[1:] if self._stacked else shape
        if sample != spec.shape:
            raise CorruptError(f"the dataset has shape {shape}, the manifest says {spec.shape} for a sample")
        rows = shape[0] if self._stacked else 1
        plist = dataset.id.get_create_plist()
        if plist.get_external_count():
            raise CorruptError("the dataset's bytes are in another file")
        filters = [plist.get_filter(number) for number in range(plist.get_nfilters())]
        layout = plist.get_layout()
        if layout == h5py.h5d.CONTIGUOUS and not filters:
            offset = dataset.id.get_offset() or 0
            if offset + rows * spec.nbytes > self._file.size:
                raise CorruptError("the dataset is larger than the file")
            return _Source(dataset, dtype, rows, offset, 0, whole=False)
        if layout != h5py.h5d.CHUNKED or len(filters) != 1:
            raise CorruptError("the dataset is stored in a way that brinery does not use")
        code, _, values, _ = filters[0]
        chunk = dataset.chunks
        # The filter allocates what its parameter says.
        size = int(np.prod(chunk, dtype=np.uint64)) * dtype.itemsize
        if size > spec.nbytes or code not in (_GZIP, _LZF) or (code == _LZF and values[2:3] != (size,)):
            raise CorruptError("the dataset's chunks are not as brinery makes them")
        whole = chunk == ((1, *spec.shape) if self._stacked else spec.shape)
        # HDF5 fills what is missing with zeros; lzf packs less than deflate.
        if not whole and rows * spec.nbytes > DEFLATE_RATIO * dataset.id.get_storage_size():
            raise CorruptError("the dataset's chunks cannot hold what it declares")
        return _Source(dataset, dtype, rows, None, code, whole=whole)

    def _read(self, source: _Source, placement: Placement, spec: Spec) -> Array:
        row = placement.start
        if placement.length or not 0 <= row < source.rows:
            raise CorruptError(f"the stack of {source.rows} has no row {row}")
        if source.offset is not None:
            data = self._file.bytes(source.offset + row * spec.nbytes, spec.nbytes)
            return conform(array_from(data, source.dtype, spec.shape), spec)
        if source.whole:
            rank = len(source.dataset.shape)
            info = source.dataset.id.get_chunk_info_by_coord((row, *(0,) * (rank - 1)))
            if info.byte_offset is None:
                raise CorruptError("a chunk is missing")
            packed = self._file.bytes(info.byte_offset, info.size)
            if info.filter_mask:
                # HDF5 stores a chunk as it is where its filter would make it longer.
                return conform(array_from(packed, source.dtype, spec.shape), spec)
            if spec.nbytes > DEFLATE_RATIO * len(packed):
                raise CorruptError(f"a chunk of {len(packed)} bytes cannot hold an array of {spec.nbytes}")
            if source.filter == _GZIP:
                machine = zlib.decompressobj()
                data = machine.decompress(packed, spec.nbytes + 1)
                if not machine.eof or machine.unused_data:
                    raise CorruptError("a chunk does not end where it should")
                return conform(array_from(data, source.dtype, spec.shape), spec)
        array = np.empty(spec.shape, spec.dtype)
        source.dataset.read_direct(array, np.s_[row, ...] if self._stacked else np.s_[...])
        return array


def _follow(group: Any, name: str, kind: type) -> Any:
    """The member of a group, if it is of this kind and behind a hard link."""
    h5py = library("h5py")
    if type(group.get(name, getlink=True)) is not h5py.HardLink or group.get(name, getclass=True) is not kind:
        raise CorruptError(f"the HDF5 file has no {name[:80]!r} of its own")
    return group[name]
