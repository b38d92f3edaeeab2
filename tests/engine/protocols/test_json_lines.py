"""Lines of JSON that any reader takes, and lines that are not of the array which the manifest names."""

import io
import json

import numpy as np
import pytest

from brinery.engine.protocols.base import Placement, Spec
from brinery.engine.protocols.registry import get_serializer
from brinery.engine.protocols.testing import same, write_shard, write_single
from brinery.errors import CorruptError, MemberError

JSON = get_serializer("json")


def test_a_line_is_an_object_that_says_what_it_holds(tmp_path):
    samples = [
        ("ü", np.array([[1, 2], [3, 255]], "u1")),
        ("numbers", np.array([0.5, np.nan, -np.inf], "f4")),
        ("pairs", np.array([1 + 2j], "c8")),
        ("nothing", np.zeros((0, 3), "i2")),
    ]
    write_shard(JSON, tmp_path / "shard", samples)
    text = (tmp_path / "shard").read_bytes()
    assert text.splitlines()[0] == rb'{"key":"\u00fc","dtype":"uint8","shape":[2,2],"data":[[1,2],[3,255]]}'
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["data"] for line in lines[2:]] == [[[1.0, 2.0]], []]
    for (key, array), (found, again) in zip(samples, JSON.load_shard(tmp_path / "shard"), strict=True):
        assert found == key
        assert same(again, array)


def read(line, spec):
    return JSON.single_reader(io.BytesIO(line)).read(Placement(0, len(line), None), spec)


def line(data, dtype="uint8", shape=(2, 2)):
    return b'{"dtype":"%s","shape":%s,"data":%s}\n' % (
        dtype.encode(), json.dumps(shape).encode(), data.encode(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("dtype", "data"),
    [("uint8", "[[0,1],[2,255]]"), ("int64", "[[-9223372036854775808,1],[2,9223372036854775807]]"),
     ("uint64", "[[0,1],[2,18446744073709551615]]"), ("float64", "[[NaN,Infinity],[-0.0,5e-324]]"),
     ("bool", "[[true,false],[false,true]]"), ("complex64", "[[[1,2],[3,4]],[[5,6],[7,NaN]]]")],
)  # fmt: skip
def test_numbers_of_every_kind_come_back(tmp_path, dtype, data):
    spec = Spec(np.dtype(dtype), (2, 2))
    array = read(line(data, dtype), spec)
    assert (array.dtype, array.shape) == (spec.dtype, spec.shape)
    write_single(JSON, tmp_path / "again", array)
    assert same(JSON.load(tmp_path / "again"), array)
    assert same(read((tmp_path / "again").read_bytes(), spec), array)


@pytest.mark.parametrize(
    "wrong",
    [
        line("[[0,1],[2,256]]"),
        line("[[0,1],[2,-1]]"),
        line("[[0,1],[2]]"),
        line("[0,1,2,3]"),
        line("[[0,1],[2,3]]", "uint16"),
        line("[[0,1],[2,3]]", shape=(4,)),
        line('[[0,1],["2",3]]'),
        line("[[0,1],[{},3]]"),
        line("[[[[0]],1],[2,3]]"),
        line("[[0,1],[2,3"),
        b"[1,2,3,4]\n",
    ],
)
def test_a_line_of_something_else_is_damaged(wrong):
    with pytest.raises(CorruptError):
        read(wrong, Spec(np.dtype("u1"), (2, 2)))


def test_what_json_has_no_numbers_for_fails_with_a_reason(tmp_path):
    with pytest.raises(MemberError, match="json has no numbers of dtype"):
        write_single(JSON, tmp_path / "single", np.zeros(3, "S4"))
