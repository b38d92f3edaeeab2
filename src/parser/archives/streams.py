"""What a compressed file unpacks to: one stream or several joined, with padding between and behind them.

Sources: RFC 1952 (gzip), the .xz file format 1.2.1, RFC 8878 (zstd, with frames that a reader skips).
"""

import struct
import zlib
from collections.abc import Callable
from typing import Any, Final, Protocol

from ...errors import MissingLibraryError

__all__ = ["COMPRESSIONS", "Packed", "Streams", "TooLargeWindow", "compression_of"]

COMPRESSIONS: Final = ("gzip", "bzip2", "xz", "zstd")

_MAGIC: Final = {"gzip": b"\x1f\x8b", "bzip2": b"BZh", "xz": b"\xfd7zXZ\0", "zstd": b"\x28\xb5\x2f\xfd"}
_SKIPPED_FRAME: Final = b"\x2a\x4d\x18"  # behind a byte from 0x50 to 0x5f
_LONGEST_HEAD: Final = 18  # of a zstd frame
_CHUNK: Final = 1 << 16
_SMALL_PIECE: Final = 1 << 9  # a checksum that is wrong costs what is unpacked in the same call
_CHECKSUM: Final = 4  # bytes of it at the end of a zstd frame
_GZIP_TAIL: Final = 8
_LONGEST_GZIP_HEADER: Final = 1 << 18
_ZSTD_FEED: Final = 1 << 11  # four bytes can unpack to 128 KiB: no more than 64 MiB come of one call
_ZSTD_WINDOW: Final = 1 << 27  # what the zstd command unpacks unless it is told --long
_XZ_MEMORY: Final = 1 << 28


class TooLargeWindow(Exception):  # noqa: N818  # its text says what to do
    """Unpacking needs more memory than the budget: the bytes are not damaged."""


class Packed(Protocol):
    """A file's packed bytes, read forwards."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the end."""

    def tell(self) -> int:
        """Return how many were read."""

    def close(self) -> None:
        """Let go of the file."""


class _Unpacker(Protocol):
    """Unpacks one stream."""

    eof: bool
    unused_data: bytes

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Take in packed bytes; give what they unpack to, in pieces of about `max_length`."""

    @property
    def needs_input(self) -> bool:
        """Whether only more packed bytes give more."""


def compression_of(head: bytes) -> str | None:
    """Return the compression of a file that begins with these bytes; None if it is not in `COMPRESSIONS`."""
    for name, magic in _MAGIC.items():
        if head.startswith(magic):
            return name
    return "zstd" if _is_skipped_frame(head) else None


class Streams:
    """The bytes that a compressed file unpacks to.

    Zeros between and behind streams are padding; other bytes there are the end, as the tools have it.

    Args:
        file: the packed bytes.
        compression: one of `COMPRESSIONS`, or "deflate" without a header, as zips have it.

    Attributes:
        errors: what `read` may raise for damaged bytes, beside TooLargeWindow.
        left_over: where bytes begin that belong to no stream, once they are met.

    Raises:
        MissingLibraryError: zstd, and the library is not installed.
    """

    def __init__(self, file: Packed, compression: str) -> None:
        self._file = file
        self._compression = compression
        self._magic = _MAGIC.get(compression, b"")
        self._make, *errors = _library(compression)
        self._alone = compression == "deflate"  # no stream follows it, and nothing marks its beginning
        self._at_once = 8 * _ZSTD_FEED if compression == "zstd" else _CHUNK
        self._feed = _ZSTD_FEED if compression == "zstd" else _CHUNK
        self._piece = _SMALL_PIECE if compression in {"bzip2", "xz"} else _CHUNK
        self.errors: tuple[type[Exception], ...] = (OSError, EOFError, ValueError, MemoryError, *errors)
        self.left_over: int | None = None
        self._input = b""
        self._stream: _Unpacker | None = None
        self._ready, self._at = b"", 0

    def read(self, size: int) -> bytes:
        """Return some bytes, `size` at most; none at the end.

        Raises:
            TooLargeWindow: they need more memory than the budget.
            Exception: one of `errors`: the packed bytes are damaged or cut off, or cannot be read.
        """
        if self._at == len(self._ready):
            self._ready, self._at = self._more(), 0
        data = self._ready[self._at : self._at + size]
        self._at += len(data)
        return data

    def _more(self) -> bytes:
        """Return the next unpacked bytes; after the end of a stream, those of the next."""
        while self._stream is not None or self._begin():
            stream = self._stream
            assert stream is not None
            packed = self._packed() if stream.needs_input else b""
            try:
                data = stream.decompress(packed, self._piece)
            except Exception as error:
                if self._compression == "xz" and "limit" in str(error):
                    raise TooLargeWindow(_advice("xz", "a dictionary", _XZ_MEMORY)) from error
                raise
            if stream.eof:
                self._input = stream.unused_data + self._input
                self._stream = None
            if data:
                return data
        return b""

    def _packed(self) -> bytes:
        """Return the next packed bytes; a checksum at the end of the file comes alone, after its data."""
        if len(self._input) <= _CHECKSUM:
            self._input += self._file.read(self._at_once)
        if not self._input:
            raise EOFError("cut off in the middle of a stream")
        size = min(self._feed, len(self._input) - _CHECKSUM if len(self._input) > _CHECKSUM else _CHECKSUM)
        packed, self._input = self._input[:size], self._input[size:]
        return packed

    def _begin(self) -> bool:
        """Begin the next stream; False where none follows."""
        if self._compression == "deflate":
            self._alone, begins = False, self._alone
            self._stream = self._make() if begins else None
            return begins
        while self.left_over is None:
            self._fill(_LONGEST_HEAD)
            kept = len(self._input)
            self._input = self._input.lstrip(b"\0")
            if not self._input and kept:
                continue
            if len(self._input) < min(kept, _LONGEST_HEAD):
                self._fill(_LONGEST_HEAD)
            if self._input.startswith(self._magic):
                if self._compression == "zstd":
                    self._check_window()
                self._stream = self._make()
                return True
            if self._compression == "zstd" and _is_skipped_frame(self._input):
                self._skip(8 + int.from_bytes(self._input[4:8], "little"))
            elif self._input:
                self.left_over = self._file.tell() - len(self._input)
            else:
                return False
        return False

    def _fill(self, size: int) -> None:
        """Read ahead until `size` packed bytes are at hand, or the file ends."""
        while len(self._input) < size and (data := self._file.read(self._at_once)):
            self._input += data

    def _skip(self, size: int) -> None:
        while size > len(self._input):
            size -= len(self._input)
            self._input = self._file.read(self._at_once)
            if not self._input:
                raise EOFError("cut off in a frame that is to be skipped")
        self._input = self._input[size:]

    def _check_window(self) -> None:
        import zstandard  # noqa: PLC0415  # each only where it is needed

        window = zstandard.get_frame_parameters(self._input[:_LONGEST_HEAD]).window_size
        if window > _ZSTD_WINDOW:
            raise TooLargeWindow(_advice("zstd", f"a window of {window >> 20:,} MiB", _ZSTD_WINDOW))


def _is_skipped_frame(head: bytes) -> bool:
    return len(head) >= 8 and head[1:4] == _SKIPPED_FRAME and head[0] >> 4 == 5


def _advice(tool: str, what: str, budget: int) -> str:
    command = "zstd -d --long=31" if tool == "zstd" else "xz -d"
    return f"{tool} data with {what}; the budget is {budget >> 20} MiB: give the tar that `{command}` makes"


class _Deflate:
    """zlib's decompressor for bytes without a header, with the attributes that bz2's and lzma's have."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(-zlib.MAX_WBITS)
        self._full = False  # as much as was asked for: more may be ready inside although all input is taken

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail and not self._full

    def decompress(self, data: bytes, max_length: int) -> bytes:
        out = self._inner.decompress(data or self._inner.unconsumed_tail, max_length)
        self._full = len(out) == max_length and not self._inner.eof
        return out


class _Gzip:
    """A stream of gzip; it gives all bytes before it looks at their checksum, where zlib keeps the last."""

    def __init__(self) -> None:
        self._body = _Deflate()
        self._head: bytes | None = b""  # until it is whole
        self._crc = self._size = 0
        self.eof = False
        self.unused_data = b""
        self._tail = b""

    @property
    def needs_input(self) -> bool:
        if self._head is not None:
            return True
        return len(self._tail) < _GZIP_TAIL if self._body.eof else self._body.needs_input

    def decompress(self, data: bytes, max_length: int) -> bytes:
        if self._head is not None:
            self._head += data
            length = _gzip_header(self._head)
            if length is None:
                return b""
            data, self._head = self._head[length:], None
            if not data:
                return b""
        if not self._body.eof:
            out = self._body.decompress(data, max_length)
            self._crc, self._size = zlib.crc32(out, self._crc), self._size + len(out)
            if self._body.eof:
                self._tail = self._body.unused_data
            return out
        self._tail += data
        if len(self._tail) >= _GZIP_TAIL:
            if struct.unpack_from("<2I", self._tail) != (self._crc, self._size & 0xFFFFFFFF):
                raise zlib.error("its CRC-32 or its size is another one")
            self.eof, self.unused_data = True, self._tail[_GZIP_TAIL:]
        return b""


def _gzip_header(head: bytes) -> int | None:
    """Return the length of a gzip header (RFC 1952, 2.3); None if more bytes are needed to tell."""
    if len(head) < 10:
        return None
    if head[2] != 8:
        raise zlib.error(f"an unknown method: {head[2]}")
    flags, length = head[3], 10
    if flags & 4:
        if len(head) < length + 2:
            return None
        length += 2 + int.from_bytes(head[length : length + 2], "little")
    for flag in (8, 16):  # name, comment
        if flags & flag:
            end = head.find(b"\0", length)
            if end < 0:
                if len(head) > _LONGEST_GZIP_HEADER:
                    raise zlib.error("a header without an end")
                return None
            length = end + 1
    length += flags & 2  # two bytes of a checksum
    return length if length <= len(head) else None


class _Zstd:
    """zstandard's decompressor, which gives all that its input unpacks to at once."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._inner.unused_data)

    @property
    def needs_input(self) -> bool:
        return True

    def decompress(self, data: bytes, _: int) -> bytes:
        return bytes(self._inner.decompress(data))


def _library(compression: str) -> tuple[Callable[[], Any], *tuple[type[Exception], ...]]:
    """Return what makes an unpacker for one stream, and the errors of its own that it raises."""
    if compression == "gzip":
        return _Gzip, zlib.error
    if compression == "deflate":
        return _Deflate, zlib.error
    if compression == "bzip2":
        import bz2  # noqa: PLC0415

        return (bz2.BZ2Decompressor,)
    if compression == "xz":
        import lzma  # noqa: PLC0415

        return lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY), lzma.LZMAError
    try:
        import zstandard  # noqa: PLC0415
    except ImportError as error:
        raise MissingLibraryError("a .zst archive needs zstandard: pip install 'brinery[formats]'") from error
    unpacker = zstandard.ZstdDecompressor()
    return lambda: _Zstd(unpacker.decompressobj()), zstandard.ZstdError
