"""TensorStore: one sharded zarr3 array, a chunk an image (any can be read alone), a shard a task."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import tensorstore
from common import Workers, batches, decode, decode_into, pieces

TITLE = "TensorStore (zarr3, sharded)"
PACKAGE = "tensorstore"
START = "spawn"


def convert(paths: list[str], out: str, workers: Workers) -> None:
    shape = decode(paths[0]).shape
    tasks = pieces(paths)
    _open(
        out,
        create=True,
        dtype=tensorstore.uint8,
        shape=[len(paths), *shape],
        chunk_layout=tensorstore.ChunkLayout(
            write_chunk_shape=[len(tasks[0][1]), *shape], read_chunk_shape=[1, *shape]
        ),
    )
    workers.map(_write, ((files, out, n, shape) for n, files in tasks))


def _write(files: list[str], out: str, first: int, shape: tuple[int, ...]) -> None:
    batch = _buffer((len(files), *shape))
    for path, image in zip(files, batch, strict=True):
        decode_into(path, image)
    _open(out)[first : first + len(files)].write(batch).result()


@cache
def _buffer(shape: tuple[int, ...]) -> np.ndarray:
    return np.empty(shape, np.uint8)


def read(out: str) -> Iterator[np.ndarray]:
    store = _open(out)
    for batch in batches(range(store.shape[0]), 32):
        yield from store[batch[0] : batch[-1] + 1].read().result()


def read_at(out: str, order: list[int]) -> Iterator[np.ndarray]:
    store = _open(out)
    for batch in batches(order, 32):
        waiting = [store[index].read() for index in batch]
        for image in waiting:
            yield image.result()


def _open(out: str, **options: Any) -> tensorstore.TensorStore:
    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": out}}
    return tensorstore.open(spec, **options).result()
