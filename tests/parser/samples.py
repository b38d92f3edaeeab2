"""Images and archives that the parser's tests are made of."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from brinery.parser.archives import list_archives
from brinery.parser.members import Member, NotImage, Unreadable
from brinery.parser.reading import MemberReader

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


def png(rows, depth, colour, width, height, *chunks):
    """A PNG made by hand, of depths that Pillow does not write; `rows` without filter bytes."""
    stride = len(rows) // height
    filtered = b"".join(b"\0" + rows[at : at + stride] for at in range(0, len(rows), stride))

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">2I5B", width, height, depth, colour, 0, 0, 0))
    middle = b"".join(chunk(name, data) for name, data in chunks)
    return (
        b"\x89PNG\r\n\x1a\n" + header + middle + chunk(b"IDAT", zlib.compress(filtered)) + chunk(b"IEND", b"")
    )


def tiff(planes, *, planar=False, packed=False, photometric=2, extra=(), sample_format=1):
    """A TIFF made by hand of planes (C, H, W), of kinds that Pillow does not write."""
    channels, height, width = planes.shape
    bits = 8 * planes.dtype.itemsize
    whole = [plane.tobytes() for plane in planes] if planar else [planes.transpose(1, 2, 0).tobytes()]
    strips = [zlib.compress(strip) for strip in whole] if packed else whole
    out = bytearray(b"II*\0\0\0\0\0")
    offsets = []
    for strip in strips:
        offsets.append(len(out))
        out += strip + b"\0" * (len(strip) % 2)
    tags = [
        (256, "I", [width]),
        (257, "I", [height]),
        (258, "H", [bits] * channels),
        (259, "H", [8 if packed else 1]),
        (262, "H", [photometric]),
        (273, "I", offsets),
        (277, "H", [channels]),
        (278, "I", [height]),
        (279, "I", [len(strip) for strip in strips]),
        (284, "H", [2 if planar else 1]),
        *([(338, "H", list(extra))] if extra else []),
        (339, "H", [sample_format] * channels),
    ]
    directory = len(out)
    beyond = directory + 2 + 12 * len(tags) + 4
    entries, tail = b"", b""
    for tag, code, values in tags:
        value = struct.pack(f"<{len(values)}{code}", *values)
        if len(value) > 4:
            value, tail = struct.pack("<I", beyond + len(tail)), tail + value + b"\0" * (len(value) % 2)
        entries += struct.pack("<2HI", tag, 3 if code == "H" else 4, len(values)) + value.ljust(4, b"\0")
    struct.pack_into("<I", out, 4, directory)
    return bytes(out) + struct.pack("<H", len(tags)) + entries + b"\0\0\0\0" + tail


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
