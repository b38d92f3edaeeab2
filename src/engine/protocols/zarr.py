"""zarr: a zip store with an array (N, H, W, C) for each shape and dtype, whose chunks are the samples.

Format: Zarr 3, in a zip whose members are stored and bear one fixed date. A chunk is a member of its own, so
that zarr reads a sample without those before it: inside a shard of the sharding codec it would have to read
from that member's start. Chunks go to the file as the arrays come; the arrays' metadata, with the keys as the
attribute `keys`, follow at the end. A file of one array holds it as one chunk, at the root.
"""

import json
import zipfile
from collections.abc import Iterator
from os import PathLike
from typing import Any, BinaryIO, cast

import numpy as np

from ...errors import MemberError
from .base import Abilities, Array, OutputFile, Placement, Serializer, ShardReader, ShardWriter, Spec
from .checks import RawReader, RecordReader, array_from, pixels
from .frames import FrameCodec, frame_codec
from .optional import library
from .stacks import group_name

__all__ = ["ZarrSerializer"]

_DTYPES = frozenset(
    {"bool", "float16", "float32", "float64", "complex64", "complex128"}
    | {f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)}
)
_MAX_DIMENSIONS = 31  # numpy took 32 before its version 2, and the stack adds one
_ZIP64_FROM = 1 << 31  # bytes
_ROOT = {"zarr_format": 3, "node_type": "group", "attributes": {}}
_OPEN = """\
import numpy, zarr

with zarr.storage.ZipStore("{file}", mode="r") as store:
"""
_SINGLE = '    array = numpy.asarray(zarr.open_array(store, mode="r")[...])\n'
_SAMPLES = """\
    samples = {
        key: numpy.asarray(stack[row])
        for _, stack in zarr.open_group(store, mode="r").arrays()
        for row, key in enumerate(stack.attrs["keys"])
    }
"""


def _array_metadata(
    shape: tuple[int, ...],
    chunk: tuple[int, ...],
    dtype: np.dtype[Any],
    codec: FrameCodec | None,
    attributes: dict[str, Any],
) -> dict[str, Any]:
    """Return the `zarr.json` of an array; where a dimension is 0 its chunks are 1 and there are none."""
    zero: Any = {"b": False, "c": [0.0, 0.0], "f": 0.0}.get(dtype.kind, 0)
    codecs: list[dict[str, Any]] = [{"name": "bytes", "configuration": {"endian": "little"}}]
    if codec is not None:
        configuration: dict[str, Any] = {"level": codec.level}
        if codec.imports != "gzip":
            configuration["checksum"] = False
        codecs.append({"name": "gzip" if codec.imports == "gzip" else "zstd", "configuration": configuration})
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": shape,
        "data_type": dtype.name,
        "chunk_grid": {
            "name": "regular",
            "configuration": {"chunk_shape": [max(1, length) for length in chunk]},
        },
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": zero,
        "codecs": codecs,
        "attributes": attributes,
    }


class _Zip:
    """Writes the members of a store."""

    def __init__(self, file: OutputFile, codec: FrameCodec | None) -> None:
        self._file = file
        self._codec = codec
        self._zip = zipfile.ZipFile(cast("BinaryIO", file), "w", zipfile.ZIP_STORED)

    def chunk(self, name: str, array: Array) -> Placement:
        """Write an array as one chunk; one without elements has no chunk."""
        if array.dtype.name not in _DTYPES:
            raise MemberError(f"zarr has no numbers of dtype {array.dtype}")
        if array.ndim > _MAX_DIMENSIONS:
            raise MemberError(f"zarr cannot stack arrays of {array.ndim} dimensions")
        if not array.nbytes:
            at = self._file.tell()
            return Placement(at, 0, at if self._codec is None else None)
        data = pixels(array) if self._codec is None else self._codec.compress(array.tobytes())
        start = self._member(name, data)
        return Placement(start, len(data), start if self._codec is None else None)

    def metadata(self, name: str, contents: dict[str, Any]) -> None:
        """Write a `zarr.json`."""
        self._member(name, json.dumps(contents, separators=(",", ":")).encode("ascii"))

    def array_metadata(
        self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], keys: list[str] | None = None
    ) -> None:
        """Write the `zarr.json` of a stack, whose chunks are its rows, or without keys of one chunk."""
        chunk = shape if keys is None else (1, *shape[1:])
        attributes = {} if keys is None else {"keys": keys}
        self.metadata(name, _array_metadata(shape, chunk, dtype, self._codec, attributes))

    def close(self) -> None:
        """Write the directory."""
        self._zip.close()

    def _member(self, name: str, data: bytes | memoryview) -> int:
        """Return where the data begins."""
        # Opened by name, a member gets zip's earliest date instead of the present one.
        with self._zip.open(name, "w", force_zip64=len(data) >= _ZIP64_FROM) as stream:
            start = self._file.tell()
            stream.write(data)
        return start

    def __del__(self) -> None:
        # An abandoned ZipFile would write its directory into a file that may be closed by now.
        self._zip.fp = None


def _chunk_name(*place: int) -> str:
    return "/".join(("c", *map(str, place)))


class _Writer(ShardWriter):
    """Streams chunks; keys are held until the end."""

    def __init__(self, file: OutputFile, codec: FrameCodec | None) -> None:
        self._zip = _Zip(file, codec)
        self._keys: dict[tuple[tuple[int, ...], np.dtype[Any]], list[str]] = {}
        self._placements: list[Placement] = []

    def add(self, key: str, array: Array) -> None:
        kind = (array.shape, array.dtype)
        keys = self._keys.get(kind, [])
        chunk = _chunk_name(len(keys), *(0 for _ in array.shape))
        self._placements.append(self._zip.chunk(f"{group_name(*kind)}/{chunk}", array))
        keys.append(key)
        self._keys[kind] = keys

    def finish(self) -> list[Placement]:
        for (shape, dtype), keys in self._keys.items():
            name = f"{group_name(shape, dtype)}/zarr.json"
            self._zip.array_metadata(name, (len(keys), *shape), dtype, keys)
        self._zip.metadata("zarr.json", _ROOT)
        self._zip.close()
        return self._placements


def _decode(data: bytes, spec: Spec) -> Array:
    return array_from(data, spec.dtype, spec.shape)


class _ChunkReader(RecordReader):
    """Reads compressed chunks; an array without elements has none."""

    def __init__(self, file: BinaryIO, codec: FrameCodec) -> None:
        super().__init__(file, _decode, lambda spec: spec.nbytes, codec)

    def read(self, placement: Placement, spec: Spec) -> Array:
        if not spec.nbytes and not placement.length:
            self._file.bytes(placement.start, 0)
            return array_from(b"", spec.dtype, spec.shape)
        return super().read(placement, spec)


class ZarrSerializer(Serializer):
    """Zarr 3 in a zip, written by hand; zarr loads it."""

    name = "zarr"
    suffix = ".zarr.zip"
    abilities = Abilities(raw_payload=True, safe_load=True, portable=True, compressions=("zstd", "gzip"))

    @property
    def codec(self) -> FrameCodec | None:
        """What compresses each chunk, or None."""
        return None if self.compression is None else frame_codec(self.compression)

    def writer(self, file: OutputFile) -> ShardWriter:
        """Start a group of stacks; long doubles and more than 31 dimensions are a MemberError."""
        return _Writer(file, self.codec)

    def dump(self, array: Array, file: OutputFile) -> Placement:
        """Write an array of one chunk."""
        store = _Zip(file, self.codec)
        placement = store.chunk(_chunk_name(*(0 for _ in array.shape)), array)
        store.array_metadata("zarr.json", array.shape, array.dtype)
        store.close()
        return placement

    def load(self, path: str | PathLike[str]) -> Array:
        """Load the array with `zarr.open_array`."""
        with library("zarr.storage").ZipStore(path, mode="r") as store:
            return np.asarray(library("zarr").open_array(store, mode="r")[...])

    def load_shard(self, path: str | PathLike[str]) -> Iterator[tuple[str | None, Array]]:
        """Load stack by stack with `zarr.open_group`, a row at a time."""
        with library("zarr.storage").ZipStore(path, mode="r") as store:
            for _, stack in library("zarr").open_group(store, mode="r").arrays():
                for row, key in enumerate(stack.attrs["keys"]):
                    yield key, np.asarray(stack[row])

    def lines(self, file: str, *, single: bool) -> str:
        """Open the store by zarr."""
        return _OPEN.replace("{file}", file) + (_SINGLE if single else _SAMPLES)

    def shard_reader(self, file: BinaryIO) -> ShardReader:
        """Read chunks where the manifest says that their bytes are."""
        codec = self.codec
        return RawReader(file) if codec is None else _ChunkReader(file, codec)

    def single_reader(self, file: BinaryIO) -> ShardReader:
        """Read the chunk where the manifest says that its bytes are."""
        return self.shard_reader(file)
