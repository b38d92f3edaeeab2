"""Packed bytes of zip members, unpacked within a bound that does not trust what they say of themselves."""

import io
import zlib
from typing import Any, Final

from ...errors import ReadError
from .members import Method

__all__ = ["unpack", "unpack_head"]

_DICTIONARY: Final = 256 << 20  # bytes that a decoder may hold to look back at
_ERRORS: Final = frozenset({"LZMAError", "ZstdError"})


def unpack(data: bytes, method: Method, size: int) -> bytes:
    """Unpack the whole of a member that should give `size` bytes; one more is the most that is made.

    Raises:
        ReadError: it gives more or fewer bytes, or is damaged.
    """
    unpacked, ended = _run(data, method, size, size + 1)
    if len(unpacked) > size:
        raise ReadError(f"damaged: unpacks to more than the {size:,} bytes that the archive says")
    if len(unpacked) < size or not ended:
        raise ReadError(f"truncated: unpacks to {len(unpacked):,} of {size:,} bytes")
    return unpacked


def unpack_head(data: bytes, method: Method, length: int) -> bytes:
    """Return the first `length` bytes, or as many as the beginning of a packed member gives.

    Raises:
        ReadError: it is damaged.
    """
    return _run(data, method, length, length)[0]


def _run(data: bytes, method: Method, size: int, limit: int) -> tuple[bytes, bool]:
    """At most `limit` unpacked bytes, and whether the packed ones came to their end."""
    unpacker: Any
    try:
        if method == "deflate":
            unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
            return unpacker.decompress(data, limit), unpacker.eof
        if method == "bzip2":
            import bz2  # noqa: PLC0415  # rare in zips

            unpacker = bz2.BZ2Decompressor()
            return unpacker.decompress(data, limit), unpacker.eof
        if method == "lzma":
            unpacker, data = _lzma(data, size)
            unpacked = unpacker.decompress(data, limit)
            # Without an end mark, which zip leaves optional, only the size tells.
            return unpacked, unpacker.eof or len(unpacked) == size
        if method == "xz":
            import lzma  # noqa: PLC0415  # rare in zips

            unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_DICTIONARY)
            return unpacker.decompress(data, limit), unpacker.eof
        if method == "zstd":
            unpacked = _zstd(data, limit)
            return unpacked, len(unpacked) == size
    except (zlib.error, OSError, EOFError, ValueError, MemoryError) as error:
        raise ReadError(f"damaged {method} data: {error}") from error
    except Exception as error:
        if type(error).__name__ not in _ERRORS:  # their modules are not imported for the others' sake
            raise
        raise ReadError(f"damaged {method} data: {error}") from error
    raise ReadError(f"packed by {method}, which brinery does not unpack")


def _lzma(data: bytes, size: int) -> tuple[Any, bytes]:
    """Return a decoder for LZMA in zip: version, length and bytes of properties (5.8), then a raw stream."""
    import lzma  # noqa: PLC0415  # rare in zips

    if len(data) < 9 or int.from_bytes(data[2:4], "little") != 5:
        raise ValueError("no LZMA properties")
    code, literal = divmod(data[4], 9)
    position, remaining = divmod(code, 5)
    options = {
        "id": lzma.FILTER_LZMA1,
        "lc": literal,
        "lp": remaining,
        "pb": position,
        # A longer dictionary than the data is never used, and would be allocated.
        "dict_size": min(max(int.from_bytes(data[5:9], "little"), 4096), max(size, 4096)),
    }
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[options]), data[9:]


def _zstd(data: bytes, limit: int) -> bytes:
    """At most `limit` bytes of Zstandard frames, one behind the other."""
    try:
        import zstandard  # noqa: PLC0415  # optional
    except ImportError as error:
        raise ReadError("packed by zstd, which needs zstandard: pip install 'brinery[formats]'") from error
    decoder = zstandard.ZstdDecompressor(max_window_size=_DICTIONARY)
    with decoder.stream_reader(io.BytesIO(data), read_across_frames=True) as stream:
        return stream.read(limit)
