"""By hand: forked workers decode and pwrite into one npy file made beforehand, which numpy maps."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from common import Workers, decode, pieces

TITLE = "npy by hand: fork and pwrite"
PACKAGE = "numpy"
START = "fork"


def convert(paths: list[str], out: str, workers: Workers) -> None:
    Path(out).mkdir()
    target = Path(out, "images.npy")
    first = decode(paths[0])
    with target.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (len(paths), *first.shape)}
        np.lib.format.write_array_header_1_0(file, header)
        start = file.tell()
        file.truncate(start + len(paths) * first.nbytes)
    workers.map(_write, ((files, target, start + n * first.nbytes) for n, files in pieces(paths)))


def _write(files: list[str], target: Path, offset: int) -> None:
    descriptor = os.open(target, os.O_WRONLY)
    for path in files:
        offset += os.pwrite(descriptor, decode(path), offset)
    os.close(descriptor)


def read(out: str) -> Iterator[np.ndarray]:
    yield from np.load(Path(out, "images.npy"), mmap_mode="r")


def read_at(out: str, order: list[int]) -> Iterator[np.ndarray]:
    images = np.load(Path(out, "images.npy"), mmap_mode="r")
    for index in order:
        yield images[index]
