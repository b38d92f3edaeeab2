"""Tars: every format's names and sizes, and damage that must never pass in silence."""

import io
import os
import tarfile
import tracemalloc

import pytest

from brinery.errors import DecodeError, ReadError
from brinery.parser.archives.listing import list_archives
from brinery.parser.archives.members import Member
from brinery.parser.archives.reading import MemberReader
from brinery.parser.images.signature import NotAnImage
from brinery.parser.options import ReadBudget

from ..samples import JPEG_LIKE, contents, listed, members, not_images, unreadable
from .tars import COMPRESSIONS, END, FORMATS, entry_of, pax_header, tar, three


@pytest.fixture
def write(tmp_path):
    def write(data, name="a.tar"):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return write


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("mode", COMPRESSIONS.values(), ids=COMPRESSIONS)
def test_names_and_bytes_come_back(write, kind, mode):
    files = {
        "a.jpg": JPEG_LIKE,
        "x" * 90 + "/" + "y" * 90 + ".jpg": JPEG_LIKE * 100,  # the prefix field, or an extended header
        "grüße/☃.jpg": JPEG_LIKE[:22],
        "../up.jpg": JPEG_LIKE,
    }
    if kind != "ustar":
        files["deep/" * 800 + "a.jpg"] = JPEG_LIKE  # 4 KB
    assert contents(write(tar(files.items(), kind, mode))) == files


@pytest.mark.parametrize("kind", FORMATS)
def test_members_say_where_their_bytes_are_and_how_old(write, kind):
    info = tarfile.TarInfo("a.jpg")
    info.mtime = 1_234_567_890.25 if kind == "pax" else 1_234_567_890
    data = tar([(info, JPEG_LIKE)], kind)
    path = write(data)
    offset = data.index(JPEG_LIKE)
    (entry,) = listed(path)
    size = len(JPEG_LIKE)
    expected = 1_234_567_890_250_000_000 if kind == "pax" else 1_234_567_890_000_000_000
    assert entry == Member("a.jpg", str(path), offset, size, size, expected)


def test_names_lose_their_leading_dots_and_slashes_only(write):
    entries = [
        ("./a.jpg", JPEG_LIKE),
        (".//./b.jpg", JPEG_LIKE),
        ("/c.jpg", JPEG_LIKE),
        ("d/./e.jpg", JPEG_LIKE),
    ]
    assert [entry.key for entry in listed(write(tar(entries)))] == ["a.jpg", "b.jpg", "c.jpg", "d/./e.jpg"]


def test_names_that_are_no_unicode_or_hold_nul(write):
    latin = tar([("caf\udce9.jpg", JPEG_LIKE)], "gnu")
    info = tarfile.TarInfo("x.jpg")
    info.pax_headers = {"path": "a\0b.jpg"}
    assert [entry.key for entry in listed(write(latin))] == ["caf\\xe9.jpg"]
    assert [entry.key for entry in listed(write(tar([(info, JPEG_LIKE)])))] == ["a\\x00b.jpg"]


def test_an_entry_without_a_name_is_reported(write):
    (entry,) = listed(write(tar([("./", JPEG_LIKE), ("", JPEG_LIKE)][1:], "ustar")))
    assert entry.message == "an entry without a name"


def test_global_pax_headers_hold_for_all_that_follow(write):
    out = io.BytesIO()
    with tarfile.open(
        fileobj=out, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"mtime": "12.5"}
    ) as archive:
        for name in ("a.jpg", "b.jpg"):
            archive.addfile(tarfile.TarInfo(name))
    assert [entry.mtime_ns for entry in listed(write(out.getvalue()))] == [12_500_000_000] * 2


def test_devices_are_no_images_and_folders_nothing(write):
    kinds = {
        "folder": tarfile.DIRTYPE,
        "pipe": tarfile.FIFOTYPE,
        "char": tarfile.CHRTYPE,
        "block": tarfile.BLKTYPE,
    }
    infos = []
    for name, kind in kinds.items():
        info = tarfile.TarInfo(name)
        info.type = kind
        infos.append((info, b""))
    entries = listed(write(tar([*infos, ("a.jpg", JPEG_LIKE)], "gnu")))
    assert [entry.key for entry in members(entries)] == ["a.jpg"]
    assert not_images(entries) == {
        "pipe": "named pipe",
        "char": "character device",
        "block": "block device",
    }


@pytest.mark.parametrize("kind", [b"7", b"\0", b"Z", b"r"], ids=["contiguous", "V7", "unknown", "a vendor's"])
def test_what_tar_takes_for_a_regular_file_is_one(write, kind):
    assert contents(write(entry_of(kind) + END)) == {"a.jpg": JPEG_LIKE}


@pytest.mark.parametrize("kind", [b"A", b"E", b"V"], ids=["ACL", "attributes", "label"])
def test_what_is_about_another_entry_is_none(write, kind):
    assert contents(write(entry_of(kind, data=b"user::rwx") + entry_of(b"0") + END)) == {"a.jpg": JPEG_LIKE}


def test_a_member_that_goes_on_from_another_volume_is_refused(write):
    refused, read = listed(write(entry_of(b"M") + entry_of(b"0", "b.jpg") + END))
    assert refused.message == "continued from another volume: join the volumes first"
    assert read.key == "b.jpg"


def test_a_regular_name_with_a_slash_at_its_end_is_a_folder(write):
    assert list(contents(write(entry_of(b"0", "a/", b"") + entry_of(b"0", "a/b.jpg") + END))) == ["a/b.jpg"]


def test_sizes_past_eight_gigabytes_are_read_in_base_256_and_pax(tmp_path):
    for kind in ("gnu", "pax"):
        info = tarfile.TarInfo("a.jpg")
        info.size = 9 << 30
        path = tmp_path / f"{kind}.tar"
        path.write_bytes(info.tobuf(FORMATS[kind]))
        start = path.stat().st_size
        os.truncate(path, start + info.size + 1024)  # a file with a hole: no disk is used
        (entry,) = listed(path)
        assert (entry.offset, entry.size) == (start, 9 << 30)


@pytest.mark.parametrize("mode", [mode for mode in COMPRESSIONS.values() if mode != "w"])
def test_compressed_tars_give_the_bytes_of_images_and_the_beginning_of_everything_else(write, mode):
    picture = JPEG_LIKE * 9000
    files = [("notes.txt", b"text " * 99999), ("a.jpg", picture), ("empty.png", b""), ("b", JPEG_LIKE)]
    text, first, broken, second = listed(write(tar(files, mode=mode)))
    assert (text.key, text.size, text.data) == ("notes.txt", 5 * 99999, (b"text " * 103)[:512])
    assert (first.key, first.data, first.size) == ("a.jpg", picture, len(picture))
    assert (broken.key, broken.data) == ("empty.png", b"")
    assert second.data == JPEG_LIKE


@pytest.mark.parametrize("mode", COMPRESSIONS.values(), ids=COMPRESSIONS)
def test_what_is_no_image_is_refused_alike_from_plain_and_compressed_tars(write, mode):
    files = [("a.txt", b"text " * 999), ("b.png", b"no image " * 999), ("c.jpg", JPEG_LIKE * 999)]
    text, false, large = list_archives([write(tar(files, mode=mode))])
    with MemberReader(ReadBudget(max_bytes=9000)) as reader:
        with pytest.raises(NotAnImage, match="text or unknown data"):
            reader.read(text)
        with pytest.raises(DecodeError, match=r"named \.png, but holds no image"):
            reader.read(false)
        with pytest.raises(ReadError, match=r"bytes; the budget of one image is 9,000"):
            reader.read(large)


def test_a_member_past_the_budget_of_one_image_is_not_held(write):
    path = write(tar([("a.jpg", JPEG_LIKE * 99), ("b.jpg", JPEG_LIKE)], mode="w:gz"))
    large, small = list_archives([path], ReadBudget(max_bytes=1000))
    assert len(large.data) == 512
    with MemberReader(ReadBudget(max_bytes=1000)) as reader:
        with pytest.raises(ReadError, match="the budget of one image is 1,000"):
            reader.read(large)
        assert reader.read(small) == JPEG_LIKE


@pytest.mark.parametrize("mode", ["w:bz2", "w:xz"])
def test_a_stream_that_expands_without_end_is_given_up(write, mode):
    path = write(tar([("a.jpg", JPEG_LIKE), ("zeros", bytes(30 << 20)), ("b.jpg", JPEG_LIKE)], mode=mode))
    entries = list(list_archives([path]))
    assert [entry.key for entry in members(entries)] == ["a.jpg", "zeros"]
    (given_up,) = unreadable(entries)
    assert "the budget is 1100 times" in given_up.message
    assert len(members(list(list_archives([path], ReadBudget(max_ratio=1e6))))) == 3


@pytest.mark.parametrize("kind", [b"g", b"x"])
def test_extended_headers_cost_what_their_bytes_cost_and_leave_nothing(write, kind):
    records = b"".join(b"%d %05x=\n" % (10, number) for number in range(3000))
    one = pax_header(kind, records)
    path = write(one * 400 + tar([("a.jpg", JPEG_LIKE), ("b.jpg", JPEG_LIKE)]))
    tracemalloc.start()
    refused, read = listed(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1 << 20
    assert (refused.key, refused.message) == (
        "a.jpg",
        "its extended header is damaged: too many pax records: the budget is 64 an entry and 65,536 more",
    )
    assert read.key == "b.jpg"


def test_a_pax_header_for_every_entry_is_what_many_tars_have(write):
    names = [f"{'long/' * 30}{number}.jpg" for number in range(2000)]
    comment = {"comment": "so and so", **{f"SCHILY.xattr.user.{n}": "value" for n in range(40)}}
    entries = []
    for name in names:
        info = tarfile.TarInfo(name)
        info.pax_headers = comment
        entries.append((info, JPEG_LIKE))
    assert [entry.key for entry in listed(write(tar(entries)))] == names


def test_zstd_streams_of_several_frames(write):
    zstandard = pytest.importorskip("zstandard")
    data = three()
    packed = zstandard.compress(data[:2000]) + zstandard.compress(data[2000:])
    assert list(contents(write(packed))) == ["a.jpg", "b.jpg", "c.jpg"]
    assert unreadable(listed(write(packed[:-30])))


def test_what_the_tar_command_writes(tmp_path):
    import shutil
    import subprocess

    if shutil.which("tar") is None:
        pytest.skip("no tar command")
    name = "n" * 70 + "/" + "m" * 70 + "/ä.jpg"
    (tmp_path / "in" / name).parent.mkdir(parents=True)
    (tmp_path / "in" / name).write_bytes(JPEG_LIKE)
    for kind in ("v7", "oldgnu", "gnu", "ustar", "posix"):
        path = tmp_path / f"{kind}.tar"
        done = subprocess.run(
            ["tar", f"--format={kind}", "-cf", path, "-C", tmp_path / "in", "."], check=False
        )
        if kind == "v7":
            assert done.returncode  # the name is too long for it
        else:
            assert contents(path) == {name: JPEG_LIKE}
