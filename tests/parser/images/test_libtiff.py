"""What libtiff says: nothing on stderr, and what it warns of in pixels is damage."""

import io
import threading
import warnings

import numpy as np
import pytest
from PIL import Image

from brinery.errors import DecodeError
from brinery.parser.decode import decode
from brinery.parser.images.libtiff import damage_in, listening
from brinery.parser.options import DecodeOptions

from ..samples import encoded, smooth, tag_place

BITS = Image.fromarray(smooth(60, 70, 1) > 99)
COLOURS = Image.fromarray(smooth(60, 70))


def first(data, **options):
    return next(iter(decode(data, DecodeOptions(**options))))


def hole(data, share=0.5, size=40, filler=b"\0"):
    """A hole in the strip, which Pillow writes before the directory or behind it."""
    with Image.open(io.BytesIO(data)) as image:
        begin, length = image.tag_v2[273][0], image.tag_v2[279][0]
    at = begin + int(share * length)
    return data[:at] + filler * size + data[at + size :]


DAMAGED = {
    "fax, group 3": (hole(encoded(BITS, "TIFF", compression="group3"), 0.2), "at line 16 of strip 0"),
    "fax, group 4": (hole(encoded(BITS, "TIFF", compression="group4"), 0.2), "Premature EOL at line 14"),
    "fax, a bad code": (
        hole(encoded(BITS, "TIFF", compression="group4"), 0.2, 30, b"U"),
        "Bad code word at line",
    ),
    "fax, run lengths": (
        hole(encoded(BITS, "TIFF", compression="tiff_ccitt"), 0.2),
        "Premature EOL at line 17",
    ),
    "JPEG, codes": (hole(encoded(COLOURS, "TIFF", compression="jpeg")), "premature end of data segment"),
    "JPEG, a marker": (hole(encoded(COLOURS, "TIFF", compression="jpeg"), 0.8, 2, b"\xff"), ""),
    "LZW": (hole(encoded(COLOURS, "TIFF", compression="tiff_lzw"), filler=b"\xff"), "code"),
    "deflate": (hole(encoded(COLOURS, "TIFF", compression="tiff_deflate"), filler=b"\xff"), ""),
}


@pytest.mark.parametrize(("data", "says"), DAMAGED.values(), ids=DAMAGED)
def test_damaged_pixels_are_a_failure_with_libtiffs_words(data, says, capfd):
    with pytest.raises(DecodeError, match="damaged") as caught:
        first(data)
    assert says in str(caught.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt", "jpeg"])
def test_sound_pixels_are_samples(compression):
    image = COLOURS if compression == "jpeg" else BITS
    data = encoded(image, "TIFF", compression=compression)
    with Image.open(io.BytesIO(data)) as opened:
        expected = np.asarray(opened.convert("L" if compression != "jpeg" else "RGB"))
    assert np.array_equal(first(data).array, expected)


def test_damaged_fax_can_be_salvaged():
    decoded = first(DAMAGED["fax, group 4"][0], salvage=True)
    assert decoded.salvaged
    assert decoded.array.shape == (60, 70)


def test_words_about_tags_cost_no_pixel():
    assert damage_in([("TIFFReadDirectory", "Unknown field with tag 65000")]) == ""
    assert damage_in([("JPEGLib", "Warning: unknown JFIF revision number 9.09")]) == ""
    said = [("TIFFFetchNormalTag", "Incorrect count"), ("Fax4Decode", "Bad code word at line 3")]
    assert damage_in(said) == "Bad code word at line 3"


def test_other_threads_hear_what_they_heard_before(capfd):
    data = hole(encoded(COLOURS, "TIFF", compression="tiff_lzw"), filler=b"\xff")

    def others():
        with Image.open(io.BytesIO(data)) as image, pytest.raises(OSError, match="decoder error"):
            image.load()

    with listening() as said:
        thread = threading.Thread(target=others)
        thread.start()
        thread.join()
    assert said == []
    others()
    assert capfd.readouterr().err.count("code not yet in table") == 2


def test_many_threads_decode_at_the_same_time(capfd):
    cases = [data for data, _ in DAMAGED.values()]
    sound = encoded(BITS, "TIFF", compression="group4")
    wrong = []

    def work():
        for data in cases:
            try:
                first(data)
                wrong.append("damage passed")
            except DecodeError:
                pass
            if not first(sound).array.any():
                wrong.append("pixels")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert capfd.readouterr().err == ""


def test_tags_that_pixels_do_not_need_are_not_looked_at():
    exif = Image.Exif()
    exif[0x010F] = "a maker of cameras " * 20
    exif[0x013B] = "an artist with a long name " * 20
    data = bytearray(encoded(COLOURS, "TIFF", compression="jpeg", exif=exif))
    for tag in (0x010F, 0x013B):
        at = tag_place(data, 0, tag)
        data[at : at + 4] = b"\xff\xff\xff\x7f"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(
            first(bytes(data)).array, first(encoded(COLOURS, "TIFF", compression="jpeg")).array
        )
