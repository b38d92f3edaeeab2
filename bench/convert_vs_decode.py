"""How near a whole convert comes to decoding alone, both on the same warm workers, in interleaved rounds.

    python bench/convert_vs_decode.py --folder /dev/shm/ratio --protocol npy --workers 2 --rounds 15

Decoding alone reads each file and decodes it by libjpeg-turbo, and writes nothing. `call` is the time of
brinery.convert as its caller sees it; `run` is what the run itself records, without its last bookkeeping.
"""

import argparse
import shutil
import statistics
import time
from pathlib import Path

import simplejpeg

import brinery
from brinery.engine import pool
from brinery.engine.corpus import make_corpus


def decode_files(paths: list[Path]) -> int:
    for path in paths:
        simplejpeg.decode_jpeg(path.read_bytes())
    return len(paths)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="for temporary files; deleted at the end")
    parser.add_argument("--protocol", default="npy")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    photos, out = given.folder / "photos", given.folder / "out"
    make_corpus(photos, count=given.images, workers=given.workers)
    paths = sorted(photos.iterdir())
    pieces = [paths[first : first + 64] for first in range(0, len(paths), 64)]
    rows = []
    for _ in range(given.rounds + 1):
        begin = time.perf_counter()
        decoded = sum(pool.run(decode_files, pieces, workers=given.workers))
        alone = decoded / (time.perf_counter() - begin)
        shutil.rmtree(out, ignore_errors=True)
        begin = time.perf_counter()
        result = brinery.convert(photos, out, protocol=given.protocol, workers=given.workers)
        call = result.samples / (time.perf_counter() - begin)
        rows.append((alone, call, result.summary.images_per_second))
    shutil.rmtree(given.folder)
    rows = rows[1:]  # the first round warms up
    alone, call, run = (statistics.median(column) for column in zip(*rows, strict=True))
    print(f"decode alone {alone:.0f} images/s, call {call:.0f}, run {run:.0f}")
    for name, column in (("call", 1), ("run", 2)):
        ratios = sorted(row[column] / row[0] for row in rows)
        spread = f"{ratios[0]:.3f} to {ratios[-1]:.3f}"
        print(f"{name} / decode alone: median {statistics.median(ratios):.3f}, {spread}")


if __name__ == "__main__":
    main()
