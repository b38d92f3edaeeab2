"""Decoding into the same memory again and again."""

import numpy as np
import pytest
from PIL import Image

from brinery.errors import DecodeError
from brinery.parser.decode import decode
from brinery.parser.images.scratch import Scratch
from brinery.parser.options import DecodeOptions

from ..samples import encoded, smooth

NATIVE = DecodeOptions()


def address(array):
    return array.__array_interface__["data"][0]


def test_the_buffer_begins_at_an_odd_address_and_stays_where_it_is():
    scratch = Scratch()
    buffer = scratch.room(1000)
    assert buffer.nbytes >= 1000
    assert address(buffer) % 64 == 1
    assert scratch.room(10) is buffer
    larger = scratch.room(5000)
    assert larger.nbytes >= 5000
    assert scratch.room(5000) is larger


def test_no_more_than_64_mib_is_kept():
    assert Scratch().room((64 << 20) + 1) is None


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_images_of_all_sizes_have_the_same_pixels_as_in_memory_of_their_own(mode):
    scratch = Scratch()
    for size in [(33, 65), (240, 320), (1, 1), (17, 9), (240, 321), (33, 65)]:
        image = Image.fromarray(smooth(*size)).convert(mode)
        data = encoded(np.asarray(image), "JPEG")
        (within,), (alone,) = decode(data, NATIVE, scratch), decode(data, NATIVE)
        assert np.array_equal(within.array, alone.array)
        assert within.array.shape == alone.array.shape
        assert within.array.flags.c_contiguous
        assert within.array.flags.writeable
        assert np.shares_memory(within.array, scratch.room(1))


@pytest.mark.parametrize("salvage", [False, True])
def test_another_image_is_never_seen_in_a_damaged_one(salvage):
    scratch = Scratch()
    list(decode(encoded(np.full((240, 320, 3), 200, np.uint8), "JPEG"), NATIVE, scratch))
    whole = encoded(smooth(240, 320), "JPEG", quality=95)
    damaged = whole[: len(whole) * 2 // 3]
    if salvage:
        (found,) = decode(damaged, DecodeOptions(salvage=True), scratch)
        assert found.salvaged
        assert not np.shares_memory(found.array, scratch.room(1))
    else:
        with pytest.raises(DecodeError):
            list(decode(damaged, NATIVE, scratch))
