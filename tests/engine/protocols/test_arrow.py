"""Arrow files as pyarrow sees them, and what is written before and behind the arrays."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pytest

from brinery.engine.protocols.flatbuffers import Scalar, Structs, Table, flatbuffer
from brinery.engine.protocols.registry import get_serializer
from brinery.engine.protocols.testing import make_array, same, write_shard, write_single

ARRAYS = [make_array((4, 6, 3), seed=seed) for seed in range(3)]


def table_of(tmp_path, arrays):
    """The table that pyarrow finds in a shard, every value checked, and the shard's bytes."""
    path = tmp_path / "shard.arrow"
    write_shard(get_serializer("arrow"), path, [(f"ü{n}", array) for n, array in enumerate(arrays)])
    table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    table.validate(full=True)
    assert table["key"].to_pylist() == [f"ü{n}" for n in range(len(arrays))]
    return table, path.read_bytes()


@pytest.mark.parametrize("dtype", ["u1", "i2", "u4", "i8", "f2", "f4", "f8"])
def test_arrays_of_one_shape_are_tensors_that_pyarrow_does_not_copy(tmp_path, dtype):
    arrays = [make_array((4, 6, 3), dtype, seed) for seed in range(3)]
    table, data = table_of(tmp_path, arrays)
    assert table.column_names == ["image", "key"]
    value = pa.from_numpy_dtype(np.dtype(dtype))
    assert table.schema.field("image").type == pa.fixed_shape_tensor(value, (4, 6, 3))
    assert same(table["image"].combine_chunks().to_numpy_ndarray(), np.stack(arrays))
    assert table.nbytes < len(data)
    assert data.find(b"".join(array.tobytes() for array in arrays)) == 1024


@pytest.mark.parametrize(
    "arrays",
    [
        [*ARRAYS, make_array((5, 5))],
        [ARRAYS[0], ARRAYS[0].view("i1")],
        [make_array((2, 3), "c8"), make_array((2, 3), "c8", 1)],
        [make_array((2, 3)) > 99],
        [np.zeros((2, 2), "longdouble")],
        [make_array((), "i8"), make_array((), "i8")],
        [np.empty((0, 5, 3), "u1")],
        [make_array((1,) * 9)],
    ],
    ids=["shapes", "dtypes", "complex", "bool", "longdouble", "scalars", "empty", "dimensions"],
)
def test_others_are_bytes_with_dtype_and_shape(tmp_path, arrays):
    table, data = table_of(tmp_path, arrays)
    assert table.column_names == ["image", "dtype", "shape", "key"]
    assert table["image"].to_pylist() == [array.tobytes() for array in arrays]
    assert table["dtype"].to_pylist() == [array.dtype.name for array in arrays]
    assert table["shape"].to_pylist() == [list(array.shape) for array in arrays]
    assert data.find(b"".join(array.tobytes() for array in arrays), 1024) == 1024


def test_what_follows_the_magic_is_a_stream(tmp_path):
    for arrays in (ARRAYS, [*ARRAYS, make_array((5, 5))]):
        table, data = table_of(tmp_path, arrays)
        assert pa.ipc.open_stream(data[8:]).read_all().equals(table)


@pytest.mark.parametrize("shape", [(2**31 - 1,) + 7 * (1,), (1291, 1291, 1288, 1, 1, 1, 1, 1)])
def test_the_longest_shapes_find_room_before_the_arrays(shape):
    class WithoutArrays(io.BytesIO):
        def write(self, data):
            return super().write(data) if isinstance(data, bytes) else data.nbytes

    array = np.broadcast_to(np.uint8(7), shape)
    file = WithoutArrays()
    writer = get_serializer("arrow").writer(file)
    writer.add("a", array)
    writer.finish()
    schema = pa.ipc.read_schema(io.BytesIO(file.getvalue()[8:]))
    assert schema.field("image").type == pa.fixed_shape_tensor(pa.uint8(), shape)


def test_a_file_of_one_array_is_one_row(tmp_path):
    path = tmp_path / "single.arrow"
    for array in (ARRAYS[0], make_array((), "c8")):
        write_single(get_serializer("arrow"), path, array)
        table = pa.ipc.open_file(str(path)).read_all()
        assert table.num_rows == 1
        assert "key" not in table.column_names


def test_pixels_reach_the_file_before_the_shard_is_complete(tmp_path):
    with (tmp_path / "shard").open("w+b", buffering=0) as file:
        writer = get_serializer("arrow").writer(file)
        for n, array in enumerate(ARRAYS, 1):
            writer.add(str(n), array)
            assert (tmp_path / "shard").stat().st_size == 1024 + n * array.nbytes
        writer.finish()


def test_hugging_faces_datasets_open_both(tmp_path, hugging_face):
    image = hugging_face.List(hugging_face.Value("uint8"), length=72)
    features = hugging_face.Features({"image": image, "key": hugging_face.Value("string")})
    for arrays, options in ((ARRAYS, {"features": features}), ([*ARRAYS, make_array((5, 5))], {})):
        table_of(tmp_path, arrays)
        files = {"data_files": str(tmp_path / "shard.arrow"), "cache_dir": str(tmp_path / "cache")}
        opened = hugging_face.load_dataset("arrow", split="train", **files, **options)
        assert [bytes(row["image"]) for row in opened] == [array.tobytes() for array in arrays]


def test_a_flatbuffer_holds_its_fields_aligned_and_leaves_out_what_is_none():
    child = Table(None, "text", Structs(1, b"\7" * 16))
    data = flatbuffer(Table(Scalar("b", 3), None, Scalar("q", -5), [child]))

    def fields(at):
        table = at - int.from_bytes(data[at : at + 4], "little", signed=True)
        size = int.from_bytes(data[table : table + 2], "little")
        offsets = np.frombuffer(data[table + 4 : table + size], "<u2").tolist()
        return [at + offset if offset else None for offset in offsets]

    def follow(at):
        return at + int.from_bytes(data[at : at + 4], "little")

    small, nothing, large, children = fields(follow(0))
    assert (data[small], nothing, large % 8, data[large : large + 8]) == (3, None, 0, b"\xfb" + b"\xff" * 7)
    _, text, structs = fields(follow(follow(children) + 4))
    assert data[follow(text) :].startswith(b"\4\0\0\0text\0")
    assert data[follow(structs) :].startswith(b"\1\0\0\0" + b"\7" * 16)
    assert (follow(structs) + 4) % 8 == 0
    assert len(data) % 8 == 0
