"""The chunks of a PNG (third edition, and APNG in it): damage that its decoder does not look for.

Pillow checks neither the checksums of pixels nor whether there are enough of them, and needs no end.
"""

import zlib
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final, NamedTuple

from numpy.typing import NDArray

from ...errors import DecodeError

__all__ = ["PngFaults", "read_chunks"]

_SIGNATURE: Final = 8
_NEEDED: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"acTL", b"fcTL", b"fdAT", b"eXIf", b"IEND"})
_KNOWN_CRITICAL: Final = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
_EXIF: Final = b"Raw profile type exif\0"
_TEXTS: Final = {b"iTXt": b"XML:com.adobe.xmp\0\0", b"zTXt": _EXIF, b"tEXt": _EXIF}
_LONGEST_TEXT: Final = 1 << 16
_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS: Final = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}
_PASSES: Final = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
_MOST: Final = 1 << 20
_STEP: Final = 1 << 20


class _Chunk(NamedTuple):
    name: bytes
    start: int
    end: int
    sound: bool

    def body(self, data: bytes) -> bytes:
        """Return its data."""
        return data[self.start + 8 : self.end - 4]


class _Pixels:
    """A frame's compressed pixels: its size, and where they lie."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self.places: list[tuple[int, int]] = []


class PngFaults:
    """What is wrong with the frames of a PNG.

    Args:
        data: the file.
        bits: of a pixel.
        interlaced: whether its pixels come in seven passes.
    """

    def __init__(self, data: bytes, bits: int, *, interlaced: bool) -> None:
        self._data = data
        self._bits = bits
        self._interlaced = interlaced
        self.frames: list[_Pixels] = []
        self.known: dict[int, str] = {}

    def before(self, frame: int) -> str:
        """Return what is wrong with a frame by the look of its chunks; "" for nothing."""
        return self.known.get(frame, "")

    def after(self, frame: int, array: NDArray[Any]) -> str:
        """Return what is wrong with a frame that was decoded: rows that never came are all of one value."""
        row = array[-1]
        filled = frame == 0 and not self._interlaced and not (row == row[0]).all()
        if filled or frame >= len(self.frames):
            return ""
        pixels = self.frames[frame]
        wanted = sum(height * (1 + (width * self._bits + 7) // 8) for width, height in self._parts(pixels))
        found = self._unpacked(pixels, wanted)
        return f"truncated: {found:,} of {wanted:,} bytes of pixels are there" if found < wanted else ""

    def _parts(self, pixels: _Pixels) -> Iterator[tuple[int, int]]:
        if not self._interlaced:
            yield pixels.width, pixels.height
            return
        for left, top, across, down in _PASSES:
            width, height = -(-(pixels.width - left) // across), -(-(pixels.height - top) // down)
            if width > 0 and height > 0:
                yield width, height

    def _unpacked(self, pixels: _Pixels, wanted: int) -> int:
        """Count the bytes that a frame's pixels unpack to, up to as many as are wanted."""
        unpacker = zlib.decompressobj()
        found = 0
        try:
            for start, end in pixels.places:
                packed = self._data[start:end]
                while packed and found < wanted:
                    found += len(unpacker.decompress(packed, _STEP))
                    packed = unpacker.unconsumed_tail
        except zlib.error:
            return found
        return found


def read_chunks(data: bytes) -> tuple[bytes, PngFaults]:
    """Read a PNG's chunks.

    Returns:
        The file with the chunks that its pixels and its orientation need, each with a right checksum; and
        what is wrong with it.

    Raises:
        DecodeError: nothing of it can be decoded.
    """
    header = data[16:33]
    if len(header) < 17:
        raise DecodeError("damaged PNG: its header is cut off")
    depth, colour, interlaced = header[8], header[9], header[12]
    if depth not in _DEPTHS.get(colour, set()):
        raise DecodeError(f"damaged PNG: depth {depth} of colour type {colour}")
    faults = PngFaults(data, depth * _CHANNELS[colour], interlaced=bool(interlaced))
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    kept, palette = _follow(data, faults, (width, height))
    if not faults.frames:
        raise DecodeError("damaged PNG: no pixels")
    if colour == 3 and not palette:
        raise DecodeError("damaged PNG: its palette is missing")
    return _joined(data, kept), faults


def _follow(data: bytes, faults: PngFaults, size: tuple[int, int]) -> tuple[list[_Chunk], bool]:
    """Go through the chunks, and note what is wrong under the frame that it belongs to."""
    kept: list[_Chunk] = []
    palette = ended = False
    announced: tuple[int, int] | None = size  # of the frame whose pixels come next
    for chunk in _chunks(data):
        name = chunk.name
        if not _is_needed(chunk, data):
            continue
        frame = len(faults.frames) if announced or not faults.frames else len(faults.frames) - 1
        if name == b"fcTL" and faults.frames:
            body = chunk.body(data)
            announced = int.from_bytes(body[4:8], "big"), int.from_bytes(body[8:12], "big")
            frame = len(faults.frames)
        elif name in {b"IDAT", b"fdAT"}:
            if announced:
                faults.frames.append(_Pixels(*announced))
                announced = None
            skipped = 12 if name == b"fdAT" else 8
            faults.frames[-1].places.append((chunk.start + skipped, min(chunk.end - 4, len(data))))
        if not chunk.sound:
            what = "truncated" if chunk.end > len(data) else "wrong checksum"
            faults.known.setdefault(frame, f"{what} in its chunk {name.decode('latin-1')}")
        kept.append(chunk)
        palette |= name == b"PLTE"
        ended |= name == b"IEND"
        if ended:
            break
    if not ended and faults.frames:
        faults.known.setdefault(len(faults.frames) - 1, "truncated: its end is missing")
    return kept, palette


def _chunks(data: bytes) -> Iterator[_Chunk]:
    view = memoryview(data)
    at, count = _SIGNATURE, 0
    while at + 8 <= len(data):
        count += 1
        if count > _MOST:
            raise DecodeError(f"PNG of more than {_MOST:,} chunks")
        name = data[at + 4 : at + 8]
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if not name.isalpha():
            return
        sound = end <= len(data) and zlib.crc32(view[at + 4 : end - 4]) == int.from_bytes(
            data[end - 4 : end], "big"
        )
        yield _Chunk(name, at, end, sound)
        at = end


def _is_needed(chunk: _Chunk, data: bytes) -> bool:
    """Return whether a chunk is needed; a critical one that is unknown cannot be left out (5.4)."""
    if chunk.name in _NEEDED:
        return chunk.sound or chunk.name != b"eXIf"
    if chunk.name[:1].isupper() and chunk.name not in _KNOWN_CRITICAL:
        raise DecodeError(
            f"PNG with the unknown chunk {chunk.name.decode('latin-1')}, which its pixels depend on"
        )
    text = _TEXTS.get(chunk.name)
    if text is None or not chunk.sound or chunk.end - chunk.start > _LONGEST_TEXT:
        return False
    body = chunk.body(data)
    if not body.startswith(text):
        return False
    if chunk.name != b"zTXt":
        return True
    unpacker = zlib.decompressobj()
    try:
        unpacker.decompress(body[len(text) + 1 :], _LONGEST_TEXT)
    except zlib.error:
        return False
    return unpacker.eof


def _joined(data: bytes, kept: list[_Chunk]) -> bytes:
    """Return the file with these chunks only; the same bytes if it has no others."""
    adjacent = all(before.end == after.start for before, after in pairwise(kept))
    if adjacent and kept[0].start == _SIGNATURE and all(chunk.sound for chunk in kept):
        return data
    parts = [data[:_SIGNATURE]]
    for chunk in kept:
        part = data[chunk.start : chunk.end]
        if not chunk.sound and chunk.end <= len(data):
            part = part[:-4] + zlib.crc32(part[4:-4]).to_bytes(4, "big")
        parts.append(part)
    return b"".join(parts)
