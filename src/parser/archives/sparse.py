"""Files with holes as GNU tar stores them: a map of their pieces, and the pieces one behind the other.

Source: the GNU tar manual, "Storing Sparse Files": the old format (type S), formats 0.0, 0.1 and 1.0 of pax.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Final, NamedTuple, TypeAlias

from .blocks import Blocks, Damage
from .members import Member
from .tarheader import BLOCK, number

__all__ = ["Pieces", "SparseFile", "WithHoles", "checked_pieces", "gnu_pieces", "pax_pieces"]

Pieces: TypeAlias = Sequence[tuple[int, int]]
"""Where each piece begins in the file, and its bytes."""

_MOST_PIECES: Final = 1 << 16
_LONGEST_LINE: Final = 21


class SparseFile(NamedTuple):
    """A member whose holes are not stored.

    Attributes:
        member: its size is that with holes, its offset where the pieces are stored.
        pieces: of it, in order.
    """

    member: Member
    pieces: Pieces


class WithHoles:
    """The bytes of a sparse file, holes filled with zeros; read forwards, but for the first read.

    Args:
        blocks: where the pieces are stored.
        file: whose bytes they are.
    """

    def __init__(self, blocks: Blocks, file: SparseFile) -> None:
        self._blocks = blocks
        self._stored = file.member.offset
        self._size = file.member.size
        self._starts = [start for start, _ in file.pieces]
        self._lengths = [length for _, length in file.pieces]
        self._before = [0, *accumulate(self._lengths)]
        self._head = b""
        self.position = 0

    def read(self, position: int, size: int) -> bytes:
        """As Blocks says."""
        if position or not self._head:
            data = self._filled(position, size)
        else:
            data = self._head[:size] + self._filled(len(self._head), size - len(self._head))
        if not position:
            self._head = data[:BLOCK]
        self.position = position + len(data)
        return data

    def _filled(self, position: int, size: int) -> bytes:
        end = min(position + size, self._size)
        data = bytearray(max(end - position, 0))
        piece = max(bisect_right(self._starts, position) - 1, 0)
        while piece < len(self._starts) and self._starts[piece] < end:
            start = self._starts[piece]
            first, last = max(start, position), min(start + self._lengths[piece], end)
            if first < last:
                stored = self._blocks.read(self._stored + self._before[piece] + first - start, last - first)
                if len(stored) < last - first:
                    raise Damage("cut off in a sparse file")
                data[first - position : last - position] = stored
            piece += 1
        return bytes(data)


def gnu_pieces(blocks: Blocks, header: bytes, offset: int) -> tuple[list[tuple[int, int]], int, int]:
    """Return the pieces and the size that a header of the old format tells, and where the stored bytes begin.

    Args:
        blocks: the tar's.
        header: the entry's block.
        offset: of what follows it: blocks of further pieces, each of which says whether one more follows.

    Raises:
        ValueError: a number is none.
    """
    pieces = _numbers(header[386:482])
    size = number(header[483:495])
    more = header[482:483]
    while more not in {b"", b"\0"}:
        block = blocks.read(offset, BLOCK)
        offset += BLOCK
        if len(pieces) <= _MOST_PIECES:
            pieces += _numbers(block[:504])
        more = block[504:505]
    return pieces, size, offset


def _numbers(fields: bytes) -> list[tuple[int, int]]:
    pairs = (fields[at : at + 24] for at in range(0, len(fields) - 23, 24))
    return [(number(pair[:12]), number(pair[12:])) for pair in pairs if pair[12:13] != b"\0"]


def pax_pieces(
    blocks: Blocks, pax: Mapping[bytes, bytes], offset: int, stored: int
) -> tuple[list[tuple[int, int]], int, int]:
    """Return the pieces and the size that pax records tell, and where the stored bytes begin.

    Args:
        blocks: the tar's.
        pax: the records.
        offset: of the entry's bytes, before which the map stands in format 1.0.
        stored: how many they are.

    Raises:
        ValueError: a number is none, or is missing.
    """
    size = pax.get(b"GNU.sparse.realsize") or pax.get(b"GNU.sparse.size") or b""
    if pax.get(b"GNU.sparse.major") == b"1":
        numbers, offset = _leading_map(blocks, offset, stored)
    else:
        numbers = [_decimal(text) for text in pax.get(b"GNU.sparse.map", b"").split(b",") if text]
    if len(numbers) % 2:
        raise ValueError("a piece without a size")
    return [*zip(numbers[::2], numbers[1::2], strict=True)], _decimal(size), offset


def _leading_map(blocks: Blocks, offset: int, stored: int) -> tuple[list[int], int]:
    """Return the map before the bytes in format 1.0: a number a line, first how many pieces follow."""
    end = offset + stored
    text = b""
    numbers: list[int] = []
    while not numbers or len(numbers) < 1 + 2 * numbers[0]:
        line, newline, text = text.partition(b"\n")
        if newline:
            numbers.append(_decimal(line))
            if numbers[0] > _MOST_PIECES:
                break
        else:
            if len(line) > _LONGEST_LINE or offset >= end:
                raise ValueError("a map without an end")
            text = line + blocks.read(offset, BLOCK)
            offset += BLOCK
    return numbers[1:], offset


def _decimal(text: bytes) -> int:
    if not text.isdigit() or len(text) > _LONGEST_LINE:
        raise ValueError(f"no number: {text[:40]!r}")
    return int(text)


def checked_pieces(pieces: list[tuple[int, int]], size: int, stored: int) -> Pieces:
    """Return the pieces that hold bytes, `stored` in all, one after the other in a file of that size.

    Raises:
        ValueError: they are not like that.
    """
    if len(pieces) > _MOST_PIECES:
        raise ValueError(f"more than {_MOST_PIECES:,} pieces")
    pieces = [piece for piece in pieces if piece[1]]
    end = 0
    for start, length in pieces:
        if start < end or length < 0:
            raise ValueError("pieces that overlap")
        end = start + length
    if end > size or sum(length for _, length in pieces) != stored:
        raise ValueError("pieces of another size than the file's")
    return pieces
