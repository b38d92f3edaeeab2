"""How near a whole convert comes to what the machine leaves possible, in warm workers and interleaved rounds.

    python bench/convert_vs_decode.py --folder /dev/shm/ratio
    python bench/convert_vs_decode.py --folder on-disk --images 4000 --protocols npy --rounds 7

Decoding alone reads each file and decodes it by libjpeg-turbo, and writes nothing; raw write writes as many
bytes into files of 16 MiB and flushes each with fsync, which costs nothing in memory and on a disk is what a
convert promises. The time of brinery.convert, as its caller sees it, is held against

    decode     decoding alone,
    both       decoding alone and then raw write: what workers that do one after the other could reach,
    slower     the slower of the two: what is left where the device writes while the workers decode,

and that of the first number of workers in the same round.
"""

import argparse
import os
import random
import shutil
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import simplejpeg

import brinery
from brinery.engine.corpus import make_corpus
from brinery.engine.workers import pool

_FILE, _BLOCK = 16 << 20, 1 << 20
_PIECE = 64  # images a task, where that leaves every worker at least 8 tasks


def decode_files(paths: list[Path]) -> int:
    for path in paths:
        simplejpeg.decode_jpeg(path.read_bytes())
    return len(paths)


def write_raw(task: tuple[Path, int]) -> int:
    path, size = task
    block = bytes(range(256)) * (_BLOCK // 256)
    with path.open("xb", buffering=0) as file:
        while (left := size - file.tell()) > 0:
            file.write(block[:left])
        os.fsync(file)
    return size


def timed(action: Callable[[], object]) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def measure(given: argparse.Namespace, photos: Path, workers: int) -> dict[str, float]:
    """One round: seconds by name; the protocols in a new random order."""
    paths, out, raw = sorted(photos.iterdir()), given.folder / "out", given.folder / "raw"
    piece = max(1, min(_PIECE, len(paths) // (8 * workers)))
    pieces = [paths[first : first + piece] for first in range(0, len(paths), piece)]
    seconds = {"decode": timed(lambda: list(pool.run(decode_files, pieces, workers=workers)))}
    size = simplejpeg.decode_jpeg(paths[0].read_bytes()).nbytes * len(paths)
    files = [(raw / str(at), min(_FILE, size - at)) for at in range(0, size, _FILE)]
    raw.mkdir()
    seconds["raw write"] = timed(lambda: list(pool.run(write_raw, files, workers=workers)))
    shutil.rmtree(raw)
    for protocol in random.sample(given.protocols, len(given.protocols)):
        seconds[protocol] = timed(partial(brinery.convert, photos, out, protocol=protocol, workers=workers))
        shutil.rmtree(out)
    return seconds


def middle(values: list[float]) -> str:
    """The median, and between which values all are."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def show(given: argparse.Namespace, rounds: dict[int, list[dict[str, float]]]) -> None:
    first = given.workers[0]
    print(f"| workers | | images/s | to decode | to both | to slower | to {first} |")
    print("|---:|---|---:|---:|---:|---:|---:|")
    for workers, rows in rounds.items():
        for name in ("decode", "raw write", *given.protocols):
            rate = statistics.median(given.images / row[name] for row in rows)
            cells = [
                middle([row["decode"] / row[name] for row in rows]),
                middle([(row["decode"] + row["raw write"]) / row[name] for row in rows]),
                middle([max(row["decode"], row["raw write"]) / row[name] for row in rows]),
                middle([before[name] / row[name] for before, row in zip(rounds[first], rows, strict=True)]),
            ]
            if name in ("decode", "raw write"):
                cells[:3] = ["", "", ""]
            print(f"| {workers} | {name} | {rate:,.0f} | {' | '.join(cells)} |")


def main() -> None:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--folder", type=Path, required=True, help="for temporary files; deleted at the end")
    parser.add_argument("--protocols", type=lambda text: text.split(","), default=["npy", "pickle-5", "hdf5"])
    parser.add_argument("--workers", type=lambda text: [int(n) for n in text.split(",")], default=[1, 2])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--size", default="320x240", help="of the images, WIDTHxHEIGHT")
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    photos = given.folder / "photos"
    width, height = map(int, given.size.split("x"))
    make_corpus(photos, count=given.images, size=(width, height), workers=max(given.workers))
    rounds: dict[int, list[dict[str, float]]] = {workers: [] for workers in given.workers}
    for _ in range(given.rounds):
        for workers, rows in rounds.items():
            measure(given, photos, workers)  # the pool may have new workers, which import what they need
            rows.append(measure(given, photos, workers))
    shutil.rmtree(given.folder)
    show(given, rounds)


if __name__ == "__main__":
    main()
