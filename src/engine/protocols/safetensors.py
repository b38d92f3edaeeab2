"""safetensors: a header of names, dtypes, shapes and places in JSON, then the arrays' raw bytes.

Format: https://github.com/huggingface/safetensors, without metadata. The header comes first and is known
last, so a shard of large arrays begins with room for it: they go to the file as they come, in that order, and
what the header leaves of the room is spaces. Arrays that are small, that do not stand where their dtype is
aligned, or whose header takes much less or more than its room are written when all are known: byte for byte
what the library writes.
"""

import json
import math
import re
from collections.abc import Iterator
from os import PathLike
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from ...errors import MemberError
from .base import Abilities, Array, OutputFile, Placement, Serializer, ShardReader, ShardWriter
from .checks import RawReader, pixels
from .optional import library

__all__ = ["SafetensorsSerializer"]

# The library sorts by dtype in this order, the last one first, then by name.
_DTYPES = {
    np.dtype(name): stored
    for name, stored in (
        ("bool", "BOOL"),
        ("uint8", "U8"),
        ("int8", "I8"),
        ("int16", "I16"),
        ("uint16", "U16"),
        ("float16", "F16"),
        ("int32", "I32"),
        ("uint32", "U32"),
        ("float32", "F32"),
        ("complex64", "C64"),
        ("float64", "F64"),
        ("int64", "I64"),
        ("uint64", "U64"),
    )
}
_RANKS = {dtype: rank for rank, dtype in enumerate(_DTYPES)}
_quote = json.JSONEncoder(ensure_ascii=False).encode
_MAX_HEADER = 100_000_000  # bytes; the library refuses longer ones
_OFFSETS = 64  # bytes, at most, of an entry's two offsets and its comma
_STREAM_FROM = 64 * 1024  # bytes
_ROOM_FOR = 128 << 20  # bytes of arrays
_FEWEST = 64  # entries that there is room for, however large an array is
_MOST_ROOM = 32  # a file has at most one byte of padding for as many bytes of arrays
_SINGLE = "image"
_RESERVED = re.compile(r"\\*__metadata__")


def _name_of(key: str) -> str:
    """Return the name that a key has in the file: `__metadata__` means something else there."""
    return f"\\{key}" if _RESERVED.fullmatch(key) else key


def _key_of(name: str) -> str:
    return name[1:] if name.startswith("\\") and _RESERVED.fullmatch(name) else name


class _Tensor(NamedTuple):
    """An array of a file: its entry in the header up to the offsets, and where its bytes were put."""

    name: str
    dtype: np.dtype[Any]
    entry: str
    begin: int
    end: int

    @property
    def order(self) -> tuple[int, str]:
        """What the library sorts by."""
        return -_RANKS[self.dtype], self.name


def _tensor(name: str, array: Array, begin: int) -> _Tensor:
    dtype, shape = array.dtype, ",".join(map(str, array.shape))
    stored = _DTYPES.get(dtype)
    if stored is None:
        raise MemberError(f"safetensors has no numbers of dtype {dtype}")
    entry = f'{_quote(name)}:{{"dtype":"{stored}","shape":[{shape}],"data_offsets":'
    return _Tensor(name, dtype, entry, begin, begin + array.nbytes)


def _header(tensors: list[_Tensor]) -> bytes:
    """Return the bytes before arrays that stand one after the other in this order."""
    begin, entries = 0, []
    for tensor in tensors:
        end = begin + tensor.end - tensor.begin
        entries.append(f"{tensor.entry}[{begin},{end}]}}")
        begin = end
    return _framed(f"{{{','.join(entries)}}}".encode())


def _framed(text: bytes, size: int = 0) -> bytes:
    """Put the length before a header, and spaces behind it until all is of a size, or of whole words."""
    length = max(-(-len(text) // 8) * 8, size - 8)
    return length.to_bytes(8, "little") + text.ljust(length)


class _Writer(ShardWriter):
    """Writes large arrays as they come, and small ones at the end."""

    def __init__(self, file: OutputFile) -> None:
        self._file = file
        self._held: bytearray | None = None  # the arrays' bytes, unless they are in the file
        self._room = 0  # bytes before the arrays in the file
        self._position = 0
        self._header_bytes = 2
        self._tensors: list[_Tensor] = []
        self._names: set[str] = set()

    def add(self, key: str, array: Array) -> None:
        name, size = _name_of(key), array.nbytes
        tensor = _tensor(name, array, self._position)
        if name in self._names:
            raise MemberError(f"the file has a tensor {key!r} already")
        entry_bytes = len(tensor.entry.encode()) + _OFFSETS
        if self._header_bytes + entry_bytes > _MAX_HEADER:
            raise MemberError(f"a safetensors header takes at most {_MAX_HEADER} bytes")
        if not self._tensors:
            self._begin(size, entry_bytes)
        if self._held is None:
            self._file.write(array)
        else:
            self._held += pixels(array)
        self._position += size
        self._header_bytes += entry_bytes
        self._names.add(name)
        self._tensors.append(tensor)

    def _begin(self, size: int, entry_bytes: int) -> None:
        """Hold small arrays; leave room before large ones, for entries like that of the first."""
        if size < _STREAM_FROM:
            self._held = bytearray()
            return
        room = max(_FEWEST, _ROOM_FOR // size) * entry_bytes
        self._room = min(64 * math.ceil(room / 64), _MAX_HEADER)
        self._file.seek(self._room)

    def finish(self) -> list[Placement]:
        header = _header(self._tensors)
        aligned = all(tensor.begin % tensor.dtype.itemsize == 0 for tensor in self._tensors)
        spare = self._room - len(header)
        if self._held is not None or not aligned or not 0 <= spare <= self._position // _MOST_ROOM:
            return self._arrange()
        self._file.seek(0)
        self._file.write(_framed(header[8:], self._room))
        self._file.seek(self._room + self._position)
        return [
            Placement(self._room + tensor.begin, tensor.end - tensor.begin, self._room + tensor.begin)
            for tensor in self._tensors
        ]

    def _arrange(self) -> list[Placement]:
        """Write the whole file in the library's order."""
        held: bytes | bytearray | None = self._held
        if held is None:
            self._file.seek(self._room)
            held = self._file.read(self._position)
        ordered = sorted(self._tensors, key=lambda tensor: tensor.order)
        header = _header(ordered)
        self._file.seek(0)
        self._file.write(header)
        position, placements = len(header), {}
        for tensor in ordered:
            size = tensor.end - tensor.begin
            self._file.write(memoryview(held)[tensor.begin : tensor.end])
            placements[tensor.name] = Placement(position, size, position)
            position += size
        self._file.truncate(position)
        return [placements[tensor.name] for tensor in self._tensors]


class SafetensorsSerializer(Serializer):
    """The file format of Hugging Face's models."""

    name = "safetensors"
    suffix = ".safetensors"
    abilities = Abilities(raw_payload=True, safe_load=True, portable=True)

    def writer(self, file: OutputFile) -> ShardWriter:
        """Start a file of a tensor a sample; complex128 and long doubles are a MemberError."""
        return _Writer(file)

    def dump(self, array: Array, file: OutputFile) -> Placement:
        """Write what `safetensors.numpy.save_file` does of one tensor, `image`."""
        header = _header([_tensor(_SINGLE, array, 0)])
        file.write(header)
        file.write(pixels(array))
        return Placement(len(header), array.nbytes, len(header))

    def load(self, path: str | PathLike[str]) -> Array:
        """Load `image` with `safetensors.numpy.load_file`."""
        array: Array = library("safetensors.numpy").load_file(path)[_SINGLE]
        return array

    def load_shard(self, path: str | PathLike[str]) -> Iterator[tuple[str | None, Array]]:
        """Load tensor by tensor with `safetensors.safe_open`, in the order of the file."""
        with library("safetensors").safe_open(path, framework="np") as file:
            for name in file.offset_keys():
                yield _key_of(name), file.get_tensor(name)

    def lines(self, file: str, *, single: bool) -> str:
        """Call `safetensors.numpy.load_file`."""
        call = f'safetensors.numpy.load_file("{file}")'
        found = f'array = {call}["{_SINGLE}"]' if single else f"samples = {call}"
        return f"import safetensors.numpy\n\n{found}\n"

    def shard_reader(self, file: BinaryIO) -> ShardReader:
        """Read arrays where the manifest says that their bytes are."""
        return RawReader(file)

    def single_reader(self, file: BinaryIO) -> ShardReader:
        """Read the array where the manifest says that its bytes are."""
        return RawReader(file)
