"""Frames held against what their file says: refused, or salvaged and flagged."""

import numpy as np
import pytest

from brinery.errors import DecodeError
from brinery.parser.images.intact import CheckedSource
from brinery.parser.images.stored import OneImage, Stored


class Frame(OneImage):
    def __init__(self):
        self.reads = 0

    def read(self):
        self.reads += 1
        return Stored(np.zeros((2, 2), np.uint8))


class Found:
    """Faults as a test wants them."""

    def __init__(self, before="", after=""):
        self._before, self._after = before, after

    def before(self, _):
        return self._before

    def after(self, *_):
        return self._after


def test_a_sound_frame_is_given():
    frame = Frame()
    assert not CheckedSource(frame, Found(), "PNG", salvage=False).read().salvaged
    assert frame.reads == 1


def test_a_fault_that_is_known_before_costs_no_decoding():
    frame = Frame()
    with pytest.raises(DecodeError, match="damaged PNG: a chunk is cut"):
        CheckedSource(frame, Found(before="a chunk is cut"), "PNG", salvage=False).read()
    assert frame.reads == 0


def test_a_fault_that_the_pixels_show_is_one():
    with pytest.raises(DecodeError, match="damaged GIF: rows are missing"):
        CheckedSource(Frame(), Found(after="rows are missing"), "GIF", salvage=False).read()


@pytest.mark.parametrize("faults", [Found(before="x"), Found(after="x")])
def test_a_damaged_frame_is_salvaged_and_flagged(faults):
    assert CheckedSource(Frame(), faults, "PNG", salvage=True).read().salvaged


def test_everything_else_is_the_sources_own():
    source = CheckedSource(Frame(), Found(), "PNG", salvage=False)
    assert source.count().frames == 1
    assert source.alone()
    with pytest.raises(DecodeError, match="no frame 1"):
        source.seek(1)
