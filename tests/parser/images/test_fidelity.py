"""Images that Pillow opens and gets wrong: refused with the reason, or right."""

import io

import pytest
from PIL import Image

from brinery.errors import DecodeError
from brinery.parser.decode import decode
from brinery.parser.options import DecodeOptions

from ..samples import smooth


def native(data, **options):
    return next(iter(decode(data, DecodeOptions(**options)))).array


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
