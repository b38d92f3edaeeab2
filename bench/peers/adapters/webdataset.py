"""WebDataset: a tar a task, each image a member of npy bytes; it can only be streamed."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import webdataset
from common import Workers, decode, pieces

TITLE = "WebDataset"
PACKAGE = "webdataset"
START = "fork"


def convert(paths: list[str], out: str, workers: Workers) -> None:
    Path(out).mkdir()
    workers.map(_write, ((files, f"{out}/{n:06}.tar") for n, files in pieces(paths)))


def _write(files: list[str], target: str) -> None:
    with webdataset.TarWriter(target) as writer:
        for path in files:
            writer.write({"__key__": Path(path).stem, "npy": decode(path)})


def read(out: str) -> Iterator[np.ndarray]:
    shards = sorted(map(str, Path(out).glob("*.tar")))
    for sample in webdataset.WebDataset(shards, shardshuffle=False).decode():
        yield sample["npy"]
