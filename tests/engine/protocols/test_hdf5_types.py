"""The datatype messages of HDF5, against those that h5py writes."""

import io

import h5py
import numpy as np
import pytest

from brinery.engine.protocols.hdf5_types import stored_dtype

DTYPES = ["u1", "i1", "u2", "i4", "u8", "f2", "f4", "f8", "c8", "c16", "?"]


def written(dtype):
    """A file of h5py's with a dataset of this dtype; the datatype message stands somewhere in it."""
    stream = io.BytesIO()
    with h5py.File(stream, "w", libver="earliest") as file:
        file["x"] = np.zeros(3, dtype)
    return stream.getvalue()


def found(dtype, claimed):
    """Return what the bytes of a file are taken for, wherever they are taken for the claimed dtype."""
    data = written(dtype)
    return {one for at in range(len(data)) if (one := stored_dtype(data[at : at + 200], claimed)) is not None}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_what_h5py_writes_is_recognised_in_its_byte_order(dtype, order):
    stored = np.dtype(dtype).newbyteorder(order)
    assert stored in found(stored, np.dtype(dtype))


@pytest.mark.parametrize(
    ("dtype", "other"), [("u2", "i2"), ("f4", "u4"), ("c8", "f8"), ("?", "u1"), ("u1", "?")]
)
def test_another_dtype_is_not_taken_for_it(dtype, other):
    assert found(dtype, np.dtype(other)) == set()


def test_a_dtype_that_h5py_does_not_write_is_never_found():
    assert stored_dtype(bytes(100), np.dtype("U3")) is None
