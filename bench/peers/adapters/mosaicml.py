"""MosaicML streaming: each worker writes a folder of shards, whose indices are merged, as documented."""

import contextlib
from collections.abc import Iterator

import numpy as np
import torch
from common import Workers, decode, shares

# streaming imports torchvision, which cannot be imported where it was built for CUDA and torch was not:
# it describes two operators that it then has not loaded. Nothing here calls them.
_operators = torch.library.Library("torchvision", "FRAGMENT")
for _name in ("nms", "qnms"):
    with contextlib.suppress(RuntimeError):
        _operators.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from streaming import LocalDataset, MDSWriter  # noqa: E402
from streaming.base.util import merge_index  # noqa: E402

TITLE = "MosaicML streaming"
PACKAGE = "mosaicml-streaming"
START = "fork"


def convert(paths: list[str], out: str, workers: Workers) -> None:
    workers.map(_write, ((files, f"{out}/{n:06}") for n, files in shares(paths, workers.count)))
    merge_index(out, keep_local=True)


def _write(files: list[str], folder: str) -> None:
    shape = ",".join(map(str, decode(files[0]).shape))
    with MDSWriter(out=folder, columns={"image": f"ndarray:uint8:{shape}"}) as writer:
        for path in files:
            writer.write({"image": decode(path)})


def read(out: str) -> Iterator[np.ndarray]:
    dataset = LocalDataset(out)
    for index in range(len(dataset)):
        yield dataset[index]["image"]


def read_at(out: str, order: list[int]) -> Iterator[np.ndarray]:
    dataset = LocalDataset(out)
    for index in order:
        yield dataset[index]["image"]
