"""Huffman-coded scans of JPEGs, counted through without making pixels (ITU-T T.81, annexes C and F).

libjpeg says that bytes were left over behind a scan; only the codes tell whether they are padding or the
rest of an image in which the decoder lost its place. At about 2 s for each MB this is for doubtful images.
"""

import re
from itertools import islice
from typing import Final, NamedTuple

from .jpeg_layout import Layout, Scan

__all__ = ["ScanFault", "check_scans"]

_DHT: Final = 0xC4
_DRI: Final = 0xDD
_RESTART: Final = re.compile(rb"\xff+[\xd0-\xd7]")
_END: Final = 128  # what a code adds to the place in a block that it ends

_Table = list[int]
"""For 16 bits that may follow: bits of the code and its value << 8 | places that it moves on; 0 for none."""


class ScanFault(Exception):  # noqa: N818  # a verdict, which the caller words
    """A scan that does not hold the image: its text says why."""


class _Part(NamedTuple):
    """A component in a scan: its blocks in one MCU, and the tables of its codes."""

    blocks: int
    dc: _Table
    ac: _Table


def check_scans(data: bytes, layout: Layout) -> None:
    """Count through the scans of a sequential image.

    Padding behind a restart interval is sound, whatever its bytes, unless they go on with whole blocks.

    Raises:
        ScanFault: codes that do not exist, data that ends too early, or data that goes on.
    """
    for scan in layout.scans:
        _check_scan(data, layout, scan)


def _check_scan(data: bytes, layout: Layout, scan: Scan) -> None:
    parts, units = _parts(data, layout, scan)
    interval = _restart_interval(data, layout, scan) or units
    left = units
    for coded in _RESTART.split(data[scan.data : scan.end]):
        if left <= 0:
            raise ScanFault("more restart intervals than the image has")
        _check_interval(coded.rstrip(b"\xff").replace(b"\xff\0", b"\xff"), parts, min(interval, left))
        left -= interval
    if left > 0:
        raise ScanFault("premature end of data")


def _check_interval(coded: bytes, parts: list[_Part], units: int) -> None:
    bits = _Bits(coded)
    for _ in range(units):
        for part in parts:
            for _ in range(part.blocks):
                bits.block(part)
    if bits.left < 0:
        raise ScanFault("premature end of data")
    if bits.left >= 8 and (not bits.filled or _goes_on(bits, parts)):
        raise ScanFault(f"the decoder lost its place: {bits.left // 8:,} bytes of pixels are left over")


def _goes_on(bits: "_Bits", parts: list[_Part]) -> bool:
    """Return whether what is left is blocks that end where the data ends, filled up with ones."""
    again = bits.copy()
    try:
        while True:
            for part in parts:
                for _ in range(part.blocks):
                    again.block(part)
                    if again.left < 8:
                        return again.filled
    except ScanFault:
        return False


class _Bits:
    """Entropy-coded bytes without their stuffing, read code by code.

    Attributes:
        left: bits not read; below 0 where more were read than there are.
    """

    def __init__(self, coded: bytes) -> None:
        self._coded = coded
        self._at = 0  # of the next byte to take
        self._have = 0  # bits taken and not read
        self._bits = 0  # the low ones are those
        self.left = 8 * len(coded)

    def copy(self) -> "_Bits":
        """Return the same bits from the same place on."""
        other = _Bits(self._coded)
        other._at, other._have, other._bits, other.left = self._at, self._have, self._bits, self.left
        return other

    @property
    def filled(self) -> bool:
        """Whether the byte that was begun is filled up as encoders do, with ones or with zeros."""
        whole, size = divmod(self.left, 8)
        byte = self._coded[-whole - 1]
        in_zeros = not byte and not any(self._coded[-whole:][:whole])  # a hole has no end of its own
        return byte & ((1 << size) - 1) in {0, (1 << size) - 1} and not in_zeros

    def block(self, part: _Part) -> None:
        """Read one block."""
        coded, at, have, bits = self._coded, self._at, self._have, self._bits
        start = have - 8 * at
        place, table, ac = 0, part.dc, part.ac
        while place < 64:
            if have < 32:
                bits = (bits & ((1 << have) - 1)) << 64 | int.from_bytes(
                    coded[at : at + 8].ljust(8, b"\0"), "big"
                )
                have += 64
                at += 8
            code = table[bits >> (have - 16) & 0xFFFF]
            if not code:
                raise ScanFault(
                    "bad Huffman code" if 8 * at - have < 8 * len(coded) else "premature end of data"
                )
            have -= code >> 8
            place += code & 0xFF
            table = ac
        if 64 < place < _END:
            raise ScanFault("bad Huffman code")
        self._at, self._have, self._bits = at, have, bits
        self.left -= start - (have - 8 * at)
        if self.left < 0:
            raise ScanFault("premature end of data")


def _parts(data: bytes, layout: Layout, scan: Scan) -> tuple[list[_Part], int]:
    """Return the components of a scan, and how many MCUs it has (A.2)."""
    assert layout.frame is not None
    frame = layout.frame
    sampling = {identifier: divmod(factors, 16) for identifier, factors, _ in frame.components}
    widest = max(across for across, _ in sampling.values())
    highest = max(down for _, down in sampling.values())
    if not all(across and down for across, down in sampling.values()) or not scan.components:
        raise ScanFault("sampling factors that make no sense")
    tables = _tables(data, layout, scan)
    alone = len(scan.components) == 1
    parts = []
    for number, identifier in enumerate(scan.components):
        across, down = sampling.get(identifier, (0, 0))
        dc, ac = divmod(data[scan.start + 6 + 2 * number], 16)
        if not across or (0, dc) not in tables or (1, ac) not in tables:
            raise ScanFault("a scan without its tables")
        parts.append(_Part(1 if alone else across * down, tables[0, dc], tables[1, ac]))
    if alone:
        across, down = sampling[scan.components[0]]
        width = -(-frame.width * across // (8 * widest))
        height = -(-frame.height * down // (8 * highest))
    else:
        width, height = -(-frame.width // (8 * widest)), -(-frame.height // (8 * highest))
    return parts, width * height


def _restart_interval(data: bytes, layout: Layout, scan: Scan) -> int:
    found = 0
    for code, start, _ in layout.segments:
        if code == _DRI and start < scan.start:
            found = int.from_bytes(data[start + 4 : start + 6], "big")
    return found


def _tables(data: bytes, layout: Layout, scan: Scan) -> dict[tuple[int, int], _Table]:
    """Return the Huffman tables in force at a scan, by class and number (B.2.4.2)."""
    tables = {}
    for code, start, end in layout.segments:
        if code != _DHT or start > scan.start:
            continue
        at = start + 4
        while at + 17 <= end:
            kind, number = divmod(data[at], 16)
            counts = data[at + 1 : at + 17]
            values = data[at + 17 : at + 17 + sum(counts)]
            tables[kind, number] = _table(kind, counts, values)
            at += 17 + sum(counts)
    return tables


def _table(kind: int, counts: bytes, values: bytes) -> _Table:
    table: _Table = []
    value = iter(values)
    for length, count in enumerate(counts, 1):
        for symbol in islice(value, count):
            zeros, size = divmod(symbol, 16)
            if kind == 0:
                entry = (length + symbol) << 8 | 1
            elif size:
                entry = (length + size) << 8 | (zeros + 1)
            else:
                entry = length << 8 | (16 if zeros == 15 else _END)
            table += [entry] * (1 << (16 - length))
    return (table + [0] * (0x10000 - len(table)))[:0x10000]
