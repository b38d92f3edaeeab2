"""Files written once are read for ever: by the libraries, by the safe path, by their payloads."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from brinery.engine.protocols.base import Placement, Spec
from brinery.engine.protocols.registry import get_serializer
from brinery.engine.protocols.testing import content

from .make import samples_of

# numpy 2 still finds what numpy 1's pickles name, and says that it has moved.
pytestmark = pytest.mark.filterwarnings("ignore:numpy.core:DeprecationWarning")

FOLDER = Path(__file__).parent
INDEXES = sorted(FOLDER.glob("*/shard*.json"))
# The bytes of these depend on no library's version but numpy's first number.
SAME_BYTES = (
    "json",
    "npy",
    "npz",
    "arrow",
    "parquet",
    "safetensors",
    "msgpack",
    "cbor",
    "tfrecord",
    "zarr",
    "encoded",
    "webdataset",
    *(f"{kind}-{n}" for kind in ("pickle", "pypickle") for n in range(6)),
)


@pytest.fixture(params=INDEXES, ids=[f"{path.parent.name}/{path.stem}" for path in INDEXES])
def golden(request):
    """The serializer, the shard's path, and the records of its index."""
    index = json.loads(request.param.read_text())
    serializer = get_serializer(index["label"])
    return serializer, request.param.with_name(request.param.stem + serializer.file_suffix), index["records"]


def digest(data):
    return hashlib.sha256(data).hexdigest()


def fields(record):
    return record["dtype"], tuple(record["shape"]), record["sha256"]


def shown(array):
    return array.dtype.name, array.shape, digest(array.tobytes())


def test_every_protocol_has_a_golden_file():
    assert {*SAME_BYTES, "hdf5", "hickle"} <= {path.parent.name for path in INDEXES}


def test_the_library_reads_it(golden):
    serializer, path, records = golden
    if np.__version__.startswith("1.") and "-5" in serializer.name and path.name.startswith("shard."):
        pytest.skip("numpy 1 cannot load numpy 2's pickles of protocol 5")
    loaded = list(serializer.load_shard(path))
    if loaded[0][0] is None:
        assert [shown(array) for _, array in loaded] == [fields(record) for record in records]
    else:
        assert {key: shown(array) for key, array in loaded} == {r["key"]: fields(r) for r in records}


def test_the_safe_path_reads_it(golden):
    serializer, path, records = golden
    with path.open("rb") as file, serializer.shard_reader(file) as reader:
        for record in records:
            placement = Placement(record["start"], record["length"], record["payload"])
            array = reader.read(placement, Spec(np.dtype(record["dtype"]), tuple(record["shape"])))
            assert shown(array) == fields(record)


def test_the_payloads_are_where_the_index_says(golden):
    serializer, path, records = golden
    if not serializer.maps:
        pytest.skip("compressed or text: nothing to map")
    data = path.read_bytes()
    for record in records:
        spec = Spec(np.dtype(record["dtype"]), tuple(record["shape"]))
        assert digest(data[record["payload"] : record["payload"] + spec.nbytes]) == record["sha256"]


@pytest.mark.parametrize("label", SAME_BYTES)
def test_a_fresh_write_gives_the_same_bytes(label, tmp_path):
    serializer = get_serializer(label)
    stem = "shard-numpy1" if "pickle" in label and np.__version__.startswith("1.") else "shard"
    with (tmp_path / "shard").open("w+b") as file:
        writer = serializer.writer(file)
        for key, array in samples_of(label):
            writer.add(key, content(serializer, array))
        writer.finish()
    golden = FOLDER / label / f"{stem}{serializer.file_suffix}"
    assert (tmp_path / "shard").read_bytes() == golden.read_bytes()
