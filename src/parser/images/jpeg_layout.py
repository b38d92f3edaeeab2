"""The segments and scans of a JPEG (ITU-T T.81, annex B), for those that are not plain."""

import re
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

__all__ = ["Frame", "Layout", "Scan", "Segment", "lost_scans", "read_layout", "tidied"]

_SOI: Final = b"\xff\xd8"
_EOI: Final = b"\xff\xd9"
_SOS: Final = 0xDA
_APP0: Final = 0xE0
_APP14: Final = 0xEE
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL: Final = frozenset({0xC0, 0xC1})
_PROGRESSIVE: Final = frozenset({0xC2, 0xCA})
_ARITHMETIC: Final = frozenset(range(0xC9, 0xD0)) - {0xCC}
_NO_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xD8)})
_UNUSED: Final = frozenset({*range(0xE1, 0xEE), 0xEF, 0xFE})  # APP1 to APP13, APP15, COM: no pixel needs them
_MARKER: Final = re.compile(rb"\xff[\x01-\xfe]")
_SCAN_END: Final = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")


class Segment(NamedTuple):
    """A marker and what belongs to it.

    Attributes:
        code: the marker's second byte.
        start: where the marker stands.
        end: behind the segment.
    """

    code: int
    start: int
    end: int


class Scan(NamedTuple):
    """A scan's header and data.

    Attributes:
        components: the identifiers of the components in it.
        first: its first coefficient, Ss.
        last: its last one, Se.
        high: the bit that an earlier scan gave, Ah; 0 for a first scan.
        low: the bit that this one gives, Al.
        start: where its marker stands.
        data: where the entropy-coded data begins.
        end: where the next marker stands, or the end of the file.
    """

    components: bytes
    first: int
    last: int
    high: int
    low: int
    start: int
    data: int
    end: int


class Frame(NamedTuple):
    """What the frame header says.

    Attributes:
        code: the marker's second byte, which names the coding process.
        precision: bits of a sample.
        width: in pixels.
        height: in pixels.
        components: identifier, sampling factors in one byte, number of the quantization table.
    """

    code: int
    precision: int
    width: int
    height: int
    components: tuple[tuple[int, int, int], ...]

    @property
    def sequential(self) -> bool:
        """Whether it is Huffman-coded and each scan gives its components whole."""
        return self.code in _SEQUENTIAL

    @property
    def progressive(self) -> bool:
        """Whether its scans add up."""
        return self.code in _PROGRESSIVE

    @property
    def arithmetic(self) -> bool:
        """Whether it is arithmetic-coded."""
        return self.code in _ARITHMETIC


class Layout(NamedTuple):
    """What a JPEG is made of, as far as it can be followed.

    Attributes:
        frame: the first frame header; None if there is none.
        segments: all before the end, scan headers included.
        scans: in order.
        ended: the end marker is there.
    """

    frame: Frame | None
    segments: tuple[Segment, ...]
    scans: tuple[Scan, ...]
    ended: bool


def read_layout(data: bytes) -> Layout:
    """Follow the segments as libjpeg does, which skips what stands between them; never raises."""
    frame: Frame | None = None
    segments: list[Segment] = []
    scans: list[Scan] = []
    ended = False
    for segment in _segments(data):
        code, start, end = segment
        if code == _EOI[1]:
            ended = True
            break
        segments.append(segment)
        if code in _FRAMES and frame is None:
            frame = _frame(code, data[start + 4 : end])
        elif code == _SOS:
            scans.append(_scan(data, start, end))
    return Layout(frame, tuple(segments), tuple(scans), ended)


def _segments(data: bytes) -> Iterator[Segment]:
    at = 2
    while found := _MARKER.search(data, at):
        start = found.start()
        code = data[start + 1]
        if code in _NO_LENGTH or code == _EOI[1]:
            at = start + 2
        else:
            at = start + 2 + max(2, int.from_bytes(data[start + 2 : start + 4], "big"))
        yield Segment(code, start, min(at, len(data)))
        if code == _SOS:
            at = _scan_end(data, at)


def _scan_end(data: bytes, at: int) -> int:
    found = _SCAN_END.search(data, at)
    return found.start() if found else len(data)


def _frame(code: int, body: bytes) -> Frame | None:
    if len(body) < 6:
        return None
    precision, height, width, count = struct.unpack_from(">BHHB", body)
    parts = [body[at : at + 3] for at in range(6, min(6 + 3 * count, len(body) - 2), 3)]
    return Frame(code, precision, width, height, tuple((part[0], part[1], part[2]) for part in parts))


def _scan(data: bytes, start: int, end: int) -> Scan:
    body = data[start + 4 : end]
    count = body[0] if body else 0
    spectral = body[1 + 2 * count : 4 + 2 * count].ljust(3, b"\0")
    high, low = divmod(spectral[2], 16)
    identifiers = body[1 : 1 + 2 * count : 2]
    return Scan(identifiers, spectral[0], spectral[1], high, low, start, end, _scan_end(data, end))


def tidied(data: bytes, layout: Layout, scan_ends: dict[int, int] | None = None) -> bytes:
    """Return the same image without what changes no pixel and only makes libjpeg warn.

    Bytes between segments and after the end go, and so do comments and profiles; JFIF gets version 1,
    a colour transform that is unknown is the one that libjpeg assumes, and the end marker is there.

    Args:
        data: the JPEG.
        layout: its layout.
        scan_ends: where the data of scans ends if not at the next marker, by the places of their markers.
    """
    parts = [_SOI]
    scans = {scan.start: scan for scan in layout.scans}
    whole = layout.frame is not None and layout.frame.code in _SEQUENTIAL | {0xC9}
    for code, start, end in layout.segments:
        if code in _UNUSED:
            continue
        body = data[start:end]
        if code == _APP0:
            body = _plain_jfif(body)
        elif code == _APP14:
            body = _plain_adobe(body, layout)
        elif code == _SOS and whole:
            body = body[:-3] + b"\0\x3f\0"
        parts.append(body)
        if code == _SOS:
            scan = scans[start]
            parts.append(data[scan.data : (scan_ends or {}).get(start, scan.end)])
    parts.append(_EOI)
    return b"".join(parts)


def _plain_jfif(body: bytes) -> bytes:
    return body[:9] + b"\1" + body[10:] if body[4:9] == b"JFIF\0" and len(body) > 9 else b""


def _plain_adobe(body: bytes, layout: Layout) -> bytes:
    if body[4:9] != b"Adobe" or len(body) < 16:
        return b""
    assumed = 1 if layout.frame is not None and len(layout.frame.components) == 3 else 2
    return body if body[15] in {0, 1, 2} else body[:15] + bytes([assumed]) + body[16:]


def lost_scans(layout: Layout) -> str:
    """Say which part of the image no scan gives; "" where all is there.

    A progressive image is whole when every coefficient of every component came down to its last bit with
    none left out (G.1.1.1), any other when every component was in a scan.
    """
    frame = layout.frame
    if frame is None:
        return "no frame header"
    if not layout.scans:
        return "no scan"
    if not frame.progressive:
        given = {component for scan in layout.scans for component in scan.components}
        missing = sum(identifier not in given for identifier, _, _ in frame.components)
        return f"no scan of {missing} of {len(frame.components)} components" if missing else ""
    bits: dict[int, list[int | None]] = {identifier: [None] * 64 for identifier, _, _ in frame.components}
    for scan in layout.scans:
        for component in scan.components:
            known = bits.get(component, [None] * 64)
            for place in range(scan.first, min(scan.last, 63) + 1):
                if scan.high and known[place] != scan.high:
                    return "a scan between its scans is missing"
                known[place] = scan.low
    lost = sum(bit != 0 for known in bits.values() for bit in known)
    return f"its last scans are missing ({lost} of {64 * len(bits)} coefficients)" if lost else ""
