"""PBM, PGM, PPM, PAM and PFM: files of known bytes give the values in them."""

import numpy as np
import pytest
from PIL import Image

from brinery.errors import DecodeError
from brinery.parser.decode import decode
from brinery.parser.options import DecodeOptions

from ..samples import encoded, smooth
from .formats import decoded, native, same

MAXVALS = [1, 2, 3, 15, 100, 127, 254, 255, 256, 1000, 1023, 4095, 16383, 32767, 65534, 65535]


def stored(maxval, channels):
    shape = (5, 7) if channels == 1 else (5, 7, channels)
    return np.random.default_rng(maxval).integers(
        0, maxval, shape, "u1" if maxval < 256 else "u2", endpoint=True
    )


def raw(magic, array, maxval, gap=b"\n"):
    height, width = array.shape[:2]
    body = array.astype(array.dtype.newbyteorder(">")).tobytes()
    return b"%s\n%d %d\n%d%s" % (magic, width, height, maxval, gap) + body


def plain(magic, array, maxval):
    height, width = array.shape[:2]
    rows = "\n".join(" ".join(map(str, row)) for row in array.reshape(height, -1).tolist())
    return b"%s\n# plain\n%d %d # sizes\n%d\n" % (magic, width, height, maxval) + rows.encode()


@pytest.mark.parametrize("maxval", MAXVALS)
@pytest.mark.parametrize(("raws", "plains", "channels"), [(b"P5", b"P2", 1), (b"P6", b"P3", 3)])
def test_values_come_as_stored_whatever_their_maximum(raws, plains, channels, maxval):
    array = stored(maxval, channels)
    same(native(raw(raws, array, maxval)), array)
    same(native(plain(plains, array, maxval)), array)


@pytest.mark.parametrize("maxval", MAXVALS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_pam_of_any_depth(maxval, channels):
    array = stored(maxval, channels)
    kind = {1: "GRAYSCALE", 2: "GRAYSCALE_ALPHA", 3: "RGB", 4: "RGB_ALPHA", 5: "MULTISPECTRAL"}[channels]
    header = (
        f"P7\n# made by hand\nWIDTH 7\nHEIGHT 5\nDEPTH {channels}\nMAXVAL {maxval}\nTUPLTYPE {kind}\nENDHDR\n"
    )
    same(native(header.encode() + array.astype(array.dtype.newbyteorder(">")).tobytes()), array)


def test_pam_of_bits_and_of_ink():
    header = b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH %d\nMAXVAL %d\nTUPLTYPE %s\nENDHDR\n"
    same(native(header % (1, 1, b"BLACKANDWHITE") + b"\0\1"), np.array([[0, 255]], "u1"))
    same(
        native(header % (2, 1, b"BLACKANDWHITE_ALPHA") + b"\0\1\1\0"), np.array([[[0, 255], [255, 0]]], "u1")
    )
    ink = decoded(header % (4, 255, b"CMYK") + bytes(range(8)))
    same(ink.array, np.arange(8, dtype="u1").reshape(1, 2, 4))
    assert ink.colours == "CMYK"


def test_black_is_0_in_bitmaps():
    bits = smooth(6, 13, 1) > 127
    expected = bits * np.uint8(255)
    same(native(encoded(Image.fromarray(bits), "PPM")), expected)
    digits = "".join("01"[not bit] for bit in bits.ravel())
    same(native(f"P1 13 6\n{digits}".encode()), expected)
    same(native(f"P1\n13\n6\n{' '.join(digits)}\n".encode()), expected)
    packed = np.packbits(~bits, axis=1).tobytes()
    same(native(b"P4 13 6\n" + packed), expected)


@pytest.mark.parametrize(("magic", "channels"), [(b"Pf", 1), (b"PF", 3)])
@pytest.mark.parametrize(("order", "sign"), [("<", -1), (">", 1)])
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_floats_come_as_stored_from_the_top(magic, channels, order, sign, scale):
    array = np.random.default_rng(0).normal(size=(5, 7, channels)[: 2 + (channels > 1)]).astype("f4")
    data = b"%s\n7 5\n%.1f\n" % (magic, sign * scale) + array[::-1].astype(f"{order}f4").tobytes()
    same(native(data), array)


def test_comments_may_stand_anywhere_in_a_header():
    for head in (b"P5#a\n# b\n2#c\n1\n# d 7 8\n255\n", b"P5 2 1 255#raster follows\n", b"P5\t2\r1\v255\f"):
        same(native(head + b"\x23\x0a"), np.array([[0x23, 0x0A]], "u1"))
    same(native(b"P2 2 1 9 # nine\n1 # one\n2"), np.array([[1, 2]], "u1"))


def test_images_that_follow_one_another_are_frames():
    arrays = [stored(255, 1), stored(4095, 3), stored(100, 1)]
    files = [raw(b"P5", arrays[0], 255), raw(b"P6", arrays[1], 4095), b"\n", raw(b"P5", arrays[2], 100)]
    frames = list(decode(b"".join(files) + b"\n", DecodeOptions(frames="all")))
    assert [(frame.frame, frame.frames) for frame in frames] == [(0, 3), (1, 3), (2, 3)]
    for frame, array in zip(frames, arrays, strict=True):
        same(frame.array, array)
    same(native(b"".join(files)), arrays[0])
    first, lost = decode(files[0] + files[1][:-1], DecodeOptions(frames="all"))
    same(first.array, arrays[0])
    assert "truncated" in str(lost.error)
    assert decoded(files[0] + b"other bytes").frames == 1


# The 8-bit modes.


@pytest.mark.parametrize(
    ("maxval", "value", "byte"),
    [
        (65535, 0xABCD, 0xAB),
        (4095, 0xABC, 0xAB),
        (1023, 1023, 255),
        (1000, 1000, 255),
        (1000, 500, 127),
        (255, 77, 77),
        (100, 100, 255),
        (100, 50, 128),
        (15, 10, 170),
        (1, 1, 255),
    ],
)
def test_8_bit_modes_take_the_high_byte_of_the_range(maxval, value, byte):
    array = np.array([[0, value]], "u1" if maxval < 256 else "u2")
    data = raw(b"P5", array, maxval)
    same(native(data, mode="gray"), np.array([[0, byte]], "u1"))
    same(native(data, mode="rgb"), np.array([[[0] * 3, [byte] * 3]], "u1"))
    same(native(data, mode="rgba"), np.array([[[0, 0, 0, 255], [byte, byte, byte, 255]]], "u1"))


def test_floats_have_no_8_bit_form():
    with pytest.raises(DecodeError, match="float32 have no 8-bit form"):
        native(b"Pf 1 1 -1\n" + bytes(4), mode="gray")


# Damage.


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"P5 2 2 100\n\1\2\3\x65", "a value of 101; the header says that 100"),
        (b"P5 1 1 4095\n\xff\xff", "a value of 65,535"),
        (b"P2 2 1 9\n1 10", "a value of 10"),
        (b"P2 1 1 65535\n70000", "a value of 70,000"),
        (b"P5 2 2 255\n\1\2\3", "truncated: 3 of 4 values"),
        (b"P6 1 1 65535\n\0\0\0\0\0", "truncated: 2 of 3"),
        (b"P3 1 1 255\n1 2", "truncated: 2 of 3"),
        (b"P4 9 2\n\0\0\0", "truncated: 3 of 4"),
        (b"P1 3 2\n01 01", "truncated: 4 of 6"),
        (b"Pf 2 1 -1\n" + bytes(7), "truncated: 1 of 2"),
        (b"P1 2 1\n0 2", "neither 0 nor 1"),
        (b"P2 2 1 9\n1 -2", "no whole number"),
        (b"P2 2 1 9\n1 1_0", "no whole number"),
        (b"P2 1 1 9\n00000000001", "no whole number of up to 10 digits"),
        (b"P5 2 1 0\n\0\0", "a greatest value of 0"),
        (b"P5 2 1 65536\n\0\0", "a greatest value of 65,536"),
        (b"P5 0 1 255\n", "0 x 1 pixels"),
        (b"P5 2\n", "the header is damaged"),
        (b"P5 99999999999 1 255\n", "the header is damaged"),
        (b"Pf 1 1 0\n" + bytes(4), "a scale of"),
        (b"Pf 1 1 1e999\n" + bytes(4), "a scale of"),
        (b"P7\nWIDTH 1\nHEIGHT 1\nMAXVAL 255\nENDHDR\n\0", "no DEPTH"),
        (b"P7\nWIDTH 1\nHEIGHT x\nENDHDR\n\0", "HEIGHT 'x'"),
        (b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 1\nMAXVAL 255\n", "it has no end"),
    ],
)
def test_damage_is_named(data, says):
    with pytest.raises(DecodeError, match=says):
        native(data)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"P5 2 2 100\n\1\2\3\x65", [[1, 2], [3, 101]]),
        (b"P5 2 2 255\n\1\2\3", [[1, 2], [3, 0]]),
        (b"P2 2 2 255\n1 2 3", [[1, 2], [3, 0]]),
    ],
)
def test_damage_can_be_salvaged(data, expected):
    image = decoded(data, salvage=True)
    assert image.salvaged
    same(image.array, np.array(expected, "u1"))


def test_long_plain_rasters_are_read_in_pieces():
    array = np.random.default_rng(0).integers(0, 65536, (400, 700), "u2")
    data = plain(b"P2", array, 65535)
    assert len(data) > 1 << 20
    same(native(data), array)


def test_budgets_hold_before_anything_is_allocated():
    with pytest.raises(DecodeError, match="20000 x 20000 are 400,000,000 pixels"):
        native(b"P5 20000 20000 255\n")
    header = b"P7\nWIDTH 10000\nHEIGHT 10000\nDEPTH 4000000000\nMAXVAL 255\nENDHDR\n"
    with pytest.raises(DecodeError, match="the budget is"):
        native(header)
