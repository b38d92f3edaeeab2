"""What the machine can do at most: small loops that do one thing, timed as the operations are.

Each works for a given time and counts what it did. None goes through a protocol.
"""

import os
import time
from pathlib import Path

import numpy as np

from ...parser.decode import decode
from ...parser.options import DecodeOptions
from ..result.findings import UNITS
from .leftovers import empty
from .shards import Action, Part

__all__ = [
    "CEILINGS",
    "COLD",
    "COLD_BYTES",
    "READ_BYTES",
    "READ_FILE",
    "WRITING",
    "ceiling_action",
    "no_op",
]

COLD = "raw-read-cold"
WRITING = ("raw-write", "raw-write-fsync", "raw-files", "create")
CEILINGS = tuple(name for name in UNITS if name != COLD)
READ_FILE = "read"
READ_BYTES = 64 << 20
COLD_BYTES = 8 << 20

_LOOPS = 10_000
_COPY_BYTES = 32 << 20  # each of source and target: beyond most last-level caches, several workers' surely
_BLOCK = 4 << 20
_WRITE_BLOCK = 1 << 20  # what one call takes: larger ones leave the cache, smaller ones cost more calls
_WRITE_BLOCKS = 8
_READ_BLOCK = 1 << 20
_FILES = 32
_LITTLE = bytes(64)
_DECODE_IMAGES = 48


class _Ceiling(Action):
    """Works until its time is over; `amount` counts what was done.

    Attributes:
        amount: in the ceiling's unit.
    """

    def __init__(self, part: Part) -> None:
        super().__init__(part)
        self.amount = 0

    @property
    def images(self) -> int:
        return self.amount

    @property
    def pixel_bytes(self) -> int:
        return 0

    def run(self) -> None:
        end = time.perf_counter_ns() + self.part.region_ns
        while True:
            self.one_pass(0)
            if time.perf_counter_ns() >= end:
                return

    def clean(self) -> None:
        if self.part.scratch:
            empty(Path(self.part.scratch))


class _Spin(_Ceiling):
    """Adds small numbers: nothing leaves the first-level cache."""

    def one_pass(self, _place: int) -> None:
        sum(range(_LOOPS))
        self.amount += _LOOPS


class _Memcpy(_Ceiling):
    """Copies between two arrays of its own, block after block."""

    def __init__(self, part: Part) -> None:
        super().__init__(part)
        self._source = np.ones(_COPY_BYTES, np.uint8)
        self._target = np.ones(_COPY_BYTES, np.uint8)
        self._at = 0

    def one_pass(self, _place: int) -> None:
        end = self._at + _BLOCK
        np.copyto(self._target[self._at : end], self._source[self._at : end])
        self._at = end % _COPY_BYTES
        self.amount += _BLOCK


class _RawWrite(_Ceiling):
    """Writes new files of 8 MiB, a MiB a system call, and closes them."""

    blocks = _WRITE_BLOCKS
    fsync = False

    def __init__(self, part: Part) -> None:
        super().__init__(part)
        self._data = np.random.default_rng(0).bytes(_WRITE_BLOCK)
        self._files = 0

    def one_pass(self, _place: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(f"{self.part.scratch}/{self._files}", flags, 0o600)
        self._files += 1
        try:
            for _ in range(self.blocks):
                written = os.write(descriptor, self._data)
                while written < len(self._data):
                    written += os.write(descriptor, self._data[written:])
            if self.fsync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self.amount += self.blocks * len(self._data)


class _RawWriteFsync(_RawWrite):
    fsync = True


class _RawFiles(_RawWrite):
    """Writes new files as large as an image's array, each by one system call, and closes them."""

    blocks = 1

    def __init__(self, part: Part) -> None:
        super().__init__(part)
        self._data = np.random.default_rng(0).bytes(max(1, round(self.corpus.pixel_bytes)))


class _RawRead(_Ceiling):
    """Reads a file from the page cache into one small buffer."""

    def __init__(self, part: Part) -> None:
        super().__init__(part)
        self._descriptor = os.open(Path(part.files) / READ_FILE, os.O_RDONLY | os.O_CLOEXEC)
        self._buffer = bytearray(_READ_BLOCK)
        self._at = 0

    def one_pass(self, _place: int) -> None:
        self.amount += os.preadv(self._descriptor, [self._buffer], self._at)
        self._at = (self._at + _READ_BLOCK) % READ_BYTES

    def clean(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class _RawReadCold(_Ceiling):
    """Reads a file of its own, once, that is not in memory before."""

    def __init__(self, part: Part) -> None:
        super().__init__(part)
        self._path = Path(part.files)
        self._buffer = bytearray(_READ_BLOCK)

    @property
    def sources(self) -> list[Path]:
        return [self._path]

    def run(self) -> None:
        descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            while count := os.readv(descriptor, [self._buffer]):
                self.amount += count
        finally:
            os.close(descriptor)

    def one_pass(self, _place: int) -> None:
        """Not called: there is one pass only."""

    def check(self) -> None:
        self.file_bytes = self.amount

    def clean(self) -> None:
        """Keep the file for the next round."""


class _Create(_Ceiling):
    """Makes files of 64 bytes in a folder of its own."""

    def one_pass(self, _place: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        for number in range(self.amount, self.amount + _FILES):
            descriptor = os.open(f"{self.part.scratch}/{number}", flags, 0o600)
            os.write(descriptor, _LITTLE)
            os.close(descriptor)
        self.amount += _FILES


class _Decode(_Ceiling):
    """Decodes encoded images that are in memory, and drops the pixels."""

    def __init__(self, part: Part) -> None:
        super().__init__(part)
        images = self.corpus.images
        chosen = images[:: max(1, len(images) // _DECODE_IMAGES)][:_DECODE_IMAGES]
        folder = Path(self.corpus.folder)
        self._encoded = [(folder / image.key).read_bytes() for image in chosen]
        self._options = DecodeOptions()

    def one_pass(self, _place: int) -> None:
        for _ in decode(self._encoded[self.amount % len(self._encoded)], self._options):
            pass
        self.amount += 1


_ACTIONS: dict[str, type[_Ceiling]] = {
    "spin": _Spin,
    "memcpy": _Memcpy,
    "raw-write": _RawWrite,
    "raw-write-fsync": _RawWriteFsync,
    "raw-files": _RawFiles,
    "raw-read": _RawRead,
    COLD: _RawReadCold,
    "create": _Create,
    "decode": _Decode,
}


def ceiling_action(part: Part) -> Action:
    """Return the action of a ceiling, ready to run; `part.protocol` is its name."""
    return _ACTIONS[part.protocol](part)


def no_op(_task: int) -> None:
    """Do nothing, in a worker."""
