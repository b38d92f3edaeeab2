"""Images and archives that the parser's tests are made of."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from brinery.parser.archives.listing import list_archives
from brinery.parser.archives.members import Member, NotImage, Unreadable
from brinery.parser.archives.reading import MemberReader

from ..images import png_file

# What the signature takes for an image; its pixels do not matter where bytes are compared.
JPEG_LIKE = b"\xff\xd8\xff\xe0 as good as a picture "


def smooth(height, width, channels=3, seed=0):
    """Pixels like a photograph's: (H, W, C) uint8, or (H, W) for one channel."""
    small = np.random.default_rng(seed).integers(0, 256, (5, 6, channels), np.uint8)
    bands = [
        np.asarray(Image.fromarray(small[..., band]).resize((width, height), Image.Resampling.BICUBIC))
        for band in range(channels)
    ]
    return np.stack(bands, axis=-1) if channels > 1 else bands[0]


def encoded(image, kind, **options):
    """A Pillow image, or an array, as a file of that format."""
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def png(rows, depth, colour, width, height, *chunks, interlaced=False):
    """A PNG made by hand; `rows` in bytes lack their filters, those in a list have them."""
    if isinstance(rows, bytes):
        stride = len(rows) // height
        rows = [b"\0" + rows[at : at + stride] for at in range(0, len(rows), stride or 1)]

    header = struct.pack(">2I5B", width, height, depth, colour, 0, 0, int(interlaced))
    pixels = zlib.compress(b"".join(rows))
    return png_file((b"IHDR", header), *chunks, (b"IDAT", pixels), (b"IEND", b""))


def tag_place(data, page, number):
    """Where the value of a tag of a page of a TIFF stands."""
    at = int.from_bytes(data[4:8], "little")
    for _ in range(page):
        count = int.from_bytes(data[at : at + 2], "little")
        at = int.from_bytes(data[at + 2 + 12 * count :][:4], "little")
    count = int.from_bytes(data[at : at + 2], "little")
    entries = range(at + 2, at + 2 + 12 * count, 12)
    return next(entry + 8 for entry in entries if int.from_bytes(data[entry : entry + 2], "little") == number)


def listed(*sources):
    """The listing, whole."""
    return list(list_archives(list(sources)))


def contents(*sources):
    """What an archive gives: bytes by key; everything in it must be a readable member."""
    out = {}
    with MemberReader() as reader:
        for entry in list_archives(list(sources)):
            assert isinstance(entry, Member), entry
            assert entry.key not in out
            out[entry.key] = reader.read(entry)
    return out


def members(entries):
    return [entry for entry in entries if isinstance(entry, Member)]


def unreadable(entries):
    return [entry for entry in entries if isinstance(entry, Unreadable)]


def not_images(entries):
    return {entry.key: entry.reason for entry in entries if isinstance(entry, NotImage)}
