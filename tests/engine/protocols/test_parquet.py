"""Parquet files as pyarrow sees them, and pages made to mislead."""

import io
import struct

import lz4.block
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from brinery.engine.protocols import parquet
from brinery.engine.protocols.base import Placement, Spec
from brinery.engine.protocols.registry import get_serializer
from brinery.engine.protocols.testing import make_array, write_shard, write_single
from brinery.engine.protocols.thrift import I64, compact, varint
from brinery.errors import CorruptError, MemberError, UsageError

ARRAYS = [
    make_array((4, 6, 3)),
    make_array((), "i8"),
    np.empty((0, 5, 3), "u1"),
    make_array((2, 3), "c8"),
    make_array((3, 3)) > 99,
]
SAMPLES = [(f"ü{n}", array) for n, array in enumerate(ARRAYS)]
CODECS = {"": "UNCOMPRESSED", "+zstd": "ZSTD", "+lz4": "LZ4", "+gzip": "GZIP", "+snappy": "SNAPPY"}


@pytest.mark.parametrize("compression", CODECS)
def test_each_sample_is_a_row_whatever_its_shape(tmp_path, compression):
    path = tmp_path / "shard.parquet"
    write_shard(get_serializer(f"parquet{compression}"), path, SAMPLES)
    table = pq.read_table(path)
    table.validate(full=True)
    assert table.schema.types == [
        pa.binary(),
        pa.string(),
        pa.list_(table.schema[2].type.field(0)),
        pa.string(),
    ]
    assert table.to_pylist() == [
        {"data": array.tobytes(), "dtype": array.dtype.name, "shape": list(array.shape), "key": key}
        for key, array in SAMPLES
    ]
    data, *others = pq.read_metadata(path).to_dict()["row_groups"][0]["columns"]
    assert data["compression"] == CODECS[compression]
    assert {column["compression"] for column in others} == {"UNCOMPRESSED"}


@pytest.mark.parametrize("compression", ["", "+snappy"])
def test_row_groups_end_once_they_are_large(tmp_path, monkeypatch, compression):
    monkeypatch.setattr(parquet, "_GROUP", 1000)
    arrays = [make_array((10, 10, 3), seed=seed) for seed in range(10)]
    path = tmp_path / "shard.parquet"
    write_shard(get_serializer(f"parquet{compression}"), path, [(str(n), a) for n, a in enumerate(arrays)])
    file = pq.ParquetFile(path)
    groups = [file.metadata.row_group(n) for n in range(file.num_row_groups)]
    assert [group.num_rows for group in groups] == [4, 4, 2]
    assert sum(group.total_byte_size for group in groups) < path.stat().st_size + 1000
    assert file.read_row_group(1, ["key"])["key"].to_pylist() == ["4", "5", "6", "7"]
    assert file.read()["data"].to_pylist() == [array.tobytes() for array in arrays]


def test_an_empty_shard_is_a_table_without_rows(tmp_path):
    write_shard(get_serializer("parquet"), tmp_path / "shard", [])
    assert pq.ParquetFile(tmp_path / "shard").read().num_rows == 0


def test_a_file_of_one_array_is_one_row_even_if_that_ends_its_group(tmp_path, monkeypatch):
    for group in (parquet._GROUP, 1):
        monkeypatch.setattr(parquet, "_GROUP", group)
        write_single(get_serializer("parquet"), tmp_path / "single", ARRAYS[0])
        table = pq.ParquetFile(tmp_path / "single").read()
        assert table.column_names == ["data", "dtype", "shape"]
        assert table["data"].to_pylist() == [ARRAYS[0].tobytes()]


@pytest.mark.parametrize("compression", ["", "+lz4"])
def test_hugging_faces_datasets_open_it(tmp_path, hugging_face, compression):
    path = tmp_path / "shard.parquet"
    write_shard(get_serializer(f"parquet{compression}"), path, SAMPLES)
    opened = hugging_face.load_dataset(
        "parquet", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert [row["data"] for row in opened] == [array.tobytes() for array in ARRAYS]
    assert [tuple(row["shape"]) for row in opened] == [array.shape for array in ARRAYS]


def test_pixels_reach_the_file_before_the_shard_is_complete(tmp_path):
    with (tmp_path / "shard").open("w+b", buffering=0) as file:
        writer = get_serializer("parquet").writer(file)
        for number in range(1, 4):
            writer.add("a", ARRAYS[0])
            assert (tmp_path / "shard").stat().st_size >= number * ARRAYS[0].nbytes
        writer.finish()


def test_an_array_that_no_page_can_hold_is_its_own_failure():
    writer = get_serializer("parquet").writer(io.BytesIO())
    with pytest.raises(MemberError, match="2 GiB"):
        writer.add("a", np.broadcast_to(np.uint8(0), (2**31 - 4,)))


def test_levels_of_compression_are_kept():
    words = [make_array((length,), seed=length).tobytes() for length in range(2, 40)]
    data = b"".join(words[n % len(words)] for n in make_array((4000,)).tolist())
    for name, levels in {"zstd": (1, 22), "lz4": (0, 2, 3, 16), "gzip": (0, 9)}.items():
        codecs = [get_serializer(f"parquet+{name}:{level}").codec for level in levels]
        packed = [codec.compress(data) for codec in codecs]
        assert len(packed[-1]) < len(packed[0])
        assert {codec.expand(one, len(data)) for codec, one in zip(codecs, packed, strict=True)} == {data}
    with pytest.raises(UsageError, match="no levels"):
        get_serializer("parquet+snappy:1")


@pytest.mark.parametrize("name", ["zstd", "lz4", "gzip", "snappy"])
def test_a_page_never_expands_beyond_its_limit(name):
    codec = get_serializer(f"parquet+{name}").codec
    packed = codec.compress(bytes(1 << 20))
    assert codec.expand(packed, 1 << 20) == bytes(1 << 20)
    for data, limit in [
        (packed, (1 << 20) - 1),
        (packed + packed, 1 << 20),
        (packed[:-1], 1 << 20),
        (b"", 10),
    ]:
        with pytest.raises(CorruptError):
            codec.expand(data, limit)


@pytest.mark.parametrize(
    ("label", "data"),
    [
        ("parquet", struct.pack("<I", 5) + b"sixty6"),
        ("parquet", struct.pack("<I", 2**32 - 1) + b"sixty6"),
        ("parquet", b"\6\0\0"),
        ("parquet+lz4", lz4.block.compress(struct.pack("<I", 5) + b"sixty6", store_size=False)),
        ("parquet+lz4", lz4.block.compress(b"sixty6", store_size=False)),
        ("parquet+snappy", varint(10) + b"\0"),
        ("parquet+snappy", varint(1 << 31) + b"\xfe\1\0" * 20),
        ("parquet+snappy", b"\xff" * 10),
    ],
)
def test_a_page_that_does_not_hold_its_array_is_refused(label, data):
    with get_serializer(label).shard_reader(io.BytesIO(data)) as reader, pytest.raises(CorruptError):
        reader.read(Placement(0, len(data), None), Spec(np.dtype("u1"), (6,)))


def test_thrift_counts_fields_and_gives_numbers_seven_bits_a_byte():
    assert compact({1: 5, 4: "ü", 5: I64(300)}) == b"\x15\x0a\x38\x02\xc3\xbc\x16\xd8\x04\0"
    assert compact([{}] * 2) == b"\x2c\0\0"
    assert compact([1] * 16) == b"\xf5\x10" + b"\2" * 16
    assert compact([]) == b"\x0c"
