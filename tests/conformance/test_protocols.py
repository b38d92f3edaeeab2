"""The conformance suite over every registered protocol, plain and with each of its compressions."""

import pytest

from brinery.engine.protocols.registry import known_protocols
from brinery.engine.protocols.testing import SerializerConformance

LABELS = [
    label
    for info in known_protocols()
    if info.available
    for label in (info.name, *(f"{info.name}+{compression}" for compression in info.abilities.compressions))
]
LEVELS = [
    "webdataset+jpg:50",
    "hdf5+gzip:9",
    "hickle+gzip:1",
    "npz+deflate:1",
    "npy+zstd:1",
    "pickle-5+gzip:9",
    "json+lz4:3",
]

for _label in LABELS + LEVELS:
    _name = "Test_" + "".join(letter if letter.isalnum() else "_" for letter in _label)
    globals()[_name] = type(_name, (SerializerConformance,), {"label": _label})


def test_every_built_in_protocol_is_covered():
    covered = {label.partition("+")[0] for label in LABELS}
    others = {"arrow", "parquet", "tfrecord", "zarr"}
    assert {"json", "npy", "npz", "hdf5", "hickle", "safetensors", "msgpack", "cbor"} | others <= covered
    assert {f"{kind}-{version}" for kind in ("pickle", "pypickle") for version in range(6)} <= covered


@pytest.mark.parametrize("label", ["npy+zstd", "npy+lz4"])
def test_optional_compressions_are_installed_where_this_runs(label):
    assert label in LABELS
