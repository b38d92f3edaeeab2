"""The fields of a tar header (POSIX.1-2001 ustar and pax, GNU tar's and star's extensions)."""

import zlib
from typing import Final

__all__ = ["BLOCK", "ZEROS", "begins_tar", "is_header", "nanoseconds", "number", "pax_records", "stored_name"]

BLOCK: Final = 512
ZEROS: Final = bytes(BLOCK)
_ADLER_BASE: Final = 65521
_KEYWORDS: Final = frozenset(
    {b"path", b"linkpath", b"size", b"mtime"}
    | {b"GNU.sparse." + name for name in (b"name", b"realsize", b"size", b"major", b"minor", b"map")}
)
_PIECE: Final = frozenset({b"GNU.sparse.offset", b"GNU.sparse.numbytes"})


def is_header(block: bytes) -> bool:
    """Return whether a block of 512 bytes carries its own checksum.

    The sum of the bytes is taken from Adler-32's low half, twelve times as fast as summing in Python;
    it is known modulo 65521 only, of which the largest possible sum holds one multiple.
    """
    try:
        stored = int(block[148:154], 8)
    except ValueError:
        try:
            stored = number(block[148:156])
        except ValueError:
            return False
    field = sum(block[148:156])
    total = (zlib.adler32(block) & 0xFFFF) - 1
    if not (total - field + 256 - stored) % _ADLER_BASE:
        return True
    # Some old writers summed signed bytes.
    signed = sum(byte - 256 if byte > 127 else byte for byte in block[:148] + block[156:]) + 256
    return signed == stored


def begins_tar(head: bytes) -> bool:
    """Return whether two blocks begin a tar: a header, a damaged one with its magic, or the end marker."""
    block = head[:BLOCK]
    if len(block) < BLOCK:
        return False
    return block[257:262] == b"ustar" or (block == ZEROS and head[BLOCK:] in {ZEROS, b""}) or is_header(block)


def number(field: bytes) -> int:
    """Return a numeric field: octal digits, or GNU's and star's base 256 if the top bit is set.

    Raises:
        ValueError: it is neither.
    """
    if field[0] & 0x80:
        bits = 8 * len(field)
        value = int.from_bytes(field, "big")
        # Bit 0x40 is the sign: 0xff begins a negative number in two's complement.
        return value - (1 << bits) if field[0] & 0x40 else value - (1 << (bits - 1))
    text = field.partition(b"\0")[0].strip()
    if not text:
        return 0
    if not text.isdigit():
        raise ValueError(f"no octal number: {text!r}")
    return int(text, 8)


def stored_name(block: bytes) -> bytes:
    """Return the name in a header: the name field, after the prefix field in POSIX headers."""
    name = block[:100].partition(b"\0")[0]
    if block[345] and block[257:263] == b"ustar\0":
        # star keeps two times in the last 24 bytes of the prefix field and says so at the block's end.
        prefix = block[345:476] if block[508:512] == b"tar\0" else block[345:500]
        return prefix.partition(b"\0")[0] + b"/" + name
    return name


def pax_records(data: bytes, most: int) -> tuple[dict[bytes, bytes], int]:
    """Return the records of a pax extended header that a listing needs, and how many records it has in all.

    A record is `length keyword=value newline`, length in decimal bytes. The pieces of GNU's sparse format
    0.0, a record each, come together as the map that they are in 0.1.

    Raises:
        ValueError: a record that is not of that form, or more than `most` of them.
    """
    records: dict[bytes, bytes] = {}
    pieces: list[bytes] = []
    at = count = 0
    while at < len(data) and data[at]:
        count += 1
        if count > most:
            raise ValueError(f"more than {most:,} pax records")
        space = data.index(b" ", at, at + 21)
        digits = data[at:space]
        if not digits.isdigit():
            raise ValueError("a pax record without a length")
        end = at + int(digits)
        equals = data.find(b"=", space + 1, end - 1)
        if equals < 0 or end > len(data) or data[end - 1 : end] != b"\n":
            raise ValueError("a pax record that ends in the wrong place")
        keyword = data[space + 1 : equals]
        if keyword in _KEYWORDS:
            records[keyword] = data[equals + 1 : end - 1]
        elif keyword in _PIECE:
            pieces.append(data[equals + 1 : end - 1])
        at = end
    if pieces:
        records[b"GNU.sparse.map"] = b",".join(pieces)
    return records, count


def nanoseconds(text: bytes) -> int:
    """Return a pax time, decimal seconds with any fraction, in ns.

    Raises:
        ValueError: it is no such number.
    """
    seconds, _, fraction = text.strip().partition(b".")
    digits = fraction[:9].ljust(9, b"0")
    if not digits.isdigit() or len(seconds) > 20:
        raise ValueError(f"no time: {text[:40]!r}")
    whole = int(seconds) * 1_000_000_000
    return whole - int(digits) if seconds.startswith(b"-") else whole + int(digits)
