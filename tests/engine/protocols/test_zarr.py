"""Stores as zarr sees them, and chunks made to mislead."""

import io
import json
import zipfile

import numpy as np
import pytest
import zarr

from brinery.engine.protocols.base import Placement, Spec
from brinery.engine.protocols.registry import get_serializer
from brinery.engine.protocols.testing import make_array, write_shard, write_single
from brinery.errors import CorruptError, MemberError

LABELS = ["zarr", "zarr+zstd", "zarr+gzip"]
ARRAYS = [
    make_array((4, 6, 3)),
    make_array((5, 7), "u2"),
    make_array((4, 6, 3), seed=1),
    make_array((), "i8"),
    np.empty((0, 5, 3), "u1"),
    make_array((2, 3), "c8"),
    make_array((3, 3)) > 99,
    make_array((2, 2), "f2"),
]
SAMPLES = [(f"ü/{n}", array) for n, array in enumerate(ARRAYS)]


def opened(path):
    return zarr.open(zarr.storage.ZipStore(path, mode="r"), mode="r")


@pytest.mark.parametrize("label", LABELS)
def test_each_shape_and_dtype_is_a_stack_with_its_keys(tmp_path, label):
    path = tmp_path / "shard.zarr.zip"
    write_shard(get_serializer(label), path, SAMPLES)
    group = opened(path)
    kinds = ["4x6x3-uint8", "5x7-uint16", "scalar-int64", "0x5x3-uint8", "2x3-complex64", "3x3-bool"]
    assert sorted(group.array_keys()) == sorted([*kinds, "2x2-float16"])
    stack = group["4x6x3-uint8"]
    assert stack.shape == (2, 4, 6, 3)
    assert stack.chunks == (1, 4, 6, 3)
    assert stack.attrs["keys"] == ["ü/0", "ü/2"]
    assert np.array_equal(stack[...], [ARRAYS[0], ARRAYS[2]])
    assert len(stack.compressors) == (label != "zarr")
    assert group["0x5x3-uint8"].shape == (1, 0, 5, 3)
    assert group["scalar-int64"][0] == ARRAYS[3]


def test_zarr_writes_what_is_read(tmp_path):
    """The metadata are those that zarr gives to such an array."""
    write_shard(get_serializer("zarr+zstd"), tmp_path / "own", SAMPLES[:1])
    with zarr.storage.ZipStore(tmp_path / "other", mode="w") as store:
        stack = zarr.open_group(store, mode="w").create_array(
            "4x6x3-uint8",
            shape=(1, 4, 6, 3),
            chunks=(1, 4, 6, 3),
            dtype="u1",
            compressors=zarr.codecs.ZstdCodec(level=3),
            attributes={"keys": ["ü/0"]},
        )
        stack[0] = ARRAYS[0]
    own, other = (opened(tmp_path / name)["4x6x3-uint8"].metadata.to_dict() for name in ("own", "other"))
    assert own == other


def test_members_are_stored_with_one_date(tmp_path):
    write_shard(get_serializer("zarr"), tmp_path / "shard", SAMPLES[:3])
    with zipfile.ZipFile(tmp_path / "shard") as archive:
        assert archive.testzip() is None
        members = archive.infolist()
        assert {(one.compress_type, one.date_time) for one in members} == {(0, (1980, 1, 1, 0, 0, 0))}
        assert [one.filename for one in members if not one.filename.endswith("zarr.json")] == [
            "4x6x3-uint8/c/0/0/0/0",
            "5x7-uint16/c/0/0/0",
            "4x6x3-uint8/c/1/0/0/0",
        ]
        root = json.loads(archive.read("zarr.json"))
    assert root == {"zarr_format": 3, "node_type": "group", "attributes": {}}


def test_an_empty_shard_is_an_empty_group(tmp_path):
    write_shard(get_serializer("zarr"), tmp_path / "shard", [])
    assert list(opened(tmp_path / "shard").members()) == []


def test_a_file_of_one_array_is_an_array_of_one_chunk(tmp_path):
    for n, array in enumerate(ARRAYS):
        write_single(get_serializer("zarr"), tmp_path / str(n), array)
        found = opened(tmp_path / str(n))
        assert isinstance(found, zarr.Array)
        assert found.dtype == array.dtype
        assert np.array_equal(found[...], array)


def test_pixels_reach_the_file_before_the_shard_is_complete(tmp_path):
    with (tmp_path / "shard").open("w+b", buffering=0) as file:
        writer = get_serializer("zarr").writer(file)
        for number in range(1, 4):
            writer.add("a", ARRAYS[number % 2])
            assert (tmp_path / "shard").stat().st_size >= number * ARRAYS[1].nbytes
        writer.finish()


@pytest.mark.parametrize("array", [np.zeros((2,), "g"), np.zeros((1,) * 32, "u1")])
def test_an_array_that_zarr_cannot_hold_is_its_own_failure(tmp_path, array):
    with (tmp_path / "shard").open("w+b") as file:
        writer = get_serializer("zarr").writer(file)
        with pytest.raises(MemberError, match="zarr"):
            writer.add("bad", array)
        writer.add("good", ARRAYS[0])
        writer.finish()
    assert list(opened(tmp_path / "shard").array_keys()) == ["4x6x3-uint8"]


@pytest.mark.parametrize("label", LABELS[1:])
def test_a_chunk_that_does_not_hold_its_array_is_refused(label):
    codec = get_serializer(label).codec
    for data, shape in [
        (codec.compress(b"sixty6"), (5,)),
        (codec.compress(b"sixty6"), (7,)),
        (codec.compress(b"sixty6")[:-1], (6,)),
        (codec.compress(b"sixty6") * 2, (6,)),
        (codec.compress(bytes(1 << 20)), (6,)),
        (b"", (6,)),
    ]:
        with get_serializer(label).shard_reader(io.BytesIO(data)) as reader, pytest.raises(CorruptError):
            reader.read(Placement(0, len(data), None), Spec(np.dtype("u1"), shape))
