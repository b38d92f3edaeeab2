"""TFRecord by the pure-Python package of that name: a file a task; it can only be streamed."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tfrecord
from common import Workers, decode, pieces

TITLE = "TFRecord (package tfrecord)"
PACKAGE = "tfrecord"
START = "fork"


def convert(paths: list[str], out: str, workers: Workers) -> None:
    Path(out).mkdir()
    shapes = workers.map(_write, ((files, f"{out}/{n:06}.tfrecord") for n, files in pieces(paths)))
    Path(out, "shape.txt").write_text(" ".join(map(str, shapes[0])))


def _write(files: list[str], target: str) -> tuple[int, ...]:
    writer = tfrecord.TFRecordWriter(target)
    for path in files:
        image = decode(path)
        writer.write({"pixels": (image.tobytes(), "byte")})
    writer.close()
    return image.shape


def read(out: str) -> Iterator[np.ndarray]:
    shape = tuple(map(int, Path(out, "shape.txt").read_text().split()))
    for path in sorted(Path(out).glob("*.tfrecord")):
        for record in tfrecord.tfrecord_loader(str(path), None, {"pixels": "byte"}):
            yield np.frombuffer(record["pixels"], np.uint8).reshape(shape)
