"""What every adapter shares: decoding, worker processes, and how a corpus is divided."""

import importlib.metadata
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg

_PIECE_BYTES = 2 << 20  # of JPEG files: what brinery makes a unit of


def decode(path: str) -> np.ndarray:
    """Read and decode a JPEG file: uint8 (H, W, 3), RGB."""
    return simplejpeg.decode_jpeg(Path(path).read_bytes())


def decode_into(path: str, buffer: np.ndarray) -> None:
    """Decode a JPEG file into an array of its shape."""
    simplejpeg.decode_jpeg(Path(path).read_bytes(), buffer=buffer)


def pieces(paths: Sequence[str], most: int | None = None) -> list[tuple[int, list[str]]]:
    """Divide a corpus into runs of files for tasks, each with the number of its first file."""
    each = max(1, round(_PIECE_BYTES / (sum(map(os.path.getsize, paths)) / len(paths))))
    each = min(each, most or each)
    return [(first, list(paths[first : first + each])) for first in range(0, len(paths), each)]


def shares(paths: Sequence[str], count: int) -> list[tuple[int, list[str]]]:
    """Divide a corpus into as many runs of files as there are workers."""
    ends = [len(paths) * n // count for n in range(count + 1)]
    return [(first, list(paths[first:end])) for first, end in pairwise(ends)]


def batches(indices: Sequence[int], size: int) -> Iterator[list[int]]:
    """Yield the indices, so many at a time."""
    for first in range(0, len(indices), size):
        yield list(indices[first : first + size])


def version(name: str) -> str:
    """The version of an installed distribution."""
    return importlib.metadata.version(name)


class Workers:
    """Worker processes that stay warm from one conversion to the next."""

    def __init__(self, count: int, start: str) -> None:
        self.count = count
        self._pool = ProcessPoolExecutor(count, mp_context=multiprocessing.get_context(start))

    def map(self, function: Callable[..., Any], tasks: Iterable[tuple[Any, ...]]) -> list[Any]:
        """Call the function with each tuple of arguments; return the results in order."""
        futures = [self._pool.submit(function, *task) for task in tasks]
        return [future.result() for future in futures]

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown()
