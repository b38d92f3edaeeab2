"""tfrecord: examples that Protocol Buffers parse, in frames whose checksums are right."""

import io
import struct

import numpy as np
import pytest
from tfrecord import example_pb2
from tfrecord.reader import tfrecord_iterator
from tfrecord.writer import TFRecordWriter

from brinery.engine.protocols import tfrecord
from brinery.engine.protocols.base import Placement, Spec
from brinery.engine.protocols.registry import get_serializer
from brinery.engine.protocols.testing import make_array, write_shard, write_single
from brinery.errors import CorruptError, MemberError

SERIALIZER = get_serializer("tfrecord")
ARRAY = make_array((4, 6, 3))
SPEC = Spec(ARRAY.dtype, ARRAY.shape)


def features(array, **key):
    return {
        **{name: (value.encode(), "byte") for name, value in key.items()},
        "dtype": (array.dtype.str.encode(), "byte"),
        "shape": (list(array.shape), "int"),
        "data": (array.tobytes(), "byte"),
    }


def framed(example):
    length = struct.pack("<Q", len(example))
    checksums = [TFRecordWriter.masked_crc(data) for data in (length, example)]
    return length + checksums[0] + example + checksums[1]


def read(data, spec=SPEC):
    return SERIALIZER.shard_reader(io.BytesIO(data)).read(Placement(0, len(data), None), spec)


def test_records_hold_what_protocol_buffers_make_of_the_same_features(tmp_path):
    shapes = [(), (0, 3), (23,), (127,), (128, 1), (1, 300), (20_000,), (1,) * 32]
    arrays = [make_array(shape, "u2") for shape in shapes] + [ARRAY > 99, ARRAY.astype("c16")]
    keys = ["", "ü", *("x" * size for size in (100, 127, 128, 16_383, 16_384, 70_000))]
    samples = [(key, array) for key in keys for array in arrays]
    places = write_shard(SERIALIZER, tmp_path / "shard", samples)
    records = tfrecord_iterator(str(tmp_path / "shard"))
    data = (tmp_path / "shard").read_bytes()
    for (key, array), place, record in zip(samples, places, records, strict=True):
        ours, theirs = example_pb2.Example(), example_pb2.Example()
        ours.ParseFromString(record)
        theirs.ParseFromString(TFRecordWriter.serialize_tf_example(features(array, key=key)))
        assert ours == theirs
        assert data[place.start : place.start + place.length] == framed(bytes(record))
        assert data[place.payload : place.payload + array.nbytes] == array.tobytes()


def test_a_file_of_one_array_is_an_example_without_a_key(tmp_path):
    write_single(SERIALIZER, tmp_path / "single", ARRAY)
    (record,) = tfrecord_iterator(str(tmp_path / "single"))
    example = example_pb2.Example()
    example.ParseFromString(record)
    assert set(example.features.feature) == {"dtype", "shape", "data"}


def example_with(**other):
    """An example in brinery's order, some of whose features are others."""
    inside = b""
    for name, value in (features(ARRAY, key="a") | other).items():
        alone = TFRecordWriter.serialize_tf_example({name: value})
        inside += alone[tfrecord._varint_at(alone, 1)[1] :]
    return tfrecord._around(len(inside), b"\x0a") + inside


def test_what_is_spelled_as_it_was_written_is_read():
    assert np.array_equal(read(framed(example_with())), ARRAY)


@pytest.mark.parametrize(
    "example",
    [
        example_with(dtype=(b"|i1", "byte")),
        example_with(shape=([4, 3, 6], "int")),
        example_with(data=(ARRAY.tobytes()[1:], "byte")),
        example_with(data=(ARRAY.tobytes() + b"\0", "byte")),
        example_with(key=([1], "int")),
        example_with(more=(b"1", "byte")),
        example_with()[:-1],
        example_with() + b"\0",
        b"\x0a" + b"\xff" * 200,
        b"\x0a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01" * 20,
        b"\x0b" * 1000,
        bytes(72),
    ],
)
def test_other_examples_are_refused(example):
    with pytest.raises(CorruptError):
        read(framed(example))


def test_every_changed_bit_is_noticed():
    sound = framed(example_with())
    for at in range(len(sound)):
        data = bytearray(sound)
        data[at] ^= 1 << at % 8
        with pytest.raises(CorruptError):
            read(bytes(data))


@pytest.mark.parametrize("data", [b"", b"\0" * 15, framed(b""), framed(b"\x0a")])
@pytest.mark.parametrize("shape", [(0,), (0, 1 << 70), (0, -1)])
def test_records_without_an_example_are_refused(data, shape):
    with pytest.raises(CorruptError):
        read(data, Spec(np.dtype("u1"), shape))


def test_an_example_of_2_gib_fails_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(tfrecord, "_MOST", 200)
    with (tmp_path / "shard").open("w+b") as file:
        writer = SERIALIZER.writer(file)
        writer.add("a", ARRAY)
        with pytest.raises(MemberError, match="at most 200 bytes"):
            writer.add("x" * 100, ARRAY)
        writer.add("b", ARRAY)
        assert len(writer.finish()) == 2
    assert [key for key, _ in SERIALIZER.load_shard(tmp_path / "shard")] == ["a", "b"]
