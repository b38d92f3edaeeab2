"""HDF5 structures that lead round in circles, out of the file or to the same bytes twice are refused."""

import io
import struct

import h5py
import numpy as np
import pytest

from brinery.engine.protocols.base import Placement, Spec
from brinery.engine.protocols.checks import CheckedFile
from brinery.engine.protocols.hdf5_file import Hdf5File
from brinery.engine.protocols.registry import get_serializer
from brinery.engine.protocols.testing import make_array, same, write_shard
from brinery.errors import CorruptError

SHAPE = (4, 6, 3)
SPEC = Spec(np.dtype("u1"), SHAPE)
ARRAYS = [make_array(SHAPE, seed=seed) for seed in range(70)]  # two leaves of chunks below one node
OTHERS = [make_array((1, width)) for width in range(1, 300)]  # two leaves of groups below one node
GROUP, CHUNK = 0, 1  # kinds of trees
KEY = {GROUP: 8, CHUNK: 48}  # bytes before an address in a node


@pytest.fixture(scope="module", params=["hdf5+gzip", "hickle+gzip"])
def label(request):
    return request.param


@pytest.fixture(scope="module")
def sound(label, tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "shard"
    samples = [(f"{number}", array) for number, array in enumerate(ARRAYS + OTHERS)]
    write_shard(get_serializer(label), path, samples)
    return path.read_bytes()


def read(label, data, tmp_path, row=1):
    path = tmp_path / "shard"
    path.write_bytes(data)
    with path.open("rb") as file, get_serializer(label).shard_reader(file) as reader:
        return reader.read(Placement(row, 0, None), SPEC)


def nodes(data, kind):
    """Address, level and addresses below of each node of a kind of trees."""
    at = -1
    while (at := data.find(b"TREE", at + 1)) >= 0:
        found, level, used = struct.unpack_from("<BBH", data, at + 4)
        step = KEY[kind] + 8
        if found == kind and used:
            yield at, level, [at + 24 + KEY[kind] + step * number for number in range(used)]


def upper(data, kind):
    return next(node for node in nodes(data, kind) if node[1] == 1)


def leaf(data, kind):
    """The leaf that holds most."""
    return max((node for node in nodes(data, kind) if node[1] == 0), key=lambda node: len(node[2]))


def pack(data, form, at, *values):
    struct.pack_into(form, data, at, *values)


def own_child(data, kind):
    at, _, below = upper(data, kind)
    pack(data, "<Q", below[0], at)


def own_child_of_a_leaf(data, kind):
    at, _, below = leaf(data, kind)
    data[at + 5] = 1
    pack(data, "<Q", below[0], at)


def twice(data, kind):
    _, _, below = upper(data, kind)
    data[below[1] : below[1] + 8] = data[below[0] : below[0] + 8]


def too_deep(data, kind):
    data[upper(data, kind)[0] + 5] = 255


def too_many(data, kind):
    pack(data, "<H", upper(data, kind)[0] + 6, 65535)


def outside(data, kind):
    pack(data, "<Q", upper(data, kind)[2][0], len(data) - 10)


def far_outside(data, kind):
    pack(data, "<Q", upper(data, kind)[2][0], (1 << 64) - 1)


def of_the_other_kind(data, kind):
    pack(data, "<Q", upper(data, kind)[2][0], upper(data, 1 - kind)[0])


@pytest.mark.parametrize("kind", [GROUP, CHUNK], ids=["group", "chunk"])
@pytest.mark.parametrize(
    "damage",
    [own_child, own_child_of_a_leaf, twice, too_deep, too_many, outside, far_outside, of_the_other_kind],
)
def test_a_tree_that_is_none_is_refused(label, sound, tmp_path, kind, damage):
    assert same(read(label, sound, tmp_path), ARRAYS[1])
    data = bytearray(sound)
    damage(data, kind)
    with pytest.raises(CorruptError):
        read(label, data, tmp_path)


def symbols(data):
    """Where each symbol node lies."""
    at = -1
    while (at := data.find(b"SNOD", at + 1)) >= 0:
        yield at


def test_a_name_twice_is_refused(label, sound, tmp_path):
    data = bytearray(sound)
    first = max(symbols(data), key=lambda at: data[at + 6])
    data[first + 8 : first + 16] = data[first + 48 : first + 56]
    with pytest.raises(CorruptError, match="names"):
        read(label, data, tmp_path)


def test_names_that_share_bytes_are_refused(tmp_path):
    # The ends of one long name would be a thousand names of a thousand bytes.
    path = tmp_path / "file.h5"
    with h5py.File(path, "w") as file:
        for name in ("n" * 900, "a", "b", "c"):
            file.create_group(name)
    data = bytearray(path.read_bytes())
    node = next(symbols(data))
    (offset,) = struct.unpack_from("<Q", data, node + 8 + 40 * 3)  # of the last, the long one
    for number in range(3):
        pack(data, "<Q", node + 8 + 40 * number, offset + 1 + number)
    file = Hdf5File(CheckedFile(io.BytesIO(path.read_bytes())))
    assert file.members(file.root).keys() == {"n" * 900, "a", "b", "c"}
    file = Hdf5File(CheckedFile(io.BytesIO(data)))
    with pytest.raises(CorruptError, match="names"):
        file.members(file.root)


@pytest.mark.parametrize("length", [1 << 62, 1 << 34, 0])
def test_names_outside_of_the_file_are_refused(label, sound, tmp_path, length):
    data = bytearray(sound)
    pack(data, "<Q", data.find(b"HEAP") + 8, length)
    with pytest.raises(CorruptError):
        read(label, data, tmp_path)


def test_chunks_that_share_bytes_are_refused(label, sound, tmp_path):
    # A hundred of them at one place would unpack a small file a hundred times.
    data = bytearray(sound)
    _, _, below = leaf(data, CHUNK)
    data[below[1] : below[1] + 8] = data[below[0] : below[0] + 8]
    with pytest.raises(CorruptError, match="share bytes"):
        read(label, data, tmp_path)


def test_a_chunk_at_anothers_place_is_refused(label, sound, tmp_path):
    data = bytearray(sound)
    _, _, below = leaf(data, CHUNK)
    offset = below[1] - KEY[CHUNK] + 8
    pack(data, "<Q", offset, 0)
    with pytest.raises(CorruptError, match="out of order"):
        read(label, data, tmp_path)


def messages(data, kind, size):
    """Where each message of a kind and size begins in object headers of version 1."""
    at = -1
    while (at := data.find(struct.pack("<HHI", kind, size, 0), at + 1)) >= 0:
        yield at


def test_a_header_that_goes_on_in_itself_is_refused(tmp_path):
    path = tmp_path / "shard"
    write_shard(get_serializer("hickle"), path, [("a", ARRAYS[0])])
    data = bytearray(path.read_bytes())
    at = next(messages(data, 16, 16))
    pack(data, "<QQ", at + 8, at, 24)  # to the block of 24 bytes that this message is
    with pytest.raises(CorruptError):
        read("hickle", data, tmp_path, 0)


def test_a_message_that_leads_past_its_header_is_refused(label, sound, tmp_path):
    data = bytearray(sound)
    for at in messages(sound, 17, 16):
        pack(data, "<H", at + 2, 65528)
    with pytest.raises(CorruptError):
        read(label, data, tmp_path)


def test_a_header_of_many_messages_is_refused_at_the_first_too_many(tmp_path):
    path = tmp_path / "shard"
    write_shard(get_serializer("hickle"), path, [("a", ARRAYS[0])])
    data = bytearray(path.read_bytes())
    for at in list(messages(data, 16, 16)):
        pack(data, "<QQ", at + 8, len(data), 1 << 20)
    with pytest.raises(CorruptError, match="more messages than it counts"):
        read("hickle", data + bytes(1 << 20), tmp_path, 0)


def test_what_is_wrong_is_looked_for_once(label, sound, tmp_path, monkeypatch):
    looked = []
    chunks = Hdf5File.chunks
    monkeypatch.setattr(Hdf5File, "chunks", lambda *given: looked.append(1) or chunks(*given))
    data = bytearray(sound)
    own_child(data, CHUNK)
    path = tmp_path / "shard"
    path.write_bytes(data)
    with path.open("rb") as file, get_serializer(label).shard_reader(file) as reader:
        for row in range(20):
            with pytest.raises(CorruptError, match="twice"):
                reader.read(Placement(row, 0, None), SPEC)
    assert len(looked) == 1


@pytest.mark.parametrize("kind", [7, 6, 21], ids=["external files", "links", "attributes"])
def test_a_message_of_another_kind_is_refused(label, sound, tmp_path, kind):
    data = bytearray(sound)
    for at in messages(sound, 17, 16):
        pack(data, "<H", at, kind)
    with pytest.raises(CorruptError):
        read(label, data, tmp_path)


@pytest.mark.parametrize("version", ["latest", "v108"])
def test_a_file_of_newer_hdf5_is_refused_by_name(tmp_path, version):
    path = tmp_path / "shard"
    with h5py.File(path, "w", libver=(version, "latest")) as file:
        file["4x6x3-uint8/images"] = np.stack(ARRAYS[:2])
        file["4x6x3-uint8/keys"] = np.array([b"a", b"b"])
    with pytest.raises(CorruptError, match="superblock of version"):
        read("hdf5", path.read_bytes(), tmp_path)


def test_a_file_cut_short_is_refused(label, sound, tmp_path):
    for size in (0, 1, 8, 95, 96, len(sound) // 2, len(sound) - 1):
        with pytest.raises(CorruptError):
            read(label, sound[:size], tmp_path)


def test_every_dtype_is_known_by_its_message(tmp_path):
    path = tmp_path / "shard"
    for code in ["b1", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8", "c8", "c16"]:
        for order in "<>":
            dtype = np.dtype(order + code)
            array = np.arange(6).astype(dtype).reshape(1, 2, 3)
            with h5py.File(path, "w") as file:
                group = file.create_group(f"2x3-{dtype.name}")
                group["images"] = array
                group["keys"] = np.array([b"a"])
            spec = Spec(dtype.newbyteorder("="), (2, 3))
            other = Spec(np.dtype("i8" if code == "u8" else "u8"), (2, 3))
            with path.open("rb") as opened, get_serializer("hdf5").shard_reader(opened) as reader:
                np.testing.assert_array_equal(reader.read(Placement(0, 0, None), spec), array[0])
            with h5py.File(path, "r+") as file:
                file.move(f"2x3-{dtype.name}", f"2x3-{other.dtype.name}")
            with (
                path.open("rb") as opened,
                get_serializer("hdf5").shard_reader(opened) as reader,
                pytest.raises(CorruptError, match="dtype"),
            ):
                reader.read(Placement(0, 0, None), other)
