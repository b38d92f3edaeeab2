"""Signatures: everything that Pillow writes and brinery decodes is recognised, and nothing else."""

import pickle

import pytest
from PIL import Image

from brinery.errors import DecodeError
from brinery.parser.decode import decode
from brinery.parser.images.formats import ADVICE
from brinery.parser.images.signature import HEAD, NotAnImage, describe, require_image, sniff
from brinery.parser.options import DecodeOptions

from ..samples import encoded, smooth

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
        (b"%PDF-1.7", "PDF document"),
        (b"PK\x03\x04", "zip archive"),
        (b"\x1f\x8b\x08", "gzip data"),
        (bytes(257) + b"ustar\x0000", "tar archive"),
        (b"<!DOCTYPE html><p>a page with <svg> in it", "text or unknown data"),
        (b"#define width_of_a_page 12\n", "text or unknown data"),
        (b"\x89HDF\r\n\x1a\n", "HDF5 file"),
    ],
)
def test_what_is_no_image_is_described(head, reason):
    assert sniff(head) is None
    assert describe(head) == reason


def test_programs_are_never_run_on_postscript():
    head = encoded(Image.new("RGB", (5, 5)), "EPS")
    assert sniff(head[:HEAD]) == "PostScript"
    with pytest.raises(
        DecodeError, match="PostScript drawings have no pixels of their own: render them to PNG"
    ):
        next(iter(decode(head, DecodeOptions())))


WITHOUT_DECODER = {
    "JPEG XL": b"\xff\x0a",
    "JPEG XR": b"II\xbc\x01",
    "JPEG XS": b"\xff\x10\xff\x50",
    "HEIF": b"\0\0\0\x18ftypheic\0\0\0\0mif1",
    "DICOM": bytes(128) + b"DICM",
    "FITS": b"SIMPLE  =                    T",
    "OpenEXR": b"v/1\x01",
    "Radiance HDR": b"#?RADIANCE\nFORMAT=",
    "XCF": b"gimp xcf file",
    "Krita": b"PK\x03\x04" + bytes(26) + b"mimetypeapplication/x-krita",
    "OpenRaster": b"PK\x03\x04" + bytes(26) + b"mimetypeimage/openraster",
    "PSB": b"8BPS\0\2",
    "KTX": b"\xabKTX 20\xbb\r\n\x1a\n",
    "VTF": b"VTF\0\7\0",
    "BLP": b"BLP2\1",
    "MNG": b"\x8aMNG\r\n\x1a\n",
    "JBIG2": b"\x97JB2\r\n\x1a\n",
    "DPX": b"SDPX",
    "ILBM": b"FORM\0\0\0\x10ILBM",
    "Canon CR2": b"II*\0\x10\0\0\0CR\2\0",
    "Canon CR3": b"\0\0\0\x18ftypcrx \0\0\0\1",
    "Fujifilm RAF": b"FUJIFILMCCD-RAW 0201",
    "Panasonic RW2": b"IIU\0\x18",
    "Olympus ORF": b"IIRO\x08",
    "Sigma X3F": b"FOVb",
    "Minolta MRW": b"\0MRM",
    "SVG": b'<?xml version="1.0"?>\n<svg xmlns',
    "PostScript": b"%!PS-Adobe-3.0",
    "WMF": b"\xd7\xcd\xc6\x9a",
    "EMF": b"\1\0\0\0" + bytes(36) + b" EMF",
    "DjVu": b"AT&TFORM",
}


@pytest.mark.parametrize(("kind", "head"), WITHOUT_DECODER.items(), ids=WITHOUT_DECODER)
def test_formats_without_a_decoder_fail_by_name_and_say_what_to_do(kind, head):
    data = head.ljust(600, b"\0")
    assert sniff(data[:HEAD]) == kind
    assert require_image(data[:HEAD], "anything", data[-26:]) == kind
    with pytest.raises(DecodeError, match=f"^{kind} (image|camera raw|drawing)s have no .*: .* first$"):
        next(iter(decode(data, DecodeOptions())))


def test_every_format_without_a_decoder_says_what_to_do():
    assert set(WITHOUT_DECODER) <= set(ADVICE)
    assert all(advice.startswith(kind) and advice.endswith(" first") for kind, advice in ADVICE.items())


@pytest.mark.parametrize("name", ["a.nef", "b/C.ARW", "d.dng", "e.pef", "f.srw"])
def test_camera_raws_that_are_tiffs_are_known_by_their_names(name):
    head = encoded(smooth(8, 8), "TIFF")[:HEAD]
    assert require_image(head, "a.tif") == "TIFF"
    with pytest.raises(DecodeError, match=r"camera raw \([A-Z]{3}\): .* develop it to TIFF first"):
        require_image(head, name)


def test_a_tga_is_known_by_its_name_or_its_footer():
    plain = encoded(smooth(9, 7), "TGA")[:-26]  # Pillow writes the footer
    footer = plain + bytes(8) + b"TRUEVISION-XFILE.\0"
    for data, name in ((plain, "a.tga"), (plain, "b/A.TGA"), (footer, "texture")):
        assert require_image(data[:HEAD], name, data[-26:]) == "TGA"
    assert require_image(plain[:HEAD], "texture") == "TGA"  # its end is still to be read
    with pytest.raises(NotAnImage):
        require_image(plain[:HEAD], "texture", plain[-26:])
    with pytest.raises(DecodeError, match=r"named \.tga, but holds no image"):
        require_image(b"some text that is no picture", "a.tga", b"picture")


@pytest.mark.parametrize(
    "change",
    [(1, 2), (2, 4), (2, 1), (12, 0), (14, 0), (16, 12), (17, 0xC0)],
    ids=lambda change: f"byte {change[0]} is {change[1]}",
)
def test_headers_that_make_no_sense_are_no_tga(change):
    data = bytearray(encoded(smooth(9, 7), "TGA"))
    data[12:16] = b"\7\0\x09\0"
    data[change[0]] = change[1]
    with pytest.raises(NotAnImage):
        require_image(bytes(data[:HEAD]), "texture")


@pytest.mark.parametrize("suffix", [".dcm", ".xcf", ".exr", ".cr3", ".icns", ".svg", ".tga", ".jxl", ".heic"])
def test_names_of_every_format_claim_an_image(suffix):
    with pytest.raises(DecodeError, match=f"named {suffix}, but holds no image: text or unknown data"):
        require_image(b"nothing of the kind", f"a/b{suffix}", b"kind")


@pytest.mark.parametrize("name", ["envi.hdr", "cloud.pcd", "font.pfm", "volume.raw", "readme.txt", "a.pdf"])
def test_names_that_others_have_too_claim_nothing(name):
    with pytest.raises(NotAnImage):
        require_image(b"nothing of the kind", name, b"kind")


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
