"""Tiles of a JPEG 2000 codestream that are not there, which openjpeg leaves black without a word.

Source: ITU-T T.800, annex A (SIZ in A.5.1, SOT in A.4.2).
"""

import struct
from collections import Counter
from typing import Final

__all__ = ["largest_tile", "lost_tiles"]

_SOT: Final = b"\xff\x90"
_SIZ: Final = struct.Struct(">8I")
_PART: Final = struct.Struct(">HIBB")


def largest_tile(data: bytes, start: int) -> int:
    """Return the pixels of the largest tile that a codestream can have, by its header at `start`."""
    right, low, left, top, across, down, _, _ = _SIZ.unpack_from(data, start + 8)
    return int(min(across, max(0, right - left)) * min(down, max(0, low - top)))


def lost_tiles(data: bytes, start: int, end: int) -> str:
    """Say which tiles, or parts of them, a codestream lacks; "" where all are there.

    Args:
        data: the file.
        start: where the codestream begins: SOC, then SIZ.
        end: where it ends.
    """
    if start + 40 > end:
        return "it ends in its header"
    right, low, _, _, across, down, left, top = _SIZ.unpack_from(data, start + 8)
    if not (across and down):
        return "its tiles have no size"
    wanted = -(-(right - left) // across) * -(-(low - top) // down)
    at = start + 2
    while at + 4 <= end and data[at : at + 2] != _SOT:
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    found: Counter[int] = Counter()
    parts: dict[int, int] = {}
    while at + 12 <= end and data[at : at + 2] == _SOT:
        tile, length, _, count = _PART.unpack_from(data, at + 4)
        found[tile] += 1
        parts[tile] = max(parts.get(tile, 0), count)
        if length < 14:  # 0: to the end of the codestream
            break
        at += length
    if len(found) < wanted:
        return f"truncated: {len(found):,} of {wanted:,} tiles are there"
    lacking = sum(found[tile] < count for tile, count in parts.items())
    return f"truncated: parts of {lacking:,} of {wanted:,} tiles are missing" if lacking else ""
