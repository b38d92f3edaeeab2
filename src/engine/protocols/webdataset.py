"""webdataset: a tar of one member a sample, `KEY.npy`, or an image by a codec where compressed.

Formats: see `tar_members` for the tar and the names, NEP 1 for npy, and `image_codecs`. A file of one array
holds it as `image`. What an image codec cannot hold is a `KEY.npy` beside the others.
"""

import io
from collections.abc import Iterator
from functools import lru_cache
from os import PathLike
from typing import BinaryIO, Final

import numpy as np

from ...errors import CorruptError
from .base import (
    Abilities,
    Array,
    Compression,
    OutputFile,
    Placement,
    Serializer,
    ShardReader,
    ShardWriter,
    Spec,
)
from .checks import CheckedFile, conform, pixels
from .image_codecs import IMAGE_COMPRESSIONS, LOSSY, ImageCodec, image_codec
from .npy import decode_npy, npy_header, npy_limit
from .tar_members import END, LONGEST_HEAD, head_of, key_of, member_head, member_name, padding

__all__ = ["WebDatasetSerializer"]

_NPY: Final = "npy"
_SINGLE: Final = "image"

_NPY_LINES: Final = """\
import io, numpy, tarfile, urllib.parse

with tarfile.open("{file}") as archive:
    samples = {{}}
    for member in archive:
        key = urllib.parse.unquote(member.name.removesuffix(".npy"))
        samples[key] = numpy.load(io.BytesIO(archive.extractfile(member).read()))
"""
_NPY_SINGLE: Final = """\
import io, numpy, tarfile

with tarfile.open("{file}") as archive:
    array = numpy.load(io.BytesIO(archive.extractfile("image.npy").read()))
"""
_IMAGE_LINES: Final = """\
import io, numpy, tarfile, urllib.parse
{imports}
with tarfile.open("{file}") as archive:
    samples = {{}}
    for member in archive:
        name, _, kind = member.name.rpartition(".")
        read = numpy.load if kind == "npy" else Image.open
        data = io.BytesIO(archive.extractfile(member).read())
        samples[urllib.parse.unquote(name)] = numpy.array(read(data))
"""
_IMAGE_SINGLE: Final = """\
import io, numpy, tarfile
{imports}
with tarfile.open("{file}") as archive:
    member = archive.next()
    read = numpy.load if member.name == "image.npy" else Image.open
    array = numpy.array(read(io.BytesIO(archive.extractfile(member).read())))
"""


_header = lru_cache(64)(npy_header)


class _TarWriter(ShardWriter):
    """Writes one member a sample."""

    def __init__(self, file: OutputFile, codec: ImageCodec | None) -> None:
        self._file = file
        self._codec = codec
        self._position = 0
        self._padding = b""
        self._placements: list[Placement] = []
        self._last: tuple[bytes, Spec] | None = None  # of an image codec

    def add(self, key: str, array: Array) -> None:
        self.put(member_name(key), array)

    def put(self, name: str, array: Array) -> Placement:
        """Write a member whose name lacks its kind, and say where."""
        image = None if self._codec is None else self._codec.encode(array)
        if self._codec is None or image is None:
            header = _header(array.shape, array.dtype)
            head = member_head(f"{name}.{_NPY}", len(header) + array.nbytes) + header
            self._put(head, pixels(array), len(head))
            self._last = None
        else:
            head = member_head(f"{name}.{self._codec.suffix}", len(image))
            self._put(head, image, None)
            self._last = image, Spec(array.dtype, array.shape)
        return self._placements[-1]

    def given_back(self) -> Array | None:
        if self._codec is None or self._last is None:
            return None
        return self._codec.decode(*self._last)

    def finish(self) -> list[Placement]:
        self._file.write(self._padding + END)
        return self._placements

    def _put(self, head: bytes, data: bytes | memoryview, payload: int | None) -> None:
        start = self._position + len(self._padding)
        self._file.write(self._padding + head)
        self._file.write(data)
        length = len(head) + len(data)
        self._placements.append(Placement(start, length, None if payload is None else start + payload))
        self._position = start + length
        self._padding = padding(length)


class _TarReader(ShardReader):
    """Reads members by their byte ranges, from the first header to the end of their data."""

    def __init__(self, file: BinaryIO, codec: ImageCodec | None) -> None:
        self._file = CheckedFile(file)
        self._codec = codec

    def read(self, placement: Placement, spec: Spec) -> Array:
        codec = self._codec
        limit = npy_limit(spec) if codec is None else max(npy_limit(spec), codec.limit(spec))
        if placement.length > LONGEST_HEAD + limit:
            raise CorruptError(
                f"a member of {placement.length} bytes is too long for an array of {spec.nbytes}"
            )
        record = self._file.bytes(placement.start, placement.length)
        name, begin = head_of(record)
        kind = name.rpartition(".")[2]
        data = memoryview(record)[begin:]
        if kind == _NPY:
            return conform(decode_npy(data, spec), spec)
        if codec is None or kind != codec.suffix:
            raise CorruptError(f"a member of kind {kind!r}, which is not this protocol's")
        return codec.decode(bytes(data), spec)


class WebDatasetSerializer(Serializer):
    """What streams into training: tars of arrays or images."""

    name = "webdataset"
    suffix = ".tar"
    abilities = Abilities(
        raw_payload=True, safe_load=True, portable=True, compressions=IMAGE_COMPRESSIONS, lossy=LOSSY
    )

    def __init__(self, compression: Compression | None = None) -> None:
        super().__init__(compression)
        self._codec = None if compression is None else image_codec(compression)

    def writer(self, file: OutputFile) -> ShardWriter:
        """Start a tar of one member a sample; a name or size that tar cannot hold is a MemberError."""
        return _TarWriter(file, self._codec)

    def dump(self, array: Array, file: OutputFile) -> Placement:
        """Write a tar of one member, `image`."""
        writer = _TarWriter(file, self._codec)
        placement = writer.put(_SINGLE, array)
        writer.finish()
        return placement

    def load(self, path: str | PathLike[str]) -> Array:
        """Read the one member with `tarfile`, and numpy or Pillow."""
        return next(self._load(path))[1]

    def load_shard(self, path: str | PathLike[str]) -> Iterator[tuple[str | None, Array]]:
        """Read member by member with `tarfile`, and numpy or Pillow."""
        for name, array in self._load(path):
            yield key_of(name), array

    def _load(self, path: str | PathLike[str]) -> Iterator[tuple[str, Array]]:
        import tarfile  # noqa: PLC0415 - known_protocols does not need it

        with tarfile.open(path, "r:") as archive:
            for member in archive:
                file = archive.extractfile(member)
                stream = io.BytesIO(
                    b"" if file is None else file.read()
                )  # numpy takes a member's own for a file
                if self._codec is None or member.name.endswith(f".{_NPY}"):
                    yield member.name, np.load(stream, allow_pickle=False)
                else:
                    yield member.name, self._codec.load(stream)

    def lines(self, file: str, *, single: bool) -> str:
        """Open the tar by `tarfile`, its members by numpy or Pillow."""
        if self._codec is None:
            return (_NPY_SINGLE if single else _NPY_LINES).format(file=file)
        return (_IMAGE_SINGLE if single else _IMAGE_LINES).format(file=file, imports=self._codec.imports)

    def shard_reader(self, file: BinaryIO) -> ShardReader:
        """Read members by their headers, which must be what brinery writes."""
        return _TarReader(file, self._codec)

    def single_reader(self, file: BinaryIO) -> ShardReader:
        """Read the one member as in a shard."""
        return _TarReader(file, self._codec)
