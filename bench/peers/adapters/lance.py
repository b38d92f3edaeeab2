"""Lance: workers write fragments, which are then committed as one dataset, as its documentation describes."""

from collections.abc import Iterator

import lance
import numpy as np
import pyarrow as pa
from common import Workers, batches, decode, decode_into, pieces

TITLE = "Lance"
PACKAGE = "pylance"
START = "spawn"


def convert(paths: list[str], out: str, workers: Workers) -> None:
    shape = decode(paths[0]).shape
    made = workers.map(_write, ((files, out, shape) for _, files in pieces(paths)))
    fragments = [fragment for some in made for fragment in some]
    lance.LanceDataset.commit(out, lance.LanceOperation.Overwrite(_schema(shape), fragments))


def _schema(shape: tuple[int, ...]) -> pa.Schema:
    kind = pa.list_(pa.uint8(), int(np.prod(shape)))
    return pa.schema([("pixels", kind)], metadata={"shape": " ".join(map(str, shape))})


def _write(files: list[str], out: str, shape: tuple[int, ...]) -> list[lance.FragmentMetadata]:
    batch = np.empty((len(files), *shape), np.uint8)
    for path, image in zip(files, batch, strict=True):
        decode_into(path, image)
    pixels = pa.FixedSizeListArray.from_arrays(pa.array(batch.reshape(-1)), int(np.prod(shape)))
    schema = _schema(shape)
    return lance.fragment.write_fragments(pa.table([pixels], schema=schema), out, schema=schema)


def read(out: str) -> Iterator[np.ndarray]:
    dataset = lance.dataset(out)
    for batch in dataset.to_batches(batch_size=32):
        yield from _arrays(batch.column(0), dataset)


def read_at(out: str, order: list[int]) -> Iterator[np.ndarray]:
    dataset = lance.dataset(out)
    for batch in batches(order, 32):
        for chunk in dataset.take(batch).column(0).chunks:
            yield from _arrays(chunk, dataset)


def _arrays(column: pa.FixedSizeListArray, dataset: lance.LanceDataset) -> np.ndarray:
    shape = map(int, dataset.schema.metadata[b"shape"].split())
    return column.flatten().to_numpy().reshape(len(column), *shape)
