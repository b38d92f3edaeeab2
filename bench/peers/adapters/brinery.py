"""brinery itself, from a wheel of this checkout."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from common import batches

import brinery

TITLE = "brinery, {}"
PACKAGE = "brinery"
START = None
VARIANT = "npy"


def convert(paths: list[str], out: str, workers: int) -> None:
    brinery.convert(Path(paths[0]).parent, out, protocol=VARIANT, workers=workers)


def read(out: str) -> Iterator[np.ndarray]:
    with brinery.open(out) as dataset:
        yield from dataset


def read_at(out: str, order: list[int]) -> Iterator[np.ndarray]:
    with brinery.open(out) as dataset:
        for batch in batches(order, 32):
            yield from dataset.__getitems__(batch)
