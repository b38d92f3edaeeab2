"""The depth of an AVIF, from the boxes of its first image or of its track.

Sources: ISO/IEC 14496-12 (boxes), ISO/IEC 23008-12 (items and their properties), AV1-ISOBMFF 2.3 (av1C).
"""

import struct
from collections.abc import Iterator
from typing import Final

__all__ = ["avif_bits"]

_MAX_BOXES: Final = 10_000
_TO_ENTRY: Final = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
_Span = tuple[bytes, int, int]


def avif_bits(data: bytes) -> int:
    """Return the bits of a sample in the image that a decoder shows: a sequence's track or the primary item.

    A file whose boxes make no sense has 8 bits: the decoder refuses it.
    """
    try:
        top = list(_boxes(data, 0, len(data)))
        track = next((span for span in top if span[0] == b"moov"), None)
        if data[8:12] == b"avis" and track is not None:
            return _track_bits(data, track)
        meta = next((span for span in top if span[0] == b"meta"), None)
        return 8 if meta is None else _item_bits(data, meta)
    except (struct.error, IndexError):
        return 8


def _boxes(data: bytes, at: int, end: int) -> Iterator[_Span]:
    """Yield the boxes of a stretch: type, and where the content begins and ends."""
    for _ in range(_MAX_BOXES):
        if at + 8 > end:
            return
        size, kind, head = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        stop = end if size == 0 else min(at + size, end)
        if stop < at + head:
            return
        yield kind, at + head, stop
        at = stop


def _track_bits(data: bytes, track: _Span) -> int:
    """Return the greatest depth of the tracks' AV1 sample entries."""
    spans = [track]
    for kind in _TO_ENTRY[1:]:
        spans = [inner for span in spans for inner in _boxes(data, span[1], span[2]) if inner[0] == kind]
    entries = [entry for span in spans for entry in _boxes(data, span[1] + 8, span[2]) if entry[0] == b"av01"]
    # A visual sample entry takes 78 bytes before its boxes.
    found = [box for entry in entries for box in _boxes(data, entry[1] + 78, entry[2]) if box[0] == b"av1C"]
    return max((_av1c_bits(data, at) for _, at, _ in found), default=8)


def _item_bits(data: bytes, meta: _Span) -> int:
    """Return the depth of the primary item, or of the items that it is composed of."""
    boxes = {kind: (start, stop) for kind, start, stop in _boxes(data, meta[1] + 4, meta[2])}
    start, _ = boxes.get(b"pitm", (len(data), 0))
    primary = int.from_bytes(data[start + 4 : start + (6 if data[start] == 0 else 8)], "big")
    inner = {kind: (at, stop) for kind, at, stop in _boxes(data, *boxes.get(b"iprp", (0, 0)))}
    properties = list(_boxes(data, *inner.get(b"ipco", (0, 0))))
    links = _associations(data, *inner.get(b"ipma", (0, 0)))
    wanted = [primary, *_parts(data, boxes.get(b"iref", (0, 0)), primary)]
    depths = [8]
    for item in wanted:
        for index in links.get(item, ()):
            if 0 < index <= len(properties):
                kind, at, stop = properties[index - 1]
                if kind == b"av1C":
                    depths.append(_av1c_bits(data, at))
                elif kind == b"pixi":
                    depths += data[at + 5 : min(stop, at + 5 + data[at + 4])]
    return max(depths)


def _associations(data: bytes, at: int, end: int) -> dict[int, list[int]]:
    """Return the properties of each item, by their numbers from 1 (ipma)."""
    if at + 8 > end:
        return {}
    version, wide = data[at], data[at + 3] & 1
    count, at = int.from_bytes(data[at + 4 : at + 8], "big"), at + 8
    size, step, mask = (2 if version == 0 else 4), (2 if wide else 1), (0x7FFF if wide else 0x7F)
    links: dict[int, list[int]] = {}
    for _ in range(count):
        if at + size >= end:
            break
        item, many = int.from_bytes(data[at : at + size], "big"), data[at + size]
        at += size + 1
        numbers = [
            int.from_bytes(data[one : one + step], "big") & mask for one in range(at, at + many * step, step)
        ]
        links.setdefault(item, []).extend(numbers)
        at += many * step
    return links


def _parts(data: bytes, iref: tuple[int, int], primary: int) -> list[int]:
    """Return the items that a primary item is derived from, such as the tiles of a grid (dimg)."""
    start, stop = iref
    if start + 4 > stop:
        return []
    size = 2 if data[start] == 0 else 4
    for kind, at, _ in _boxes(data, start + 4, stop):
        if kind == b"dimg" and int.from_bytes(data[at : at + size], "big") == primary:
            first, count = at + size + 2, int.from_bytes(data[at + size : at + size + 2], "big")
            return [
                int.from_bytes(data[one : one + size], "big")
                for one in range(first, first + count * size, size)
            ]
    return []


def _av1c_bits(data: bytes, at: int) -> int:
    """Return bits by the flags high_bitdepth and twelve_bit."""
    return {0: 8, 0x20: 8, 0x40: 10, 0x60: 12}[data[at + 2] & 0x60]
