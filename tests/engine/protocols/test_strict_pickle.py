"""What the strict machine reads, and the attacks that it refuses."""

import os
import pickle
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brinery.engine.protocols.strict_pickle import unpickle
from brinery.engine.protocols.testing import make_array, same
from brinery.errors import CorruptError

ARRAY = make_array((3, 4))
PLAIN = [make_array(shape) for shape in ((3, 4), (), (0, 2), (300,), (2, 70000))]
WHOLE = pickle.dumps(("key", ARRAY), 4)


class Runs:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class FakeDtype(Runs):
    """Pickles as numpy.dtype(...) with a state of one's own."""

    def __init__(self, code, state):
        super().__init__(np.dtype, code, False, True)
        self.state = state

    def __reduce__(self):
        return (*self.call, self.state)


class FakeArray:
    """Pickles as an array with a state of one's own."""

    def __init__(self, *state, kind=np.ndarray):
        self.kind = kind
        self.state = state

    def __reduce__(self):
        return np._core.multiarray._reconstruct, (self.kind, (0,), b"b"), self.state


class Plain:
    """Pickles as an object of a class, by NEWOBJ."""


U1 = np.dtype("u1")
NATURAL = (3, "|", None, None, None, -1, -1, 0)


@pytest.mark.parametrize("pickler", [pickle.dumps, pickle._dumps], ids=["c", "python"])
@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("dtype", ["u1", "?", "i8", "f2", ">u2", "<f4", "c16"])
def test_it_reads_what_numpy_writes(pickler, protocol, dtype):
    for plain in PLAIN:
        array = plain.astype(dtype)
        key, again = unpickle(pickler(("a/\u2028ü.jpg", array), protocol))
        assert key == "a/\u2028ü.jpg"
        assert same(again, array), array.shape
        key, again = unpickle(pickler(array, protocol))
        assert key is None
        assert same(again, array), array.shape


@pytest.mark.parametrize("protocol", range(6))
def test_it_reads_fortran_order(protocol):
    array = np.asfortranarray(make_array((3, 4, 5)))
    assert same(unpickle(pickle.dumps(array, protocol))[1], array)


def test_raw_pixels_are_viewed_not_copied():
    data = pickle.dumps(("key", make_array((1000, 1000))), 5)
    tracemalloc.start()
    try:
        _, array = unpickle(data)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
    assert not array.flags.writeable


ATTACKS = {
    "a call": Runs(os.getcwd),
    "a call beside the array": ("key", ARRAY, Runs(os.getcwd)),
    "eval": Runs(eval, "1"),
    "another numpy function": Runs(np.frombuffer, b"1234"),
    "a number of bytes": Runs(bytes, 9),
    "encode with another codec": Runs(__import__("_codecs").encode, "abc", "rot13"),
    "objects from raw bytes": FakeArray(1, (2,), np.dtype("O"), False, b"\0" * 16),
    "forged object dtype": FakeArray(
        1, (2,), FakeDtype("O8", (3, "|", None, None, None, -1, -1, 63)), False, b"\0" * 16
    ),
    "dtype flags": FakeArray(1, (2,), FakeDtype("u1", (*NATURAL[:7], 63)), False, b"\0" * 2),
    "dtype size": FakeArray(1, (2,), FakeDtype("u1", (*NATURAL[:5], 1 << 30, 1, 0)), False, b"\0" * 2),
    "dtype fields": FakeArray(
        1, (2,), FakeDtype("V8", (3, "|", None, ("a",), {"a": (U1, 1 << 40)}, 8, 1, 16)), False, b"\0" * 16
    ),
    "dtype subarray": FakeArray(
        1, (2,), FakeDtype("u1", (3, "|", (U1, (9, 9)), *NATURAL[3:])), False, b"\0" * 2
    ),
    "dtype with metadata": FakeArray(1, (2,), FakeDtype("u1", (4, *NATURAL[1:], {})), False, b"\0" * 2),
    "text dtype": np.array(["ab"]),
    "bytes dtype": np.array([b"ab"]),
    "dates": np.array(["2020-01-01"], "M8[D]"),
    "records": np.zeros(2, [("a", "u1"), ("b", "O")]),
    "shape too large": FakeArray(1, (1 << 40,), U1, False, b"\0" * 2),
    "shape overflows": FakeArray(1, (1 << 32, 1 << 32, 0), U1, False, b""),
    "shape negative": FakeArray(1, (-1, -2), U1, False, b"\0" * 2),
    "shape of booleans": FakeArray(1, (True, 2), U1, False, b"\0" * 2),
    "shape too small": FakeArray(1, (1,), U1, False, b"\0" * 2),
    "too many dimensions": FakeArray(1, (1,) * 65, U1, False, b"\0"),
    "pixels as a list": FakeArray(1, (2,), U1, False, [1, 2]),
    "a subclass": FakeArray(1, (2,), U1, False, b"\0" * 2, kind=np.matrix),
    "masked": np.ma.array([1, 2], mask=[0, 1]),
    "key of another kind": (1, ARRAY),
    "key of bytes": (b"key", ARRAY),
    "three values": ("key", ARRAY, 1),
    "a list": ["key", ARRAY],
    "no array": ("key", "array"),
    "a scalar": np.float64(1),
    "a dict": {"key": ARRAY},
    "an object": Plain(),
    "a set": {1},
}


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("name", ATTACKS)
def test_it_refuses_every_other_value(name, protocol):
    with pytest.raises(CorruptError):
        unpickle(pickle.dumps(ATTACKS[name], protocol))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b".",
        WHOLE + b".",
        WHOLE + WHOLE,
        b"\x80\x06" + WHOLE[2:],
        b"\x80\x04\x95" + struct.pack("<Q", 1 << 60) + b"N.",
        b"\x80\x04\x8e" + struct.pack("<Q", 1 << 62) + b"x.",
        b"\x80\x04B\xff\xff\xff\x7fabc.",
        b"\x80\x04\x8d" + struct.pack("<Q", (1 << 64) - 1) + b"x.",
        b"\x80\x02\x8b\xff\xff\xff\x7f.",
        b"\x8a\xff" + b"\x01" * 255 + b".",
        b"I" + b"9" * 10_000 + b"\n.",
        b"L1_000L\n.",
        b"Nr\xff\xff\xff\xff.",
        b"Nq\x00" + b"h\x00" * 5000 + b".",
        b"(" * 100_000,
        b")" + b"\x85" * 100_000 + b".",
        b"\x85.",
        b"\x87\x87.",
        b"t.",
        b"R.",
        b"b.",
        b"j\x00\x00\x00\x00.",
        b"Pid\n.",
        b"NQ.",
        b"\x82\x01.",
        b"\x97.",
        b"(ios\nsystem\n.",
        b"(cos\nsystem\no.",
        b"cnumpy\ndtype\n)\x81.",
        b"cnumpy\ndtype\n.",
        b"cnumpy.core.multiarray\nscalar\n.",
        b"c\xff\n\xff\n.",
        b"\x8c\x02\xff\xff.",
        b"V\\udc80\\Uffffffff\n.",
        b"\x8c\x05numpyK\x01\x93.",
    ],
)
def test_it_refuses_damaged_and_hostile_opcodes(data):
    with pytest.raises(CorruptError):
        unpickle(data)


def test_the_memo_may_be_sparse_without_taking_memory():
    data = pickle.dumps(("key", ARRAY), 2).replace(b"q\x00", b"r\xff\xff\xff\xff")
    tracemalloc.start()
    try:
        assert same(unpickle(data)[1], ARRAY)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_one_text_cannot_be_encoded_again_and_again():
    big = b"X" + struct.pack("<I", 1 << 20) + b"x" * (1 << 20) + b"q\x00" + b"X\x06\0\0\0latin1q\x01"
    again = b"c_codecs\nencode\n" + b"h\x00h\x01\x86R"
    tracemalloc.start()
    try:
        with pytest.raises(CorruptError, match="too many calls"):
            unpickle(big + again * 100 + b".")
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()


@given(st.binary(max_size=200))
def test_random_bytes_are_refused(data):
    with pytest.raises(CorruptError):
        unpickle(data)


@given(st.data())
def test_damage_gives_an_array_or_a_refusal(data):
    protocol = data.draw(st.integers(0, 5))
    whole = bytearray(pickle.dumps(("key", ARRAY), protocol))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        _, array = unpickle(bytes(whole))
    except CorruptError:
        return
    assert array.dtype.kind in "buifc"
