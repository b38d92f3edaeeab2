"""By hand: threads decode into batches, the main thread writes them into one contiguous dataset."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import h5py
import numpy as np
from common import batches, decode, decode_into, pieces

TITLE = "HDF5 by hand: h5py, decode threads"
PACKAGE = "h5py"
START = None


@cache
def _threads(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count)


def convert(paths: list[str], out: str, workers: int) -> None:
    Path(out).mkdir()
    shape = decode(paths[0]).shape
    with h5py.File(Path(out, "images.h5"), "w", libver="latest") as file:
        images = file.create_dataset("images", (len(paths), *shape), np.uint8)
        threads, running, free = _threads(workers), deque(), deque()
        for first, files in pieces(paths, most=16):
            buffer = free.popleft() if free else np.empty((16, *shape), np.uint8)
            running.append((first, len(files), buffer, threads.submit(_decode, files, buffer)))
            if len(running) > 2 * workers:
                _write(images, running, free)
        while running:
            _write(images, running, free)


def _decode(files: list[str], buffer: np.ndarray) -> None:
    for file, image in zip(files, buffer, strict=False):
        decode_into(file, image)


def _write(images: h5py.Dataset, running: deque, free: deque) -> None:
    first, count, buffer, decoded = running.popleft()
    decoded.result()
    images.write_direct(buffer, np.s_[:count], np.s_[first : first + count])
    free.append(buffer)


def read(out: str) -> Iterator[np.ndarray]:
    with h5py.File(Path(out, "images.h5")) as file:
        images = file["images"]
        buffer = np.empty((16, *images.shape[1:]), np.uint8)
        for batch in batches(range(len(images)), 16):
            images.read_direct(buffer, np.s_[batch[0] : batch[-1] + 1], np.s_[: len(batch)])
            yield from buffer[: len(batch)]


def read_at(out: str, order: list[int]) -> Iterator[np.ndarray]:
    with h5py.File(Path(out, "images.h5")) as file:
        images = file["images"]
        buffer = np.empty(images.shape[1:], np.uint8)
        for index in order:
            images.read_direct(buffer, np.s_[index])
            yield buffer
