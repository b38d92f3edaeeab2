"""Sources: what is taken for which archive, in which order, and what is said of those that are none."""

import io
import os
import subprocess
import sys
import tarfile
import zipfile

import pytest

from brinery.errors import ArchiveError, MissingLibraryError, UsageError
from brinery.parser.archives.listing import check_sources, list_archives
from brinery.parser.archives.members import Member

from ..samples import JPEG_LIKE, contents, encoded, listed, smooth


@pytest.fixture
def sources(tmp_path):
    """One member, `a/b.jpg`, in every kind of archive, under names that say nothing."""
    folder = tmp_path / "folder"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "b.jpg").write_bytes(JPEG_LIKE)
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        archive.add(folder / "a", "./a")
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.write(folder / "a" / "b.jpg", "a/b.jpg")
    (tmp_path / "tar").write_bytes(plain.getvalue())
    for kind, mode in (("gzip", "w:gz"), ("bzip2", "w:bz2"), ("xz", "w:xz")):
        with tarfile.open(tmp_path / kind, mode) as archive:
            archive.add(folder / "a", "./a")
    zstandard = pytest.importorskip("zstandard")
    (tmp_path / "zstd").write_bytes(zstandard.compress(plain.getvalue()))
    return tmp_path


KINDS = ["folder", "zip", "tar", "gzip", "bzip2", "xz", "zstd"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_content_decides_what_an_archive_is(sources, kind):
    check_sources([sources / kind])
    assert contents(sources / kind) == {"a/b.jpg": JPEG_LIKE}
    assert contents(str(sources / kind)) == {"a/b.jpg": JPEG_LIKE}


def test_several_sources_prefix_their_keys_and_keep_their_order(sources):
    entries = listed(*(sources / kind for kind in reversed(KINDS)))
    assert [entry.key for entry in entries] == [f"{kind}/a/b.jpg" for kind in reversed(KINDS)]


def test_the_same_content_lists_in_the_same_order(tmp_path):
    names = ["b.jpg", "a/z.jpg", "a.jpg", "a-b.jpg", "a/b/c.jpg", "B.jpg", "é.jpg"]
    for folder, order in (("one", names), ("two", reversed(names))):
        for name in order:
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(JPEG_LIKE)
    one = [entry.key for entry in listed(tmp_path / "one")]
    assert one == [entry.key for entry in listed(tmp_path / "two")]
    assert one == ["B.jpg", "a/b/c.jpg", "a/z.jpg", "a-b.jpg", "a.jpg", "b.jpg", "é.jpg"]


def test_a_listing_is_lazy(tmp_path):
    with zipfile.ZipFile(tmp_path / "good.zip", "w") as archive:
        archive.writestr("a.jpg", JPEG_LIKE)
    folder = tmp_path / "folder"
    folder.mkdir()
    entries = list_archives([tmp_path / "good.zip", folder])
    assert next(entries).key == "good.zip/a.jpg"
    (folder / "later.jpg").write_bytes(JPEG_LIKE)
    assert next(entries).key == "folder/later.jpg"


def test_relative_and_linked_sources_give_paths_that_hold_anywhere(sources, monkeypatch):
    (sources / "link").symlink_to("tar")
    monkeypatch.chdir(sources)
    (entry,) = listed("link")
    assert entry.path == os.path.realpath("tar")
    (entry,) = listed("folder")
    assert entry.path == os.path.realpath("folder/a/b.jpg")


def test_a_source_that_is_missing_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match=r"gone\.tar does not exist"):
        check_sources([tmp_path / "gone.tar"])
    with pytest.raises(UsageError, match="no source"):
        check_sources([])
    with pytest.raises(UsageError, match="is no path"):
        check_sources(["a\0b"])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04 and nothing more", "central directory"),
        (b"hello", "no archive"),
        (b"%PDF-1.4", "PDF document"),
        (b"\x1f\x8b and nothing more", "damaged gzip"),
        (b"BZh9 and nothing more", "damaged bzip2"),
        (b"\xfd7zXZ\0 and nothing more", "damaged xz"),
        (b"\x28\xb5\x2f\xfd and nothing more", "damaged zstd"),
        (encoded(smooth(9, 9), "JPEG"), "single image"),
        (b"\x04\x22\x4d\x18 and more", r"lz4 data, .*unpack it \(lz4 -d\)"),
        (b"LZIP\1 and more", "lzip data"),
        (b"\x1f\x9d\x90 and more", "compress data"),
        (b"7z\xbc\xaf\x27\x1c and more", r"7z archive, .*unpack it \(7z x\)"),
        (b"Rar!\x1a\x07\1\0 and more", "rar archive"),
        (b"070701 and more", "cpio archive"),
        (b"\x5d\0\0\x80\0" + b"\xff" * 8 + b" and more", "LZMA data"),
    ],
)
def test_what_is_no_archive_is_refused_at_once_with_advice(tmp_path, content, says):
    path = tmp_path / "thing.zip"
    path.write_bytes(content)
    with pytest.raises(ArchiveError, match=says) as caught:
        check_sources([path])
    with pytest.raises(ArchiveError):
        list_archives([path])
    assert "thing.zip" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_compressed_data_that_is_no_tar_is_refused(tmp_path):
    import gzip

    (tmp_path / "photo.gz").write_bytes(gzip.compress(JPEG_LIKE * 100))
    with pytest.raises(ArchiveError, match="holds no tar"):
        check_sources([tmp_path / "photo.gz"])


def test_a_pipe_as_source_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ArchiveError, match="neither a folder nor a file"):
        check_sources([tmp_path / "pipe"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_source_that_may_not_be_read_is_refused(tmp_path):
    (tmp_path / "a.tar").write_bytes(bytes(1024))
    (tmp_path / "a.tar").chmod(0)
    with pytest.raises(ArchiveError, match="cannot be read"):
        check_sources([tmp_path / "a.tar"])


def test_zstd_without_its_library_names_the_extra(sources, monkeypatch):
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(MissingLibraryError, match=r"brinery\[formats\]"):
        check_sources([sources / "zstd"])


def test_importing_the_parser_imports_no_unpacker_that_may_not_be_needed():
    code = (
        "import sys, brinery.parser.archives.listing, brinery.parser.archives.reading;"
        "print(*(name for name in sys.modules if name in {'zstandard', 'PIL', 'joblib', 'numpy'}))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == []


def test_empty_archives_hold_nothing(tmp_path):
    (tmp_path / "folder").mkdir()
    with tarfile.open(tmp_path / "a.tar", "w"):
        pass
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz"):
        pass
    with zipfile.ZipFile(tmp_path / "a.zip", "w"):
        pass
    assert listed(*(tmp_path / name for name in ("folder", "a.tar", "a.tar.gz", "a.zip"))) == []


def test_members_travel_between_processes(sources):
    import pickle

    for kind in KINDS:
        for entry in listed(sources / kind):
            assert isinstance(entry, Member)
            assert pickle.loads(pickle.dumps(entry)) == entry
