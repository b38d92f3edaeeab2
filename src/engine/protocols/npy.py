"""npy: stacks (N, H, W, C) of consecutive samples of one shape and dtype, one npy file after the other.

Format: NEP 1, version 1.0 of the header. `numpy.load` on the open file gives one stack after the other.
Arrays go to the file as they come, so no memory is held: the header is written with room for any N and
patched when a run of equal shapes ends. Compressed, each frame is one npy file of one array.
"""

import io
import re
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ...errors import CorruptError
from .base import Abilities, Array, OutputFile, Placement, ShardReader, ShardWriter, Spec
from .checks import RawReader, RecordReader, array_from, pixels
from .frames import FRAME_COMPRESSIONS, Codec, FramedSerializer

__all__ = ["NpySerializer", "decode_npy", "npy_bytes", "npy_header", "npy_limit"]

_MAGIC = b"\x93NUMPY\x01\x00"
_ALIGN = 64
_MAX_HEADER = 4096
_HEADER = re.compile(
    r"\{'descr': '([|<>=][buifc]\d{1,2})', 'fortran_order': (True|False), 'shape': \(([\d, ]*)\), \} *\n"
)


_FRAMES = """\
stream = io.BytesIO(file.read())
arrays = []
while stream.tell() < len(stream.getbuffer()):
    arrays.append(numpy.load(stream))"""


def npy_header(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    """Return the header that `numpy.save` writes for a C-contiguous array."""
    file = io.BytesIO()
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


def npy_bytes(array: Array) -> bytes:
    """Return the file that `numpy.save` writes, in one piece."""
    return b"".join((npy_header(array.shape, array.dtype), pixels(array)))


def npy_limit(spec: Spec) -> int:
    """Return the most bytes that an npy file of this spec takes."""
    return spec.nbytes + _MAX_HEADER


def decode_npy(data: bytes | memoryview, _spec: Spec) -> Array:
    """View the array in a whole npy file of plain numbers.

    Raises:
        CorruptError: anything else: other kinds of dtype, lengths that don't agree.
    """
    end = 10 + int.from_bytes(data[8:10], "little")
    if data[:8] != _MAGIC or end > min(len(data), _MAX_HEADER):
        raise CorruptError("no npy header of version 1.0")
    match = _HEADER.fullmatch(str(data[10:end], "latin-1"))
    if match is None:
        raise CorruptError("the npy header is not of a plain array")
    try:
        dtype = np.dtype(match[1])
        shape = tuple(int(length) for length in match[3].replace(" ", "").split(",") if length)
    except (TypeError, ValueError) as error:
        raise CorruptError(f"the npy header is damaged: {error}") from error
    payload = memoryview(data)[end:]
    if match[2] == "True":
        return array_from(payload, dtype, shape[::-1]).transpose()
    return array_from(payload, dtype, shape)


class _StackWriter(ShardWriter):
    """Streams runs of equal arrays; nothing is kept but placements."""

    def __init__(self, file: OutputFile) -> None:
        self._file = file
        self._position = 0
        self._run: tuple[tuple[int, ...], np.dtype[Any]] | None = None
        self._header_at = 0
        self._header_size = 0
        self._nbytes = 0
        self._count = 0
        self._placements: list[Placement] = []

    def add(self, key: str, array: Array) -> None:  # noqa: ARG002 - npy files hold no keys
        run = (array.shape, array.dtype)
        if run != self._run:
            self._end_run()
            self._start_run(run, array.nbytes)
        self._file.write(array)
        self._count += 1

    def finish(self) -> list[Placement]:
        self._end_run()
        return self._placements

    def _start_run(self, run: tuple[tuple[int, ...], np.dtype[Any]], nbytes: int) -> None:
        shape, dtype = run
        longest = len(_MAGIC) + 2 + len(self._text((10**19, *shape), dtype)) + 1
        self._run = run
        self._nbytes = nbytes
        self._count = 0
        self._header_at = self._position
        self._header_size = -(-longest // _ALIGN) * _ALIGN
        self._file.write(self._header())
        self._position += self._header_size

    def _end_run(self) -> None:
        if self._run is None:
            return
        self._file.seek(self._header_at)
        self._file.write(self._header())
        nbytes, first = self._nbytes, self._position
        self._position = first + self._count * nbytes
        starts = [first + at * nbytes for at in range(self._count)]
        self._placements += [Placement(start, nbytes, start) for start in starts]
        self._file.seek(self._position)
        self._run = None

    def _header(self) -> bytes:
        assert self._run is not None
        shape, dtype = self._run
        size = self._header_size - len(_MAGIC) - 2
        text = self._text((self._count, *shape), dtype).ljust(size - 1) + "\n"
        return _MAGIC + size.to_bytes(2, "little") + text.encode("ascii")

    @staticmethod
    def _text(shape: tuple[int, ...], dtype: np.dtype[Any]) -> str:
        return f"{{'descr': '{dtype.str}', 'fortran_order': False, 'shape': {shape}, }}"


class _FrameWriter(ShardWriter):
    """Writes each array as an npy file of its own in a frame."""

    def __init__(self, file: OutputFile, codec: Codec) -> None:
        self._file = file
        self._codec = codec
        self._position = 0
        self._placements: list[Placement] = []

    def add(self, key: str, array: Array) -> None:  # noqa: ARG002 - npy files hold no keys
        frame = self._codec.compress(npy_bytes(array))
        self._file.write(frame)
        self._placements.append(Placement(self._position, len(frame), None))
        self._position += len(frame)

    def finish(self) -> list[Placement]:
        return self._placements


class NpySerializer(FramedSerializer):
    """numpy's own file format."""

    name = "npy"
    suffix = ".npy"
    abilities = Abilities(
        raw_payload=True, safe_load=True, portable=True, compressions=FRAME_COMPRESSIONS, one_stack=True
    )

    def writer(self, file: OutputFile) -> ShardWriter:
        """Start a shard of stacks, or of one npy file a frame."""
        codec = self.codec
        return _StackWriter(file) if codec is None else _FrameWriter(file, codec)

    def dump(self, array: Array, file: OutputFile) -> Placement:
        """Write what `numpy.save` does."""
        if self.codec is not None:
            frame = self.codec.compress(npy_bytes(array))
            file.write(frame)
            return Placement(0, len(frame), None)
        header = npy_header(array.shape, array.dtype)
        file.write(header)
        file.write(pixels(array))
        return Placement(0, len(header) + array.nbytes, len(header))

    def load(self, path: str | PathLike[str]) -> Array:
        """Load the array with `numpy.load`."""
        if self.codec is None:
            array: Array = np.load(path, allow_pickle=False)
            return array
        with self.stream(path) as stream:
            return np.lib.format.read_array(stream, allow_pickle=False)

    def load_shard(self, path: str | PathLike[str]) -> Iterator[tuple[str | None, Array]]:
        """Load stack by stack with `numpy.load` on the open file."""
        if self.codec is not None:
            with self.stream(path) as stream:
                while stream.peek(1):
                    yield None, np.lib.format.read_array(stream, allow_pickle=False)
            return
        with Path(path).open("rb") as file:
            while file.peek(1):
                for array in np.load(file, allow_pickle=False):
                    # A row of a stack of scalars is a scalar, no array.
                    yield None, np.asarray(array)

    def lines(self, file: str, *, single: bool) -> str:
        """Call `numpy.load`, of each frame where compressed."""
        if self.codec is not None:
            body = "array = numpy.load(io.BytesIO(file.read()))" if single else _FRAMES
            return self.lines_around(file, "io, numpy", body)
        call = f'array = numpy.load("{file}")' if single else f'arrays = numpy.load("{file}", mmap_mode="r")'
        return f"import numpy\n\n{call}\n"

    def shard_reader(self, file: BinaryIO) -> ShardReader:
        """Read arrays out of their stacks."""
        return RawReader(file) if self.codec is None else self.single_reader(file)

    def single_reader(self, file: BinaryIO) -> ShardReader:
        """Read an npy file whose header is of a plain array."""
        return RecordReader(file, decode_npy, npy_limit, self.codec)
