"""Reading every sample through brinery.open against a plain numpy.memmap of the same bytes, in one run.

    python bench/read_back.py --folder /dev/shm/read-back --images 1000 --rounds 15

Each round writes all files anew and visits every way in a new random order; each opens its files, touches
every byte and closes, so that page tables are empty at first. `batches` asks for 32 samples at a time through
__getitems__. Time is the process's own CPU time, in user and kernel mode: one process reads what is in memory
and never waits, and CPU time is what others on the machine disturb least. Ratios are the memmap's time to
brinery's in the same round: 1.10 means that brinery is 1.1 times as fast.
"""

import argparse
import gc
import random
import shutil
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

import brinery
from brinery.engine.corpus import make_corpus

BATCH = 32


def touch(arrays: Iterable[np.ndarray]) -> int:
    count = 0
    for array in arrays:
        array.max()
        count += 1
    return count


def mapped(path: Path, order: list[int] | None) -> Iterator[np.ndarray]:
    images = np.load(path, mmap_mode="r")
    if order is None:
        yield from images
    else:
        for index in order:
            yield images[index]


def opened(path: Path, order: list[int] | None) -> Iterator[np.ndarray]:
    with brinery.open(path) as dataset:
        if order is None:
            yield from dataset
        else:
            for index in order:
                yield dataset[index]


def batched(path: Path, order: list[int] | None) -> Iterator[np.ndarray]:
    with brinery.open(path) as dataset:
        order = list(range(len(dataset))) if order is None else order
        for first in range(0, len(order), BATCH):
            yield from dataset.__getitems__(order[first : first + BATCH])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True, help="for temporary files; deleted at the end")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--size", default="320x240")
    parser.add_argument("--protocols", default="npy,pickle-5,hdf5,hickle")
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    width, height = map(int, given.size.split("x"))
    make_corpus(given.folder / "photos", count=given.images, size=(width, height))
    try:
        measure(given)
    finally:
        shutil.rmtree(given.folder)


def copy_anew(folder: Path, names: list[str], number: int) -> None:
    """Write all files again, in a new order: where pages lie in memory is worth 20 % of a file's speed."""
    random.Random(-number).shuffle(names)
    for name in names:
        (folder / name).rename(folder / "old")
        shutil.copytree(folder / "old", folder / name)
        shutil.rmtree(folder / "old")


def measure(given: argparse.Namespace) -> None:
    ways: dict[tuple[str, str], tuple[Callable[..., Iterator[np.ndarray]], Path]] = {}
    for protocol in given.protocols.split(","):
        target = given.folder / protocol
        brinery.convert(given.folder / "photos", target, protocol=protocol)
        ways[protocol, "one by one"] = (opened, target)
        ways[protocol, "batches"] = (batched, target)
    plain = given.folder / "memmap" / "images.npy"
    plain.parent.mkdir()
    with brinery.open(target) as dataset:
        images = np.lib.format.open_memmap(plain, "w+", np.uint8, (len(dataset), *dataset[0].shape))
        for index, array in enumerate(dataset):
            images[index] = array
        del images
    ways["memmap", ""] = (mapped, plain)
    seconds: dict[tuple[str, str, bool], list[float]] = {}
    shuffled = list(range(given.images))
    for number in range(given.rounds + 1):
        cells = [(*way, at_random) for way in ways for at_random in (False, True)]
        random.Random(number).shuffle(cells)
        random.Random(number).shuffle(shuffled)
        copy_anew(given.folder, sorted({name for name, _ in ways}), number)
        for name, how, at_random in cells:
            read, path = ways[name, how]
            order = shuffled if at_random else None
            gc.collect()
            begin = time.process_time()
            assert touch(read(path, order)) == given.images
            took = time.process_time() - begin
            if number:  # the first round warms up
                seconds.setdefault((name, how, at_random), []).append(took)
    print(f"{given.images} images of {given.size}, {given.rounds} rounds\n")
    print("| | | in order, images/s | to memmap | at random, images/s | to memmap |")
    print("|---|---|---:|---:|---:|---:|")
    for name, how in ways:
        cells_of = []
        for at_random in (False, True):
            mine, base = seconds[name, how, at_random], seconds["memmap", "", at_random]
            ratio = statistics.median(b / m for m, b in zip(mine, base, strict=True))
            cells_of += [f"{given.images / statistics.median(mine):,.0f}", f"{ratio:.2f}"]
        print(f"| {name} | {how} | {' | '.join(cells_of)} |")


if __name__ == "__main__":
    main()
