"""Fields of tar headers, against those that tarfile writes."""

import tarfile

import pytest

from brinery.parser.archives.tarheader import (
    ZEROS,
    begins_tar,
    is_header,
    nanoseconds,
    number,
    pax_records,
    stored_name,
)


def header(name="a.jpg", size=3, kind=tarfile.USTAR_FORMAT, **fields):
    info = tarfile.TarInfo(name)
    info.size = size
    for field, value in fields.items():
        setattr(info, field, value)
    return info.tobuf(kind)


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_header_carries_its_checksum(kind):
    block = bytearray(header(kind=kind))
    assert is_header(block)
    block[0] ^= 1
    assert not is_header(block)


def test_a_checksum_over_signed_bytes_is_one_too():
    block = bytearray(header("é.jpg".encode().decode("latin-1"), uname="é"))
    signed = sum(byte - 256 if byte > 127 else byte for byte in block[:148] + block[156:]) + 8 * ord(" ")
    block[148:156] = b"%06o\0 " % signed
    assert is_header(block)


def test_how_a_tar_begins():
    assert begins_tar(header() + ZEROS)
    assert begins_tar(ZEROS + ZEROS)
    damaged = bytearray(header())
    damaged[100] ^= 1
    assert begins_tar(damaged + ZEROS)  # it has its magic
    assert not begins_tar(ZEROS + b"x" * 512)
    assert not begins_tar(b"\xff\xd8\xff" + bytes(1021))
    assert not begins_tar(header()[:100])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"00000000017\0", 15),
        (b"     17 \0\0\0\0", 15),
        (bytes(12), 0),
        (b"77777777777\0", (1 << 33) - 1),
        (b"\x80" + bytes(10) + b"\x05", 5),
        (b"\x80" + bytes(6) + b"\x10" + bytes(4), 1 << 36),
        (b"\xff" * 12, -1),
    ],
)
def test_numbers_are_octal_or_of_base_256(field, value):
    assert number(field) == value


@pytest.mark.parametrize("field", [b"8\0", b"0x10\0", b"-1\0", b"1 2\0"])
def test_what_is_no_number_is_refused(field):
    with pytest.raises(ValueError):
        number(field)


def test_a_long_name_is_divided_over_two_fields():
    name = "folder/" * 20 + "image.jpg"
    assert stored_name(header(name)) == name.encode()
    assert stored_name(header("short")) == b"short"


def test_records_of_a_pax_header():
    data = b"12 path=abc\n" + b"20 comment=anything\n" + b"14 size=12345\n"
    assert pax_records(data, 10) == ({b"path": b"abc", b"size": b"12345"}, 3)
    with pytest.raises(ValueError, match="more than 2 pax records"):
        pax_records(data, 2)


@pytest.mark.parametrize(
    "data", [b"12 path=ab\n", b"x path=abc\n", b"999 path=abc\n", b"12 path:abc\n", b"12path=abc\n"]
)
def test_records_that_are_of_no_such_form_are_refused(data):
    with pytest.raises(ValueError):
        pax_records(data, 10)


@pytest.mark.parametrize(
    ("text", "value"),
    [(b"12", 12 * 10**9), (b"1.5", 15 * 10**8), (b"0.123456789999", 123456789), (b"-1.25", -125 * 10**7)],
)
def test_times_keep_their_fraction(text, value):
    assert nanoseconds(text) == value


@pytest.mark.parametrize("text", [b"", b"noon", b"1.x", b"1" * 21])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError):
        nanoseconds(text)
