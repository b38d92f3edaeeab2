"""Hugging Face datasets: a generator over the files with as many processes as workers, pixels as binary.

Arrays as Array3D features go through nested lists and are many times slower to write; binary columns are
read without a copy through the arrow format. The library starts its own processes at every call.
"""

import os
from collections.abc import Iterator
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}

import datasets
import numpy as np
from common import batches, decode

TITLE = "Hugging Face datasets"
PACKAGE = "datasets"
START = None

_FEATURES = datasets.Features(
    {"pixels": datasets.Value("large_binary"), "shape": datasets.Sequence(datasets.Value("int32"))}
)


def convert(paths: list[str], out: str, workers: int) -> None:
    made = datasets.Dataset.from_generator(
        _samples,
        features=_FEATURES,
        gen_kwargs={"paths": paths},
        num_proc=workers,
        cache_dir=out,
        writer_batch_size=32,
    )
    files = [file["filename"] for file in made.cache_files]
    Path(out, "files.txt").write_text("\n".join(files))


def _samples(paths: list[str]) -> Iterator[dict[str, object]]:
    for path in paths:
        image = decode(path)
        yield {"pixels": image.tobytes(), "shape": image.shape}


def _open(out: str) -> datasets.Dataset:
    files = Path(out, "files.txt").read_text().split("\n")
    parts = [datasets.Dataset.from_file(file) for file in files]
    return datasets.concatenate_datasets(parts).with_format("arrow")


def read(out: str) -> Iterator[np.ndarray]:
    for batch in _open(out).iter(32):
        yield from _arrays(batch)


def read_at(out: str, order: list[int]) -> Iterator[np.ndarray]:
    dataset = _open(out)
    for batch in batches(order, 32):
        yield from _arrays(dataset[batch])


def _arrays(table: object) -> Iterator[np.ndarray]:
    for pixels, shape in zip(table["pixels"], table["shape"], strict=True):
        yield np.frombuffer(pixels.as_buffer(), np.uint8).reshape(shape.as_py())
