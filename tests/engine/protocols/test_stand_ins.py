"""What stands in for numpy's names takes the arguments and states that numpy writes, and nothing else."""

import numpy as np
import pytest

from brinery.engine.protocols.stand_ins import ArrayBox, DTypeBox, Name, call, set_order, set_pixels
from brinery.errors import CorruptError

NATURAL = (3, "<", None, None, None, -1, -1, 0)
RECONSTRUCTION = (Name.NDARRAY, (0,), memoryview(b"b"))


def dtype(code="u2", state=NATURAL):
    box = call(Name.DTYPE, (code, False, True))
    set_order(box, state)
    return box


def test_an_array_comes_of_a_dtype_a_shape_and_exactly_its_bytes():
    box = call(Name.RECONSTRUCT, RECONSTRUCTION)
    set_pixels(box, (1, (2, 1), dtype(), False, memoryview(b"\1\0\2\0")))
    assert box.array.dtype == np.dtype("<u2")
    assert box.array.tolist() == [[1], [2]]
    whole = call(
        Name.FROMBUFFER, (memoryview(bytes(range(6))), dtype("u1", (3, "|", *NATURAL[2:])), (2, 3), "F")
    )
    assert whole.array.tolist() == [[0, 2, 4], [1, 3, 5]]


def test_bytes_travel_as_latin_1():
    assert bytes(call(Name.ENCODE, ("\xff\0", "latin1"))) == b"\xff\0"
    assert bytes(call(Name.BYTES, ())) == b""


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (Name.ENCODE, ("a", "utf-8")),
        (Name.ENCODE, (b"a", "latin1")),
        (Name.BYTES, (9,)),
        (Name.DTYPE, ("u2", True, True)),
        (Name.DTYPE, ("u2",)),
        (Name.RECONSTRUCT, (Name.DTYPE, *RECONSTRUCTION[1:])),
        (Name.RECONSTRUCT, (Name.NDARRAY, (1,), memoryview(b"b"))),
        (Name.RECONSTRUCT, (Name.NDARRAY, (0,), memoryview(b"O"))),
        (Name.FROMBUFFER, (memoryview(b"ab"), DTypeBox("u2"), (1,), "C")),  # whose byte order nobody said
        (Name.FROMBUFFER, (memoryview(b"ab"), None, (1,), "C")),
        (Name.NDARRAY, ()),
    ],
)
def test_other_arguments_are_refused(function, arguments):
    with pytest.raises(CorruptError, match="the pickle is not of an array as numpy writes it"):
        call(function, arguments)


@pytest.mark.parametrize(
    ("code", "place", "value"),
    [
        ("u2", 0, 4),
        ("u2", 0, True),
        ("u2", 1, "|"),
        ("u1", 1, "<"),  # numpy writes | for single bytes
        ("O", 1, "|"),
        ("V8", 1, "|"),
        ("u2", 3, ("field",)),
        ("u2", 5, 8),
        ("u2", 7, 16),
    ],
)
def test_dtypes_are_numbers_of_natural_size(code, place, value):
    state = [*NATURAL]
    state[place] = value
    with pytest.raises(CorruptError, match="dtype"):
        dtype(code, tuple(state))


@pytest.mark.parametrize(
    "state",
    [
        (2, (2,), dtype(), False, memoryview(bytes(4))),
        (1, (2,), dtype(), 0, memoryview(bytes(4))),
        (1, (3,), dtype(), False, memoryview(bytes(4))),
        (1, (-1, -2), dtype(), False, memoryview(bytes(4))),
        (1, (True, 2), dtype(), False, memoryview(bytes(4))),
        (1, (1,) * 65, dtype(), False, memoryview(bytes(2))),
        (1, (2,), dtype(), False, bytes(4)),
    ],
)
def test_states_that_do_not_fit_give_no_array(state):
    box = ArrayBox()
    with pytest.raises(CorruptError):
        set_pixels(box, state)
    assert box.array is None


def test_an_array_has_one_state():
    box, state = ArrayBox(), (1, (2,), dtype(), False, memoryview(bytes(4)))
    set_pixels(box, state)
    with pytest.raises(CorruptError, match="two states"):
        set_pixels(box, state)
