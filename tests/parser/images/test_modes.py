"""Samples as stored, turned into 8 bits of the mode that was asked for."""

import numpy as np
import pytest
from PIL import Image

from brinery.errors import DecodeError
from brinery.parser.images.modes import to_mode, with_alpha
from brinery.parser.images.stored import Stored


def row(*values, dtype=np.uint8):
    """An image of one row; a value is a sample or a tuple of channels."""
    return np.array([values], dtype)


def test_grey_becomes_colour_and_opaque():
    stored = Stored(row(7, 200))
    assert to_mode(stored, "rgb").tolist() == [[[7] * 3, [200] * 3]]
    assert to_mode(stored, "rgba").tolist() == [[[7, 7, 7, 255], [200, 200, 200, 255]]]
    assert to_mode(stored, "gray").tolist() == [[7, 200]]


def test_grey_of_colours_is_pillows_luma():
    pixels = np.random.default_rng(1).integers(0, 256, (9, 9, 3), np.uint8)
    expected = np.asarray(Image.fromarray(pixels).convert("L"))
    np.testing.assert_array_equal(to_mode(Stored(pixels), "gray"), expected)


@pytest.mark.parametrize(
    ("peak", "values", "expected"),
    [
        (None, (0, 255, 256, 0xFFFF), [0, 0, 1, 255]),  # 16 bits: the high byte
        (4095, (0, 15, 16, 4095), [0, 0, 1, 255]),  # 12 bits
        (15, (0, 1, 8, 15), [0, 17, 136, 255]),  # 4 bits are spread
        (1, (0, 1), [0, 255]),
    ],
)
def test_depths_are_scaled_by_the_greatest_value(peak, values, expected):
    dtype = np.uint16 if max(values) > 255 else np.uint8
    assert to_mode(Stored(row(*values, dtype=dtype), peak), "gray").tolist() == [expected]


def test_alpha_is_dropped_or_kept_and_nothing_is_blended():
    stored = Stored(row((10, 20, 30, 0), (1, 2, 3, 128)))
    assert to_mode(stored, "rgb").tolist() == [[[10, 20, 30], [1, 2, 3]]]
    assert to_mode(stored, "rgba").tolist() == stored.array.tolist()


def test_colours_that_were_multiplied_with_alpha_are_divided_first():
    stored = Stored(row((64, 32, 0, 128), (9, 9, 9, 0)), colours="RGBa")
    assert to_mode(stored, "rgba").tolist() == [[[127, 63, 0, 128], [9, 9, 9, 0]]]


def test_inks_become_colours_as_pillow_does_it():
    stored = Stored(row((0, 255, 255, 0), (0, 0, 0, 255)), colours="CMYK")
    assert to_mode(stored, "rgb").tolist() == [[[255, 0, 0], [0, 0, 0]]]


@pytest.mark.parametrize("dtype", [np.int16, np.uint32, np.float32])
def test_values_without_an_agreed_range_are_refused(dtype):
    with pytest.raises(DecodeError, match="have no 8-bit form: convert it with mode native"):
        to_mode(Stored(row(1, 2, dtype=dtype)), "rgb")


@pytest.mark.parametrize("colours", ["LAB", "5 channels"])
def test_colours_without_a_form_in_rgb_are_refused(colours):
    with pytest.raises(DecodeError, match="have no RGB form here"):
        to_mode(Stored(row((1, 2, 3)), colours=colours), "rgb")


def test_a_channel_of_no_stated_meaning_is_no_alpha():
    stored = Stored(row((1, 2, 3, 4)), colours="RGBX")
    assert to_mode(stored, "rgb").tolist() == [[[1, 2, 3]]]
    with pytest.raises(DecodeError, match="is not said to be alpha"):
        to_mode(stored, "rgba")


def test_hidden_pixels_get_no_alpha():
    assert with_alpha(row((1,), (2,)), np.array([[True, False]])).tolist() == [[[1, 0], [2, 255]]]
