"""Plans a bench: which cells there are, how large their work is, how many rounds fit. Nothing is measured."""

import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from .options import BenchOptions
from .result.cell import BASELINES, Cache, Cell, Dispatch, Durability

CEILING = "ceiling"
WARM: tuple[Cache, ...] = ("warm",)
BUFFERED: tuple[Durability, ...] = ("buffered",)
BY_ENGINE: tuple[Dispatch, ...] = ("engine",)
# Pixels of one shard: a worker going round eight of them stays below loky's leak limit.
CHUNK_BYTES = 16 << 20
SINGLE_BYTES = 64 << 20  # pixels of the files of one image each
_ROTATION = 8  # shards a lone worker goes round, so that no cache holds them all
_UNITS_PER_WORKER = 4
MOST_CROWDED = 4.0  # a crowded region should not last much longer than others
_MOST_PASSES = 100_000


@dataclass(frozen=True, slots=True)
class Cost:
    """What an image costs one process, in ns, from a short calibration."""

    dump_single: float  # into a file of its own
    load_single: float  # from a file of its own
    dump: float  # into a shard
    load: float  # from a shard


@dataclass(frozen=True, slots=True)
class Slice:
    """Some consecutive images of the corpus, which begins again at its end."""

    start: int
    count: int

    def indices(self, images: int) -> list[int]:
        """Return the numbers of its images, in a corpus of this many `images`."""
        return [(self.start + place) % images for place in range(self.count)]


@dataclass(frozen=True, slots=True)
class Work:
    """A cell's work: every worker handles `images` images in each of `passes` passes."""

    images: int
    passes: int


def seed_cells(protocols: Iterable[str], *, baselines: bool = True) -> list[Cell]:
    """Return the cells of the seed's table: one process, one file an image."""
    names = [*BASELINES[:2], *protocols] if baselines else [*protocols]
    cells = [Cell(name, op, 1, "single", "none") for name in names for op in ("dump", "load")]
    return [Cell(BASELINES[2], "load", 1, "single", "none"), *cells] if baselines else cells


def scaling_cells(maps: Mapping[str, bool], options: BenchOptions) -> list[Cell]:
    """Return the cells of the scaling table, as the options ask for them.

    Loads have the caches, dumps the durabilities; the other operations are warm and not flushed. Work is
    handed out as the dispatches say; for convert always by the engine, for cold loads always partitioned.
    `maps` tells of each protocol whether its arrays can be mapped.
    """
    cells, cores = [], options.cores
    for op, (protocol, mappable) in product(options.ops, maps.items()):
        if op == "map" and not mappable:
            continue
        for cache, durability, dispatch in product(
            options.caches if op == "load" else WARM,
            options.durabilities if op == "dump" else BUFFERED,
            BY_ENGINE if op == "convert" else options.dispatches,
        ):
            if cache == "cold" and dispatch == "engine":
                continue
            if dispatch == "partitioned" and 1 in cores:
                cells.append(Cell(protocol, op, 1, "shards", "none", cache, durability))
            cells += [Cell(protocol, op, n, "shards", "loky", cache, durability, dispatch) for n in cores]
    return cells


def ceiling_cells(names: Iterable[str], cores: Sequence[int]) -> list[Cell]:
    """Return one cell for each ceiling and number of workers."""
    return [Cell(name, CEILING, workers, "shards", "loky") for name in names for workers in cores]


def shuffled(cells: Sequence[Cell], seed: int, round_number: int) -> list[Cell]:
    """Return a round's cells in its own random order, the same for the same seed."""
    order = list(cells)
    random.Random(f"{seed}/{round_number}").shuffle(order)  # noqa: S311 - order, not secrecy
    return order


def in_blocks(cells: Sequence[Cell], seed: int, round_number: int) -> list[list[Cell]]:
    """Return a round's cells as one block for each number of workers, in random order within and among.

    A block shares its pool: starting processes for every cell would take most of the run.
    """
    blocks: dict[int, list[Cell]] = {}
    for cell in shuffled(cells, seed, round_number):
        blocks.setdefault(cell.workers, []).append(cell)
    return list(blocks.values())


def chunk_images(cost: Cost, region_ns: float, images: int, pixel_bytes: float, slices: int) -> int:
    """Return how many images a shard holds: at least one, what a region can do, what memory allows.

    Cost and pixel bytes are of an image; a region lasts less where workers crowd the CPUs; the slices are the
    parts into which the corpus of this many `images` is cut.
    """
    by_time = round(region_ns / max(cost.dump, cost.load))
    by_memory = int(CHUNK_BYTES // max(pixel_bytes, 1))
    return max(1, min(by_time, by_memory, max(1, images // slices), images))


def single_work(cost_ns: float, region_ns: float, images: int, pixel_bytes: float) -> Work:
    """Return the shortest prefix that lasts a region, looped where the corpus or memory ends it before."""
    most = max(1, min(images, int(SINGLE_BYTES // max(pixel_bytes, 1))))
    return work_of(max(1, min(most, math.ceil(region_ns / cost_ns))), cost_ns, region_ns)


def work_of(chunk: int, cost_ns: float, region_ns: float) -> Work:
    """Return the work of a cell over chunks of images: as many passes as last a region, at least one."""
    passes = math.ceil(region_ns / max(chunk * cost_ns, 1.0) - 0.2)
    return Work(chunk, max(1, min(_MOST_PASSES, passes)))


def convert_work(cost_ns: float, region_ns: float, images: int) -> Work:
    """Return the units of a convert cell, one a pass: up to four a worker, so that dispatch is part of it."""
    each = max(1, round(region_ns / cost_ns))
    units = min(_UNITS_PER_WORKER, each)
    return Work(max(1, min(each // units, images)), units)


def slices_of(work: Work, worker: int, workers: int, slices: int) -> list[int]:
    """Return which slices a worker goes round, one a pass.

    Together the workers visit the same slices whatever their number, so that one worker does not find
    its few in a CPU's cache.
    """
    turns = max(1, min(_ROTATION, slices) // workers)
    return [(worker + turn * workers) % slices for turn in range(min(turns, work.passes))]


def rounds_that_fit(left_s: float, round_s: Callable[[int], float], fewest: int, most: int) -> int:
    """Return how many rounds the time left allows, within the limits; `round_s` tells how long each takes."""
    count, taken = 0, 0.0
    while count < most and taken + round_s(count) <= left_s:
        taken += round_s(count)
        count += 1
    return max(fewest, count)
