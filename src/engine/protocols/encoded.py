"""encoded: the source's own images in a tar, as WebDataset reads it, decoded when they are read.

Formats: POSIX.1-2001 ustar, with a pax header before a member whose name is not ASCII or longer than 100
bytes. Time and owner are fixed, so that the same images give the same bytes. A file of one image is that
image.
"""

import tarfile
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from ...errors import CorruptError, DecodeError, MemberError
from ...parser.options import DecodeOptions
from .base import Abilities, Array, OutputFile, Placement, Serializer, ShardReader, SourceWriter, Spec
from .checks import CheckedFile, conform
from .encoded_names import key_of, member_name
from .tar_members import END, header, padding

__all__ = ["EncodedSerializer", "limited"]

_LONGEST_NAME: Final = 100
_MOST_BYTES: Final = 1 << 33  # eleven octal digits
_NO_IMAGE: Final = "encoded keeps the bytes of an image: there are none of this array"
_NATIVE: Final = DecodeOptions()
_LITTLE: Final = 1 << 20
_MARGIN: Final = 16

_SAMPLES: Final = """\
import numpy, tarfile
from PIL import Image

with tarfile.open("{file}") as archive:
    samples = {{}}
    for member in archive:
        samples[member.name] = numpy.asarray(Image.open(archive.extractfile(member)))
"""
_SINGLE: Final = """\
import numpy
from PIL import Image

array = numpy.asarray(Image.open("{file}"))
"""


def limited(options: DecodeOptions, spec: Spec) -> DecodeOptions:
    """Return options that refuse an image of far more pixels than the manifest says, before it is decoded.

    Its own channels and depth may be more than those that it is decoded to, and count against the budget.
    """
    pixels = 1
    for length in spec.shape[:2]:
        pixels *= length
    most = max(_LITTLE, _MARGIN * pixels, spec.nbytes)
    if most >= options.max_pixels:
        return options
    return DecodeOptions(
        options.mode, options.orient, options.frames, options.salvage, most, options.max_frames
    )


def _headers(name: str, size: int) -> bytes:
    """Return what stands before a member's bytes."""
    raw = name.encode()
    if len(raw) <= _LONGEST_NAME and name.isascii():
        return header(raw, size, b"0")
    text = b" path=%b\n" % raw
    length = len(text)
    while length != len(text) + len(str(length)):
        length = len(text) + len(str(length))
    record = b"%d%b" % (length, text)
    short = name.encode("ascii", "replace")[:_LONGEST_NAME]
    extended = header(b"././@PaxHeader", len(record), b"x") + record + padding(len(record))
    return extended + header(short, size, b"0")


def _bytes_of(image: Array) -> memoryview:
    """Return an image's bytes.

    Raises:
        MemberError: the array is no image's bytes.
    """
    if image.ndim != 1 or image.dtype != np.uint8:
        raise MemberError(_NO_IMAGE)
    return image.data


def _decoded(data: bytes, options: DecodeOptions = _NATIVE) -> Array:
    """Return the first frame of an image."""
    from ...parser.decode import decode_first  # noqa: PLC0415 - known_protocols loads no decoder

    return decode_first(data, options).array


class _TarWriter(SourceWriter):
    """Writes one member an image."""

    def __init__(self, file: OutputFile) -> None:
        self._file = file
        self._position = 0
        self._padding = b""
        self._placements: list[Placement] = []

    def add(self, key: str, array: Array) -> None:
        data = _bytes_of(array)
        size = len(data)
        if size >= _MOST_BYTES:
            raise MemberError("a tar's member takes less than 8 GiB")
        before = self._padding + _headers(member_name(key, data), size)
        self._file.write(before)
        self._file.write(data)
        start = self._position + len(before)
        self._padding = padding(size)
        self._position = start + size
        self._placements.append(Placement(start, size, None))

    def repeat(self) -> None:
        self._placements.append(self._placements[-1])

    def finish(self) -> list[Placement]:
        self._file.write(self._padding + END)
        return self._placements


class _ImageReader(ShardReader):
    """Reads images by their byte ranges and decodes their first frames."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = CheckedFile(file)

    def read(self, placement: Placement, spec: Spec) -> Array:
        data = self._file.bytes(placement.start, placement.length)
        try:
            return conform(_decoded(data, limited(_NATIVE, spec)), spec)
        except DecodeError as error:
            raise CorruptError(str(error)) from error


class EncodedSerializer(Serializer):
    """The images as they were, at a tenth of the size of arrays."""

    name = "encoded"
    suffix = ".tar"
    abilities = Abilities(raw_payload=False, safe_load=True, portable=True, keeps_source=True)

    @property
    def single_suffix(self) -> str:
        """Nothing: the file has the image's own name."""
        return ""

    def writer(self, file: OutputFile) -> SourceWriter:
        """Start a tar of one member an image."""
        return _TarWriter(file)

    def dump(self, array: Array, file: OutputFile) -> Placement:
        """Write the image's bytes."""
        data = _bytes_of(array)
        file.write(data)
        return Placement(0, len(data), None)

    def load(self, path: str | PathLike[str]) -> Array:
        """Decode the image."""
        return _decoded(Path(path).read_bytes())

    def load_shard(self, path: str | PathLike[str]) -> Iterator[tuple[str | None, Array]]:
        """Read member by member with `tarfile`, and decode."""
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                stream = archive.extractfile(member)
                if stream is not None:
                    yield key_of(member.name), _decoded(stream.read())

    def lines(self, file: str, *, single: bool) -> str:
        """Open the tar by `tarfile`, its images by Pillow."""
        return (_SINGLE if single else _SAMPLES).format(file=file)

    def shard_reader(self, file: BinaryIO) -> ShardReader:
        """Read images by their byte ranges; the tar's headers are not looked at."""
        return _ImageReader(file)

    def single_reader(self, file: BinaryIO) -> ShardReader:
        """Read the one image."""
        return _ImageReader(file)
