"""What the names and states in a numpy array's pickle stand for on the safe path.

Nothing here is numpy's own: a name gives a stand-in, a stand-in takes only the arguments and the state that
numpy 1.26 and 2 write, and an array comes of it only where shape x itemsize is exactly the bytes at hand.
"""

from enum import Enum, auto
from typing import Any, NoReturn

import numpy as np

from ...errors import CorruptError
from .base import Array
from .checks import array_from

__all__ = ["NAMES", "ArrayBox", "DTypeBox", "Name", "call", "refuse", "set_order", "set_pixels"]


class Name(Enum):
    """What a global name of a pickle stands for here."""

    RECONSTRUCT = auto()
    NDARRAY = auto()
    DTYPE = auto()
    FROMBUFFER = auto()
    ENCODE = auto()
    BYTES = auto()


NAMES = {
    ("numpy._core.multiarray", "_reconstruct"): Name.RECONSTRUCT,
    ("numpy.core.multiarray", "_reconstruct"): Name.RECONSTRUCT,
    ("numpy._core.numeric", "_frombuffer"): Name.FROMBUFFER,
    ("numpy.core.numeric", "_frombuffer"): Name.FROMBUFFER,
    ("numpy", "ndarray"): Name.NDARRAY,
    ("numpy", "dtype"): Name.DTYPE,
    ("_codecs", "encode"): Name.ENCODE,
    ("__builtin__", "bytes"): Name.BYTES,
    ("builtins", "bytes"): Name.BYTES,
}

_CODES = "b1 u1 u2 u4 u8 i1 i2 i4 i8 f2 f4 f8 f16 c8 c16 c32"
_DTYPES = {
    order + code: np.dtype(order + code)
    for order in "|<>="
    for code in _CODES.split()
    if (order == "|") == (code[1:] == "1")
}


class DTypeBox:
    """Stands in for a dtype until its state says the byte order."""

    __slots__ = ("code", "dtype")

    def __init__(self, code: str) -> None:
        self.code = code
        self.dtype: np.dtype[Any] | None = None


class ArrayBox:
    """Stands in for an array until its state brings the pixels."""

    __slots__ = ("array",)

    def __init__(self, array: Array | None = None) -> None:
        self.array = array


def refuse(what: str) -> NoReturn:
    """Raise the CorruptError of a pickle that numpy did not write."""
    raise CorruptError(f"the pickle is not of an array as numpy writes it: {what}")


def call(function: Name, arguments: tuple[Any, ...]) -> Any:
    """Return what a stand-in gives for its arguments."""
    count = len(arguments)
    if function is Name.ENCODE and count == 2 and type(arguments[0]) is str:
        if type(arguments[1]) is str and arguments[1] == "latin1":
            return memoryview(arguments[0].encode("latin-1"))
    elif function is Name.BYTES and not arguments:
        return memoryview(b"")
    elif function is Name.DTYPE and count == 3 and type(arguments[0]) is str:
        if arguments[1] is False and arguments[2] is True:
            return DTypeBox(arguments[0])
    elif function is Name.RECONSTRUCT and count == 3 and arguments[0] is Name.NDARRAY:
        if _shape(arguments[1]) == (0,) and _is_byte_code(arguments[2]):
            return ArrayBox()
    elif function is Name.FROMBUFFER and count == 4:
        payload, dtype, shape, order = arguments
        if type(order) is str and order in ("C", "F"):
            return ArrayBox(_array(payload, dtype, shape, fortran=order == "F"))
    refuse(f"arguments of {function.name.lower()}")


def _is_byte_code(value: Any) -> bool:
    return type(value) is memoryview and len(value) == 1 and value[0] == ord("b")


def _shape(value: Any) -> tuple[int, ...]:
    if type(value) is not tuple or any(type(length) is not int for length in value):
        refuse("a shape of something else")
    return value


def set_order(target: DTypeBox, state: tuple[Any, ...]) -> None:
    """Return a dtype's state: version 3, byte order, no subarray, names or fields, natural size, no flags."""
    if len(state) != 8 or type(state[1]) is not str or any(type(value) is not int for value in state[5:]):
        refuse("state of a dtype")
    if type(state[0]) is not int or state[0] != 3 or state[2:5] != (None,) * 3 or state[5:] != (-1, -1, 0):
        refuse("a dtype with fields, subarrays, metadata or a size of its own")
    target.dtype = _DTYPES.get(state[1] + target.code)
    if target.dtype is None:
        refuse(f"dtype {state[1][:8]}{target.code[:8]}")


def set_pixels(target: ArrayBox, state: tuple[Any, ...]) -> None:
    """Return an array's state: version 1, shape, dtype, whether in Fortran order, bytes."""
    if len(state) != 5 or type(state[0]) is not int or state[0] != 1 or type(state[3]) is not bool:
        refuse("state of an array")
    if target.array is not None:
        refuse("an array with two states")
    target.array = _array(state[4], state[2], state[1], fortran=state[3])


def _array(payload: Any, dtype: Any, shape: Any, *, fortran: bool) -> Array:
    if type(payload) is not memoryview or type(dtype) is not DTypeBox or dtype.dtype is None:
        refuse("an array of something else")
    shape = _shape(shape)
    if len(shape) > 64:
        refuse("too many dimensions")
    if fortran:
        return array_from(payload, dtype.dtype, shape[::-1]).transpose()
    return array_from(payload, dtype.dtype, shape)
