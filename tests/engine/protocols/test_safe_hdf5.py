"""HDF5 files made to mislead, and the refusals."""

import io
import os
import pickle

import h5py
import hickle
import numpy as np
import pytest

from brinery.engine.protocols.base import Placement, Spec
from brinery.engine.protocols.registry import get_serializer
from brinery.engine.protocols.testing import make_array, same, write_shard
from brinery.errors import CorruptError

SHAPE = (4, 6, 3)
SPEC = Spec(np.dtype("u1"), SHAPE)
NAME = "4x6x3-uint8"
FIRST = Placement(0, 0, None)


def read(path, label="hdf5", spec=SPEC, placement=FIRST):
    with path.open("rb") as file, get_serializer(label).shard_reader(file) as reader:
        return reader.read(placement, spec)


@pytest.fixture
def make(tmp_path):
    """Writes an HDF5 shard whose `images` is made by a function of the group; returns the path."""

    def write(images, keys=True, **options):
        path = tmp_path / "shard.h5"
        with h5py.File(path, "w", **options) as file:
            group = file.create_group(NAME)
            images(group)
            if keys:
                group["keys"] = np.array([b"a"])
        return path

    return write


def test_a_plain_stack_is_read(make):
    stack = make_array((2, *SHAPE))
    path = make(lambda group: group.create_dataset("images", data=stack))
    assert same(read(path, placement=Placement(1, 0, None)), stack[1])


def test_other_byte_order_is_made_native(make):
    stack = make_array((1, *SHAPE), "u2")
    path = make(lambda group: group.create_dataset("images", data=stack.astype(">u2")))
    with h5py.File(path, "r+") as file:
        file.move(NAME, "4x6x3-uint16")
    assert same(read(path, spec=Spec(np.dtype("u2"), SHAPE)), stack[0])


def test_another_files_bytes_are_not_read(make, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"s" * 72)
    external = [(str(secret).encode(), 0, 72)]
    path = make(lambda group: group.create_dataset("images", (1, *SHAPE), "u1", external=external))
    with pytest.raises(CorruptError):
        read(path)


def test_virtual_datasets_are_refused(make, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["x"] = np.zeros((1, *SHAPE), "u1")
    layout = h5py.VirtualLayout((1, *SHAPE), "u1")
    layout[...] = h5py.VirtualSource(tmp_path / "other.h5", "x", (1, *SHAPE))
    with pytest.raises(CorruptError):
        read(make(lambda group: group.create_virtual_dataset("images", layout)))


@pytest.mark.parametrize("link", [h5py.SoftLink("/other"), h5py.ExternalLink("other.h5", "/x")])
def test_links_are_refused(make, link):
    def images(group):
        group["images"] = link

    with pytest.raises(CorruptError, match="of its own"):
        read(make(images))


def test_groups_behind_links_are_refused(tmp_path):
    path = tmp_path / "shard.h5"
    with h5py.File(path, "w") as file:
        file["0-uint8/images"] = np.zeros((1, *SHAPE), "u1")
        file[NAME] = h5py.SoftLink("/0-uint8")
    with pytest.raises(CorruptError, match="of its own"):
        read(path)


@pytest.mark.parametrize(
    "dtype",
    [
        h5py.string_dtype(),
        h5py.vlen_dtype("u1"),
        h5py.ref_dtype,
        "S1",
        h5py.opaque_dtype("V1"),
        [("a", "u1")],
    ],
)
def test_other_kinds_of_data_are_refused(make, dtype):
    with pytest.raises(CorruptError):
        read(make(lambda group: group.create_dataset("images", (1, *SHAPE), dtype)))


def test_a_claimed_size_beyond_the_file_is_refused(make):
    def images(group):
        dataset = h5py.h5d.create(
            group.id, b"images", h5py.h5t.STD_U8LE, h5py.h5s.create_simple((10**12, *SHAPE))
        )
        del dataset

    path = make(images)
    with pytest.raises(CorruptError):
        read(path, placement=Placement(10**9, 0, None))


@pytest.mark.parametrize(
    "options",
    [
        {"chunks": (1, *SHAPE)},
        {"chunks": (1, *SHAPE), "fletcher32": True},
        {"chunks": (1, *SHAPE), "shuffle": True},
        {"chunks": (1, *SHAPE), "shuffle": True, "compression": "gzip"},
        {"chunks": (2, *SHAPE), "compression": "gzip"},
    ],
)
def test_other_layouts_are_refused(make, options):
    stack = np.zeros((2, *SHAPE), "u1")
    with pytest.raises(CorruptError):
        read(make(lambda group: group.create_dataset("images", data=stack, **options)))


def test_a_chunk_that_inflates_too_far_is_refused(make):
    import zlib

    def images(group):
        stack = group.create_dataset("images", (1, *SHAPE), "u1", chunks=(1, *SHAPE), compression="gzip")
        stack.id.write_direct_chunk((0, 0, 0, 0), zlib.compress(bytes(1 << 26)))

    path = make(images)
    assert path.stat().st_size < 1 << 20
    with pytest.raises(CorruptError):
        read(path, "hdf5+gzip")


def test_a_missing_chunk_is_refused(make):
    path = make(
        lambda g: g.create_dataset("images", (1, *SHAPE), "u1", chunks=(1, *SHAPE), compression="lzf")
    )
    with pytest.raises(CorruptError, match="missing"):
        read(path, "hdf5+lzf")


def test_more_than_brinery_writes_is_refused(make):
    path = make(lambda group: group.create_dataset("images", data=np.zeros((1, *SHAPE), "u1")))
    with h5py.File(path, "r+") as file:
        file[NAME]["more"] = 1
    with pytest.raises(CorruptError, match="something else"):
        read(path)
    with h5py.File(path, "r+") as file:
        del file[NAME]["more"]
        file["more"] = 1
    with pytest.raises(CorruptError, match="does not write"):
        read(path)


def test_a_file_behind_a_user_block_is_refused(make):
    stack = np.zeros((1, *SHAPE), "u1")
    path = make(lambda group: group.create_dataset("images", data=stack), userblock_size=512)
    with pytest.raises(CorruptError):
        read(path)


def test_hickles_type_table_is_never_unpickled(tmp_path):
    path, canary = tmp_path / "shard.hkl", tmp_path / "canary"
    array = make_array(SHAPE)
    write_shard(get_serializer("hickle"), path, [("a", array)])

    class Runs:
        def __reduce__(self):
            return os.mkdir, (str(canary),)

    hostile = np.frombuffer(pickle.dumps(Runs()), "S1")
    with h5py.File(path, "r+") as file:
        table = file["hickle_types_table"]
        for name in [name for name in table if table[name].shape]:
            old = table[name]
            nodes = []
            file.visititems(lambda _, node, nodes=nodes: nodes.append(node))
            users = [node for node in nodes if node.attrs.get("type") == old.ref]
            attributes = dict(old.attrs)
            del table[name]
            table.create_dataset(name, data=hostile.reshape(1, -1)).attrs.update(attributes)
            for node in users:
                node.attrs["type"] = table[name].ref
    assert same(read(path, "hickle"), array)
    assert not canary.exists()
    with pytest.raises(Exception):  # noqa: B017 - what hickle raises after it ran the code is its own affair
        hickle.load(path)
    assert canary.exists(), "the attack works on hickle itself"


def test_a_hickle_of_something_else_is_refused(tmp_path):
    path = tmp_path / "shard.hkl"
    hickle.dump({NAME: {"images": np.zeros((1, *SHAPE), "u1"), "keys": np.array([b"a"]), "more": [1]}}, path)
    with pytest.raises(CorruptError):
        read(path, "hickle")
    hickle.dump({"other": 1}, path)
    with pytest.raises(CorruptError):
        read(path, "hickle")


def test_what_is_no_hdf5_is_refused():
    with get_serializer("hdf5").single_reader(io.BytesIO(b"x" * 1000)) as reader, pytest.raises(CorruptError):
        reader.read(FIRST, SPEC)
