"""ArrayRecord: a shard a task, one record a group, as its documentation advises for random access."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from array_record.python import array_record_data_source, array_record_module
from common import Workers, batches, decode, pieces

TITLE = "ArrayRecord"
PACKAGE = "array-record"
START = "spawn"


def convert(paths: list[str], out: str, workers: Workers) -> None:
    Path(out).mkdir()
    shapes = workers.map(_write, ((files, f"{out}/{n:06}.array_record") for n, files in pieces(paths)))
    Path(out, "shape.txt").write_text(" ".join(map(str, shapes[0])))


def _write(files: list[str], target: str) -> tuple[int, ...]:
    writer = array_record_module.ArrayRecordWriter(target, "group_size:1,uncompressed")
    for path in files:
        image = decode(path)
        writer.write(image.tobytes())
    writer.close()
    return image.shape


def read(out: str) -> Iterator[np.ndarray]:
    shape = _shape(out)
    for path in sorted(Path(out).glob("*.array_record")):
        reader = array_record_module.ArrayRecordReader(str(path), "readahead_buffer_size:16777216")
        for _ in range(reader.num_records()):
            yield np.frombuffer(reader.read(), np.uint8).reshape(shape)
        reader.close()


def read_at(out: str, order: list[int]) -> Iterator[np.ndarray]:
    shape = _shape(out)
    files = sorted(map(str, Path(out).glob("*.array_record")))
    with array_record_data_source.ArrayRecordDataSource(files) as source:
        for batch in batches(order, 32):
            for record in source.__getitems__(batch):
                yield np.frombuffer(record, np.uint8).reshape(shape)


def _shape(out: str) -> tuple[int, ...]:
    return tuple(map(int, Path(out, "shape.txt").read_text().split()))
