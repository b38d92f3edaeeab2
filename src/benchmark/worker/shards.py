"""The timed operations over shards: each prepared before the region, compared after it."""

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from ...engine.datasets.dataset import open_dataset
from ...engine.layout import SHARDS_FOLDER
from ...engine.machine.new_file import PARTIAL_FOLDER, NewFile
from ...engine.protocols.base import Array, Serializer
from ...engine.protocols.registry import get_serializer
from ...engine.records import Job
from ...parser.options import DecodeOptions
from ..cells import Slice
from ..result.cell import Cache, Durability, Layout
from .corpus import Corpus, Image, digest, load_corpus

_clock = time.perf_counter_ns
_Seen: TypeAlias = tuple[int, str | None, str, tuple[int, ...], int]


@dataclass(frozen=True, slots=True)
class Part:
    """What one worker does in a region."""

    protocol: str  # a label, or the name of a baseline
    op: str  # which operation
    layout: Layout = "shards"  # "single" or "shards"
    slices: tuple[Slice, ...] = ()  # images of the passes, which go round them
    passes: int = 1  # how many
    corpus: str = ""  # index file of the corpus
    files: str = ""  # folder of the files to load (its own for the protocol), or the dataset to map
    scratch: str = ""  # folder for new files, this worker's own
    check: bool = False  # compare what dump wrote, too
    cache: Cache = "warm"  # whether what is loaded is in memory
    durability: Durability = "buffered"  # whether what is dumped is flushed to storage
    region_ns: int = 0  # how long to work, for what has no passes
    first: int = 0  # number of the first pass, where a task is one of many


def empty(*paths: Path) -> None:
    """Free the room that files take, and those below folders; they are deleted when the bench is over.

    Deleting between regions would slow the next ones: where ext4 has no journal and needs an inode, it looks
    at every one that was freed within the last minutes (find_inode_bit and recently_deleted in Linux's
    fs/ext4/ialloc.c). Making a file took 1.6 ms there after a bench that deleted, beside 0.05 ms.
    """
    for path in paths:
        for one in path.rglob("*") if path.is_dir() else (path,):
            if one.is_file():
                os.truncate(one, 0)


def single_name(index: int, suffix: str) -> str:
    """Return the name of an image's own file."""
    return f"{index:06}{suffix}"


def shard_name(part: Slice, suffix: str) -> str:
    """Return the name of a slice's shard."""
    return f"{part.start:06}+{part.count}{suffix}"


def write_single(serializer: Any, array: Array, path: Path) -> tuple[int, int]:
    """Dump one array into a plain new file; return its size and the time in system calls, in ns."""
    with _new_file(path) as file:
        serializer.dump(array, file)
    file.commit(path, fsync=False)
    return file.size, file.write_ns


def write_shard(
    serializer: Any, keys: list[str], arrays: list[Array], path: Path, *, fsync: bool = False
) -> tuple[int, int, int]:
    """Write arrays into one new shard; return its size, and the time in writes and in fsync, in ns."""
    with _new_file(path, early=fsync) as file:
        writer = serializer.writer(file)
        for key, array in zip(keys, arrays, strict=True):
            writer.add(key, array)
        writer.finish()
    fsync_ns = file.commit(path, fsync=fsync)
    return file.size, file.write_ns, fsync_ns


@contextmanager
def _new_file(path: Path, *, early: bool = False) -> Iterator[NewFile]:
    """Open a new file, and delete it where writing fails."""
    file = NewFile(path, early=early)
    try:
        yield file
    except BaseException:
        file.discard()
        raise


def convert_job(folder: Path, protocol: str, shard_bytes: int) -> Job:
    """Return a convert's job into this folder, not flushed; its subfolders are made."""
    for name in (SHARDS_FOLDER, PARTIAL_FOLDER):
        (folder / name).mkdir(exist_ok=True)
    return Job(
        destination=str(folder.absolute()),
        protocol=protocol,
        layout="shards",
        shard_size=shard_bytes,
        fsync=False,
        decode=DecodeOptions(),
        token="bench",  # noqa: S106 - names the run, no secret
    )


# What this process keeps for the next dump, by index file, number, and whether it is encoded bytes.
_kept: dict[tuple[str, int, bool], Array] = {}


def contents_of(corpus: Corpus, wanted: set[int], serializer: Serializer | None = None) -> dict[int, Array]:
    """Return what a protocol writes of these images in memory; what the last dump kept is not read."""
    encoded = serializer is not None and serializer.abilities.keeps_source
    keys = {(corpus.index, number, encoded) for number in wanted}
    for key in _kept.keys() - keys:
        del _kept[key]
    for key in keys - _kept.keys():
        image = corpus.images[key[1]]
        _kept[key] = image.array() if serializer is None else image.content(serializer, corpus.folder)
    return {number: _kept[corpus.index, number, encoded] for number in wanted}


class Action(ABC):
    """One operation of one worker."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.corpus = load_corpus(part.corpus)
        count = len(self.corpus.images)
        self.numbers = [piece.indices(count) for piece in part.slices]
        self.phases: dict[str, int] = {}  # time by phase, in ns
        self.turn = 0  # number of the current pass
        self.file_bytes = 0  # of the files written or read
        self.checked = 0  # arrays compared
        self.exact = True  # their values, too; False where a lossy protocol gives back others
        self.problems: list[str] = []  # what was not the same
        self._seen: list[_Seen] = []

    @property
    def turns(self) -> range:
        """The numbers of the passes."""
        return range(self.part.first, self.part.first + self.part.passes)

    @property
    def images(self) -> int:
        """Images of all passes."""
        return self.over_passes([len(piece) for piece in self.numbers])

    @property
    def pixel_bytes(self) -> int:
        """Bytes of their arrays."""
        images = self.corpus.images
        return self.over_passes([sum(images[number].nbytes for number in piece) for piece in self.numbers])

    def over_passes(self, amounts: Sequence[int]) -> int:
        """Return the sum over all passes of an amount that each slice has."""
        return sum(amounts[turn % len(amounts)] for turn in self.turns)

    def run(self) -> None:
        """Do all passes: the timed region."""
        for turn in self.turns:
            self.turn = turn
            self.one_pass(turn % len(self.numbers))

    def warm(self) -> None:
        """Do one pass that does not count: the allocator and the libraries get their buffers."""
        self.turn = -1
        self.one_pass(0)
        self.phases, self.file_bytes = {}, 0
        self._seen.clear()

    @abstractmethod
    def one_pass(self, place: int) -> None:
        """Handle the images of the slice at this place."""

    def check(self) -> None:
        """Compare what was loaded, or written, with the source."""
        for seen in self._seen:
            self.compare(*seen)

    def clean(self) -> None:  # noqa: B027 - most write nothing
        """Free the storage of what the region wrote."""

    @property
    def sources(self) -> list[Path]:
        """The files that the region reads: in memory before a warm one, dropped from it before a cold one."""
        return []

    def expected(self, number: int) -> Image:
        """Return what an image must be."""
        return self.corpus.images[number]

    def compare(self, number: int, key: str | None, dtype: str, shape: tuple[int, ...], xxh3: int) -> None:
        """Compare what an array was with its image."""
        image = self.expected(number)
        self.checked += 1
        alike = xxh3 == image.xxh3 or not self.exact
        if not alike or (dtype, shape) != (image.dtype, image.shape) or key not in (None, image.key):
            self.problems.append(f"image {image.key}: what was loaded is not what was stored")

    def lap(self, phase: str, spent: int) -> None:
        """Count time to a phase, in ns."""
        self.phases[phase] = self.phases.get(phase, 0) + spent

    def divide_loading(self, user_ns: int) -> None:
        """Divide the loader's time: in user mode it parsed, otherwise it opened, read and got memory.

        The region's time in user mode includes all that touching the arrays took.
        """
        whole = self.phases.pop("parse", None)
        if whole is not None:
            parse = min(whole, max(0, user_ns - self.phases.get("materialise", 0)))
            self.phases = {"open_read": whole - parse, "parse": parse, **self.phases}

    def touch(self, number: int, key: str | None, array: Array) -> None:
        """Read every byte of an array and keep what it was, to be compared after the region."""
        begin = _clock()
        self._seen.append((number, key, array.dtype.str, array.shape, digest(array)))
        self.lap("materialise", _clock() - begin)

    def in_order(self, numbers: list[int], loaded: Iterator[tuple[str | None, Array]]) -> None:
        """Touch what a shard's loader yields: by key where it tells them, else in order."""
        places = {self.corpus.images[number].key: number for number in numbers}
        count = 0
        begin = _clock()
        for key, array in loaded:
            self.lap("parse", _clock() - begin)
            in_turn = numbers[count] if count < len(numbers) else numbers[-1]
            self.touch(in_turn if key is None else places.get(key, in_turn), key, array)
            count += 1
            begin = _clock()
        self.lap("parse", _clock() - begin)
        if count != len(numbers):
            self.problems.append(f"{count} of {len(numbers)} images came back")


class _DumpShards(Action):
    def __init__(self, part: Part) -> None:
        super().__init__(part)
        self._serializer = get_serializer(part.protocol)
        self.exact = not self._serializer.lossy
        wanted = {number for piece in self.numbers for number in piece}
        arrays = contents_of(self.corpus, wanted, self._serializer)
        self._arrays = [[arrays[number] for number in piece] for piece in self.numbers]
        self._keys = [[self.corpus.images[number].key for number in piece] for piece in self.numbers]
        self._written: list[tuple[int, Path]] = []
        self._fsync = part.durability == "fsync"

    def one_pass(self, place: int) -> None:
        path = Path(self.part.scratch) / f"{self.turn}{self._serializer.file_suffix}"
        self._written.append((place, path))
        keys, arrays = self._keys[place], self._arrays[place]
        begin = _clock()
        size, write_ns, fsync_ns = write_shard(self._serializer, keys, arrays, path, fsync=self._fsync)
        self.lap("encode", _clock() - begin - write_ns - fsync_ns)
        self.lap("write", write_ns)
        if self._fsync:
            self.lap("fsync", fsync_ns)
        self.file_bytes += size

    def check(self) -> None:
        if self.part.check:
            place, path = self._written[-1]
            phases, self.phases = self.phases, {}
            self.in_order(self.numbers[place], self._serializer.load_shard(path))
            self.phases = phases
            super().check()

    def clean(self) -> None:
        empty(*(path for _, path in self._written))  # others may be writing in the same folder


class _LoadShards(Action):
    def __init__(self, part: Part) -> None:
        super().__init__(part)
        self._serializer = get_serializer(part.protocol)
        self.exact = not self._serializer.lossy
        suffix = self._serializer.file_suffix
        self._paths = [Path(part.files) / shard_name(piece, suffix) for piece in part.slices]
        self._sizes = [path.stat().st_size for path in self._paths]

    @property
    def sources(self) -> list[Path]:
        return self._paths

    def one_pass(self, place: int) -> None:
        self.in_order(self.numbers[place], self._serializer.load_shard(self._paths[place]))

    def check(self) -> None:
        self.file_bytes = self.over_passes(self._sizes)
        super().check()


class _LoadLazily(_LoadShards):
    def one_pass(self, place: int) -> None:
        begin = _clock()
        count = sum(1 for _ in self._serializer.load_shard(self._paths[place]))
        self.lap("parse", _clock() - begin)
        if count != len(self.numbers[place]):
            self.problems.append(f"{count} of {len(self.numbers[place])} images came back")


class _MapShards(Action):
    @property
    def sources(self) -> list[Path]:
        return sorted((Path(self.part.files) / SHARDS_FOLDER).iterdir())

    def one_pass(self, place: int) -> None:
        begin = _clock()
        with open_dataset(self.part.files, via="payload") as dataset:
            for number in self.numbers[place]:
                array = dataset[number]
                self.lap("map", _clock() - begin)
                self.touch(number, None, array)
                begin = _clock()
        self.lap("map", _clock() - begin)

    def check(self) -> None:
        self.file_bytes = self.pixel_bytes
        super().check()


SHARD_ACTIONS: dict[str, type[Action]] = {
    "dump": _DumpShards,
    "load": _LoadShards,
    "load_lazy": _LoadLazily,
    "map": _MapShards,
}
