"""What a TIFF says of its pages: directories and tags, walked within bounds.

Sources: TIFF 6.0; BigTIFF; TIFF Technical Note 1 (SubIFDs); DNG 1.7 for what makes a camera raw.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...errors import DecodeError

__all__ = ["Page", "TiffFile"]

_SIZES: Final = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_WHOLE: Final = {
    1: "u1",
    3: "u2",
    4: "u4",
    6: "i1",
    7: "u1",
    8: "i2",
    9: "i4",
    13: "u4",
    16: "u8",
    17: "i8",
    18: "u8",
}
_MAX_PAGES: Final = 1_000_000
_MAX_SUB: Final = 64
_MAX_TAGS: Final = 4096

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266
STRIP_OFFSETS, ORIENTATION, SAMPLES, ROWS_PER_STRIP, STRIP_COUNTS, PLANAR = 273, 274, 277, 278, 279, 284
PREDICTOR, COLOUR_MAP, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS = 317, 320, 322, 323, 324, 325
DESCRIPTION, DEPTH = 270, 32997
SUB_DIRECTORIES, EXTRA, FORMAT, SUBSAMPLING, REFERENCE, XMP = 330, 338, 339, 530, 532, 700
_NEW_SUBFILE, _SUBFILE, _DNG = 254, 255, 50706
_REDUCED: Final = 1
_COLOUR_FILTER, _LINEAR_RAW = 32803, 34892


@dataclass(frozen=True, slots=True)
class Tag:
    """An entry of a directory: its type, how many values, where they lie, and where the entry does."""

    type: int
    count: int
    at: int
    entry: int


@dataclass(frozen=True, slots=True)
class Page:
    """One directory: an image of the file.

    Attributes:
        file: the file it stands in.
        tags: its entries by number; of equal ones the first.
        at: where it begins.
        link: where the file says where the next one begins.
    """

    file: "TiffFile"
    tags: dict[int, Tag]
    at: int
    link: int

    def values(self, number: int, limit: int = 1 << 12) -> NDArray[Any]:
        """Return the first `limit` whole numbers of a tag; none if it is missing or holds something else.

        Raises:
            DecodeError: they lie beyond the end of the file.
        """
        tag = self.tags.get(number)
        code = None if tag is None else _WHOLE.get(tag.type)
        if tag is None or code is None:
            return np.zeros(0, np.int64)
        dtype, count = np.dtype(self.file.order + code), min(tag.count, limit)
        if tag.at + count * dtype.itemsize > len(self.file.data):
            raise DecodeError(f"truncated: tag {number} lies beyond the end of the file")
        return np.frombuffer(self.file.data, dtype, count, tag.at)

    def numbers(self, number: int) -> tuple[int, ...]:
        """Return the whole numbers of a short tag, as `values` does."""
        return tuple(self.values(number).tolist())

    def number(self, number: int, default: int) -> int:
        """Return the first number of a tag, or the default."""
        return next(iter(self.values(number, 1).tolist()), default)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.number(WIDTH, 0), self.number(HEIGHT, 0)

    @property
    def orientation(self) -> int:
        """1 to 8; 0 where the tag says nothing."""
        value = self.number(ORIENTATION, 0)
        return value if 1 <= value <= 8 else 0

    @property
    def reduced(self) -> bool:
        """Whether it says to be a smaller copy of another image, or a mask of it."""
        return bool(self.number(_NEW_SUBFILE, 0) & 5) or self.number(_SUBFILE, 1) == 2

    def described(self) -> str:
        """Return how many samples of which depth a pixel has, for messages."""
        bits, formats = self.numbers(BITS) or (1,), self.numbers(FORMAT) or (1,)
        kinds = {1: "unsigned", 2: "signed", 3: "float", 5: "complex", 6: "complex"}
        depth = "/".join(map(str, sorted(set(bits))))
        kind = "/".join(sorted({kinds.get(number, "undefined") for number in formats}))
        return f"{self.number(SAMPLES, 1)} x {depth}-bit {kind} samples"


class TiffFile:
    """The directories of a TIFF, classic or Big, in either byte order.

    Args:
        data: the whole file.

    Raises:
        DecodeError: its first directory cannot be read.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.order = "<" if data[:2] == b"II" else ">"
        self.big = data[2:4] in {b"+\0", b"\0+"}
        self.first = self.directory(self.integer(8, 8) if self.big else self.integer(4, 4))

    def integer(self, at: int, size: int) -> int:
        """Return the unsigned number of `size` bytes at a place; beyond the end of the file, 0."""
        order: Any = "little" if self.order == "<" else "big"
        return int.from_bytes(self.data[at : at + size].ljust(size, b"\0"), order)

    def links(self) -> Iterator[int]:
        """Return where the pages begin, in their order; a chain that leads back to one of them ends there."""
        at, seen = self.first.at, set[int]()
        while at and at not in seen and len(seen) < _MAX_PAGES:
            seen.add(at)
            yield at
            link = self._end(at)[1]
            at = self.integer(link, 8 if self.big else 4)

    def sub_pages(self, page: Page) -> Iterator[Page]:
        """Yield the pages that hang below one; those that cannot be read are left out."""
        for at in page.numbers(SUB_DIRECTORIES)[:_MAX_SUB]:
            try:
                yield self.directory(at)
            except DecodeError:
                continue

    def check_first(self, *, every: bool) -> None:
        """Refuse a file whose first page is not its image, as camera raws are.

        Args:
            every: later pages are decoded as well, so that only those below the first one are lost.

        Raises:
            DecodeError: with what the first page is, and what the image would be.
        """
        page = self.first
        if self.data[8:10] == b"CR" and not self.big:
            raise DecodeError(
                "camera raw image (CR2): its first page is a preview, and the raw image is not decoded"
            )
        subs = list(self.sub_pages(page))
        if any(one.number(PHOTOMETRIC, 0) in {_COLOUR_FILTER, _LINEAR_RAW} for one in (page, *subs)):
            what = "DNG" if _DNG in page.tags else "colour filter array"
            raise DecodeError(
                f"camera raw image ({what}): {_first_page(page, subs)} the raw image is not decoded"
            )
        others = [one for one in subs if not one.reduced]
        if page.reduced and not every:
            others += [one for one in _later(self) if not one.reduced]
        area = max((one.size for one in others), key=_area, default=(0, 0))
        if _area(area) > _area(page.size):
            width, height = page.size
            raise DecodeError(
                f"the first page is a reduced copy of {width} x {height} pixels, as in camera raws; "
                f"the image of {area[0]} x {area[1]} is another page, which is not decoded"
            )

    def directory(self, at: int) -> Page:
        """Read the page that begins at a byte.

        Raises:
            DecodeError: it lies beyond the end of the file, or has more tags than a file needs.
        """
        step, inline = (20, 8) if self.big else (12, 4)
        entry, link = self._end(at)
        if not at or link > len(self.data):
            raise DecodeError(f"truncated: a directory at byte {at:,} lies beyond the end of the file")
        if link - entry > step * _MAX_TAGS:
            raise DecodeError(f"damaged: a directory of {(link - entry) // step:,} tags")
        tags: dict[int, Tag] = {}
        for place in range(entry, link, step):
            number, type_ = self.integer(place, 2), self.integer(place + 2, 2)
            values = self.integer(place + 4, inline)
            value_at = place + 4 + inline
            if values * _SIZES.get(type_, 1) > inline:
                value_at = self.integer(value_at, inline)
            tags.setdefault(number, Tag(type_, values, value_at, place))
        return Page(self, tags, at, link)

    def _end(self, at: int) -> tuple[int, int]:
        """Return where the tags of the directory at a byte begin and end."""
        head, step = (8, 20) if self.big else (2, 12)
        return at + head, at + head + step * self.integer(at, head)


def _later(file: TiffFile) -> Iterator[Page]:
    """Yield the next few pages behind the first, up to one that cannot be read."""
    for at in islice(file.links(), 1, _MAX_SUB):
        try:
            yield file.directory(at)
        except DecodeError:
            return


def _first_page(page: Page, subs: list[Page]) -> str:
    if page.number(PHOTOMETRIC, 0) in {_COLOUR_FILTER, _LINEAR_RAW} or not subs:
        return "it has no picture in colours,"
    width, height = page.size
    return f"its first page is a thumbnail of {width} x {height}"


def _area(size: tuple[int, int]) -> int:
    return size[0] * size[1]
