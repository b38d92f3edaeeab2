"""Zips: every method, odd entries, and damage."""

import io
import random
import struct
import sys
import zipfile
import zlib

import pytest

from brinery.errors import ArchiveError, ReadError
from brinery.parser.archives.listing import check_sources
from brinery.parser.archives.reading import MemberReader

from ..samples import JPEG_LIKE, contents, listed, members, not_images, unreadable

METHODS = {
    "stored": zipfile.ZIP_STORED,
    "deflate": zipfile.ZIP_DEFLATED,
    "bzip2": zipfile.ZIP_BZIP2,
    "lzma": zipfile.ZIP_LZMA,
}


def packed(files, method="stored", comment=b""):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", METHODS[method]) as archive:
        archive.comment = comment
        for name, data in files:
            archive.writestr(name, data)
    return out.getvalue()


def three(method="stored"):
    return packed([(f"{name}.jpg", JPEG_LIKE * 30) for name in "abc"], method)


@pytest.mark.parametrize("method", METHODS)
def test_names_and_bytes_come_back(write, method):
    files = {
        "a.jpg": JPEG_LIKE,
        "d/ü/☃.jpg": JPEG_LIKE * 5000,
        "../up.jpg": JPEG_LIKE[:20],
        "deep/" * 800 + "a.jpg": JPEG_LIKE,
    }
    path = write(packed(files.items(), method, comment=b"about PK\x05\x06 itself"))
    assert contents(path) == files
    assert {entry.method for entry in listed(path)} == {method}


def packed_elsewhere(data, method, compress):
    """A zip of one member by a method that zipfile does not know."""
    stored = compress(data)
    whole = bytearray(packed([("a.jpg", stored)]))
    entry = whole.index(b"PK\x01\x02")
    for at in (8, entry + 10):
        struct.pack_into("<H", whole, at, method)
    for at in (14, entry + 16):
        struct.pack_into("<3I", whole, at, zlib.crc32(data), len(stored), len(data))
    return bytes(whole)


@pytest.mark.parametrize(("method", "library"), [(95, "lzma"), (93, "zstandard"), (20, "zstandard")])
@pytest.mark.parametrize("size", [100, 2_000_000])
def test_xz_and_zstd_in_a_zip(write, method, library, size):
    compress = pytest.importorskip(library).compress
    data = JPEG_LIKE + random.Random(0).randbytes(size)
    path = write(packed_elsewhere(data, method, compress))
    assert contents(path) == {"a.jpg": data}
    cut = packed_elsewhere(data, method, lambda data: compress(data)[:-5])
    with MemberReader() as reader, pytest.raises(ReadError, match=r"truncated|damaged"):
        reader.read(listed(write(cut))[0])
    bomb = packed_elsewhere(data, method, lambda data: compress(data + data))
    with MemberReader() as reader, pytest.raises(ReadError, match="more than the"):
        reader.read(listed(write(bomb))[0])


def test_zstd_in_a_zip_without_its_library_names_the_extra(write, monkeypatch):
    monkeypatch.setitem(sys.modules, "zstandard", None)
    (member,) = listed(write(packed_elsewhere(JPEG_LIKE, 93, bytes)))
    with MemberReader() as reader, pytest.raises(ReadError, match=r"brinery\[formats\]"):
        reader.read(member)


def test_entries_count_not_names(write):
    with pytest.warns(UserWarning, match="Duplicate"):
        data = packed([("a.jpg", JPEG_LIKE + b"1"), ("a.jpg", JPEG_LIKE + b"2")])
    with MemberReader() as reader:
        first, second = listed(write(data))
    assert not_images([first]) == {"a.jpg": "replaced by a later entry of the same name"}
    assert reader.read(second)[-1:] == b"2"


def test_times_are_taken_as_utc_and_the_better_field_wins(write):
    info = zipfile.ZipInfo("a.jpg", (2020, 2, 29, 12, 34, 56))
    (dos,) = listed(write(packed([(info, JPEG_LIKE)])))
    assert dos.mtime_ns == 1_582_979_696_000_000_000
    info.extra = struct.pack("<2HBi", 0x5455, 5, 1, 1_500_000_001)
    (unix,) = listed(write(packed([(info, JPEG_LIKE)])))
    assert unix.mtime_ns == 1_500_000_001_000_000_000
    data = packed([(zipfile.ZipInfo("a.jpg"), JPEG_LIKE)]).replace(struct.pack("<H", 33), b"\0\0")
    (none,) = listed(write(data))
    assert none.mtime_ns == 0


def test_zip64_sizes_and_offsets(write):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in ("a.jpg", "b.jpg"):
            with archive.open(name, "w", force_zip64=True) as file:
                file.write(JPEG_LIKE)
    data = bytearray(out.getvalue())
    # The fields of b.jpg move into a zip64 extra field, and the end record's into a zip64 one.
    at = data.rindex(b"PK\x01\x02")
    size, offset = len(JPEG_LIKE), struct.unpack_from("<I", data, at + 42)[0]
    extra = struct.pack("<2H3Q", 1, 24, size, size, offset)
    struct.pack_into("<2I", data, at + 20, 0xFFFFFFFF, 0xFFFFFFFF)
    struct.pack_into("<H", data, at + 30, len(extra))
    struct.pack_into("<I", data, at + 42, 0xFFFFFFFF)
    end = data.index(b"PK\x05\x06")
    count, length, start = struct.unpack_from("<H2I", data, end + 10)
    directory = data[start:end] + extra
    record = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, len(directory), start)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, start + len(directory), 1)
    last = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path = write(data[:start] + directory + record + locator + last)
    assert length + len(extra) == len(directory)
    assert zipfile.ZipFile(path).testzip() is None  # Python agrees that this is a zip
    assert contents(path) == {"a.jpg": JPEG_LIKE, "b.jpg": JPEG_LIKE}


def test_old_names_are_code_page_437_unless_a_unicode_name_stands_beside(write):
    info = zipfile.ZipInfo("x.jpg")
    data = packed([(info, JPEG_LIKE)]).replace(b"x.jpg", b"\x81.jpg")
    assert [entry.key for entry in listed(write(data))] == ["ü.jpg"]


def unix(*entries):
    """Entries as Info-ZIP writes them on Unix, each with a name, a mode and bytes."""
    infos = []
    for name, mode, data in entries:
        info = zipfile.ZipInfo(name)
        info.create_system = 3
        info.external_attr = mode << 16
        infos.append((info, data))
    return infos


def test_pipes_are_no_images_and_folders_nothing(write):
    kinds = (("pipe", 0o010644), ("folder", 0o040755), ("a.jpg", 0o100644))
    infos = unix(*((name, mode, JPEG_LIKE) for name, mode in kinds))
    entries = listed(write(packed([*infos, ("folder/", b"")])))
    assert [entry.key for entry in members(entries)] == ["a.jpg"]
    of_its_own = f"folder, with {len(JPEG_LIKE)} bytes of its own"
    assert not_images(entries) == {"pipe": "named pipe", "folder": of_its_own}


@pytest.mark.parametrize("method", METHODS)
def test_symbolic_links_stand_for_what_they_lead_to(write, method):
    links = unix(
        ("dogs/best.jpg", 0o120777, b"../cats/1.jpg"),
        ("pets", 0o120777, b"cats"),
        ("gone.jpg", 0o120777, b"cats/9.jpg"),
        ("out.jpg", 0o120777, b"../../etc/a.jpg"),
        ("long.jpg", 0o120777, b"x" * 5000),
    )
    path = write(packed([*links, ("cats/1.jpg", JPEG_LIKE), ("cats/2.jpg", JPEG_LIKE * 2)], method))
    entries = listed(path)
    with MemberReader() as reader:
        assert {entry.key: reader.read(entry) for entry in members(entries)} == {
            "cats/1.jpg": JPEG_LIKE,
            "cats/2.jpg": JPEG_LIKE * 2,
            "dogs/best.jpg": JPEG_LIKE,
            "pets/1.jpg": JPEG_LIKE,
            "pets/2.jpg": JPEG_LIKE * 2,
        }
    said = {entry.key: entry.message for entry in unreadable(entries)}
    assert said.keys() == {"gone.jpg", "out.jpg", "long.jpg"}
    assert "which is not in the archive" in said["gone.jpg"]
    assert "outside of the archive" in said["out.jpg"]
    assert said["long.jpg"] == "a symbolic link of 5,000 bytes"


def test_a_damaged_symbolic_link_says_so(write):
    data = packed([*unix(("a.jpg", 0o120777, b"b.jpg")), ("c.jpg", JPEG_LIKE)])
    (link,) = unreadable(listed(write(data.replace(b"b.jpg", b"d.jpg"))))
    assert (link.key, "cannot be read: damaged: its CRC-32" in link.message) == ("a.jpg", True)


@pytest.mark.parametrize(
    ("at", "field", "says"),
    [
        (8, struct.pack("<H", 1), "encrypted"),
        (10, struct.pack("<H", 9), "deflate64"),
        (10, struct.pack("<H", 98), "PPMd"),
        (10, struct.pack("<H", 1234), "method 1234"),
        (42, struct.pack("<I", 99_999), "not in the archive"),
        (20, struct.pack("<I", 99_999), "not in the archive"),
        (24, struct.pack("<I", 0xFFFFFFFF), "zip64"),
        (24, struct.pack("<I", 5), "two sizes"),
    ],
)
def test_an_entry_that_cannot_be_read_says_why_and_costs_no_other(write, at, field, says):
    data = bytearray(three())
    entry = data.index(b"PK\x01\x02") + at
    data[entry : entry + len(field)] = field
    first, *others = listed(write(data))
    assert says in first.message
    assert [entry.key for entry in others] == ["b.jpg", "c.jpg"]


def test_a_damaged_directory_is_reported_and_read_on(write):
    data = bytearray(three())
    data[data.index(b"PK\x01\x02") + 1] ^= 1
    entries = listed(write(data))
    assert [entry.key for entry in members(entries)] == ["b.jpg", "c.jpg"]
    assert [entry.message.split(",")[0] for entry in unreadable(entries)] == [
        "damaged central directory",
        "central directory holds 2 entries",
    ]


def test_a_directory_with_fewer_entries_than_it_says_is_reported(write):
    data = bytearray(three())
    end = data.index(b"PK\x05\x06")
    data[end + 8 : end + 12] = struct.pack("<2H", 4, 4)
    *entries, last = listed(write(data))
    assert len(entries) == 3
    assert "3 entries, not 4" in last.message


def test_a_zip_without_its_end_is_refused(write):
    with pytest.raises(ArchiveError, match="without its central directory"):
        check_sources([write(three()[:-1])])


def test_one_part_of_several_is_refused(write):
    data = bytearray(three())
    data[data.index(b"PK\x05\x06") + 4] = 1
    with pytest.raises(ArchiveError, match="join the parts"):
        check_sources([write(data)])


def test_a_directory_longer_than_one_read(write, monkeypatch):
    from brinery.parser.archives import zipfiles

    monkeypatch.setattr(zipfiles, "_CHUNK", zipfiles._LONGEST)
    files = [(f"{'d' * 900}/{n:05}.jpg", JPEG_LIKE) for n in range(400)]
    assert [entry.key for entry in listed(write(packed(files)))] == [name for name, _ in files]
