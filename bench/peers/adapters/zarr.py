"""zarr-python: one sharded array, a chunk an image and a shard a task, not compressed."""

from collections.abc import Iterator
from functools import cache

import numpy as np
import zarr
from common import Workers, batches, decode, decode_into, pieces

TITLE = "zarr-python, sharded"
PACKAGE = "zarr"
START = "spawn"


def convert(paths: list[str], out: str, workers: Workers) -> None:
    shape = decode(paths[0]).shape
    tasks = pieces(paths)
    each = len(tasks[0][1])
    zarr.create_array(
        out,
        shape=(len(paths), *shape),
        shards=(each, *shape),
        chunks=(1, *shape),
        dtype=np.uint8,
        compressors=None,
        filters=None,
        config={"write_empty_chunks": True},
    )
    workers.map(_write, ((files, out, n, shape) for n, files in tasks))


def _write(files: list[str], out: str, first: int, shape: tuple[int, ...]) -> None:
    batch = _buffer((len(files), *shape))
    for path, image in zip(files, batch, strict=True):
        decode_into(path, image)
    zarr.open_array(out, mode="r+")[first : first + len(files)] = batch


@cache
def _buffer(shape: tuple[int, ...]) -> np.ndarray:
    return np.empty(shape, np.uint8)


def read(out: str) -> Iterator[np.ndarray]:
    images = zarr.open_array(out, mode="r")
    for batch in batches(range(images.shape[0]), 32):
        yield from images[batch[0] : batch[-1] + 1]


def read_at(out: str, order: list[int]) -> Iterator[np.ndarray]:
    images = zarr.open_array(out, mode="r")
    for index in order:
        yield images[index]
