"""Signatures: everything that Pillow writes and brinery decodes is recognised, and nothing else."""

import pickle

import pytest
from PIL import Image

from brinery.errors import DecodeError
from brinery.parser.signature import HEAD, NotAnImage, describe, require_image, sniff

from .samples import encoded, smooth

WRITTEN = [
    "AVIF",
    "BMP",
    "DDS",
    "GIF",
    "ICO",
    "JPEG",
    "JPEG2000",
    "PCX",
    "PNG",
    "PPM",
    "QOI",
    "SGI",
    "TIFF",
    "WEBP",
]


@pytest.mark.parametrize("kind", WRITTEN)
def test_formats_are_recognised_by_their_first_bytes(kind):
    assert sniff(encoded(smooth(20, 20), kind)[:HEAD]) == kind


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"II+\0\x08\0\0\0", "TIFF"),
        (b"MM\0*\0\0\0\x08", "TIFF"),
        (b"P1\n1 1\n0", "PPM"),
        (b"P6#x\n1 1 255\n", "PPM"),
        (b"Pf\n1 1\n-1\n", "PPM"),
        (b"8BPS\0\1", "PSD"),
        (b"\x59\xa6\x6a\x95", "SUN"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0avif", "AVIF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1", "HEIF"),
        (b"\xff\x0a", "JPEG XL"),
    ],
)
def test_rarer_signatures(head, kind):
    assert sniff(head) == kind


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"", "empty file"),
        (b"BMW cars are not bitmaps", "text or unknown data"),
        (b"P7 is not read by Pillow", "text or unknown data"),
        (b"\n\n\n" * 50, "text or unknown data"),
        (b"RIFF\0\0\0\0WAVE", "text or unknown data"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isom", "text or unknown data"),
        (b"%!PS-Adobe", "PostScript document"),
        (b"%PDF-1.7", "PDF document"),
        (b"\xd7\xcd\xc6\x9a", "WMF drawing"),
        (b"PK\x03\x04", "zip archive"),
        (b"\x1f\x8b\x08", "gzip data"),
        (bytes(257) + b"ustar\x0000", "tar archive"),
        (b'<?xml version="1.0"?><svg xmlns', "SVG drawing"),
        (b"\x89HDF\r\n\x1a\n", "HDF5 file"),
    ],
)
def test_what_is_no_image_is_described(head, reason):
    assert sniff(head) is None
    assert describe(head) == reason


def test_programs_are_never_run_on_postscript():
    head = encoded(Image.new("RGB", (5, 5)), "EPS")
    assert sniff(head[:HEAD]) is None
    with pytest.raises(NotAnImage):
        require_image(head[:HEAD], "drawing.eps")


def test_a_name_that_claims_an_image_makes_it_a_failure():
    with pytest.raises(DecodeError):
        require_image(b"", "a/b.jpeg")
    with pytest.raises(NotAnImage):
        require_image(b"", "a.jpg/b")
    with pytest.raises(NotAnImage):
        require_image(b"\0\5\x16\7", "a/._b.jpg")
    assert require_image(b"qoif", "a/b.txt") == "QOI"


def test_the_outcome_travels_between_processes():
    copy = pickle.loads(pickle.dumps(NotAnImage("PDF document")))
    assert copy.reason == str(copy) == "PDF document"
