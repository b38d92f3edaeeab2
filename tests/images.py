"""Small archives that the tests make."""

import io
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image


def pixels(index, shape=(24, 32, 3), dtype="uint8"):
    """Smooth pixels that differ from image to image."""
    random = np.random.default_rng(index)
    coarse = random.integers(0, 255, (3, 4, *shape[2:]), dtype=dtype)
    rows = np.arange(shape[0]) * 3 // shape[0]
    columns = np.arange(shape[1]) * 4 // shape[1]
    return coarse[rows][:, columns]


def encoded(array, image_format="JPEG", **options):
    """The bytes of an image file."""
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, format=image_format, **options)
    return stream.getvalue()


def jpeg(index, shape=(24, 32, 3)):
    """A JPEG image of its own."""
    return encoded(pixels(index, shape), "JPEG", quality=90)


def png_chunk(name, data, crc=None):
    """A chunk of a PNG, with its checksum or another number for it."""
    told = zlib.crc32(name + data) if crc is None else crc
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", told)


def png_file(*chunks):
    """A PNG of these chunks: names and data."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


def images(count, start=0):
    """Names and bytes of some JPEG images."""
    return {f"set{index % 3}/{index:04}.jpg": jpeg(index) for index in range(start, start + count)}


def make_folder(path, files):
    for name, data in files.items():
        target = Path(path) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return Path(path)


def make_tar(path, files, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return Path(path)


def make_zip(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return Path(path)


MAKERS = {
    "folder": make_folder,
    "tar": make_tar,
    "zip": make_zip,
    "tar.gz": lambda path, files: make_tar(path, files, "w:gz"),
    "tar.xz": lambda path, files: make_tar(path, files, "w:xz"),
}


def as_pillow(data):
    """The reference: what Pillow decodes."""
    return np.asarray(Image.open(io.BytesIO(data)))
