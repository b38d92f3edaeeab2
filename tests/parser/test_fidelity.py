"""TIFFs and others that Pillow opens and gets wrong: refused with the reason, or right."""

import io

import numpy as np
import pytest
from PIL import Image

from brinery.errors import DecodeError
from brinery.parser.decode import decode
from brinery.parser.options import DecodeOptions

from .samples import smooth, tiff


def native(data, **options):
    return next(iter(decode(data, DecodeOptions(**options)))).array


def planes(channels, dtype, seed=0):
    return np.random.default_rng(seed).integers(0, 100, (channels, 5, 7)).astype(dtype)


@pytest.mark.parametrize(
    ("dtype", "sample_format", "says"),
    [
        ("<u4", 1, "unsigned 32-bit"),
        ("<f8", 3, "64-bit float"),
        ("<f2", 3, "16-bit float"),
        ("<i1", 2, "signed 8-bit"),
        ("<u8", 1, "64-bit unsigned"),
        ("<c8", 6, "64-bit complex"),
    ],
)
def test_depths_that_pillow_wraps_or_rounds_are_refused(dtype, sample_format, says):
    with pytest.raises(DecodeError, match=says):
        native(tiff(planes(1, dtype), photometric=1, sample_format=sample_format))


@pytest.mark.parametrize(
    ("dtype", "sample_format", "expected"),
    [("<u1", 1, "u1"), ("<u2", 1, "u2"), ("<i2", 2, "i4"), ("<i4", 2, "i4"), ("<f4", 3, "f4")],
)
def test_depths_that_pillow_keeps_come_through(dtype, sample_format, expected):
    values = planes(1, dtype)
    if dtype == "<i2":
        values -= 50
    array = native(tiff(values, photometric=1, sample_format=sample_format))
    assert array.dtype == np.dtype(expected)
    assert np.array_equal(array, values[0])


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize(("channels", "extra", "photometric"), [(3, (), 2), (4, (2,), 2), (4, (), 5)])
def test_8_bit_colour_is_right_however_it_is_laid_out(packed, planar, channels, extra, photometric):
    values = planes(channels, "<u1")
    array = native(tiff(values, planar=planar, packed=packed, photometric=photometric, extra=extra))
    assert np.array_equal(array, values.transpose(1, 2, 0))


@pytest.mark.parametrize("packed", [False, True])
def test_planar_grey_and_alpha_is_refused_and_chunky_is_right(packed):
    values = planes(2, "<u1")
    with pytest.raises(DecodeError):
        native(tiff(values, planar=True, packed=packed, photometric=1, extra=(2,)))
    chunky = tiff(values, packed=packed, photometric=1, extra=(2,))
    assert np.array_equal(native(chunky), values.transpose(1, 2, 0))


def test_five_channels_are_refused():
    for planar in (False, True):
        with pytest.raises(DecodeError, match="TIFF of 5 channels"):
            native(tiff(planes(5, "<u1"), planar=planar, extra=(2, 0)))


def test_a_channel_that_pillow_drops_is_refused_unless_rgb_is_asked():
    values = planes(4, "<u1")
    data = tiff(values, extra=(0,))
    with pytest.raises(DecodeError, match="TIFF of 4 channels: Pillow would give 3"):
        native(data)
    assert np.array_equal(native(data, mode="rgb"), values[:3].transpose(1, 2, 0))


@pytest.mark.parametrize("channels", [3, 4])
def test_16_bit_colour_is_refused_unless_8_bits_are_asked(channels):
    values = planes(channels, "<u2") * 600
    data = tiff(values, extra=(2,) if channels == 4 else ())
    with pytest.raises(DecodeError, match="16-bit colour TIFF"):
        native(data)
    assert np.array_equal(native(data, mode="rgb"), (values[:3].transpose(1, 2, 0) >> 8).astype(np.uint8))


def test_16_bit_jpeg_2000_colour_is_refused():
    # Pillow writes 8 bits only: the depths in the header are changed by hand.
    out = io.BytesIO()
    Image.fromarray(smooth(16, 16)).save(out, "JPEG2000")
    data = bytearray(out.getvalue())
    at = data.index(b"\xff\x4f\xff\x51") + 42
    data[at : at + 9 : 3] = b"\x0f" * 3
    with pytest.raises(DecodeError, match="16-bit colour JPEG2000"):
        native(bytes(data))


def test_16_bit_sgi_is_refused():
    out = io.BytesIO()
    Image.fromarray(smooth(8, 8)).save(out, "SGI", bpc=2)
    with pytest.raises(DecodeError, match="16-bit SGI"):
        native(out.getvalue())


def test_white_is_zero_and_orientation_are_pillows():
    values = smooth(6, 8, 1)
    image = Image.fromarray(values)
    out = io.BytesIO()
    image.save(out, "TIFF", tiffinfo={262: 0, 274: 6})
    with Image.open(io.BytesIO(out.getvalue())) as opened:
        assert np.array_equal(native(out.getvalue()), np.asarray(opened))
