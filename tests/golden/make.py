"""Writes the golden files: shards that every later version must read.

    python tests/golden/make.py                 all that do not exist yet
    python tests/golden/make.py pickle-5 npy    these anew

`shard-streamed` holds large samples, which hdf5 and hickle do not gather in memory, and `shard-tensors`
samples of one shape, which arrow stores in another way than mixed ones.
Under numpy 1 it writes pickles as `shard-numpy1.pkl`, since those of numpy 2 name other modules. With an h5py
that holds HDF5 1 it writes `shard-hdf5-1`, whose filters and attributes are stored in another way.
"""

import hashlib
import json
import platform
import sys
from pathlib import Path

import h5py
import numpy as np

from brinery.engine.protocols.registry import get_serializer
from brinery.engine.protocols.testing import content

FOLDER = Path(__file__).parent
PICKLES = [f"{kind}-{version}" for kind in ("pickle", "pypickle") for version in range(6)]
LABELS = [
    *PICKLES,
    *("pickle-5+gzip", "pickle-5+zstd", "pickle-5+lz4", "json", "json+gzip"),
    *("npy", "npy+gzip", "npy+zstd", "npy+lz4", "npz", "npz+deflate"),
    *("hdf5", "hdf5+gzip", "hdf5+lzf", "hickle", "hickle+gzip", "hickle+lzf", "arrow"),
    *("safetensors", "msgpack", "msgpack+zstd", "cbor", "cbor+lz4", "tfrecord", "encoded"),
    *("parquet", "parquet+zstd", "parquet+lz4", "parquet+gzip", "parquet+snappy"),
    *("zarr", "zarr+zstd", "zarr+gzip"),
    *("webdataset", "webdataset+png", "webdataset+webp", "webdataset+jpg"),
]


def samples_of(label):
    """A handful of tiny arrays, as far as the protocol takes them."""
    if label == "encoded":  # which takes images
        return [(key, array) for key, array in samples() if array.dtype.kind == "u" and array.size > 1]
    return samples()


def samples():
    """A handful of tiny arrays, made without a random generator, which may change."""
    count = np.arange(4 * 5 * 3)
    colour = (count * 37 % 256).astype("u1").reshape(4, 5, 3)
    return [
        ("photos/a.jpg", colour),
        ("photos/b ü 图.jpg", colour[::-1].copy()),
        ("grey.png", np.ascontiguousarray(colour[..., 0])),
        ("deep.png", (count[:20] * 3001 % 65536).astype("u2").reshape(4, 5)),
        ("float.tiff", (count[:6] / 7).astype("f4").reshape(2, 3)),
        ("bits.png", count[:6].reshape(2, 3) % 2 == 0),
        ("complex", (count[:2] - 1j).astype("c8")),
        ("scalar", np.array(7, "i8")),
        ("empty", np.empty((0, 5, 3), "u1")),
        ("photos/c.jpg", colour),
    ]


def large_samples():
    """Samples of which HDF5's containers do not gather the first two in memory, and tiny ones."""
    gradient = (np.arange(160 * 140 * 3) % 251).astype("u1").reshape(160, 140, 3)
    return [("large/a.jpg", gradient), ("large/b.jpg", gradient[::-1].copy()), *samples()]


TENSORS = ["arrow"]
STREAMED = ["hdf5", "hickle"]
OF_HDF5_1 = ["hdf5+gzip", "hickle+lzf"]


def paths(label, stem="shard"):
    """The shard and the index beside it."""
    folder = FOLDER / label
    return folder / f"{stem}{get_serializer(label).file_suffix}", folder / f"{stem}.json"


def write(label, stem="shard", contents=None):
    shard, index = paths(label, stem)
    serializer, written = get_serializer(label), samples_of(label) if contents is None else contents()
    shard.parent.mkdir(exist_ok=True)
    with shard.open("w+b") as file:
        writer = serializer.writer(file)
        read = []
        for key, array in written:
            writer.add(key, content(serializer, array))
            back = writer.given_back()
            read.append(array if back is None else back)
        placements = writer.finish()
    records = [
        {
            "key": key,
            "dtype": array.dtype.name,
            "shape": array.shape,
            "start": placement.start,
            "length": placement.length,
            "payload": placement.payload,
            "sha256": hashlib.sha256(array.tobytes()).hexdigest(),
        }
        for (key, _), array, placement in zip(written, read, placements, strict=True)
    ]
    made = {"python": platform.python_version(), "numpy": np.__version__}
    lines = ",\n".join(json.dumps(record) for record in records)
    index.write_text(f'{{"label": "{label}", "made_with": {json.dumps(made)}, "records": [\n{lines}\n]}}\n')


def main(labels):
    first = np.lib.NumpyVersion(np.__version__) < "2.0.0"
    stem = "shard-numpy1" if first else "shard"
    for label in labels or (PICKLES if first else LABELS):
        if labels or not paths(label, stem)[0].exists():
            write(label, stem)
    for label in OF_HDF5_1:
        if h5py.version.hdf5_version.startswith("1.") and not paths(label, "shard-hdf5-1")[0].exists():
            write(label, "shard-hdf5-1")
    for label in TENSORS:
        if not first and not paths(label, "shard-tensors")[0].exists():
            write(label, "shard-tensors", lambda: samples()[:2])
    for label in STREAMED:
        if not first and not paths(label, "shard-streamed")[0].exists():
            write(label, "shard-streamed", large_samples)


if __name__ == "__main__":
    main(sys.argv[1:])
