"""GIFs: their blocks before their pixels."""

import struct
import tracemalloc

import pytest
from PIL import Image

from brinery.errors import DecodeError
from brinery.parser.decode import decode
from brinery.parser.images.gif import read_layout
from brinery.parser.images.pixels import LostFrames
from brinery.parser.options import DecodeOptions

from ..samples import encoded, smooth

STILL = encoded(Image.fromarray(smooth(20, 30)).quantize(16), "GIF")
MOVING = encoded(
    Image.fromarray(smooth(20, 30)),
    "GIF",
    save_all=True,
    append_images=[Image.fromarray(smooth(20, 30, seed=seed)) for seed in range(1, 4)],
)


def frame(width, height, *, disposal=0, left=0, top=0):
    """A frame of this size, of which hardly any pixel is there."""
    control = b"\x21\xf9\x04" + bytes([disposal << 2]) + b"\0\0\0\0"
    return control + b"," + struct.pack("<4HB", left, top, width, height, 0) + b"\x02\x02\x44\x01\x00"


def gif(*frames, width=10, height=10):
    return b"GIF89a" + struct.pack("<2H3B", width, height, 0x80, 0, 0) + bytes(6) + b"".join(frames) + b";"


def test_blocks_are_followed_to_the_end():
    assert read_layout(STILL) == ([(30, 20)], False)
    assert read_layout(MOVING) == ([(30, 20)] * 4, False)
    assert read_layout(MOVING[:-1]) == ([(30, 20)] * 4, True)
    assert read_layout(STILL + b"appended") == ([(30, 20)], False)
    assert read_layout(gif(frame(5, 5), frame(4, 4, left=8, top=3))) == ([(10, 10), (12, 10)], False)


@pytest.mark.parametrize("cut", range(0, len(STILL), 7))
def test_anything_can_be_followed(cut):
    read_layout(STILL[:cut])
    read_layout(STILL[:cut] + b"\x21" * 99)


@pytest.mark.parametrize("limit", [Image.MAX_IMAGE_PIXELS, None])
@pytest.mark.parametrize("disposal", [0, 1, 2, 3])
def test_frames_are_held_against_the_budget_before_they_are_allocated(limit, disposal, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    huge = gif(frame(32000, 32000, disposal=disposal))
    later = gif(frame(10, 10), frame(9, 9, left=60000, top=60000, disposal=disposal))
    tracemalloc.start()
    with pytest.raises(
        DecodeError, match="32000 x 32000 are 1,024,000,000 pixels; the budget is 178,956,970"
    ):
        decode(huge, DecodeOptions())
    with pytest.raises(DecodeError):
        list(decode(later, DecodeOptions(frames="all")))
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_pillows_limit_is_not_met_below_the_budget(monkeypatch, recwarn):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    every = list(decode(MOVING, DecodeOptions(frames="all")))
    assert [one.frame for one in every] == [0, 1, 2, 3]
    assert not recwarn.list
    assert Image.MAX_IMAGE_PIXELS == 100


def test_an_animation_cut_between_frames_says_that_frames_may_be_missing():
    assert [one.frame for one in decode(MOVING[:-1], DecodeOptions())] == [0]
    *sound, lost = decode(MOVING[:-1], DecodeOptions(frames="all"))
    assert [one.frame for one in sound] == [0, 1, 2, 3]
    assert isinstance(lost, LostFrames)
    assert (lost.first, lost.last, str(lost.error)) == (4, 4, "the end is missing, and frames may be")


def test_a_gif_without_a_frame_says_so():
    with pytest.raises(DecodeError, match="damaged GIF: it holds no frame"):
        decode(gif(), DecodeOptions())
