"""Bounds that all safe readers share."""

import io

import numpy as np
import pytest

from brinery.engine.protocols.base import Placement, Spec
from brinery.engine.protocols.checks import CheckedFile, RecordReader, array_from, conform, pixels
from brinery.errors import CorruptError

U1 = np.dtype("u1")


def test_the_bytes_of_an_array_are_not_copied():
    array = np.arange(6, dtype="<u2").reshape(2, 3)
    view = pixels(array)
    assert view.tobytes() == array.tobytes()
    array[0, 0] = 258
    assert view[0] == 2


def test_a_buffer_becomes_a_read_only_array():
    array = array_from(bytes(range(12)), np.dtype("<u2"), (2, 3))
    assert array.tolist() == [[0x100, 0x302, 0x504], [0x706, 0x908, 0xB0A]]
    assert not array.flags.writeable
    assert array_from(b"", U1, (0, 4)).shape == (0, 4)


@pytest.mark.parametrize("shape", [(3,), (5,), (2, 3), (-2, -2), (2**62, 2**62), (4, 0)])
def test_a_shape_that_is_not_the_buffers_is_refused(shape):
    with pytest.raises(CorruptError, match="cannot be an array of shape"):
        array_from(bytes(4), U1, shape)


def test_more_dimensions_than_numpy_has_are_refused():
    with pytest.raises(CorruptError, match="no array can have shape"):
        array_from(bytes(1), U1, (1,) * 65)


def test_what_is_not_as_the_manifest_says_is_refused():
    array = np.zeros((2, 3), "u1")
    assert conform(array, Spec(U1, (2, 3))) is array
    swapped = conform(np.array([1], ">u2"), Spec(np.dtype("u2"), (1,)))
    assert (swapped.dtype, swapped.tolist()) == (np.dtype("u2"), [1])
    for spec in (Spec(U1, (3, 2)), Spec(np.dtype("i1"), (2, 3)), Spec(np.dtype("u2"), (2, 3))):
        with pytest.raises(CorruptError, match="the manifest says"):
            conform(array, spec)


@pytest.mark.parametrize(("start", "length"), [(-1, 2), (0, 11), (9, 2), (0, -1), (2**70, 1)])
def test_bytes_outside_of_the_file_are_refused(start, length):
    with pytest.raises(CorruptError, match="outside the file of 10 bytes"):
        CheckedFile(io.BytesIO(bytes(10))).bytes(start, length)


def test_a_file_that_became_shorter_is_an_error(tmp_path):
    (tmp_path / "file").write_bytes(bytes(10))
    with (tmp_path / "file").open("r+b") as file:
        checked = CheckedFile(file)
        assert checked.bytes(2, 8) == bytes(8)
        file.truncate(5)
        with pytest.raises(CorruptError, match="ended 5 bytes too early"):
            checked.bytes(0, 10)


def test_a_record_longer_than_its_array_can_make_it_is_not_read():
    asked = []

    def decode(data, spec):
        asked.append(len(data))
        return array_from(data, spec.dtype, spec.shape)

    reader = RecordReader(io.BytesIO(bytes(10**6)), decode, lambda spec: spec.nbytes)
    spec = Spec(U1, (4,))
    assert reader.read(Placement(0, 4, None), spec).tolist() == [0] * 4
    with pytest.raises(CorruptError, match="too long for an array of 4"):
        reader.read(Placement(0, 10**6, None), spec)
    assert asked == [4]
