"""msgpack and cbor: records as the libraries write them, and what else is refused."""

import io

import cbor2
import msgpack
import numpy as np
import pytest

from brinery.engine.protocols.base import Placement, Spec
from brinery.engine.protocols.registry import get_serializer
from brinery.engine.protocols.testing import make_array, same, write_shard, write_single
from brinery.errors import CorruptError, MemberError

DUMPS = {"msgpack": msgpack.packb, "cbor": cbor2.dumps}
BOTH = pytest.mark.parametrize("name", DUMPS)
# Lengths around which the formats spell them in another way.
KEYS = ["", *("x" * size for size in (23, 24, 31, 32, 255, 256, 65535, 65536)), "ü" * 20, "\0"]
SHAPES = [(), (0, 3), (23,), (24, 1), (127,), (128,), (1, 255), (256,), (65535,), (65536,), (1,) * 17]
ARRAY = make_array((4, 6, 3))
SPEC = Spec(ARRAY.dtype, ARRAY.shape)


def record(array, **key):
    return {**key, "dtype": array.dtype.str, "shape": array.shape, "data": array.tobytes()}


@BOTH
def test_a_shard_is_what_the_library_writes(tmp_path, name):
    arrays = [make_array(shape, "u2", n) for n, shape in enumerate(SHAPES)]
    arrays += [ARRAY.astype(kind) for kind in ("?", "i1", "f2", "c8", "c16")]
    samples = [(f"{key}{n}" if key else key, array) for key in KEYS for n, array in enumerate(arrays)]
    places = write_shard(get_serializer(name), tmp_path / "shard", samples)
    data = (tmp_path / "shard").read_bytes()
    assert data == b"".join(DUMPS[name](record(array, key=key)) for key, array in samples)
    for (_, array), place in zip(samples, places, strict=True):
        assert data[place.payload : place.payload + array.nbytes] == array.tobytes()
    with (tmp_path / "shard").open("rb") as file:
        reader = get_serializer(name).shard_reader(file)
        for (_, array), place in zip(samples, places, strict=True):
            assert same(reader.read(place, Spec(array.dtype, array.shape)), array)


@BOTH
def test_a_file_of_one_array_is_what_the_library_writes(tmp_path, name):
    write_single(get_serializer(name), tmp_path / "single", ARRAY)
    assert (tmp_path / "single").read_bytes() == DUMPS[name](record(ARRAY))


SOUND = record(ARRAY, key="a")
OTHERS = {
    "another dtype": SOUND | {"dtype": "|i1"},
    "an object's dtype": SOUND | {"dtype": "|O"},
    "another shape": SOUND | {"shape": (4, 3, 6)},
    "fewer bytes": SOUND | {"data": SOUND["data"][1:]},
    "more bytes": SOUND | {"data": SOUND["data"] + b"\0"},
    "text for bytes": SOUND | {"data": "x" * 72},
    "a key that is no text": SOUND | {"key": b"a"},
    "no key": record(ARRAY),
    "another order": dict(reversed(SOUND.items())),
    "more": SOUND | {"more": 1},
    "no map": list(SOUND.items()),
}


@BOTH
@pytest.mark.parametrize("what", OTHERS)
def test_other_objects_are_refused(name, what):
    data = DUMPS[name](OTHERS[what])
    reader = get_serializer(name).shard_reader(io.BytesIO(data))
    with pytest.raises(CorruptError):
        reader.read(Placement(0, len(data), None), SPEC)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("cbor", b"\x81" * 100_000),
        ("cbor", b"\xbf" * 100_000),
        ("cbor", b"\xa4\x63key\x7b" + b"\xff" * 8),
        ("cbor", b"\xa4\x63key\x7b"),
        ("cbor", b"\xa4\x63key\x7f\x61a\xff"),
        ("msgpack", b"\x91" * 100_000),
        ("msgpack", b"\x84\xa3key\xdb\xff\xff\xff\xff"),
        ("msgpack", b"\x84\xa3key\xdb"),
        ("msgpack", b"\x84\xa3key"),
        ("msgpack", b"\xdf\xff\xff\xff\xff\xa3key"),
    ],
)
def test_depth_and_lengths_are_not_followed(name, data):
    reader = get_serializer(name).shard_reader(io.BytesIO(data))
    for spec in (SPEC, Spec(np.dtype("u1"), (0, 1 << 70)), Spec(np.dtype("u1"), (0,))):
        with pytest.raises(CorruptError):
            reader.read(Placement(0, len(data), None), spec)


def test_msgpack_holds_less_than_4_gib_in_one_piece():
    notation = get_serializer("msgpack").notation
    assert notation.binary((1 << 32) - 1) == b"\xc6\xff\xff\xff\xff"
    with pytest.raises(MemberError, match="4294967295"):
        notation.binary(1 << 32)
    assert get_serializer("cbor").notation.binary(1 << 32) == b"\x5b\0\0\0\1\0\0\0\0"
