"""Images of several frames: one that is damaged costs itself and what builds on it, nothing else."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from brinery.errors import DecodeError
from brinery.parser.decode import decode
from brinery.parser.images.pixels import LostFrames
from brinery.parser.options import DecodeOptions

from ..samples import encoded, smooth, tag_place

WHOLE = [smooth(40, 50, seed=seed) for seed in range(4)]


def pages(**options):
    """A TIFF of four pages, which stand alone."""
    first, *rest = map(Image.fromarray, WHOLE)
    return encoded(first, "TIFF", save_all=True, append_images=rest, **options)


def animation(*frames):
    """A GIF of frames (pixels, left, top) with palettes of their own, none transparent."""
    height, width = frames[0][0].shape[:2]
    parts = [b"GIF89a" + struct.pack("<2H3B", width, height, 0, 0, 0)]
    for pixels, left, top in frames:
        single = encoded(Image.fromarray(pixels).quantize(64), "GIF")
        size = 3 << (single[10] & 7) + 1
        at = single.index(b",", 13 + size)
        place = struct.pack("<4HB", left, top, pixels.shape[1], pixels.shape[0], 0x80 | single[10] & 7)
        parts += [b",", place, single[13 : 13 + size], single[at + 10 : -1]]
    return b"".join(parts) + b";"


CANVASES = [(pixels, 0, 0) for pixels in WHOLE]


def with_bad_page(page):
    """The four pages, of which one has its pixels beyond the end of the file."""
    data = bytearray(pages())
    struct.pack_into("<I", data, tag_place(data, page, 273), len(data) + 1000)
    return bytes(data)


def outcomes(data, **options):
    """What becomes of the frames: their numbers, those that are lost as (first, last)."""
    every = list(decode(data, DecodeOptions(**({"frames": "all"} | options))))
    return [one[:2] if isinstance(one, LostFrames) else one.frame for one in every]


def reference(data):
    """The frames as Pillow gives them."""
    with Image.open(io.BytesIO(data)) as image:
        out = []
        for frame in range(image.n_frames):
            image.seek(frame)
            out.append(np.asarray(image.convert("RGB")))
        return out


@pytest.mark.parametrize("bad", range(4))
def test_a_damaged_page_drops_only_itself(bad):
    data = with_bad_page(bad)
    every = list(decode(data, DecodeOptions(frames="all")))
    assert outcomes(data) == [(n, n) if n == bad else n for n in range(4)]
    for number, one in enumerate(every):
        if number == bad:
            assert isinstance(one.error, DecodeError)
        else:
            assert np.array_equal(one.array, WHOLE[number])
            assert one.frames == 4
            assert not one.salvaged


@pytest.mark.parametrize("bad", [1, 2, 3])
def test_a_damaged_later_page_costs_the_first_nothing(bad):
    data = with_bad_page(bad)
    (one,) = decode(data, DecodeOptions())
    assert (one.frame, one.frames) == (0, 4)
    assert np.array_equal(one.array, WHOLE[0])
    cut = pages()[: tag_place(pages(), bad, 273)]  # in the directory of that page
    (one,) = decode(cut, DecodeOptions())
    assert np.array_equal(one.array, WHOLE[0])


def test_an_image_without_a_sound_frame_is_a_failure():
    data = bytearray(pages())
    for page in range(4):
        struct.pack_into("<I", data, tag_place(data, page, 273), len(data) + 1000)
    with pytest.raises(DecodeError):
        decode(bytes(data), DecodeOptions(frames="all"))
    with pytest.raises(DecodeError):
        decode(with_bad_page(0), DecodeOptions())


def test_pages_behind_a_salvaged_one_are_decoded():
    data = bytearray(pages())
    struct.pack_into("<I", data, tag_place(data, 0, 273), len(data) - 3000)  # half of its pixels
    every = list(decode(bytes(data), DecodeOptions(frames="all", salvage=True)))
    assert [(one.frame, one.salvaged) for one in every] == [(0, True), (1, False), (2, False), (3, False)]


def gif_frames(data):
    """Where the image descriptors of a GIF stand, and where its data ends."""
    with Image.open(io.BytesIO(data)) as image:
        places = []
        for frame in range(image.n_frames):
            image.seek(frame)
            places.append(image.tile[0][2])
    return places


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_frames_before_the_cut_of_an_animation_are_kept(cut):
    data = animation(*CANVASES)
    expected = reference(data)
    part = data[: gif_frames(data)[cut] + 40]
    every = list(decode(part, DecodeOptions(frames="all")))
    assert outcomes(part) == [*range(cut), (cut, cut)]
    for one, pixels in zip(every[:cut], expected, strict=False):
        assert np.array_equal(one.array, pixels)
    (one,) = decode(part, DecodeOptions())
    assert np.array_equal(one.array, expected[0])


def with_broken_frame(data, frame):
    """A GIF of which the codes of a frame make no sense."""
    at = gif_frames(data)[frame] + 1
    return data[:at] + b"\xff" * 60 + data[at + 60 :]


def test_frames_of_the_whole_canvas_behind_a_damaged_one_are_kept():
    data = animation(*CANVASES)
    damaged = with_broken_frame(data, 1)
    every = list(decode(damaged, DecodeOptions(frames="all")))
    assert outcomes(damaged) == [0, (1, 1), 2, 3]
    for number in (0, 2, 3):
        assert np.array_equal(every[number].array, reference(data)[number])


def test_frames_that_build_on_a_damaged_one_are_lost_with_it():
    part = (smooth(20, 30), 5, 5)
    data = animation(CANVASES[0], CANVASES[1], part, CANVASES[3])
    assert outcomes(data) == [0, 1, 2, 3]
    damaged = with_broken_frame(data, 1)
    assert outcomes(damaged) == [0, (1, 2), 3]
    salvaged = list(decode(damaged, DecodeOptions(frames="all", salvage=True)))
    assert [(one.frame, one.salvaged) for one in salvaged] == [(0, False), (1, True), (2, True), (3, False)]


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF"])
def test_frames_that_were_decoded_before_the_damage_are_kept(kind):
    first, *rest = map(Image.fromarray, WHOLE)
    lossless = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(first, kind, save_all=True, append_images=rest, **lossless)
    whole = list(decode(data, DecodeOptions(frames="all")))
    kept = 0
    for share in (0.55, 0.8, 0.95):
        try:
            every = list(decode(data[: int(share * len(data))], DecodeOptions(frames="all")))
        except DecodeError:
            continue
        for one, sound in zip(every, whole, strict=False):
            if not isinstance(one, LostFrames):
                assert np.array_equal(one.array, sound.array)
                kept += 1
        assert isinstance(every[-1], LostFrames)
    assert kept > 0 or kind in {"AVIF", "WEBP"}  # they are indexed as a whole


def test_a_page_of_too_many_pixels_drops_only_itself():
    sizes = [(8, 8), (40, 40), (9, 9)]
    first, *rest = (Image.fromarray(smooth(*size)) for size in sizes)
    data = encoded(first, "TIFF", save_all=True, append_images=rest)
    assert outcomes(data, max_pixels=1000) == [0, (1, 1), 2]
