"""Reading members: every byte or a reason, and never more than was announced."""

import io
import os
import shutil
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest

from brinery.errors import ArchiveError, DecodeError, ReadError
from brinery.parser.archives import reading
from brinery.parser.archives.members import Member
from brinery.parser.archives.reading import MemberReader, archive_state
from brinery.parser.images.signature import NotAnImage
from brinery.parser.options import ReadBudget

from ..samples import JPEG_LIKE, listed


@pytest.fixture
def reader():
    with MemberReader(ReadBudget(max_bytes=1 << 22)) as reader:
        yield reader


def in_folder(tmp_path, data, name="a.jpg"):
    folder = tmp_path / "folder"
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)
    return next(entry for entry in listed(folder) if entry.key == name)


def in_zip(tmp_path, data, method=zipfile.ZIP_DEFLATED, name="a.jpg"):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr(name, data)
    return listed(tmp_path / "a.zip")[0]


def test_a_file_that_changed_since_the_listing(tmp_path, reader):
    member = in_folder(tmp_path, JPEG_LIKE)
    for data in (JPEG_LIKE + b"more", JPEG_LIKE[:-1]):
        in_folder(tmp_path, data)
        with pytest.raises(ReadError, match="changed while reading: "):
            reader.read(member)


def test_a_file_that_became_something_else(tmp_path, reader):
    member = in_folder(tmp_path, JPEG_LIKE)
    Path(member.path).unlink()
    with pytest.raises(ReadError, match="No such file"):
        reader.read(member)
    Path(member.path).symlink_to("elsewhere")
    with pytest.raises(ReadError, match="symbolic links"):
        reader.read(member)
    Path(member.path).unlink()
    os.mkfifo(member.path)
    with pytest.raises(ReadError, match="no regular file"):
        reader.read(member)


def test_an_archive_cut_off_since_the_listing(tmp_path, reader):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        info = tarfile.TarInfo("a.jpg")
        info.size = 600
        archive.addfile(info, io.BytesIO(JPEG_LIKE.ljust(600)))
    (member,) = listed(tmp_path / "a.tar")
    assert len(reader.read(member)) == 600
    os.truncate(tmp_path / "a.tar", 1000)
    with pytest.raises(ReadError, match="truncated: 488 of 600 bytes"):
        reader.read(member)


def test_short_reads_are_continued(tmp_path, reader, monkeypatch):
    member = in_folder(tmp_path, JPEG_LIKE * 50)
    whole = os.pread
    monkeypatch.setattr(reading.os, "pread", lambda fd, size, at: whole(fd, min(size, 7), at))
    assert reader.read(member) == JPEG_LIKE * 50


def test_one_archive_is_opened_once(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in "abc":
            archive.writestr(name, JPEG_LIKE)
    entries = listed(tmp_path / "a.zip")
    opened = []
    whole = os.open
    monkeypatch.setattr(reading.os, "open", lambda *args: opened.append(args) or whole(*args))
    before = len(list(Path("/proc/self/fd").iterdir()))
    with MemberReader() as reader:
        assert [reader.read(entry) for entry in entries] == [JPEG_LIKE] * 3
    assert len(opened) == 1
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_what_is_no_image_is_told_apart_from_what_only_claims_to_be_one(tmp_path, reader):
    with pytest.raises(NotAnImage, match="text or unknown data"):
        reader.read(in_folder(tmp_path, b"hello", "notes.txt"))
    with pytest.raises(NotAnImage, match="zip archive"):
        reader.read(in_folder(tmp_path, b"PK\x03\x04....", "more.zip"))
    with pytest.raises(DecodeError, match=r"named \.jpg, but holds no image: text"):
        reader.read(in_folder(tmp_path, b"hello", "notes.JPG"))
    with pytest.raises(DecodeError, match="empty file"):
        reader.read(in_folder(tmp_path, b"", "photo.png"))
    with pytest.raises(NotAnImage, match="empty file"):
        reader.read(in_folder(tmp_path, b"", "nothing"))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_large_member_that_is_no_image_is_not_read(tmp_path, monkeypatch, method):
    member = in_zip(tmp_path, os.urandom(2 << 20), method, "noise")
    asked = []
    whole = os.pread
    monkeypatch.setattr(reading.os, "pread", lambda fd, size, at: asked.append(size) or whole(fd, size, at))
    with MemberReader() as reader, pytest.raises(NotAnImage):
        reader.read(member)
    assert sum(asked) < 1 << 17


def test_large_images_of_every_method_come_back(tmp_path, reader):
    data = JPEG_LIKE + os.urandom(2 << 20)
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        assert reader.read(in_zip(tmp_path, data, method)) == data


def test_a_member_above_the_budget_is_refused(tmp_path, reader):
    with pytest.raises(ReadError, match="5,000,000 bytes; the budget of one image is 4,194,304"):
        reader.read(in_folder(tmp_path, JPEG_LIKE.ljust(5_000_000)))


def test_a_member_that_expands_past_the_ratio_is_refused_before_it_is_unpacked(tmp_path):
    member = in_zip(tmp_path, JPEG_LIKE + bytes(3 << 20), zipfile.ZIP_BZIP2)
    with (
        MemberReader() as reader,
        pytest.raises(ReadError, match=r"expands from \d+ to 3,\d+,\d+ bytes; the budget is 1100 times"),
    ):
        reader.read(member)
    blank = in_zip(tmp_path, JPEG_LIKE + bytes(3 << 20), zipfile.ZIP_DEFLATED)
    with MemberReader() as reader:
        assert len(reader.read(blank)) == blank.size  # the most that deflate gives passes


@pytest.mark.parametrize("how", ["longer", "touched", "another file"])
def test_an_archive_that_changed_since_the_listing_is_not_read_from(tmp_path, how):
    member = in_zip(tmp_path, JPEG_LIKE, zipfile.ZIP_STORED)
    path = Path(member.path)
    with MemberReader(archives={member.path: archive_state(path.stat())}) as reader:
        assert reader.read(member) == JPEG_LIKE
        reader.check()
        if how == "longer":
            with path.open("ab") as file:
                file.write(b"more")
        elif how == "touched":
            os.utime(path, ns=(1, 1))
        else:
            path.rename(tmp_path / "old")
            shutil.copy(tmp_path / "old", path)
            reader.close()  # an open one is still the old one
            with pytest.raises(ArchiveError, match="was changed while it was being read"):
                reader.read(member)
            return
        with pytest.raises(ArchiveError, match="was changed while it was being read"):
            reader.check()


def test_a_bomb_is_not_unpacked_past_what_it_says(tmp_path, reader):
    import tracemalloc

    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        member = in_zip(tmp_path, JPEG_LIKE + bytes(64 << 20), method)._replace(size=1000)
        tracemalloc.start()
        with pytest.raises(ReadError, match=r"unpacks to more than the 1,000 bytes"):
            reader.read(member)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2 << 20


def test_a_member_that_unpacks_to_less_than_it_says(tmp_path, reader):
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        member = in_zip(tmp_path, JPEG_LIKE * 9, method)
        with pytest.raises(ReadError, match="truncated"):
            reader.read(member._replace(size=member.size + 1))
        with pytest.raises(ReadError, match=r"truncated|damaged"):
            reader.read(member._replace(stored=member.stored - 8))


def test_flipped_bytes_fail_their_checksum(tmp_path, reader):
    member = in_zip(tmp_path, JPEG_LIKE * 9, zipfile.ZIP_STORED)
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[data.index(JPEG_LIKE) + 10] ^= 1
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(ReadError, match="CRC-32"):
        reader.read(member)


def test_a_local_header_that_is_none(tmp_path, reader):
    member = in_zip(tmp_path, JPEG_LIKE)
    with pytest.raises(ReadError, match="no zip header"):
        reader.read(member._replace(offset=1))


def test_members_from_streams_are_what_they_carry(reader):
    member = Member("a", "x", 5, 3, 3, 0, data=JPEG_LIKE)
    assert reader.read(member) is JPEG_LIKE
    with pytest.raises(NotAnImage):
        reader.read(member._replace(data=b"text"))


def test_impossible_offsets_and_paths_are_read_errors(tmp_path, reader):
    member = in_zip(tmp_path, JPEG_LIKE)
    for wrong in (
        member._replace(offset=1 << 70),
        member._replace(path="a\0b"),
        member._replace(path=str(tmp_path)),
    ):
        with pytest.raises(ReadError):
            reader.read(wrong)


def test_crc_is_that_of_the_unpacked_bytes(tmp_path):
    assert in_zip(tmp_path, JPEG_LIKE).crc == zlib.crc32(JPEG_LIKE)
