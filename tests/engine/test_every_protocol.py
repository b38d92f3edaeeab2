"""One archive, every protocol: the same bytes whoever works, and Pillow's pixels whoever reads.

The readers here use the formats' own libraries alone. BRINERY_TEST_IMAGES=1000 makes it a full corpus
of 320 x 240 images.
"""

import gzip
import io
import json
import os
import pickle
import tarfile
import tempfile
from pathlib import Path
from urllib.parse import unquote

import cbor2
import h5py
import hickle
import msgpack
import numpy as np
import pyarrow.ipc
import pyarrow.parquet
import pytest
import safetensors.numpy
import zarr
from tfrecord.reader import tfrecord_loader

import brinery
from brinery.engine.corpus import make_corpus
from brinery.engine.protocols.registry import known_protocols

from ..images import as_pillow
from .test_convert import contents

IMAGES = int(os.environ.get("BRINERY_TEST_IMAGES", "24"))
CREWS = ((1, "loky"), (2, "loky"), (1, "threading"), (2, "threading"))
SIZE, SHARD = ((320, 240), "32MiB") if IMAGES > 500 else ((48, 32), "64KiB")
LABELS = [info.name for info in known_protocols() if info.origin == "built-in"] + [
    "pickle-2+gzip",
    "hdf5+gzip:1",
    "webdataset+png",
    "webdataset+webp",
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus") / "photos"
    make_corpus(folder, count=IMAGES, size=SIZE, workers=2)
    return folder


@pytest.fixture(scope="module")
def converted(corpus, tmp_path_factory):
    """By protocol, what each crew made of the corpus, and where; a crew does all of its work at once."""
    root = tmp_path_factory.mktemp("converted")
    found = {label: [] for label in LABELS}
    for workers, backend in CREWS:
        for label, made in found.items():
            out = root / f"{label}-{workers}-{backend}".replace(":", "-")
            options = {"workers": workers, "backend": backend, "shard_size": SHARD, "fsync": False}
            made.append((brinery.convert(corpus, out, protocol=label, **options), out))
    return found


def read_pickles(data):
    stream = io.BytesIO(data)
    while stream.tell() < len(data):
        yield pickle.load(stream)


def read_json(data):
    for line in data.splitlines():
        record = json.loads(line)
        yield record["key"], np.array(record["data"], record["dtype"]).reshape(record["shape"])


def read_npy(data):
    stream = io.BytesIO(data)
    while stream.tell() < len(data):
        for array in np.load(stream):
            yield None, array


def read_npz(data):
    with np.load(io.BytesIO(data)) as archive:
        for key in archive.files:
            yield key, archive[key]


def read_hdf5(data):
    with h5py.File(io.BytesIO(data)) as file:
        for group in file.values():
            yield from zip((key.decode() for key in group["keys"]), group["images"], strict=True)


def read_hickle(data):
    for group in hickle.load(h5py.File(io.BytesIO(data))).values():
        yield from zip((key.decode() for key in group["keys"]), group["images"], strict=True)


def read_encoded(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            yield member.name, as_pillow(archive.extractfile(member).read())


def read_arrow(data):
    table = pyarrow.ipc.open_file(data).read_all()
    table.validate(full=True)
    return zip(table["key"].to_pylist(), table["image"].combine_chunks().to_numpy_ndarray(), strict=True)


def read_safetensors(data):
    return sorted(safetensors.numpy.load(data).items())


def read_objects(records):
    return [(one["key"], np.ndarray(one["shape"], one["dtype"], one["data"])) for one in records]


def read_msgpack(data):
    unpacker = msgpack.Unpacker(max_buffer_size=0)
    unpacker.feed(data)
    return read_objects(unpacker)


def read_cbor(data):
    return read_objects(cbor2.loads(b"\x9f" + data + b"\xff"))  # as one list that has no length


def read_parquet(data):
    return read_objects(pyarrow.parquet.read_table(io.BytesIO(data)).to_pylist())


def read_tfrecord(data):
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(data)
        for record in tfrecord_loader(file.name, None):
            array = np.frombuffer(record["data"], record["dtype"].decode()).reshape(record["shape"])
            yield record["key"].decode(), array


def read_zarr(data):
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(data)
        with zarr.storage.ZipStore(file.name, mode="r") as store:
            for _, stack in zarr.open_group(store, mode="r").arrays():
                yield from zip(stack.attrs["keys"], stack[...], strict=True)


def read_webdataset(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            name, _, kind = member.name.rpartition(".")
            content = archive.extractfile(member).read()
            yield unquote(name), np.load(io.BytesIO(content)) if kind == "npy" else as_pillow(content)


READERS = {
    "json": read_json,
    "npy": read_npy,
    "npz": read_npz,
    "hdf5": read_hdf5,
    "hickle": read_hickle,
    "arrow": read_arrow,
    "parquet": read_parquet,
    "zarr": read_zarr,
    "safetensors": read_safetensors,
    "msgpack": read_msgpack,
    "cbor": read_cbor,
    "tfrecord": read_tfrecord,
    "encoded": read_encoded,
    "webdataset": read_webdataset,
}


@pytest.mark.parametrize("label", LABELS)
def test_it_is_the_same_for_every_writer_and_reader(corpus, converted, label):
    assert [result.samples for result, _ in converted[label]] == [IMAGES] * 4
    datasets = [out for _, out in converted[label]]
    first, *others = (contents(dataset) for dataset in datasets)
    assert others == [first] * 3

    pixels = {path.name: as_pillow(path.read_bytes()) for path in sorted(corpus.iterdir())}
    reader = READERS.get(label.split("+")[0], read_pickles)
    found = []
    for name, data in sorted(first[0].items()):
        if name.startswith("shards/"):
            found += reader(gzip.decompress(data) if label == "pickle-2+gzip" else data)
    assert len(found) == IMAGES
    for (key, array), (name, image) in zip(found, pixels.items(), strict=True):
        assert key in (name, None)
        assert array.dtype == image.dtype
        assert np.array_equal(array, image)

    with brinery.open(datasets[0]) as dataset:
        assert list(dataset.keys) == list(pixels)
        for array, image in zip(dataset, pixels.values(), strict=True):
            assert array.dtype == image.dtype
            assert np.array_equal(array, image)
