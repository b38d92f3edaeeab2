"""Files that become shorter while they are read are an error of the samples, and no signal to the process."""

import os
import threading
from contextlib import suppress

import numpy as np
import pytest

import brinery
from brinery.engine.datasets.dataset import Dataset
from brinery.engine.datasets.info import describe
from brinery.errors import BrineryError, CorruptError

from ..images import as_pillow, encoded, make_tar
from .apart import run_apart

NOISE = np.random.default_rng(0).integers(0, 256, (4, 90, 100, 3), np.uint8)  # stays large when packed
FILES = {f"{number}.png": encoded(image, "PNG") for number, image in enumerate(NOISE)}
ARRAYS = [as_pillow(data) for data in FILES.values()]
PROTOCOLS = ["npy", "npz", "hdf5", "json", "hickle+gzip", "tfrecord"]


def make(root, protocol, layout="shards"):
    options = {"workers": 1, "backend": "threading", "fsync": False, "layout": layout}
    brinery.convert(make_tar(root / "in.tar", FILES), root / "out", protocol=protocol, **options)
    return root / "out"


def shards(path):
    return [file for file in path.rglob("*") if file.is_file() and file.suffix not in {".sqlite", ".txt"}]


def read_on(step, path, via):
    """Read one sample with checksums, cut the files, and read the others; return why they do not come."""
    reasons = []
    with brinery.open(path, via=via, verify=True) as dataset:
        np.testing.assert_array_equal(dataset[0], ARRAYS[0])
        for file in shards(path):
            os.truncate(file, 5000)
        for step.value in range(1, 4):
            try:
                np.testing.assert_array_equal(dataset[step.value], ARRAYS[step.value])
            except CorruptError as error:
                reasons.append(str(error))
    return reasons


@pytest.mark.parametrize("via", [None, "protocol"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_with_checksums_it_is_an_error_of_the_sample(tmp_path, protocol, via):
    assert len(run_apart(read_on, make(tmp_path, protocol), via)) == 3


def stored_one_by_one(step, path, verify):
    """Read as `verify` and `restore` do, and cut the files behind the first sample."""
    reasons = []
    with Dataset(path, verify=verify) as dataset:
        for step.value, stored in enumerate(dataset.each_in_shard(0)):
            try:
                stored.array().tobytes()
            except CorruptError as error:
                reasons.append(str(error))
            if not step.value:
                for file in shards(path):
                    os.truncate(file, 10)
    return reasons


@pytest.mark.parametrize("layout", ["shards", "mirror"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_verify_and_restore_go_on(tmp_path, protocol, layout):
    for verify in (True, False):
        (tmp_path / str(verify)).mkdir()
        path = make(tmp_path / str(verify), protocol, layout)
        assert len(run_apart(stored_one_by_one, path, verify)) == 3


def used_in_every_way(step, path, root):
    """Look at a dataset again and again while its files become shorter and longer."""
    stop = threading.Event()
    sound = {file: file.read_bytes() for file in (path / "manifest.sqlite", *shards(path))}

    def shorten():
        while not stop.is_set():
            for file, data in sound.items():
                for length in (0, 100, len(data) // 2, len(data) - 1):
                    os.truncate(file, length)
                file.write_bytes(data)

    thread = threading.Thread(target=shorten)
    thread.start()
    try:
        for step.value in range(60):
            with suppress(BrineryError):
                with brinery.open(path, verify=True) as dataset:
                    for index in range(len(dataset)):
                        with suppress(CorruptError):
                            np.testing.assert_array_equal(dataset[index], ARRAYS[index])
                describe(path)
                brinery.write_report(path, root / "report.md")
    finally:
        stop.set()
        thread.join()


def test_files_that_come_and_go_end_no_process(tmp_path):
    run_apart(used_in_every_way, make(tmp_path, "npy"), tmp_path)
