"""Damaged tars: a broken header or a lie costs its own member, and nothing passes in silence."""

import os
import tarfile
import time

import pytest

from brinery.errors import ArchiveError

from ..samples import JPEG_LIKE, listed, members, unreadable
from .tars import COMPRESSIONS, pax_header, tar, three


@pytest.fixture
def write(tmp_path):
    def write(data, name="a.tar"):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return write


def test_a_damaged_header_costs_its_member_and_no_other(write):
    data = bytearray(three())
    data[1536] ^= 1  # b.jpg's name
    path = write(data)
    first, lost, last = listed(path)
    assert (first.key, last.key) == ("a.jpg", "c.jpg")
    assert (lost.key, lost.error) == ("a.tar@1536", "TarError")
    assert "damaged header" in lost.message


def test_a_header_of_zeros_is_damage_and_no_end(write):
    data = bytearray(three())
    data[1536:2048] = bytes(512)
    first, lost, last = listed(write(data))
    assert (first.key, lost.key, last.key) == ("a.jpg", "a.tar@1536", "c.jpg")


def test_zeros_over_a_member_are_no_end_either(write):
    data = bytearray(three())
    data[1536:3072] = bytes(1536)
    first, lost, last = listed(write(data))
    assert (first.key, lost.key, last.key) == ("a.jpg", "a.tar@1536", "c.jpg")
    assert "end marker" in lost.message


@pytest.mark.parametrize("length", [512, 700, 1024 + 512, 1024 + 512 + 1, 3 * 1536, 3 * 1536 - 512])
def test_a_cut_off_tar_says_so(write, length):
    size = 30 * len(JPEG_LIKE)
    entries = listed(write(three()[:length]))
    assert unreadable(entries)
    assert len(members(entries)) == sum(length >= start + size for start in (512, 2048, 3584))


def test_one_block_of_zeros_at_the_end_is_enough(write):
    assert len(listed(write(three()[: 3 * 1536 + 512]))) == 3


def test_a_truncated_member_is_reported_as_itself(write):
    *_, last = listed(write(three()[: 3584 + 100]))
    assert (last.key, last.error) == ("c.jpg", "TarError")
    assert last.message == f"truncated: 100 of {30 * len(JPEG_LIKE)} bytes are there"


def test_a_damaged_extended_header_costs_the_entry_that_it_names(write):
    long = "d/" * 100 + "a.jpg"
    data = tar([(long, JPEG_LIKE), ("b.jpg", JPEG_LIKE)])
    at = data.index(b" path=")
    broken = data[: at - 1] + b"x" + data[at:]  # the record's length
    first, second = listed(write(broken))
    assert "extended header is damaged" in first.message
    assert second.key == "b.jpg"


def three_with(at, field):
    """A tar of three; these 12 bytes stand in the first header: at 124 for a size, at 136 for a time."""
    block = bytearray(three()[:512])
    block[at : at + 12] = field
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + three()[512:]


def test_absurd_sizes_are_refused(write):
    for field in (b"\x80" + b"\xff" * 11, b"\xff" * 12, b"zzz\0".ljust(12, b"0")):
        first, *others = listed(write(three_with(124, field)))
        assert "damaged header" in first.message
        assert [entry.key for entry in others] == ["b.jpg", "c.jpg"]


@pytest.mark.parametrize(
    ("field", "mtime_ns"),
    [
        (b"zzz\0".ljust(12, b"0"), 0),
        (bytes(12), 0),
        (b"\xff" * 12, -(10**9)),
        (b"\x80" + b"\x7f" * 11, (1 << 63) - 1),
        (b"\xc0" + bytes(11), 1 - (1 << 63)),
    ],
    ids=["no number", "none", "a second before the epoch", "too late", "too early"],
)
def test_a_time_that_makes_no_sense_costs_no_image(write, field, mtime_ns):
    first, *others = listed(write(three_with(136, field)))
    assert (first.key, first.mtime_ns) == ("a.jpg", mtime_ns)
    assert [entry.key for entry in others] == ["b.jpg", "c.jpg"]


@pytest.mark.parametrize(
    ("text", "mtime_ns"),
    [("9" * 20, (1 << 63) - 1), ("-" + "9" * 19, 1 - (1 << 63)), ("1e9", 0), ("-1.5", -1_500_000_000)],
)
def test_pax_times_too(write, text, mtime_ns):
    info = tarfile.TarInfo("a.jpg")
    info.pax_headers = {"mtime": text}
    (entry,) = listed(write(tar([(info, JPEG_LIKE)], "pax")))
    assert entry.mtime_ns == mtime_ns


@pytest.mark.parametrize("mode", [mode for mode in COMPRESSIONS.values() if mode != "w"])
def test_compressed_tars_that_are_cut_off_say_so(write, mode):
    noise = os.urandom(40_000)
    data = tar([(f"{n}.jpg", JPEG_LIKE + noise[n:]) for n in range(5)], mode=mode)
    for length in range(len(data) // 3, len(data), len(data) // 20):
        try:
            entries = listed(write(data[:length]))
        except ArchiveError:
            continue  # so early that nothing can be listed
        assert unreadable(entries)


def test_a_stream_flipped_in_its_middle_keeps_what_came_before(write):
    noise = os.urandom(100_000)
    data = bytearray(tar([(f"{n}.jpg", JPEG_LIKE + noise) for n in range(9)], mode="w:gz"))
    data[len(data) // 2] ^= 0xFF
    entries = listed(write(data))
    assert members(entries)
    assert unreadable(entries)


def with_size(data, digits):
    """The same tar, whose first header says another size, with a good checksum."""
    header = bytearray(data[:512])
    header[124:136] = digits
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + data[512:]


def test_a_size_that_lies_costs_its_own_member(write):
    names = ["a.jpg", "b.jpg", "c.jpg"]
    data = tar([(name, JPEG_LIKE) for name in names], kind="ustar")
    entries = listed(write(with_size(data, b"77777777777\0")))
    assert [entry.key for entry in members(entries)] == names[1:]
    assert [(entry.key, entry.message[:10]) for entry in unreadable(entries)] == [("a.jpg", "truncated:")]


def test_the_members_of_a_tar_inside_a_cut_off_one_are_not_taken_for_its_own(write):
    inner = tar([("inner.jpg", JPEG_LIKE * 50), ("other.jpg", JPEG_LIKE)], kind="ustar")
    entries = listed(write(with_size(tar([("inner.tar", inner)], kind="ustar"), b"77777777777\0")))
    assert members(entries) == []


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (pax_header(b"x", b"6 a=b\n" * 5000), "more than 4,096 pax records"),
        (pax_header(b"x", b"70010 path=" + b"n" * 69_998 + b"\n"), "a name of 69,998 bytes"),
        (pax_header(b"L", b"n" * 70_000), "a name of 70,000 bytes"),
        (pax_header(b"x", b"comment" * 200_000), "an extended header of 1,400,000 bytes"),
    ],
    ids=["records", "path", "long name", "bytes"],
)
def test_an_extended_header_past_its_bounds_costs_its_entry(write, header, says):
    refused, read = listed(write(header + tar([("a.jpg", JPEG_LIKE), ("b.jpg", JPEG_LIKE)])))
    assert refused.message == f"its extended header is damaged: {says}"
    assert read.key == "b.jpg"


def test_a_lost_place_is_found_again_in_no_time(write):
    """What looks like the magic of a header, in millions, between a damaged one and the next."""
    noise = b"ustar" * (30 << 18)
    data = bytearray(tar([("a.jpg", JPEG_LIKE + noise), ("b.jpg", JPEG_LIKE)], kind="ustar"))
    data[0] ^= 1
    path = write(data)
    began = time.process_time()
    lost, found = listed(path)
    assert time.process_time() - began < 2
    assert (lost.key, found.key) == ("a.tar@0", "b.jpg")
