"""The central directory is found whatever stands before the zip, behind it or in its comment."""

import io
import struct
import zipfile

import pytest

from brinery.errors import ArchiveError
from brinery.parser.archives.listing import check_sources
from brinery.parser.archives.reading import MemberReader
from brinery.parser.archives.zipfiles import list_zip

from ..samples import JPEG_LIKE, contents, encoded, listed, members, smooth, unreadable
from .test_zipfiles import packed, three

FILES = {"a.jpg": JPEG_LIKE * 30, "b.jpg": JPEG_LIKE * 30, "c.jpg": JPEG_LIKE * 30}
END = struct.Struct("<4s4H2IH")


@pytest.mark.parametrize(
    "before",
    [
        b"PK\x07\x08",
        b"PK00",
        b"#!/bin/sh\nexec unzip $0\n",
        b"MZ" + bytes(100_000),
        b"\x7fELF" + b"PK\x05\x06" * 50,
        b"%PDF-1.7 also a zip",
        encoded(smooth(9, 9), "JPEG"),
        bytes(600),
    ],
)
def test_whatever_stands_before_a_zip_is_skipped(write, before):
    assert contents(write(before + three())) == FILES


def test_offsets_may_count_what_stands_before(write):
    out = io.BytesIO(b"#!/bin/sh\nexit\n")
    out.seek(0, io.SEEK_END)
    with zipfile.ZipFile(out, "a") as archive:
        for name, data in FILES.items():
            archive.writestr(name, data)
    assert contents(write(out.getvalue())) == FILES


@pytest.mark.parametrize(
    "comment",
    [
        b"PK\x05\x06",
        b"about PK\x05\x06 and what follows, which is long enough to be a record",
        END.pack(b"PK\x05\x06", 0, 0, 0, 0, 0, 0, 0),
        END.pack(b"PK\x05\x06", 0, 0, 7, 7, 46, 8, 0) + b"more",
        END.pack(b"PK\x05\x06", 1, 1, 7, 7, 46, 8, 0),
        b"PK\x06\x07" + bytes(16) + END.pack(b"PK\x05\x06", 0, 0, 1, 1, 46, 0, 0),
        b"PK\x05\x06" * 16_000,
    ],
)
def test_an_end_record_in_the_comment_is_no_end_record(write, comment):
    assert contents(write(packed(FILES.items(), comment=comment))) == FILES


def test_an_empty_zip_behind_something_else_is_none(write):
    with pytest.raises(ArchiveError, match="no archive that brinery reads"):
        check_sources([write(b"something else" + packed([]))])


def test_bytes_behind_a_zip_are_skipped(write):
    assert contents(write(three() + bytes(1000))) == FILES


def test_joined_zips_say_that_only_the_last_is_read(write):
    first = packed([("lost.jpg", JPEG_LIKE)])
    lost, *entries = listed(write(first + three()))
    assert [entry.key for entry in members(entries)] == [*FILES]
    message = f"another zip, joined or cut off, stands before this one: its {len(first)} bytes are lost"
    assert (lost.key, lost.message) == ("a.zip@0", message)


def test_a_zip_in_a_cut_off_zip_does_not_pass_for_the_whole(write):
    outer = packed([("inner.zip", three()), ("d.jpg", JPEG_LIKE)])
    cut = outer[: outer.index(b"PK\x03\x04", outer.index(b"PK\x05\x06"))]
    entries = listed(write(cut))
    assert [entry.key for entry in unreadable(entries)] == ["a.zip@0"]


def test_the_first_of_several_parts_is_refused(write):
    with pytest.raises(
        ArchiveError, match=r"one part of a zip in several: join the parts first \(zip -s 0\)"
    ):
        check_sources([write(b"PK\x07\x08" + three()[:200])])


def test_more_entries_than_16_bits_count(write):
    data = bytearray(packed([("a.jpg", b"")]))
    at, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    count = 0x10000 + 3
    directory = bytes(data[at:end]) * count
    record = END.pack(b"PK\x05\x06", 0, 0, 3, 3, len(directory), at, 0)
    entries = list(list_zip(str(write(bytes(data[:at]) + directory + record))))
    assert len(members(entries)) == len(entries) == count


def test_offsets_past_4_gib_without_zip64(tmp_path):
    path, most = tmp_path / "a.zip", (1 << 32) - 16
    image = JPEG_LIKE + b"behind 4 GiB"
    directory, count = bytearray(), 3
    with path.open("wb") as file:
        for name, data, size in (("a", b"", 0), ("large", b"", most), ("b.jpg", image, len(image))):
            whole = packed([(name, data)])
            at = len(directory)
            directory += whole[whole.index(b"PK\x01\x02") : whole.index(b"PK\x05\x06")]
            struct.pack_into("<2I", directory, at + 20, size, size)
            struct.pack_into("<I", directory, at + 42, file.tell() & 0xFFFFFFFF)
            file.write(whole[: whole.index(b"PK\x01\x02")])
            file.seek(size - len(data), io.SEEK_CUR)  # a hole
        where = file.tell() & 0xFFFFFFFF
        file.write(directory + END.pack(b"PK\x05\x06", 0, 0, count, count, len(directory), where, 0))
    entries = listed(path)
    assert [(entry.key, entry.offset > 1 << 32) for entry in entries] == [
        ("a", False),
        ("large", False),
        ("b.jpg", True),
    ]
    with MemberReader() as reader:
        assert reader.read(entries[-1]) == image


@pytest.mark.parametrize("before", [b"", b"#!/bin/sh\n"])
@pytest.mark.parametrize("extra", [b"", b"more of the record"])
def test_a_zip64_end_record(write, before, extra):
    data = three()
    at, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    sizes = (3, 3, end - at, at)
    record = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44 + len(extra), 45, 45, 0, 0, *sizes) + extra
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, end, 1)
    last = END.pack(b"PK\x05\x06", 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    assert contents(write(before + data[:end] + record + locator + last)) == FILES


def test_a_damaged_zip64_end_record_is_refused(write):
    data = three()
    end = data.index(b"PK\x05\x06")
    with pytest.raises(ArchiveError, match="damaged zip64 record"):
        check_sources([write(data[:end] + struct.pack("<4sIQI", b"PK\x06\x07", 0, end, 1) + data[end:])])
