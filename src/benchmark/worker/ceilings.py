"""What the machine can do at most: small loops that do one thing, timed as the operations are.

Each works for a given time and counts what it did. None goes through a protocol.
"""

import itertools
import os
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TypeAlias

import numpy as np

from ...parser.decode import decode
from ...parser.options import DecodeOptions
from ..result.findings import UNITS
from .corpus import Corpus
from .shards import Action, Part, empty

COLD = "raw-read-cold"
WRITING = ("raw-write", "raw-write-fsync", "raw-files", "create")
CEILINGS = tuple(name for name in UNITS if name != COLD)
READ_FILE = "read"
READ_BYTES = 64 << 20
COLD_BYTES = 8 << 20

_Steps: TypeAlias = Generator[int, None, None]
_Work: TypeAlias = Callable[[Part, Corpus], _Steps]
"""A little work at each step, of which it yields the amount; the first step makes ready and yields 0."""

_LOOPS = 10_000
_COPY_BYTES = 32 << 20  # each of source and target: beyond most last-level caches, several workers' surely
_BLOCK = 4 << 20
_WRITE_BLOCK = 1 << 20  # what one call takes: larger ones leave the cache, smaller ones cost more calls
_WRITE_BLOCKS = 8
_READ_BLOCK = 1 << 20
_FILES = 32
_LITTLE = bytes(64)
_DECODE_IMAGES = 48
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class _Ceiling(Action):
    """Works until its time is over; `amount` counts what was done, in the ceiling's unit."""

    def __init__(self, part: Part) -> None:
        super().__init__(part)
        self.amount, self._cold = 0, part.protocol == COLD
        self._work = _WORK[part.protocol](part, self.corpus)
        next(self._work)  # what it needs is there

    @property
    def images(self) -> int:
        return self.amount

    @property
    def pixel_bytes(self) -> int:
        return 0

    @property
    def sources(self) -> list[Path]:
        return [Path(self.part.files)] if self._cold else []

    def run(self) -> None:
        end = time.perf_counter_ns() + self.part.region_ns
        for done in self._work:
            self.amount += done
            if time.perf_counter_ns() >= end and not self._cold:
                return

    def one_pass(self, _place: int) -> None:
        """Not called: a ceiling works by time."""

    def check(self) -> None:
        self.file_bytes = self.amount if self._cold else 0

    def clean(self) -> None:
        self._work.close()
        if self.part.scratch:
            empty(Path(self.part.scratch))


def _spin(_part: Part, _corpus: Corpus) -> _Steps:
    """Add small numbers: nothing leaves the first-level cache."""
    yield 0
    while True:
        sum(range(_LOOPS))
        yield _LOOPS


def _memcpy(_part: Part, _corpus: Corpus) -> _Steps:
    """Copy between two arrays, block after block."""
    source, target = np.ones(_COPY_BYTES, np.uint8), np.ones(_COPY_BYTES, np.uint8)
    yield 0
    for at in itertools.cycle(range(0, _COPY_BYTES, _BLOCK)):
        np.copyto(target[at : at + _BLOCK], source[at : at + _BLOCK])
        yield _BLOCK


def _write(part: Part, corpus: Corpus) -> _Steps:
    """Write new files of 8 MiB, or as large as an image's array, a block a system call, and close them."""
    size, blocks = _WRITE_BLOCK, _WRITE_BLOCKS
    if part.protocol == "raw-files":
        size, blocks = max(1, round(corpus.pixel_bytes)), 1
    data = np.random.default_rng(0).bytes(size)
    yield 0
    for number in itertools.count():
        descriptor = os.open(f"{part.scratch}/{number}", _NEW, 0o600)
        try:
            for _ in range(blocks):
                written = os.write(descriptor, data)
                while written < size:
                    written += os.write(descriptor, data[written:])
            if part.protocol == "raw-write-fsync":
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        yield blocks * size


def _raw_read(part: Part, _corpus: Corpus) -> _Steps:
    """Read a file from the page cache into one small buffer; cold, each block once."""
    path, buffer = Path(part.files), bytearray(_READ_BLOCK)
    cold = part.protocol == COLD
    yield 0
    descriptor = os.open(path if cold else path / READ_FILE, os.O_RDONLY | os.O_CLOEXEC)
    try:
        for at in itertools.count(0, _READ_BLOCK):
            count = os.preadv(descriptor, [buffer], at if cold else at % READ_BYTES)
            if not count:
                return
            yield count
    finally:
        os.close(descriptor)


def _create(part: Part, _corpus: Corpus) -> _Steps:
    """Make files of 64 bytes."""
    yield 0
    for first in itertools.count(0, _FILES):
        for number in range(first, first + _FILES):
            descriptor = os.open(f"{part.scratch}/{number}", _NEW, 0o600)
            os.write(descriptor, _LITTLE)
            os.close(descriptor)
        yield _FILES


def _decode(_part: Part, corpus: Corpus) -> _Steps:
    """Decode encoded images that are in memory, and drop the pixels."""
    chosen = corpus.images[:: max(1, len(corpus.images) // _DECODE_IMAGES)][:_DECODE_IMAGES]
    encoded, options = [(Path(corpus.folder) / image.key).read_bytes() for image in chosen], DecodeOptions()
    yield 0
    for data in itertools.cycle(encoded):
        for _ in decode(data, options):
            pass
        yield 1


_WORK: dict[str, _Work] = {
    "spin": _spin,
    "memcpy": _memcpy,
    "raw-write": _write,
    "raw-write-fsync": _write,
    "raw-files": _write,
    "raw-read": _raw_read,
    COLD: _raw_read,
    "create": _create,
    "decode": _decode,
}


def ceiling_action(part: Part) -> Action:
    """Return the action of a ceiling, ready to run; `part.protocol` is its name."""
    return _Ceiling(part)


def no_op(_task: int) -> None:
    """Do nothing, in a worker."""
