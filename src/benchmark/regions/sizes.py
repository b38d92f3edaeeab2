"""How large each protocol's files are: all of the same images, written once before anything is timed.

A region handles as many images as fill its time, so the files it writes are other images for each protocol.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from ...engine.converting.run_limits import PIXELS_PER_SOURCE_BYTE
from ...engine.converting.unit_files import open_unit_files
from ...engine.machine.cpus import default_workers
from ...engine.protocols.registry import get_serializer
from ...engine.workers import pool
from ..cells import Slice
from ..options import BenchOptions
from ..result.cell import BASELINES, Layout
from ..result.findings import StoredSize
from ..worker.corpus import Corpus, Image, load_corpus
from ..worker.shards import Part, contents_of, convert_job, empty
from ..worker.single_files import make_action
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


def measure_sizes(
    corpus: Corpus,
    protocols: Iterable[str],
    options: BenchOptions,
    scratch: Scratch,
    warn: Callable[[str], None],
) -> tuple[StoredSize, ...]:
    """Write the files of every protocol once and return their sizes.

    All images are written where the slowest protocol does that within seconds, else the same sample by all;
    shards where more than the seed's table is measured, and baselines where the options measure them. The
    files are emptied at once. `warn` is called with why a protocol's size is not known.
    """
    layouts: tuple[Layout, ...] = ("single",) if options.preset == "seed" else ("single", "shards")
    if options.one_of_two:
        names, most = [*protocols], _ONE_OF_TWO_S
        prices = dict.fromkeys(names, _ASSUMED_S)
    else:
        names, folder = [*protocols, *BASELINES[:2]], scratch.new_folder("sizes")
        most = min(_MOST_ALL_S, max(_LEAST_S, _SHARE * options.budget_s))
        prices = {name: _price(name, corpus, folder) for name in names}
    numbers = affordable(corpus.images, prices.values(), most_s=most, layouts=len(layouts))
    wanted = [
        (name, layout) for name in names for layout in layouts if layout == "single" or name not in BASELINES
    ]
    found = dict.fromkeys(wanted, 0)
    wanted.sort(key=lambda one: -prices[one[0]])  # the slowest first, so that none of them is left at the end
    problems: dict[str, str] = {}
    parts = (
        _part(name, layout, some, corpus, scratch.new_folder("sizes"))
        for name, layout in wanted
        for some in _together(numbers, corpus.images, layout)
    )
    for part, file_bytes, problem in pool.run(_write, parts, workers=default_workers()):
        found[part.protocol, part.layout] += file_bytes
        if problem is not None:
            problems.setdefault(part.protocol, problem)
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

    Prices are seconds to write an image of 256 KiB, of each protocol; larger ones take longer in proportion.
    All may take `most_s` seconds on the CPUs together, and each writes every image once in each layout.
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


def _together(numbers: Sequence[int], images: Sequence[Image], layout: Layout) -> Iterator[list[int]]:
    """Yield images that are written together: a unit as convert cuts it, or a handful of files."""
    part: list[int] = []
    source = 0
    for number in numbers:
        part.append(number)
        source += images[number].source_bytes
        if source >= _UNIT_BYTES or (layout == "single" and len(part) >= _BATCH):
            yield part
            part, source = [], 0
    if part:
        yield part


def _part(name: str, layout: Layout, numbers: Sequence[int], corpus: Corpus, folder: Path) -> Part:
    """Return what writes some images, each of them once."""
    slices = tuple(Slice(number, 1) for number in numbers)
    return Part(name, "dump", layout, slices, len(slices), corpus.index, scratch=str(folder))


def _price(name: str, corpus: Corpus, folder: Path) -> float:
    """Return the seconds that this protocol takes to write 256 KiB of pixels, roughly."""
    number = min(range(len(corpus.images)), key=lambda one: abs(corpus.images[one].nbytes - _PROBE_BYTES))
    part = _part(name, "single", [number], corpus, folder)
    times: list[float] = []
    while len(times) < _PROBES and sum(times) < _LONG_S:  # an import or a pause of the machine is no price
        begin = time.perf_counter()
        _write(part)
        times.append(time.perf_counter() - begin)
    return min(times) / max(1.0, corpus.images[number].nbytes / _PROBE_BYTES)


def _write(part: Part) -> tuple[Part, int, str | None]:
    """Write a part's files, and empty them again; return it with their bytes, or why there are none."""
    corpus = load_corpus(part.corpus)
    try:
        if part.layout == "shards":
            return part, _shards(part, corpus), None
        action = make_action(part)
        action.run()
        action.check()
    except Exception as error:  # noqa: BLE001 - a protocol's own library may raise anything
        return part, 0, f"{type(error).__name__}: {error}"
    finally:
        empty(Path(part.scratch))
        contents_of(corpus, set())  # keeps none in memory
    return part, action.file_bytes, None


def _shards(part: Part, corpus: Corpus) -> int:
    """Write a unit's shards as convert does; return their bytes."""
    job = convert_job(Path(part.scratch), part.protocol, _SHARD_BYTES)
    files = open_unit_files(job, 0, get_serializer(part.protocol))
    keep = files.keeper()
    for one in part.slices:
        image = corpus.images[one.start]
        if keep is not None:
            keep(image.key, (Path(corpus.folder) / image.key).read_bytes())
        files.add(image.key, image.array())
    files.close()
    return sum(shard.file_bytes or 0 for shard in files.shards)
