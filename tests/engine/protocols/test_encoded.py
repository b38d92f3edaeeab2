"""Tars of images: names that tools keep apart, and that lead back to their keys."""

import io
import tarfile

import numpy as np
import pytest

from brinery.engine.protocols.base import Spec
from brinery.engine.protocols.encoded import limited
from brinery.engine.protocols.encoded_names import key_of, member_name
from brinery.engine.protocols.registry import get_serializer
from brinery.engine.protocols.testing import content, make_array
from brinery.errors import MemberError
from brinery.parser.options import DecodeOptions

from ...images import encoded, pixels

ENCODED = get_serializer("encoded")
PNG, JPEG, TIFF = (encoded(pixels(1), kind) for kind in ("PNG", "JPEG", "TIFF"))
NAMES = {
    "a.jpg": "a.jpg",
    "A.JPG": "A.JPG",
    "train/n01/0 1 \u00fc.jpeg": "train/n01/0 1 \u00fc.jpeg",
    "v1.2/a.jpg": "v1.2/a.jpg",
    "a.b.jpg": "a%2Eb.jpg",
    "a..jpg": "a%2E.jpg",
    "a": "a%.png",
    "a.txt": "a%2Etxt%.png",
    ".jpg": "%2Ejpg%.png",
    "100%.jpg": "100%25.jpg",
    "a%2Eb.jpg": "a%252Eb.jpg",
    "../a.jpg": "%2E%2E/a.jpg",
    "/etc/a.jpg": "%2Fetc/a.jpg",
    "a//b.jpg": "a%2F/b.jpg",
    "a/": "a%2F%.png",
    "a/..": "a/%2E%2E%.png",
    "a\nb.jpg": "a%0Ab.jpg",
}


@pytest.mark.parametrize(("key", "name"), NAMES.items())
def test_a_name_keeps_its_key(key, name):
    assert member_name(key, PNG) == name
    assert key_of(name) == key
    # What WebDataset takes for the sample's key has no dot, and for its column the image's suffix.
    base, dot, column = name.rpartition("/")[2].partition(".")
    assert base
    assert dot
    assert "." not in column


def test_names_of_different_keys_differ():
    assert len({member_name(key, PNG) for key in NAMES}) == len(NAMES)


@pytest.mark.parametrize(("data", "suffix"), [(JPEG, "jpg"), (PNG, "png"), (TIFF, "tif"), (b"?", "img")])
def test_a_suffix_that_is_added_is_that_of_the_image(data, suffix):
    assert member_name("scan", data) == f"scan%.{suffix}"


@pytest.mark.parametrize("length", [95, 96, 97, 200, 900, 986, 987, 988, 9000])
@pytest.mark.parametrize("letter", ["x", "\u00fc"])
def test_names_of_any_length_are_read_by_tarfile(length, letter):
    file, key = io.BytesIO(), f"{letter * length}.jpg"
    writer = ENCODED.writer(file)
    for _ in range(2):
        writer.add(key, np.frombuffer(JPEG, np.uint8))
    places = writer.finish()
    with tarfile.open(fileobj=io.BytesIO(file.getvalue()), mode="r:") as archive:
        members = archive.getmembers()
        assert [member.name for member in members] == [key, key]
        assert [member.offset_data for member in members] == [place.start for place in places]
        assert {archive.extractfile(member).read() for member in members} == {JPEG}
        assert {(member.mtime, member.uid, member.gid, member.mode) for member in members} == {
            (0, 0, 0, 0o644)
        }


def test_a_later_frame_has_the_place_of_its_image():
    file = io.BytesIO()
    writer = ENCODED.writer(file)
    writer.add("a.gif", np.frombuffer(PNG, np.uint8))
    writer.repeat()
    writer.add("b.gif", np.frombuffer(PNG, np.uint8))
    first, second, third = writer.finish()
    assert first == second
    assert file.getvalue()[third.start :][: third.length] == PNG
    assert third.start > second.start


def test_arrays_that_are_no_images_bytes_are_refused():
    for array in (pixels(1), np.zeros(5, np.uint16)):
        with pytest.raises(MemberError, match="bytes of an image"):
            ENCODED.writer(io.BytesIO()).add("a", array)
        with pytest.raises(MemberError, match="bytes of an image"):
            ENCODED.dump(array, io.BytesIO())


def test_an_image_may_have_more_channels_and_depth_than_its_array():
    spec = Spec(np.dtype("u1"), (3000, 4000))
    budget = limited(DecodeOptions(), spec).max_pixels
    assert 8 * budget >= 16 * 3000 * 4000  # bytes of RGBA with 32 bits a channel
    assert limited(DecodeOptions(max_pixels=100), spec).max_pixels == 100
    assert limited(DecodeOptions(), Spec(np.dtype("u1"), (2, 3))).max_pixels == 1 << 20


def test_content_is_an_image_of_the_array(tmp_path):
    array = make_array((4, 6, 3), "u2")
    with (tmp_path / "a.ppm").open("w+b") as file:
        ENCODED.dump(content(ENCODED, array), file)
    np.testing.assert_array_equal(ENCODED.load(tmp_path / "a.ppm"), array, strict=True)
