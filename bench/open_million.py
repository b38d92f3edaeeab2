"""Opening a dataset of a million samples, and reading single ones: time and memory, in fresh processes.

    python bench/open_million.py --folder /dev/shm/million

The manifest is written by brinery's own writer: shards of --a-shard samples, the files of which are links to
one. Each round is a new process that imports brinery, opens a small dataset (so that all code has run once),
and then opens the large one, reads a first random sample, and 2000 more.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import brinery
from brinery.engine.checksums import array_checksum
from brinery.engine.converting.manifest_writer import Manifest
from brinery.engine.corpus import make_corpus
from brinery.engine.manifest.reader import Catalog
from brinery.engine.records import Sample, Shard, UnitResult, shard_id

UNITS_A_COMMIT = 64


def build(folder: Path, samples: int, each: int) -> None:
    """Convert a few images, then multiply their shard to so many samples."""
    make_corpus(folder / "photos", count=each, size=(16, 16))
    brinery.convert(folder / "photos", folder / "small", workers=1)
    shutil.rmtree(folder / "photos")
    large = folder / "large"
    (large / "shards").mkdir(parents=True)
    (first,) = (folder / "small" / "shards").iterdir()
    with brinery.open(folder / "small") as dataset:
        array = np.array(dataset[0])
        payloads = [entry.placement.payload for entry in map(Catalog(folder / "small").find, dataset.keys)]
    manifest = Manifest(folder / "small", {}, fsync=False)
    settings = manifest.settings()
    manifest.close()
    manifest = Manifest(large, settings, fsync=False)
    checksum, shape = array_checksum(array), json.dumps(list(array.shape))
    results = []
    units = -(-samples // each)
    for unit in range(units):
        name = f"{unit:06d}{first.suffix}"
        os.link(first, large / "shards" / name)
        rows = tuple(
            Sample(
                *(
                    shard_id(unit, 0),
                    record,
                    unit * each + record,
                    f"a/folder/of/images/{unit:06}/{record:06}.jpg",
                    None,
                ),
                *(0, 1, payload, array.nbytes, payload, array.dtype.str, shape, checksum),
                *(1, False, 700, 1_700_000_000_000_000_000, checksum),
            )
            for record, payload in enumerate(payloads)
        )
        shard = Shard(0, name, first.stat().st_size, array.nbytes * each, each)
        results.append(UnitResult(unit, each, (shard,), rows))
        if len(results) == UNITS_A_COMMIT or unit == units - 1:
            manifest.commit(results, [])
            results.clear()
    manifest.close()


def memory() -> int:
    """The process's own memory: mapped pages of files belong to the page cache."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("RssAnon")).split()[1])


def measure(folder: Path) -> None:
    """One round, in this process."""
    with brinery.open(folder / "small") as dataset:
        assert dataset[0].size
    before = memory()
    begin = time.perf_counter()
    dataset = brinery.open(folder / "large")
    opened = time.perf_counter()
    count = len(dataset)
    order = [random.randrange(count) for _ in range(2001)]
    asked = time.perf_counter()
    dataset[order[0]].max()
    first = time.perf_counter()
    for index in order[1:]:
        dataset[index].max()
    done = time.perf_counter()
    key = dataset.keys[order[0]]
    by_key = time.perf_counter()
    assert dataset[key].size
    keyed = time.perf_counter()
    told = {
        "samples": count,
        "open_ms": 1e3 * (opened - begin),
        "first_sample_ms": 1e3 * (first - asked),
        "next_samples_us": 1e6 * (done - first) / 2000,
        "key_by_position_us": 1e6 * (by_key - done),
        "sample_by_key_us": 1e6 * (keyed - by_key),
        "memory_mib": (memory() - before) / 2**20,
    }
    begin = time.perf_counter()
    assert sum(1 for _ in dataset) == count
    told["iterate_us"] = 1e6 * (time.perf_counter() - begin) / count
    told["memory_after_all_mib"] = (memory() - before) / 2**20
    print(json.dumps(told))


def main() -> None:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--folder", type=Path, required=True, help="for temporary files; deleted at the end")
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--a-shard", type=int, default=87, help="87 is what images of 320 x 240 give")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        measure(given.folder)
        return
    try:
        build(given.folder, given.samples, given.a_shard)
        command = [sys.executable, __file__, "--folder", given.folder, "--child"]
        rounds = [json.loads(subprocess.check_output(command)) for _ in range(given.rounds)]
    finally:
        shutil.rmtree(given.folder)
    for name in rounds[0]:
        values = [told[name] for told in rounds]
        print(f"{name:22}{statistics.median(values):14,.2f}   {min(values):,.2f} to {max(values):,.2f}")


if __name__ == "__main__":
    main()
