"""LitData: `optimize` with as many workers; the library starts its own processes at every call."""

from collections.abc import Iterator

import numpy as np
from common import decode
from litdata import StreamingDataset, optimize

TITLE = "LitData"
PACKAGE = "litdata"
START = None


def convert(paths: list[str], out: str, workers: int) -> None:
    optimize(
        decode,
        paths,
        output_dir=out,
        num_workers=workers,
        chunk_bytes="64MB",
        start_method="fork",  # by default it spawns, and imports torch anew in each
        verbose=False,
    )


def read(out: str) -> Iterator[np.ndarray]:
    yield from StreamingDataset(out)


def read_at(out: str, order: list[int]) -> Iterator[np.ndarray]:
    dataset = StreamingDataset(out)
    for index in order:
        yield dataset[index]
