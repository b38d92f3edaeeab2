"""Archives inside of archives and folders: whichever way their bytes are packed, their members are read."""

import gzip
import io
import lzma
import os
import tarfile
import zipfile
from contextlib import suppress

import pytest

from brinery.errors import ArchiveError
from brinery.parser.archives.blocks import Passing
from brinery.parser.archives.listing import list_sources, plan_sources
from brinery.parser.archives.members import Member, NotImage, Unreadable
from brinery.parser.archives.reading import MemberReader
from brinery.parser.images.signature import READ_ARCHIVE, NotAnImage
from brinery.parser.options import ReadBudget

from ..samples import JPEG_LIKE

ONE, TWO = JPEG_LIKE + b"one", JPEG_LIKE * 5000 + b"two"


def tar(files, mode="w"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def packed_zip(files, method=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def zstd(data):
    return pytest.importorskip("zstandard").compress(data)


INNER = {
    "tar": tar,
    "tar.gz": lambda files: tar(files, "w:gz"),
    "tar.bz2": lambda files: tar(files, "w:bz2"),
    "tar.xz": lambda files: tar(files, "w:xz"),
    "tar.zst": lambda files: zstd(tar(files)),
    "zip": packed_zip,
    "deflated zip": lambda files: packed_zip(files, zipfile.ZIP_DEFLATED),
}
OUTER = {
    **INNER,
    "bzip2 zip": lambda files: packed_zip(files, zipfile.ZIP_BZIP2),
    "LZMA zip": lambda files: packed_zip(files, zipfile.ZIP_LZMA),
}
STREAMS = {"tar.gz", "tar.bz2", "tar.xz", "tar.zst", "deflated zip", "bzip2 zip"}


@pytest.fixture
def write(tmp_path):
    def write(data, name="outer"):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return write


def listed(path, *, link=True, budget=ReadBudget()):  # noqa: B008 - frozen
    """The listing of a source with its nested archives, and the bytes of what it reads."""
    entries = []
    with MemberReader(budget) as reader:
        for entry in list_sources(plan_sources([path], nested=True), budget, link=link):
            if isinstance(entry, Member):
                passing = isinstance(entry.data, Passing)
                member = entry._replace(data=entry.data.read(entry.size)) if passing else entry
                with suppress(NotAnImage):
                    entries.append((entry.key, reader.read(member)))
            else:
                entries.append((entry.key, entry))
    return entries


def said(entries):
    return {
        key: entry.reason if isinstance(entry, NotImage) else entry.message
        for key, entry in entries
        if isinstance(entry, NotImage | Unreadable)
    }


@pytest.mark.parametrize("inner", INNER)
@pytest.mark.parametrize("outer", OUTER)
@pytest.mark.parametrize("link", [True, False])
def test_members_of_archives_in_archives_are_read_whatever_packs_them(write, outer, inner, link):
    holds = {"a.jpg": ONE, "d/b.jpg": TWO}
    outside = {"first.jpg": ONE, "set/inner": INNER[inner](holds), "last.jpg": TWO}
    entries = listed(write(OUTER[outer](outside)), link=link)
    if outer == "LZMA zip":
        middle = [("set/inner", "an archive packed by LZMA in a zip: unpack the zip first")]
    elif outer in STREAMS and "zip" in inner:
        why = "a zip inside of a compressed archive, which tells its members at its end only"
        middle = [("set/inner", f"{why}: unpack the outer one first")]
    else:
        middle = [("set/inner", READ_ARCHIVE), ("set/inner/a.jpg", ONE), ("set/inner/d/b.jpg", TWO)]
    expected = [("first.jpg", ONE), *middle, ("last.jpg", TWO)]
    assert [(key, said([(key, entry)]).get(key, entry)) for key, entry in entries] == expected


@pytest.mark.parametrize("inner", INNER)
def test_members_of_archives_in_a_folder_are_read(tmp_path, inner):
    (tmp_path / "in" / "d").mkdir(parents=True)
    (tmp_path / "in" / "a.jpg").write_bytes(ONE)
    (tmp_path / "in" / "d" / "b").write_bytes(INNER[inner]({"c.jpg": TWO}))
    assert [entry for entry in listed(tmp_path / "in") if entry[1] != NotImage("d/b", READ_ARCHIVE)] == [
        ("a.jpg", ONE),
        ("d/b/c.jpg", TWO),
    ]


def test_an_archive_in_a_folder_that_is_replaced_is_no_longer_read(tmp_path):
    (tmp_path / "in").mkdir()
    for make in (tar, packed_zip):
        path = tmp_path / "in" / "archive"
        path.write_bytes(make({"c.jpg": ONE}))
        entries = list_sources(plan_sources([tmp_path / "in"], nested=True))
        (member,) = [entry for entry in entries if isinstance(entry, Member)]
        os.utime(path, (1, 1))
        with (
            MemberReader() as reader,
            pytest.raises(ArchiveError, match="was changed while it was being read"),
        ):
            reader.read(member)


@pytest.mark.parametrize("outer", ["tar", "tar.gz", "zip"])
@pytest.mark.parametrize("inner", ["tar", "tar.gz"])
def test_what_lies_deeper_is_named_and_not_read(write, outer, inner):
    deep = {"x": INNER["tar"]({"a.jpg": ONE}), "y": INNER["tar.gz"]({"b.jpg": ONE}), "c.jpg": TWO}
    entries = listed(write(OUTER[outer]({"in": INNER[inner](deep)})))
    assert dict(entries)["in/c.jpg"] == TWO
    where = "inside of an archive that is in another one: unpack the outer one first"
    assert said(entries) == {"in": READ_ARCHIVE, "in/x": f"tar archive {where}", "in/y": f"gzip data {where}"}


@pytest.mark.parametrize("outer", ["tar", "tar.xz", "zip"])
def test_compressed_data_that_holds_no_tar_and_names_of_images(write, outer):
    files = {
        "notes.gz": gzip.compress(b"text " * 999),
        "zeros": bytes(4096),
        "text": b"no archive",
        "broken.gz": gzip.compress(tar({"a.jpg": ONE}))[:40],
        "z.jpg": ONE,
    }
    path = write(OUTER[outer](files))
    sources = plan_sources([path], nested=True)
    entries = [(entry.key, None if isinstance(entry, Member) else entry) for entry in list_sources(sources)]
    assert [key for key, _ in entries] == list(files)
    found = said(entries)
    assert found.pop("notes.gz") == "gzip data that holds no tar"
    assert "cut off" in found.pop("broken.gz")
    assert found == {}


def test_links_and_names_that_occur_twice_inside_of_a_nested_tar(write):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data, target in (("a.jpg", ONE, ""), ("b.jpg", b"", "a.jpg"), ("a.jpg", TWO, "")):
            info = tarfile.TarInfo(name)
            info.size, info.linkname = len(data), target
            info.type = tarfile.LNKTYPE if target else tarfile.REGTYPE
            archive.addfile(info, io.BytesIO(data))
    for outer in ("tar", "tar.gz", "zip"):
        entries = listed(write(OUTER[outer]({"in.tar": out.getvalue(), "b.jpg": TWO})))
        images = [(key, data) for key, data in entries if isinstance(data, bytes)]
        assert images == [("in.tar/b.jpg", ONE), ("in.tar/a.jpg", TWO), ("b.jpg", TWO)]


def test_damage_is_said_with_the_place_inside_of_the_nested_archive(write):
    inner = bytearray(tar({"a.jpg": ONE, "b.jpg": ONE}))
    inner[1024] ^= 1
    for outer in ("tar", "tar.gz"):
        entries = listed(write(OUTER[outer]({"in.tar": bytes(inner)})))
        assert said(entries)["in.tar@1024"] == "damaged header: the member here is lost"


def test_a_packed_tar_in_a_zip_whose_bytes_are_not_those_is_said(write):
    data = bytearray(packed_zip({"in.tar": tar({"a.jpg": ONE})}, zipfile.ZIP_DEFLATED))
    data[data.rindex(b"PK\1\2") + 16] ^= 1  # the CRC-32 in the central directory
    assert any("CRC-32" in text for text in said(listed(write(data))).values())


def test_what_is_packed_twice_may_unpack_to_as_much_as_what_is_packed_once(write):
    """A ratio of 1,000 within one of 1,000 is not what a budget of 1,100 allows."""
    inner = lzma.compress(tar({"zeros": bytes(50 << 20), "a.jpg": ONE}))
    entries = listed(write(tar({"in.tar.xz": inner}, "w:xz")))
    assert any("the budget is 1100 times" in text for text in said(entries).values())
    stored = listed(write(tar({"in.tar.xz": inner})), budget=ReadBudget(max_ratio=1e6))
    assert ("in.tar.xz/a.jpg", ONE) in [entry for entry in stored if isinstance(entry[1], bytes)]


def test_nothing_is_nested_unless_it_is_asked_for(write):
    path = write(tar({"in.tar": tar({"a.jpg": ONE}), "in.zip": packed_zip({"a.jpg": ONE})}))
    with MemberReader() as reader:
        for entry in list_sources(plan_sources([path])):
            with pytest.raises(NotAnImage, match="archive: --nested reads it"):
                reader.read(entry)
