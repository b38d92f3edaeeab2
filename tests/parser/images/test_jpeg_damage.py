"""JPEGs of which libjpeg warns: damage is a failure, oddities that change no pixel are samples."""

import io

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from brinery.errors import DecodeError
from brinery.parser.decode import decode
from brinery.parser.options import DecodeOptions

from ..samples import encoded, smooth
from .jpegs import (
    ARITHMETIC,
    UNUSUAL_SAMPLING,
    cmyk,
    inserted,
    marker,
    nearly,
    photo,
    replaced,
    scan_data,
    segment,
)

PLAIN = photo()
PROGRESSIVE = photo(progressive=True)
RESTARTS = photo(restart_marker_blocks=4)
HALF = (scan_data(PLAIN) + len(PLAIN)) // 2
ADOBE = segment(0xEE, b"Adobe\0\x64\0\0\0\0\x07")
WITHOUT_JFIF = PLAIN[:2] + PLAIN[marker(PLAIN, 0xDB) :]


def first(data, **options):
    return next(iter(decode(data, DecodeOptions(**options))))


def pillow(data):
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def warning(data):
    """What libjpeg says of a JPEG; "" where it says nothing."""
    try:
        simplejpeg.decode_jpeg(data)
    except ValueError as error:
        return str(error)
    return ""


# Every warning of libjpeg-turbo's jerror.h that a file can cause, with what it says and what becomes of it.

HARMLESS = {
    "JWRN_EXTRANEOUS_DATA, before a segment": (
        inserted(PLAIN, marker(PLAIN, 0xC4), b"\0\1\2"),
        "3 extraneous bytes before marker 0xc4",
    ),
    "JWRN_EXTRANEOUS_DATA, zeros before the end": (
        inserted(PLAIN, len(PLAIN) - 2, bytes(64)),
        "extraneous bytes before marker 0xd9",
    ),
    "JWRN_EXTRANEOUS_DATA, anything before the end": (
        inserted(PLAIN, len(PLAIN) - 2, b"stray bytes"),
        "extraneous bytes before marker 0xd9",
    ),
    "JWRN_EXTRANEOUS_DATA, before a restart": (
        inserted(RESTARTS, marker(RESTARTS, 0xD2), b"\1\2\3"),
        "extraneous bytes before marker 0xd2",
    ),
    "JWRN_EXTRANEOUS_DATA, between scans": (
        inserted(PROGRESSIVE, marker(PROGRESSIVE, 0xDA, 3), bytes(9)),
        "extraneous bytes before marker",
    ),
    "JWRN_JPEG_EOF, with every pixel": (PLAIN[:-2], "Premature end of JPEG file"),
    "JWRN_JPEG_EOF, half of the end marker": (PLAIN[:-1], "Premature end of JPEG file"),
    "JWRN_JPEG_EOF, progressive with every scan": (PROGRESSIVE[:-2], "Premature end of JPEG file"),
    "JWRN_JFIF_MAJOR": (replaced(PLAIN, 11, b"\x09\x09"), "unknown JFIF revision number 9.09"),
    "JWRN_ADOBE_XFORM": (inserted(WITHOUT_JFIF, 2, ADOBE), "Unknown Adobe color transform code 7"),
    "JWRN_NOT_SEQUENTIAL": (
        replaced(PLAIN, scan_data(PLAIN) - 3, b"\0\0\0"),
        "Invalid SOS parameters for sequential JPEG",
    ),
    "JWRN_BOGUS_ICC": (
        inserted(PLAIN, 2, segment(0xE2, b"ICC_PROFILE\0\5\2abcd")),
        "bad ICC marker",
    ),
    "no warning: an unknown application segment": (inserted(PLAIN, 2, segment(0xE9, b"abcdef")), ""),
    "no warning: bytes behind the end": (PLAIN + b"\0 appended \xff\xd8", ""),
    "no warning: fill bytes": (inserted(PLAIN, len(PLAIN) - 2, b"\xff" * 9), ""),
    "two of them": (
        inserted(replaced(PLAIN, 11, b"\x09\x09"), marker(PLAIN, 0xC4), b"\0\1\2"),
        "unknown JFIF revision number",
    ),
}


@pytest.mark.parametrize(("data", "says"), HARMLESS.values(), ids=HARMLESS)
def test_oddities_that_change_no_pixel_are_samples(data, says):
    assert says in warning(data)
    assert bool(says) == bool(warning(data))
    decoded = first(data)
    expected = pillow(PLAIN)
    if data.count(b"\xff\xda") > 1:
        expected = pillow(PROGRESSIVE)
    elif b"\xff\xd2" in data:
        expected = pillow(RESTARTS)
    assert np.array_equal(decoded.array, expected)
    assert not decoded.salvaged
    assert not first(data, salvage=True).salvaged


def hole(data, at, size):
    return replaced(data, at, bytes(min(size, len(data) - 2 - at)))


ARITHMETIC_HALF = (scan_data(ARITHMETIC) + len(ARITHMETIC)) // 2
LAST_SCAN = marker(PROGRESSIVE, 0xDA, -1)
LAST_BUT_ONE = marker(PROGRESSIVE, 0xDA, -2)
DAMAGED = {
    "JWRN_HIT_MARKER, an early end marker": (
        replaced(PLAIN, HALF, b"\xff\xd9"),
        "premature end of data segment",
    ),
    "JWRN_HIT_MARKER, one byte is missing": (PLAIN[:-3] + b"\xff\xd9", "premature end of data segment"),
    "JWRN_JPEG_EOF, cut in half": (PLAIN[:HALF], "premature end of data segment"),
    "JWRN_JPEG_EOF, zeros to the end": (PLAIN[:HALF] + bytes(len(PLAIN) - HALF), ""),
    "JWRN_HUFF_BAD_CODE": (
        replaced(PLAIN, HALF, b"\xff\0" * 20),
        "bad Huffman code",
    ),
    "JWRN_MUST_RESYNC, another restart": (
        replaced(RESTARTS, marker(RESTARTS, 0xD2), b"\xff\xd5"),
        "found marker 0xd5 instead of RST2",
    ),
    "JWRN_MUST_RESYNC, an interval is missing": (
        RESTARTS[: marker(RESTARTS, 0xD2)] + RESTARTS[marker(RESTARTS, 0xD3) :],
        "found marker 0xd3 instead of RST2",
    ),
    "a restart marker is missing": (
        RESTARTS[: marker(RESTARTS, 0xD2)] + RESTARTS[marker(RESTARTS, 0xD2) + 2 :],
        "",
    ),
    "JERR_UNKNOWN_MARKER": (replaced(PLAIN, HALF, b"\xff\x08"), "Unsupported marker type 0x08"),
    "no warning: the last scan is missing": (PROGRESSIVE[:LAST_SCAN] + b"\xff\xd9", "last scans are missing"),
    "a scan in the middle is missing": (
        PROGRESSIVE[:LAST_BUT_ONE] + PROGRESSIVE[LAST_SCAN:],
        "missing",
    ),
    "a progressive one is cut between scans": (PROGRESSIVE[:LAST_SCAN], "last scans are missing"),
    "a progressive one is cut in a scan": (
        PROGRESSIVE[: marker(PROGRESSIVE, 0xDA, 1) - 60] + PROGRESSIVE[marker(PROGRESSIVE, 0xC4, -1) :],
        "",
    ),
    "no warning: an arithmetic-coded one ends early": (
        ARITHMETIC[:ARITHMETIC_HALF] + b"\xff\xd9",
        "premature end of data segment",
    ),
    "an arithmetic-coded one is cut": (ARITHMETIC[:ARITHMETIC_HALF], "premature end of data segment"),
    "an arithmetic-coded one has a hole": (hole(ARITHMETIC, ARITHMETIC_HALF - 30, 24), ""),
    "sampling without a name, an early end marker": (
        UNUSUAL_SAMPLING[:-20] + b"\xff\xd9",
        "premature end of data",
    ),
    "CMYK, an early end marker": (cmyk()[: len(cmyk()) // 2] + b"\xff\xd9", "premature end of data segment"),
    "an oddity and an early end marker": (
        replaced(replaced(PLAIN, 11, b"\x09\x09"), HALF, b"\xff\xd9"),
        "premature end of data segment",
    ),
}


@pytest.mark.parametrize(("data", "says"), DAMAGED.values(), ids=DAMAGED)
def test_damage_is_a_failure_and_what_is_left_can_be_salvaged(data, says):
    with pytest.raises(DecodeError, match="damaged JPEG: ") as caught:
        first(data)
    assert says in str(caught.value)
    decoded = first(data, salvage=True)
    assert decoded.salvaged
    assert decoded.array.shape[:2] in {(96, 128), (32, 24)}


@pytest.mark.parametrize(
    "options", [{"quality": 95}, {"quality": 80, "subsampling": 0}, {"restart_marker_blocks": 6}]
)
def test_holes_of_zeros_never_pass_as_pixels(options):
    sound = photo(**options)
    expected = pillow(sound).astype(int)
    begin, end = scan_data(sound), len(sound) - 2
    warned = 0
    for at in range(begin, end - 100, 331):
        for size in (100, 700, end - at):
            data = hole(sound, at, size)
            if not warning(data):
                continue  # the decoder found its place again by chance, and nobody can tell
            warned += 1
            with pytest.raises(DecodeError, match="damaged JPEG"):
                first(data)
            assert np.abs(pillow(data).astype(int) - expected).max() > 30
    assert warned > 15


def test_flipped_bits_that_libjpeg_notices_are_damage():
    begin, end = scan_data(PLAIN), len(PLAIN) - 2
    noticed = passed = 0
    for at in range(begin, end, 23):
        data = replaced(PLAIN, at, bytes([PLAIN[at] ^ 0x10]))
        if warning(data):
            noticed += 1
            try:
                first(data)
            except DecodeError:
                continue
            passed += 1
    assert noticed > 5
    assert passed == 0


@pytest.mark.parametrize("cut", range(2, len(ARITHMETIC) - 6, 7))
def test_cut_anywhere_nothing_passes_as_whole(cut):
    for whole in (ARITHMETIC, UNUSUAL_SAMPLING):
        for data in (whole[:cut], whole[:cut] + b"\xff\xd9"):
            with pytest.raises(DecodeError):
                first(data)


# Kinds that libjpeg-turbo's simple interface does not take as they are.


def test_arithmetic_coding_is_decoded():
    decoded = first(ARITHMETIC)
    assert np.array_equal(decoded.array, pillow(ARITHMETIC))
    assert nearly(decoded.array, smooth(32, 24, seed=3) // 2 + 60)


def test_chroma_sampling_without_a_name_is_decoded_stray_bytes_and_all():
    assert "Could not determine subsampling" in warning(UNUSUAL_SAMPLING)
    stray = inserted(UNUSUAL_SAMPLING, marker(UNUSUAL_SAMPLING, 0xC4), b"\0\1\2")
    for data in (UNUSUAL_SAMPLING, stray):
        decoded = first(data)
        assert np.array_equal(decoded.array, pillow(UNUSUAL_SAMPLING))
        assert nearly(decoded.array, smooth(32, 24, seed=3) // 2 + 60)


@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=["one scan", "progressive"])
def test_cmyk_is_decoded_stray_bytes_and_all(options):
    data = cmyk(**options)
    for odd in (data, inserted(data, marker(data, 0xC4), b"\0\1\2")):
        decoded = first(odd)
        assert decoded.colours == "CMYK"
        assert np.array_equal(decoded.array, pillow(data))
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(first(data, mode="rgb").array, np.asarray(image.convert("RGB")))
        assert np.array_equal(first(data, mode="gray").array, np.asarray(image.convert("RGB").convert("L")))


NOT_READ = {
    "JPEG-LS": (replaced(PLAIN, marker(PLAIN, 0xC0), b"\xff\xf7"), "JPEG-LS images have no decoder here"),
    "12 bits": (replaced(PLAIN, marker(PLAIN, 0xC0) + 4, b"\x0c"), "12-bit JPEGs have no decoder here"),
    "hierarchical": (
        replaced(PLAIN, marker(PLAIN, 0xC0), b"\xff\xc5"),
        "hierarchical JPEGs have no decoder here",
    ),
    "two components": (
        replaced(PLAIN, marker(PLAIN, 0xC0) + 9, b"\2"),
        "JPEGs of 2 components have no decoder",
    ),
    "no height": (replaced(PLAIN, marker(PLAIN, 0xC0) + 5, b"\0\0"), "height behind its pixels"),
    "nothing": (b"\xff\xd8\xff", "no frame header"),
    "an end": (b"\xff\xd8\xff\xd9", "no frame header"),
    "no scan": (PLAIN[: marker(PLAIN, 0xDA)], "no scan"),
}


@pytest.mark.parametrize(("data", "says"), NOT_READ.values(), ids=NOT_READ)
def test_kinds_without_a_decoder_are_named(data, says):
    with pytest.raises(DecodeError, match=says) as caught:
        first(data, salvage=True)
    assert "KeyError" not in str(caught.value)


def test_damage_before_the_first_pixel_leaves_nothing_to_salvage():
    for data in (PLAIN[: scan_data(PLAIN)], PLAIN[: scan_data(PLAIN)] + b"\xff\xd9"):
        with pytest.raises(DecodeError, match="premature end of data segment"):
            first(data, salvage=True)


def test_scans_are_counted_against_the_pixels():
    scans = PROGRESSIVE[marker(PROGRESSIVE, 0xDA, -1) : -2]
    with pytest.raises(DecodeError, match=r"510 scans of 128 x 96 pixels: more than an image needs"):
        first(PROGRESSIVE[:-2] + scans * 500 + b"\xff\xd9")
    assert len(PROGRESSIVE) < 1 << 14
    with pytest.raises(DecodeError, match=r"310 scans of 128 x 96 pixels: more than an image needs"):
        first(PROGRESSIVE[:-2] + scans * 300 + b"\xff\xd9", max_pixels=15 * 128 * 96)


def test_a_progressive_image_that_gives_coefficients_in_another_order_is_whole():
    grey = encoded(smooth(96, 128, 1), "JPEG", progressive=True)
    scans = [at for at, byte in enumerate(grey) if grey[at : at + 2] == b"\xff\xda" and byte == 0xFF]
    begin = [grey.rindex(b"\xff\xc4", 0, at) for at in scans]
    first_scan, second_scan = grey[begin[0] : begin[1]], grey[begin[1] : begin[2]]
    swapped = grey[: begin[0]] + second_scan + first_scan + grey[begin[2] :]
    assert "Inconsistent progression sequence" in warning(swapped)
    assert np.array_equal(first(swapped).array, pillow(grey))
