"""Compression of one record at a time: standard frames, one after the other in the file.

Because every frame is complete, `gzip -d`, `zstd -d` and `lz4 -d` of a whole file give the records as they
would stand without compression. Formats: gzip is RFC 1952, zstd RFC 8878, lz4 the LZ4 frame format 1.6.
"""

import io
import zlib
from abc import ABC, abstractmethod
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, cast

from ...errors import CorruptError
from .base import Compression, Serializer
from .optional import library

__all__ = ["DEFLATE_RATIO", "FRAME_COMPRESSIONS", "Codec", "FrameCodec", "FramedSerializer", "frame_codec"]


DEFLATE_RATIO = 1032
"""Bytes that one byte of deflated data can give at most: a match of 258 bytes takes two bits."""


class Codec(ABC):
    """One compression at one level; the same input always gives the same bytes."""

    default_level: ClassVar[int]
    max_ratio: ClassVar[int]  # bytes that one packed byte can give at most

    def __init__(self, level: int | None = None) -> None:
        self.level = self.default_level if level is None else level

    @abstractmethod
    def compress(self, data: bytes) -> bytes:
        """Return one complete frame or block."""

    @abstractmethod
    def expand(self, data: bytes, limit: int) -> bytes:
        """Return what exactly one frame or block holds, never allocating more than about `limit` bytes.

        Raises:
            CorruptError: no single complete one, or more than `limit` bytes in it.
        """


class FrameCodec(Codec):
    """A compression whose frames may follow each other in a file."""

    suffix: ClassVar[str]
    imports: ClassVar[str]  # what the expression below needs
    opened: ClassVar[str]  # Python that opens a file of frames to be read, and peeked at

    @abstractmethod
    def open(self, path: str | PathLike[str]) -> BinaryIO:
        """Open a file of consecutive frames as one stream of what they hold, by the format's library."""


class _Gzip(FrameCodec):
    suffix = ".gz"
    default_level = 6
    max_ratio = DEFLATE_RATIO
    imports = "gzip"
    opened = 'gzip.open("{file}")'

    def compress(self, data: bytes) -> bytes:
        # zlib's own gzip header: no name, mtime 0.
        return zlib.compress(data, self.level, zlib.MAX_WBITS | 16)

    def expand(self, data: bytes, limit: int) -> bytes:
        machine = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            result = machine.decompress(data, limit + 1)
        except zlib.error as error:
            raise CorruptError(f"damaged gzip frame: {error}") from error
        _single(machine.eof, machine.unused_data, result, limit)
        return result

    def open(self, path: str | PathLike[str]) -> BinaryIO:
        return cast("BinaryIO", library("gzip").open(path, "rb"))


class _Zstd(FrameCodec):
    suffix = ".zst"
    default_level = 3
    max_ratio = 1 << 15  # a block of 128 KiB takes four bytes
    imports = "io, zstandard"
    opened = (
        "io.BufferedReader(\n"
        "    zstandard.ZstdDecompressor().stream_reader("
        'open("{file}", "rb"), read_across_frames=True)\n'
        ")"
    )

    def compress(self, data: bytes) -> bytes:
        return bytes(library("zstandard").ZstdCompressor(level=self.level).compress(data))

    def expand(self, data: bytes, limit: int) -> bytes:
        zstandard = library("zstandard")
        try:
            # The decoder allocates the size that the frame's header names, so that is checked first.
            size = zstandard.get_frame_parameters(data).content_size
            if size > limit:
                raise CorruptError(f"a zstd frame names {size} bytes where at most {limit} can be")
            decoder = zstandard.ZstdDecompressor()
            return bytes(decoder.decompress(data, allow_extra_data=False)) if size else b""
        except (zstandard.ZstdError, MemoryError) as error:
            raise CorruptError(f"damaged zstd frame: {error}") from error

    def open(self, path: str | PathLike[str]) -> BinaryIO:
        decoder = library("zstandard").ZstdDecompressor()
        return cast(
            "BinaryIO",
            decoder.stream_reader(Path(path).open("rb"), read_across_frames=True, closefd=True),
        )


class _Lz4(FrameCodec):
    suffix = ".lz4"
    default_level = 0
    max_ratio = 255
    imports = "lz4.frame"
    opened = 'lz4.frame.open("{file}")'

    def compress(self, data: bytes) -> bytes:
        frame = library("lz4.frame")
        return bytes(
            frame.compress(data, compression_level=self.level, content_checksum=True, store_size=True)
        )

    def expand(self, data: bytes, limit: int) -> bytes:
        machine: Any = library("lz4.frame").LZ4FrameDecompressor()
        try:
            result = bytes(machine.decompress(data, max_length=limit + 1))
        except (RuntimeError, ValueError, MemoryError, EOFError) as error:
            raise CorruptError(f"damaged lz4 frame: {error}") from error
        _single(machine.eof, machine.unused_data, result, limit)
        return result

    def open(self, path: str | PathLike[str]) -> BinaryIO:
        return cast("BinaryIO", library("lz4.frame").open(path, "rb"))


def _single(eof: bool, rest: bytes | None, result: bytes, limit: int) -> None:
    if not eof or rest or len(result) > limit:
        raise CorruptError(f"the record is not one complete frame of at most {limit} bytes")


_CODECS: dict[str, type[FrameCodec]] = {"gzip": _Gzip, "zstd": _Zstd, "lz4": _Lz4}

FRAME_COMPRESSIONS = tuple(_CODECS)
"""The compressions that any record format takes."""


def frame_codec(compression: Compression) -> FrameCodec:
    """Return the codec of one of `FRAME_COMPRESSIONS`."""
    return _CODECS[compression.name](compression.level)


class _Stream(io.RawIOBase):
    """What a decoder gives, without its file's number: numpy would read the compressed bytes there."""

    def __init__(self, decoder: BinaryIO) -> None:
        self._decoder = decoder

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._decoder.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._decoder.close()
        super().close()


class FramedSerializer(Serializer):
    """A serializer whose records stand one after the other, each in a frame where compressed."""

    @property
    def file_suffix(self) -> str:
        """Such as `.npy.zst`."""
        codec = self.codec
        return self.suffix if codec is None else self.suffix + codec.suffix

    @property
    def codec(self) -> FrameCodec | None:
        """What compresses each record, or None."""
        return None if self.compression is None else frame_codec(self.compression)

    def lines_around(self, file: str, modules: str, body: str) -> str:
        """Return Python that opens a file as `file`, its frames unpacked, and runs a body inside."""
        codec = self.codec
        imports = {*modules.split(", "), *(codec.imports.split(", ") if codec is not None else ())}
        opened = 'open("{file}", "rb")' if codec is None else codec.opened
        inside = "".join(f"    {line}\n" for line in body.splitlines())
        return f"import {', '.join(sorted(imports))}\n\nwith {opened.format(file=file)} as file:\n{inside}"

    def stream(self, path: str | PathLike[str]) -> io.BufferedReader:
        """Open a file to read its records one after the other; `peek(1)` is empty at the end."""
        codec = self.codec
        if codec is None:
            return Path(path).open("rb")
        return io.BufferedReader(_Stream(codec.open(path)), 1 << 17)
