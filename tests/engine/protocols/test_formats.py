"""What is particular to single formats: their layout in the file, their limits."""

import gzip
import io
import json
import pickle
import struct
import tracemalloc
import zipfile
import zlib

import h5py
import hickle
import lz4.frame
import numpy as np
import pytest
import zstandard

from brinery.engine.protocols import hdf5, stacks
from brinery.engine.protocols.base import Placement, Spec
from brinery.engine.protocols.frames import frame_codec
from brinery.engine.protocols.hdf5 import chunk_options
from brinery.engine.protocols.npy import decode_npy
from brinery.engine.protocols.registry import get_serializer
from brinery.engine.protocols.testing import make_array, same, write_shard, write_single
from brinery.errors import CorruptError, MemberError

ARRAY = make_array((4, 6, 3))
SPEC = Spec(ARRAY.dtype, ARRAY.shape)
SAMPLES = [("a", ARRAY), ("b", make_array((4, 6, 3), seed=1)), ("c", make_array((5, 5)))]

WHOLE = {
    "gzip": gzip.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read(),
    "lz4": lambda data: lz4.frame.open(io.BytesIO(data)).read(),
}


@pytest.mark.parametrize("name", ["pickle-0", "pickle-5", "pypickle-3", "json"])
@pytest.mark.parametrize("compression", WHOLE)
def test_a_compressed_file_expands_to_the_plain_one(tmp_path, name, compression):
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    write_shard(get_serializer(name), plain, SAMPLES)
    write_shard(get_serializer(f"{name}+{compression}"), packed, SAMPLES)
    assert WHOLE[compression](packed.read_bytes()) == plain.read_bytes()


@pytest.mark.parametrize("compression", WHOLE)
def test_a_frame_never_expands_beyond_its_limit(compression):
    codec = frame_codec(get_serializer(f"npy+{compression}").compression)
    frame = codec.compress(bytes(1 << 20))
    assert codec.expand(frame, 1 << 20) == bytes(1 << 20)
    for data, limit in [(frame, (1 << 20) - 1), (frame + frame, 1 << 21), (frame[:-1], 1 << 20), (b"", 10)]:
        with pytest.raises(CorruptError):
            codec.expand(data, limit)


@pytest.mark.parametrize("protocol", ["npy", "json", "pickle-5"])
@pytest.mark.parametrize("shape", [(4000, 1000), (1 << 40, 0, 3)])
def test_a_frame_gets_no_more_memory_than_it_can_fill(protocol, shape):
    frame = lz4.frame.compress(np.random.default_rng(0).bytes(5000), store_size=True)
    tracemalloc.start()
    reader = get_serializer(f"{protocol}+lz4").single_reader(io.BytesIO(frame))
    with pytest.raises(CorruptError):
        reader.read(Placement(0, len(frame), None), Spec(np.dtype("u1"), shape))
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert taken < 2 * 255 * len(frame)


@pytest.mark.parametrize("version", range(6))
def test_single_files_are_what_the_libraries_write(tmp_path, version):
    path = tmp_path / "single"
    write_single(get_serializer(f"pickle-{version}"), path, ARRAY)
    assert path.read_bytes() == pickle.dumps(ARRAY, version)
    write_single(get_serializer("npy"), path, ARRAY)
    expected = io.BytesIO()
    np.save(expected, ARRAY)
    assert path.read_bytes() == expected.getvalue()


@pytest.mark.parametrize("size", [0, 1, 255, 256, 65535, 65536, 100_000])
@pytest.mark.parametrize(
    "name", ["pickle-3", "pickle-4", "pickle-5", "pypickle-3", "pypickle-4", "pypickle-5"]
)
def test_a_pickles_payload_is_found_at_every_size(tmp_path, name, size):
    path = tmp_path / "shard"
    array = make_array((size,))
    keys = ["x" * size, array.tobytes().decode("latin-1"), "a"]
    placements = write_shard(get_serializer(name), path, [(key, array) for key in keys])
    data = path.read_bytes()
    for placement in placements:
        assert data[placement.payload : placement.payload + size] == array.tobytes()


KEYS = ["a", "", "b", "ü图", "x" * 255, "x" * 256, "y" * 255, "é" * 128, "z" * 70_000, "\0", "a\0", "a"]


@pytest.mark.parametrize("version", range(6))
@pytest.mark.parametrize("kind", ["u1", "u2", "f8", "c8", "?"])
def test_a_shard_of_pickles_is_what_the_pickler_writes(tmp_path, version, kind):
    arrays = [
        make_array(shape, "u1", seed) for seed in range(2) for shape in [(300, 250, 3), (225_000,), (1, 9)]
    ]
    arrays = [array > 99 if kind == "?" else array.astype(kind) for array in arrays]
    arrays[0].flags.writeable = False
    samples = [(key, arrays[n % len(arrays)]) for n, key in enumerate(KEYS * (1 if version < 3 else 3))]
    path = tmp_path / "shard"
    placements = write_shard(get_serializer(f"pickle-{version}"), path, samples)
    data = path.read_bytes()
    assert data == b"".join(pickle.dumps(sample, version) for sample in samples)
    if version >= 3:
        for (_, array), place in zip(samples, placements, strict=True):
            assert data[place.payload : place.payload + array.nbytes] == array.tobytes()


@pytest.mark.parametrize("version", [3, 4, 5])
@pytest.mark.parametrize("first", ["C", "numpy._core.numeric", "u1", "a"])
def test_a_key_that_the_pickle_of_an_array_holds_too_is_no_other(tmp_path, version, first):
    array = make_array((300, 400), "u2")
    samples = [(key, array) for key in [first, "b" * len(first), first]]
    path = tmp_path / "shard"
    write_shard(get_serializer(f"pickle-{version}"), path, samples)
    loaded = list(get_serializer(f"pickle-{version}").load_shard(path))
    assert [key for key, _ in loaded] == [key for key, _ in samples]
    assert all(same(found, array) for _, found in loaded)


def test_npy_stacks_follow_each_other(tmp_path):
    path = tmp_path / "shard.npy"
    write_shard(get_serializer("npy"), path, [*SAMPLES, ("d", ARRAY)])
    with path.open("rb") as file:
        assert [np.load(file).shape for _ in range(3)] == [(2, 4, 6, 3), (1, 5, 5), (1, 4, 6, 3)]
    assert same(np.asarray(np.load(path, mmap_mode="r")), np.stack([ARRAY, SAMPLES[1][1]]))


def test_an_npy_header_has_room_for_any_count(tmp_path):
    path = tmp_path / "shard.npy"
    placements = write_shard(
        get_serializer("npy"), path, [(str(n), make_array((), "f4")) for n in range(12345)]
    )
    assert placements[0].payload % 64 == 0
    assert np.load(path).shape == (12345,)


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '|O8', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '|u7', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': [('a', '|u1')], 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999,), }",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (1 1,), }",
        "{'descr': '|u1', 'fortran_order': exit(), 'shape': (1,), }",
        "[" * 3000,
    ],
)
def test_other_npy_headers_are_refused(header):
    text = header.encode() + b"\n"
    data = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + b"\0"
    with pytest.raises(CorruptError):
        decode_npy(data, SPEC)


def test_npz_is_a_zip_of_dated_members(tmp_path):
    path = tmp_path / "shard.npz"
    write_shard(get_serializer("npz"), path, SAMPLES)
    with zipfile.ZipFile(path) as members:
        assert members.testzip() is None
        assert [info.filename for info in members.infolist()] == ["a.npy", "b.npy", "c.npy"]
        assert {info.date_time for info in members.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert same(np.load(path)["a"], ARRAY)
    write_single(get_serializer("npz"), path, ARRAY)
    assert np.load(path).files == ["image"]


@pytest.mark.parametrize("key", ["x" * 65536, "ü" * 33_000, "a\0b"])
def test_a_key_that_zip_cannot_name_fails_alone(tmp_path, key):
    with (tmp_path / "shard").open("w+b") as file:
        writer = get_serializer("npz").writer(file)
        writer.add("a", ARRAY)
        with pytest.raises(MemberError):
            writer.add(key, ARRAY)
        with pytest.raises(MemberError, match="already"):
            writer.add("a", ARRAY)
        writer.add("b", ARRAY)
        assert len(writer.finish()) == 2
    assert np.load(tmp_path / "shard").files == ["a", "b"]


def test_an_abandoned_npz_writer_leaves_its_file_alone(tmp_path):
    file = (tmp_path / "shard").open("w+b")
    writer = get_serializer("npz").writer(file)
    writer.add("a", ARRAY)
    size = file.tell()
    del writer
    file.close()
    assert (tmp_path / "shard").stat().st_size == size


def test_zip_members_with_64_bit_sizes_are_read(monkeypatch, tmp_path):
    monkeypatch.setattr("brinery.engine.protocols.npz._ZIP64_FROM", 0)
    for label in ("npz", "npz+deflate"):
        path = tmp_path / "shard"
        placement = write_shard(get_serializer(label), path, SAMPLES)[0]
        with path.open("rb") as file:
            assert same(get_serializer(label).shard_reader(file).read(placement, SPEC), ARRAY)


def test_a_zip_bomb_is_refused():
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(bytes(1 << 26)) + packer.flush()
    header = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 8, 0, 33, 0, len(packed), 100, 1, 0)
    reader = get_serializer("npz+deflate").single_reader(io.BytesIO(header + b"a" + packed))
    with pytest.raises(CorruptError):
        reader.read(Placement(0, len(header) + 1 + len(packed), None), SPEC)


def test_json_lines_are_plain_ascii_objects(tmp_path):
    path = tmp_path / "shard.jsonl"
    array = np.array([[1 + 2j, 0], [np.nan, 3]], "c8")
    write_shard(get_serializer("json"), path, [("ü", array), ("b", np.array([True, False]))])
    first, second = path.read_text("ascii").splitlines()
    assert list(json.loads(first)) == ["key", "dtype", "shape", "data"]
    assert json.loads(first)["key"] == "ü"
    assert json.loads(first)["data"][0] == [[1, 2], [0, 0]]
    assert json.loads(second) == {"key": "b", "dtype": "bool", "shape": [2], "data": [True, False]}


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 10_000,
        b'{"dtype":"uint8","shape":[2],"data":[1]}',
        b'{"dtype":"uint8","shape":[2],"data":[1,{}]}',
        b'{"dtype":"uint8","shape":[2],"data":[1,300]}',
        b'{"dtype":"uint8","shape":[2],"data":[1,' + b"9" * 5000 + b"]}",
        b'{"dtype":"int8","shape":[2],"data":[1,2]}',
        b'{"dtype":"uint8","shape":[2]}',
        b'"text"',
        b"\xff",
    ],
)
def test_damaged_json_is_refused(line):
    reader = get_serializer("json").shard_reader(io.BytesIO(line))
    with pytest.raises(CorruptError):
        reader.read(Placement(0, len(line), None), Spec(np.dtype("u1"), (2,)))


def test_hdf5_has_a_group_for_each_kind_of_array(tmp_path):
    path = tmp_path / "shard.h5"
    write_shard(get_serializer("hdf5"), path, [*SAMPLES, ("ü", make_array((), "f4"))])
    with h5py.File(path) as file:
        assert set(file) == {"4x6x3-uint8", "5x5-uint8", "scalar-float32"}
        assert file["4x6x3-uint8/images"].shape == (2, 4, 6, 3)
        assert file["4x6x3-uint8/images"].chunks is None
        assert list(file["scalar-float32/keys"]) == ["ü".encode()]


@pytest.mark.parametrize("name", ["hdf5", "hickle"])
def test_a_compressed_stack_has_a_sample_a_chunk(tmp_path, name):
    path = tmp_path / "shard"
    write_shard(get_serializer(f"{name}+gzip:4"), path, SAMPLES)
    with h5py.File(path) as file:
        images = file["4x6x3-uint8/images"] if name == "hdf5" else file['data/"4x6x3-uint8"/"images"']
        assert (images.chunks, images.compression, images.compression_opts) == ((1, 4, 6, 3), "gzip", 4)


def test_chunks_stay_below_4_gib():
    compression = get_serializer("hdf5+gzip").compression
    assert chunk_options(compression, (1, 100_000, 100_000, 3), 1)["chunks"] == (1, 12_500, 100_000, 3)
    assert chunk_options(compression, (0, 5), 1) == {}


def test_hickle_loads_a_dict_of_dicts(tmp_path):
    path = tmp_path / "shard.hkl"
    for label in ("hickle", "hickle+lzf"):
        write_shard(get_serializer(label), path, SAMPLES)
        loaded = hickle.load(path)
        assert list(loaded) == ["4x6x3-uint8", "5x5-uint8"]
        assert same(loaded["4x6x3-uint8"]["images"][0], ARRAY)
        assert list(loaded["4x6x3-uint8"]["keys"]) == [b"a", b"b"]
    write_single(get_serializer("hickle"), path, ARRAY)
    assert same(hickle.load(path), ARRAY)


LARGE = [make_array((160, 150, 3), kind, seed) for kind in ("u1", "u2", "c8", "f8") for seed in range(3)]


def _stacks(path):
    """Every stack of a shard, by h5py alone: its pixels, its attributes and where they lie."""
    found = {}

    def look(name, node):
        if name.strip('"').endswith("images"):
            attributes = {key: str(value) for key, value in node.attrs.items()}
            found[name] = (node[()], attributes, node.id.get_offset())

    with h5py.File(path) as file:
        file.visititems(look)
    return found


@pytest.mark.parametrize("name", ["hdf5", "hickle"])
@pytest.mark.parametrize("bool_first", [False, True])
def test_the_first_stack_of_large_samples_is_streamed(tmp_path, monkeypatch, name, bool_first):
    arrays = [make_array((300, 400)) > 99, *LARGE] if bool_first else [*LARGE, make_array((300, 400)) > 99]
    samples = [(str(n), array) for n, array in enumerate([*arrays, make_array((3, 3)), arrays[0]])]
    streamed, gathered = tmp_path / "streamed", tmp_path / "gathered"
    placements = write_shard(get_serializer(name), streamed, samples)
    monkeypatch.setattr(hdf5, "_STREAM_FROM", 1 << 40)
    write_shard(get_serializer(name), gathered, samples)

    new, old = _stacks(streamed), _stacks(gathered)
    assert list(new) == list(old)
    for stack, (pixels, attributes, _) in new.items():
        assert same(pixels, old[stack][0])
        assert attributes == old[stack][1]
    assert min(offset for _, _, offset in new.values() if offset > 4000) == 4096
    data = streamed.read_bytes()
    for (_, array), placement in zip(samples, placements, strict=True):
        assert data[placement.payload : placement.payload + array.nbytes] == array.tobytes()
    assert len(data) < sum(array.nbytes for _, array in samples) + 64 * 1024


@pytest.mark.parametrize("name", ["hdf5", "hickle"])
def test_samples_reach_the_file_before_the_shard_is_complete(tmp_path, name):
    with (tmp_path / "shard").open("w+b", buffering=0) as file:
        writer = get_serializer(name).writer(file)
        for n, array in enumerate(LARGE[:3], 1):
            writer.add(str(n), array)
            assert (tmp_path / "shard").stat().st_size == 4096 + n * array.nbytes
        writer.finish()


@pytest.mark.parametrize("name", ["hdf5", "hickle"])
def test_an_hdf5_that_places_its_first_dataset_elsewhere_is_given_the_samples_again(
    tmp_path, monkeypatch, name
):
    samples = [(str(n), array) for n, array in enumerate(LARGE)]
    path = tmp_path / "shard"
    open_hdf5 = hdf5.open_hdf5

    def elsewhere(file, **options):
        return open_hdf5(file, **options | {"alignment_interval": 8192})

    monkeypatch.setattr(hdf5, "open_hdf5", elsewhere)
    placements = write_shard(get_serializer(name), path, samples)
    data = path.read_bytes()
    for (_, array), placement in zip(samples, placements, strict=True):
        assert data[placement.payload : placement.payload + array.nbytes] == array.tobytes()
    (first, *_) = [pixels for pixels, _, offset in _stacks(path).values() if offset == 8192]
    assert same(first, np.stack(LARGE[:3]))


def test_stacks_grow_and_leave_their_buffer_to_the_next(monkeypatch):
    monkeypatch.setattr(stacks, "_spare", [])
    for seed in range(2):
        arrays = [make_array((300, 400), seed=seed + n) for n in range(9)]
        stack = stacks.Stack((300, 400), np.dtype("u1"))
        rows = [stack.add(str(n), array) for n, array in enumerate(arrays)]
        assert rows == list(range(9))
        assert same(stack.images(), np.stack(arrays))
        stack.release()
        assert len(stacks._spare) == 1


def test_arrays_of_too_many_dimensions_cannot_be_stacked():
    with pytest.raises(MemberError, match="32 dimensions"):
        stacks.Stack((1,) * 32, np.dtype("u1"))
