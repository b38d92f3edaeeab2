"""The timed operations over files of one image each, and the plain baselines beside them."""

import pickle
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PillowImage

from ...engine.protocols.base import Array
from ...engine.protocols.registry import get_serializer
from ...parser.decode import decode_first
from ..cells import CEILING
from ..result.cell import BASELINES
from .ceilings import ceiling_action
from .corpus import Image, digest
from .shards import SHARD_ACTIONS, Action, Part, contents_of, empty, single_name, write_single

_clock = time.perf_counter_ns


class _Singles(Action):
    """One file an image: dumps leave a file for each, loads read those of `part.files`."""

    def __init__(self, part: Part) -> None:
        super().__init__(part)
        self._serializer: Any = None if part.protocol in BASELINES else get_serializer(part.protocol)
        self.suffix = self._serializer.file_suffix if self._serializer else ".pickle"
        self.exact = not (self._serializer and self._serializer.lossy)

    def source(self, number: int) -> Path:
        """Return the file that holds an image for loads."""
        return Path(self.part.files) / single_name(number, self.suffix)

    def target(self, turn: int, number: int) -> Path:
        """Return the file into which a pass dumps an image."""
        return Path(self.part.scratch) / f"{turn}-{single_name(number, self.suffix)}"

    def _load(self, path: Path) -> Array:
        array: Array = self._serializer.load(path)
        return array


class _SingleLoad(_Singles):
    @property
    def sources(self) -> list[Path]:
        return [self.source(number) for number in sorted({one for piece in self.numbers for one in piece})]

    def one_pass(self, place: int) -> None:
        for number in self.numbers[place]:
            begin = _clock()
            array = self._load(self.source(number))
            self.lap("parse", _clock() - begin)
            self.touch(number, None, array)

    def check(self) -> None:
        sizes = [sum(self.source(number).stat().st_size for number in piece) for piece in self.numbers]
        self.file_bytes = self.over_passes(sizes)
        super().check()


class _SingleDump(_Singles):
    def check(self) -> None:
        slices = ((turn, self.numbers[turn % len(self.numbers)]) for turn in self.turns)
        files = [(self.target(turn, number), number) for turn, piece in slices for number in piece]
        self.file_bytes = sum(path.stat().st_size for path, _ in files)
        if self.part.check:
            for path, number in files:
                array = self._load(path)
                self.compare(number, None, array.dtype.str, array.shape, digest(array))

    def clean(self) -> None:
        empty(Path(self.part.scratch))


class _DumpSingles(_SingleDump):
    def __init__(self, part: Part) -> None:
        super().__init__(part)
        wanted = {number for piece in self.numbers for number in piece}
        self._arrays = contents_of(self.corpus, wanted, self._serializer)

    def one_pass(self, place: int) -> None:
        for number in self.numbers[place]:
            path = self.target(self.turn, number)
            begin = _clock()
            _, write_ns = write_single(self._serializer, self._arrays[number], path)
            self.lap("encode", _clock() - begin - write_ns)
            self.lap("write", write_ns)


class _ByPillow(_Singles):
    """The article's loop as one would write it: Pillow, numpy, pickle."""

    def _load(self, path: Path) -> Array:
        with path.open("rb") as file:
            array: Array = pickle.load(file)
        return array

    def expected(self, number: int) -> Image:
        """Return what Pillow makes of the file, which is what the loop stores, not brinery's decoding."""
        image = self.corpus.images[number]
        with PillowImage.open(Path(self.corpus.folder) / image.key) as file:
            array = np.asarray(file)
        return replace(image, dtype=array.dtype.str, shape=array.shape, xxh3=digest(array))


class _ArticleDump(_ByPillow, _SingleDump):
    def one_pass(self, place: int) -> None:
        version = int(self.part.protocol.rpartition("-")[2])
        for number in self.numbers[place]:
            begin = _clock()
            array = np.asarray(PillowImage.open(Path(self.corpus.folder) / self.corpus.images[number].key))
            middle = _clock()
            with self.target(self.turn, number).open("wb") as file:
                pickle.dump(array, file, version)
            self.lap("decode", middle - begin)
            self.lap("encode", _clock() - middle)


class _ArticleLoad(_ByPillow, _SingleLoad):
    pass


def stage_article(part: Part) -> None:
    """Write what a baseline's loop dumps into the folder `files`, under the names that its loads expect."""
    action = _ArticleDump(replace(part, passes=1, scratch=part.files))
    action.run()
    for number in action.numbers[0]:
        action.target(0, number).rename(action.source(number))


class _SourceLoad(_SingleLoad):
    """Keeping the source files: each load reads and decodes one."""

    def source(self, number: int) -> Path:
        return Path(self.corpus.folder) / self.corpus.images[number].key

    def _load(self, path: Path) -> Array:
        return decode_first(path.read_bytes()).array


def make_action(part: Part) -> Action:
    """Return the action of a part, ready to run."""
    if part.op == CEILING:
        return ceiling_action(part)
    if part.layout == "shards":
        return SHARD_ACTIONS[part.op](part)
    if part.protocol == BASELINES[2]:
        return _SourceLoad(part)
    if part.protocol in BASELINES:
        return _ArticleDump(part) if part.op == "dump" else _ArticleLoad(part)
    return _DumpSingles(part) if part.op == "dump" else _SingleLoad(part)
