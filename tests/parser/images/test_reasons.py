"""Reasons for people in the place of what decoders raise."""

import struct

import pytest

from brinery.errors import DecodeError
from brinery.parser.images.reasons import decode_error

SAID = [
    (OSError("image file is truncated (7 bytes not processed)"), "it is cut off: image file is truncated"),
    (OSError("Truncated File Read"), "it is cut off"),
    (ValueError("not enough image data"), "it is cut off"),
    (OSError("broken data stream when reading image file"), "its compressed pixels are broken"),
    (OSError("decoder error -2"), "its compressed pixels are broken"),
    (OSError("could not create decoder object"), "its chunks make no sense or are cut off"),
    (SyntaxError("not identified by this driver"), "its header makes no sense"),
    (SyntaxError("not a WEBP file"), "its header makes no sense"),
    (SyntaxError("index out of range"), "its header is cut off or makes no sense"),
    (SyntaxError("bad MSP checksum"), "bad MSP checksum"),
    (struct.error("unpack requires a buffer of 8 bytes"), "its header is cut off or makes no sense"),
    (ZeroDivisionError("float division by zero"), "its header holds numbers that make no sense"),
    (RecursionError("maximum recursion depth exceeded"), "its parts are nested without end"),
    (KeyError(-1), "what it says of itself makes no sense"),
    (AssertionError(), "what it says of itself makes no sense"),
    (TypeError("'NoneType' object is not subscriptable"), "what it says of itself makes no sense"),
    (ValueError("5"), "what it says of itself makes no sense"),
]


@pytest.mark.parametrize(("error", "meaning"), SAID, ids=lambda value: repr(value)[:40])
def test_damage_says_what_it_means(error, meaning):
    said = str(decode_error(error, "GIF"))
    assert said.startswith(f"damaged GIF: {meaning}")


@pytest.mark.parametrize(
    "error",
    [
        NotImplementedError("Unknown pixel format flags 8"),
        OSError("Unsupported BMP compression (4)"),
        SyntaxError("cannot handle 3-layer images"),
    ],
)
def test_what_is_not_read_is_no_damage(error):
    assert str(decode_error(error, "DDS")) == f"DDS that is not read: {error}"


def test_lines_and_addresses_are_left_out():
    said = str(decode_error(OSError("two\nlines of <object at 0x7fabc>"), "PNG"))
    assert said == "damaged PNG: two lines of <object>"


def test_memory_that_there_is_not():
    assert str(decode_error(MemoryError(), "TIFF")) == "TIFF that does not fit into the memory that there is"


def test_a_reason_stays_as_it_is():
    reason = DecodeError("with what to do")
    assert decode_error(reason, "PNG") is reason
