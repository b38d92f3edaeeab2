"""npz: a zip of npy members named by key, as `numpy.savez` makes.

Formats: APPNOTE 6.3 (zip64 where sizes need it), NEP 1. The members bear one fixed date, so that the same
samples give the same bytes. A file of one array holds it as `image`.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from os import PathLike
from typing import Any, BinaryIO, cast

import numpy as np

from ...errors import CorruptError, MemberError
from .base import Abilities, Array, OutputFile, Placement, Serializer, ShardReader, ShardWriter, Spec
from .checks import CheckedFile, conform, packed_limit, pixels
from .frames import DEFLATE_RATIO
from .npy import decode_npy, npy_header, npy_limit

__all__ = ["NpzSerializer"]

_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_ALLOWED_FLAGS = 0x800  # the name is UTF-8; encryption and sizes that follow the data are not ours
_ZIP64 = 0xFFFFFFFF
_ZIP64_FROM = 1 << 30  # deflated data may come out a little longer, and 2 GiB is where zip64 must begin
_SINGLE = "image"
_SAMPLES = "samples = {key: archive[key] for key in archive.files}"


class _ZipWriter(ShardWriter):
    """Writes one zip member a sample."""

    def __init__(self, file: OutputFile, method: int, level: int | None) -> None:
        self._file = file
        self._method = method
        self._zip = zipfile.ZipFile(cast("BinaryIO", file), "w", method, compresslevel=level)
        self._placements: list[Placement] = []

    def add(self, key: str, array: Array) -> None:
        name = f"{key}.npy"
        if "\0" in key or len(name.encode("utf-8")) > 0xFFFF:
            raise MemberError("a zip member's name takes at most 65535 bytes and no NUL")
        if name in self._zip.NameToInfo:
            raise MemberError(f"the zip has a member {name!r} already")
        header = npy_header(array.shape, array.dtype)
        start = self._file.tell()
        # Opened by name, a member gets zip's earliest date instead of the present one.
        with self._zip.open(name, "w", force_zip64=array.nbytes >= _ZIP64_FROM) as stream:
            payload = self._file.tell() + len(header) if self._method == zipfile.ZIP_STORED else None
            stream.write(header)
            stream.write(pixels(array))
        self._placements.append(Placement(start, self._file.tell() - start, payload))

    def finish(self) -> list[Placement]:
        self._zip.close()
        return self._placements

    def __del__(self) -> None:
        # An abandoned ZipFile would write its directory into a file that may be closed by now.
        self._zip.fp = None


class _ZipReader(ShardReader):
    """Reads members by their byte ranges, from the local header to the end of the data."""

    def __init__(self, file: BinaryIO, method: int) -> None:
        self._file = CheckedFile(file)
        self._method = method

    def read(self, placement: Placement, spec: Spec) -> Array:
        limit = npy_limit(spec)
        if placement.length > _LOCAL_HEADER.size + 2 * 0xFFFF + packed_limit(limit):
            raise CorruptError(
                f"a member of {placement.length} bytes is too long for an array of {spec.nbytes}"
            )
        record = self._file.bytes(placement.start, placement.length)
        if len(record) < _LOCAL_HEADER.size:
            raise CorruptError("no zip member fits there")
        magic, _, flags, method, _, _, crc, packed, size, name_size, extra_size = _LOCAL_HEADER.unpack_from(
            record
        )
        if magic != b"PK\3\4" or flags & ~_ALLOWED_FLAGS or method != self._method:
            raise CorruptError("no zip member as brinery writes it")
        data_at = _LOCAL_HEADER.size + name_size + extra_size
        if _ZIP64 in (packed, size):
            size, packed = self._zip64(record[data_at - extra_size : data_at])
        if data_at + packed != len(record) or not spec.nbytes <= size <= min(limit, DEFLATE_RATIO * packed):
            raise CorruptError("the zip member's sizes do not agree with the manifest")
        data = record[data_at:]
        if method == zipfile.ZIP_DEFLATED:
            data = self._inflate(data, limit)
        if len(data) != size or zlib.crc32(data) != crc:
            raise CorruptError("the zip member's checksum differs")
        return conform(decode_npy(data, spec), spec)

    @staticmethod
    def _zip64(extra: bytes) -> tuple[int, int]:
        if len(extra) != 20 or extra[:4] != b"\x01\x00\x10\x00":
            raise CorruptError("the zip member's 64-bit sizes are missing")
        size, packed = struct.unpack_from("<2Q", extra, 4)
        return size, packed

    @staticmethod
    def _inflate(data: bytes, limit: int) -> bytes:
        machine = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            result = machine.decompress(data, limit + 1)
        except zlib.error as error:
            raise CorruptError(f"damaged deflate stream: {error}") from error
        if not machine.eof or machine.unused_data:
            raise CorruptError("the deflate stream does not end where it should")
        return result


class NpzSerializer(Serializer):
    """numpy's archive of arrays."""

    name = "npz"
    suffix = ".npz"
    abilities = Abilities(raw_payload=True, safe_load=True, portable=True, compressions=("deflate",))

    @property
    def _method(self) -> int:
        return zipfile.ZIP_STORED if self.compression is None else zipfile.ZIP_DEFLATED

    def writer(self, file: OutputFile) -> ShardWriter:
        """Start a zip of one member a sample; a name that zip cannot hold is a MemberError."""
        return _ZipWriter(file, self._method, None if self.compression is None else self.compression.level)

    def dump(self, array: Array, file: OutputFile) -> Placement:
        """Write a zip of one member, `image`."""
        writer = self.writer(file)
        writer.add(_SINGLE, array)
        return writer.finish()[0]

    def load(self, path: str | PathLike[str]) -> Array:
        """Load `image` with `numpy.load`."""
        with np.load(path, allow_pickle=False) as members:
            array: Array = members[_SINGLE]
        return array

    def load_shard(self, path: str | PathLike[str]) -> Iterator[tuple[str | None, Array]]:
        """Load member by member with `numpy.load`."""
        with np.load(path, allow_pickle=False) as members:
            # By the members' full names: where both `a` and `a.npy` are keys, the short ones are ambiguous.
            for name in members.zip.namelist():
                array: Any = members[name]
                yield name.removesuffix(".npy"), array

    def lines(self, file: str, *, single: bool) -> str:
        """Call `numpy.load`."""
        found = f'array = archive["{_SINGLE}"]' if single else _SAMPLES
        return f'import numpy\n\nwith numpy.load("{file}") as archive:\n    {found}\n'

    def shard_reader(self, file: BinaryIO) -> ShardReader:
        """Read members by their local headers, checksums included."""
        return _ZipReader(file, self._method)

    def single_reader(self, file: BinaryIO) -> ShardReader:
        """Read the one member by its local header, checksum included."""
        return _ZipReader(file, self._method)
