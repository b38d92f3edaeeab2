"""Names from an archive decide about keys and never about where something is written."""

import io
import os
import sqlite3
import stat
import tarfile
import warnings
import zipfile

import pytest

import brinery

from ..images import encoded, pixels

IMAGE = encoded(pixels(0, (6, 7, 3)), "PNG")
LONG = "/".join(["d" * 100] * 40) + "/long.png"  # 4 KB
NAMES = [
    b"plain.png",
    b"../escaped.png",
    b"../../../../../../../../tmp/escaped.png",
    b"a/../../escaped.png",
    b"a/../inside.png",
    b"/absolute.png",
    b"//double.png",
    b"..",
    b".",
    b"a//b.png",
    b"./dotted.png",
    b"link/through.png",
    b"a",
    b"a/b",
    b"Twin.png",
    b"twin.png",
    b"plain.png",
    b"not utf-8 \xff\xfe.png",
    b"new\nline.png",
    b"\x1b[31mred.png",
    b"manifest.sqlite",
    b"../manifest.sqlite",
    b"con.png ",
    b"n" * 300 + b".png",
    LONG.encode(),
    "ünï.png".encode(),
    b"-rf.png",
]
SPECIAL = {
    tarfile.SYMTYPE: b"link",
    tarfile.LNKTYPE: b"hard",
    tarfile.CHRTYPE: b"null",
    tarfile.BLKTYPE: b"disk",
    tarfile.FIFOTYPE: b"pipe",
}


def hostile_tar(path):
    """Every special file first, so that a name behind it could be written through it."""
    count = 0
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as archive:
        for kind, name in SPECIAL.items():
            info = tarfile.TarInfo(os.fsdecode(name))
            info.type, info.linkname, info.devmajor, info.devminor = kind, "/tmp", 1, 3
            archive.addfile(info)
            count += 1
        for name in NAMES:
            info = tarfile.TarInfo(os.fsdecode(name))
            info.size = len(IMAGE)
            archive.addfile(info, io.BytesIO(IMAGE))
            count += 1
    return path, count


def hostile_zip(path):
    count = 0
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")  # names twice
        for kind in (stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK):
            info = zipfile.ZipInfo("link" if kind == stat.S_IFLNK else f"special{kind}")
            info.create_system, info.external_attr = 3, (kind | 0o777) << 16
            archive.writestr(info, "/tmp")
            count += 1
        for name in NAMES:
            info = zipfile.ZipInfo("x")
            info.filename = name.decode("utf-8", "backslashreplace")
            archive.writestr(info, IMAGE)
            count += 1
    # A NUL inside a name, which zipfile would cut: 13 bytes for 13 bytes.
    data = path.read_bytes()
    path.write_bytes(data.replace(b"con.png ", b"con\0png "))
    return path, count


def tree(root, without):
    """Every path below a folder but those of one part, with what it is."""
    return {
        str(path.relative_to(root)): (path.lstat().st_mode, path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in sorted(root.rglob("*"))
        if not path.is_relative_to(without)
    }


def special_files(root):
    return [
        path
        for path in root.rglob("*")
        if not stat.S_ISREG(mode := path.lstat().st_mode) and not stat.S_ISDIR(mode)
    ]


@pytest.fixture
def deep(tmp_path):
    """A folder deep enough that `../..` ends in a tree of the test's own."""
    folder = tmp_path / "a" / "b" / "c" / "d"
    folder.mkdir(parents=True)
    (tmp_path / "a" / "escaped.png").write_bytes(b"mine")
    return folder


@pytest.mark.parametrize("layout", ["shards", "mirror"])
@pytest.mark.parametrize("make", [hostile_tar, hostile_zip])
@pytest.mark.parametrize("protocol", ["npy", "npz", "hickle"])
def test_no_name_leads_outside(tmp_path, deep, layout, make, protocol):
    archive, count = make(tmp_path / "archive")
    out, restored = deep / "out", deep / "restored"
    before = tree(tmp_path, deep), set(os.listdir("/tmp")) - {tmp_path.name}
    options = {"layout": layout, "protocol": protocol, "workers": 1, "backend": "threading", "fsync": False}
    result = brinery.convert(archive, out, **options)
    assert tree(tmp_path, deep) == before[0]
    assert sorted(os.listdir(deep)) == ["out"]
    assert not {name for name in os.listdir("/tmp") if "escaped" in name}

    # Every entry came to exactly one end.
    assert result.samples + result.failures + result.skipped == count
    assert result.samples >= 14
    with sqlite3.connect(out / "manifest.sqlite") as db:
        keys = [key for (key,) in db.execute("SELECT key FROM samples")]
        assert len(set(keys)) == len(keys)
        assert not [key for key in keys if "\0" in key]
    again = brinery.convert(archive, out, **options)
    assert (again.converted, again.samples, again.failures) == (0, result.samples, result.failures)

    # What is there is readable, and becomes files below the given folder or is said to be none.
    assert brinery.verify(out, workers=1).bad == ()
    back = brinery.restore(out, restored, workers=1)
    assert back.images + len(back.failures) == result.samples
    assert back.images >= 10
    assert len([path for path in restored.rglob("*") if path.is_file()]) == back.images
    assert special_files(deep) == []
    assert tree(tmp_path, deep) == before[0]
    assert sorted(os.listdir(deep)) == ["out", "restored"]


def test_pruning_deletes_only_what_is_its_own(tmp_path, deep):
    archive, _ = hostile_tar(tmp_path / "archive")
    options = {"layout": "mirror", "workers": 1, "backend": "threading", "fsync": False}
    brinery.convert(archive, deep / "out", **options)
    with sqlite3.connect(deep / "out" / "manifest.sqlite") as db:
        db.execute("UPDATE samples SET key = '../../../../escaped.png' WHERE key = 'twin.png'")
    with tarfile.open(archive, "w") as emptied:
        info = tarfile.TarInfo("plain.png")
        info.size = len(IMAGE)
        emptied.addfile(info, io.BytesIO(IMAGE))
    assert brinery.convert(archive, deep / "out", prune=True, yes=True, **options).pruned > 10
    assert (tmp_path / "a" / "escaped.png").read_bytes() == b"mine"
    left = [path.name for path in (deep / "out" / "files").rglob("*") if path.is_file()]
    assert sorted(left) == ["plain.png.npy", "twin.png.npy"]  # the second's row names another file


def test_a_manifest_cannot_have_other_files_deleted(tmp_path, deep):
    archive, _ = hostile_tar(tmp_path / "archive")
    options = {"workers": 1, "backend": "threading", "fsync": False}
    brinery.convert(archive, deep / "out", **options)
    with sqlite3.connect(deep / "out" / "manifest.sqlite") as db:
        db.execute("INSERT INTO shards VALUES (99000000, 99, 0, '../../../../escaped.png', 4, 0, 0, NULL)")
    brinery.convert(archive, deep / "out", **options)
    assert (tmp_path / "a" / "escaped.png").read_bytes() == b"mine"
