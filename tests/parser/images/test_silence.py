"""Nothing that a library warns of reaches the terminal or the warnings of a user's process."""

import logging
import random
import warnings
from contextlib import suppress

import pytest
from PIL import Image

from brinery.errors import DecodeError
from brinery.parser.decode import decode
from brinery.parser.options import DecodeOptions

from ...images import png_chunk
from ..samples import encoded, smooth

COLOURS = Image.fromarray(smooth(40, 50))
MOVING = {"save_all": True, "append_images": [Image.fromarray(smooth(40, 50, seed=seed)) for seed in (1, 2)]}
EXIF = Image.Exif()
EXIF[0x0112] = 6
EXIF[0x010F] = "a maker of cameras " * 9
KINDS = {
    "JPEG": encoded(COLOURS, "JPEG", exif=EXIF),
    "PNG": encoded(COLOURS, "PNG", exif=EXIF, **MOVING),
    "WEBP": encoded(COLOURS, "WEBP", exif=EXIF),
    "AVIF": encoded(COLOURS, "AVIF", exif=EXIF),
    "TIFF": encoded(COLOURS, "TIFF", compression="jpeg", exif=EXIF),
    "fax": encoded(Image.fromarray(smooth(40, 50, 1) > 99), "TIFF", compression="group4", exif=EXIF),
    "GIF": encoded(COLOURS, "GIF", **MOVING),
    "ICO": encoded(COLOURS, "ICO", bitmap_format="bmp"),
    "palette": encoded(COLOURS.quantize(9), "PNG", transparency=bytes(range(9))),
}


@pytest.mark.parametrize("kind", KINDS)
def test_no_damage_makes_a_warning_or_a_line(kind, capfd, caplog):
    data = KINDS[kind]
    chance = random.Random(kind)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(150):
            damaged = bytearray(data)
            for _ in range(chance.choice([1, 4, 9])):
                damaged[chance.randrange(12, len(damaged))] = chance.choice(
                    [0, 1, 255, chance.randrange(256)]
                )
            with suppress(DecodeError):
                list(decode(bytes(damaged), DecodeOptions(frames="all", max_pixels=1 << 20)))
    assert capfd.readouterr() == ("", "")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_an_invalid_animation_is_the_picture_that_it_holds(recwarn):
    plain = encoded(COLOURS, "PNG")
    control = png_chunk(b"acTL", bytes(8))
    at = plain.index(b"IDAT") - 4
    (one,) = decode(plain[:at] + control + plain[at:], DecodeOptions(frames="all"))
    assert one.frames == 1
    assert not recwarn.list


@pytest.mark.parametrize("orientation", [1, 6])
def test_exif_in_avif_and_webp_is_read_without_pillow(orientation, recwarn):
    for kind in ("AVIF", "WEBP", "PNG"):
        exif = Image.Exif()
        exif[0x0112] = orientation
        (one,) = decode(encoded(COLOURS, kind, exif=exif), DecodeOptions())
        assert one.orientation == orientation
    assert not recwarn.list
