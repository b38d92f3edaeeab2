"""How large each protocol's files are: all of the same images, written once before anything is timed.

A region handles as many images as fill its time, so the files it writes are other images for each protocol.
"""

import pickle
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

from ...engine.converting.run_limits import PIXELS_PER_SOURCE_BYTE
from ...engine.converting.unit_files import open_unit_files
from ...engine.machine.cpus import default_workers
from ...engine.protocols.registry import get_serializer
from ...engine.workers import pool
from ..options import BenchOptions
from ..result.cell import BASELINES, Layout
from ..result.sizes import StoredSize
from ..worker.corpus import Corpus, Image, load_corpus
from ..worker.shards import convert_job, empty, single_name, write_single
from .session import Scratch

_MOST_S = 5.0  # of one protocol and layout, in one process
_MOST_ALL_S = 12.0
_SHARE = 0.05  # of the budget, and however short that is:
_LEAST_S = 2.0
_ONE_OF_TWO_S = 1.0  # each pair of benches in turns does it again
_ASSUMED_S = 0.08  # to write 256 KiB: no clock is asked there, so that both take the same images
_FEWEST = 4
_BATCH = 64
_PROBE_BYTES = 1 << 18
_PROBES = 3
_LONG_S = 0.2
_SHARD_BYTES = 32 << 20  # what convert cuts by default
_UNIT_BYTES = _SHARD_BYTES // PIXELS_PER_SOURCE_BYTE


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some images of one protocol to write, each piece in a folder of its own."""

    protocol: str
    layout: Layout
    numbers: tuple[int, ...]
    corpus: str
    folder: str


@dataclass(frozen=True, slots=True)
class _Written:
    """Bytes of a piece's files, or why there are none."""

    piece: _Piece
    file_bytes: int = 0
    problem: str | None = None


def measure_sizes(
    corpus: Corpus,
    protocols: Iterable[str],
    options: BenchOptions,
    scratch: Scratch,
    warn: Callable[[str], None],
) -> tuple[StoredSize, ...]:
    """Write the files of every protocol once and return their sizes.

    All images are written where the slowest protocol does that within seconds, else the same sample by all.

    Args:
        corpus: the images.
        protocols: by label; the baselines are added where the options measure them.
        options: shards are written where more than the seed's table is measured.
        scratch: where the files lie; they are emptied at once.
        warn: called with why a protocol's size is not known.
    """
    layouts: tuple[Layout, ...] = ("single",) if options.preset == "seed" else ("single", "shards")
    names = [*protocols, *([] if options.one_of_two else BASELINES[:2])]
    folder = scratch.new_folder("sizes")
    prices = {name: _ASSUMED_S if options.one_of_two else _price(name, corpus, folder) for name in names}
    most = min(_MOST_ALL_S, max(_LEAST_S, _SHARE * options.budget_s))
    if options.one_of_two:
        most = _ONE_OF_TWO_S
    numbers = affordable(corpus.images, prices.values(), most_s=most, layouts=len(layouts))
    wanted = [(name, layout) for name in names for layout in layouts if _has(name, layout)]
    found = dict.fromkeys(wanted, 0)
    wanted.sort(key=lambda one: -prices[one[0]])  # the slowest first, so that none of them is left at the end
    problems: dict[str, str] = {}
    pieces = (
        _Piece(name, layout, part, corpus.index, str(scratch.new_folder("sizes")))
        for name, layout in wanted
        for part in _parts(numbers, corpus.images, layout)
    )
    for one in pool.run(_write, pieces, workers=default_workers()):
        found[one.piece.protocol, one.piece.layout] += one.file_bytes
        if one.problem is not None:
            problems.setdefault(one.piece.protocol, one.problem)
    for name, problem in problems.items():
        warn(f"the size of {name} is not known: {problem}")
    images = [corpus.images[number] for number in numbers]
    pixels, source = sum(image.nbytes for image in images), sum(image.source_bytes for image in images)
    sizes = [
        StoredSize(name, layout, len(images), len(corpus.images), pixels, source, file_bytes)
        for (name, layout), file_bytes in found.items()
        if name not in problems
    ]
    if not options.one_of_two:  # nothing to write: all are known
        own, count = corpus.info.source_bytes, len(corpus.images)
        sizes.append(StoredSize(BASELINES[2], "single", count, count, corpus.info.pixel_bytes, own, own))
    return tuple(sizes)


def spread(images: Sequence[Image], count: int) -> list[int]:
    """Return the numbers of `count` images, in order: evenly spaced over all of them ordered by size.

    Equal sizes are ordered by their encoded bytes, which tell how well they compress, and by checksum, so
    that no pattern of the archive's order meets the spacing.
    """
    if count >= len(images):
        return list(range(len(images)))

    def weight(number: int) -> tuple[int, int, int]:
        image = images[number]
        return image.nbytes, image.source_bytes, image.xxh3

    order = sorted(range(len(images)), key=weight)
    return sorted(order[(2 * place + 1) * len(images) // (2 * count)] for place in range(count))


def affordable(
    images: Sequence[Image], prices: Iterable[float], *, most_s: float, layouts: int = 1
) -> list[int]:
    """Return all images, or a sample that halves until it fits the time; it keeps at least four.

    Args:
        images: of the corpus.
        prices: of each protocol: seconds to write an image of 256 KiB; larger ones take longer in proportion.
        most_s: seconds that all may take on the CPUs together.
        layouts: how often each protocol writes every image.
    """
    own, workers = list(prices), default_workers()
    slowest, total = max(own, default=0.0), sum(own) * layouts / workers
    count = len(images)
    numbers = spread(images, count)
    while count > _FEWEST:
        units = sum(max(1.0, images[number].nbytes / _PROBE_BYTES) for number in numbers)
        if slowest * units <= min(_MOST_S, most_s) and total * units <= most_s:
            break
        count = max(_FEWEST, 1 << ((count - 1).bit_length() - 1))
        numbers = spread(images, count)
    return numbers


def _has(name: str, layout: Layout) -> bool:
    return layout == "single" or name not in BASELINES


def _parts(numbers: Sequence[int], images: Sequence[Image], layout: Layout) -> Iterator[tuple[int, ...]]:
    """Yield images that are written together: a unit as convert cuts it, or a handful of files."""
    part: list[int] = []
    source = 0
    for number in numbers:
        part.append(number)
        source += images[number].source_bytes
        if source >= _UNIT_BYTES or (layout == "single" and len(part) >= _BATCH):
            yield tuple(part)
            part, source = [], 0
    if part:
        yield tuple(part)


def _price(name: str, corpus: Corpus, folder: Path) -> float:
    """Return the seconds that this protocol takes to write 256 KiB of pixels, roughly."""
    number = min(range(len(corpus.images)), key=lambda one: abs(corpus.images[one].nbytes - _PROBE_BYTES))
    piece = _Piece(name, "single", (number,), corpus.index, str(folder))
    times: list[float] = []
    while len(times) < _PROBES and sum(times) < _LONG_S:  # an import or a pause of the machine is no price
        begin = time.perf_counter()
        _write(piece)
        times.append(time.perf_counter() - begin)
    return min(times) / max(1.0, corpus.images[number].nbytes / _PROBE_BYTES)


def _write(piece: _Piece) -> _Written:
    """Write a piece's files, and empty them again."""
    corpus, folder = load_corpus(piece.corpus), Path(piece.folder)
    images = [(number, corpus.images[number]) for number in piece.numbers]
    try:
        if piece.protocol in BASELINES:
            size = sum(_article(piece.protocol, Path(corpus.folder) / image.key) for _, image in images)
        elif piece.layout == "single":
            size = sum(_single(piece.protocol, image, folder, number) for number, image in images)
        else:
            size = _shards(piece.protocol, [image for _, image in images], folder)
    except Exception as error:  # noqa: BLE001 - a protocol's own library may raise anything
        return _Written(piece, problem=f"{type(error).__name__}: {error}")
    finally:
        empty(folder)
    return _Written(piece, size)


def _article(name: str, path: Path) -> int:
    """Return what the article's loop makes of a source file, in bytes."""
    with PillowImage.open(path) as file:
        return len(pickle.dumps(np.asarray(file), int(name.rpartition("-")[2])))


def _single(protocol: str, image: Image, folder: Path, number: int) -> int:
    serializer = get_serializer(protocol)
    path = folder / single_name(number, serializer.file_suffix)
    size = write_single(serializer, image.array(), path)[0]
    empty(path)
    return size


def _shards(protocol: str, images: Sequence[Image], folder: Path) -> int:
    """Write a unit's shards as convert does; return their bytes."""
    files = open_unit_files(convert_job(folder, protocol, _SHARD_BYTES), 0, get_serializer(protocol))
    for image in images:
        files.add(image.key, image.array())
    files.close()
    return sum(shard.file_bytes or 0 for shard in files.shards)
