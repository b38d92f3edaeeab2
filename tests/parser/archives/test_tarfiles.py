"""Tars: every format's names and sizes, and damage that must never pass in silence."""

import io
import os
import tarfile
import time
import tracemalloc

import pytest

from brinery.errors import ArchiveError, DecodeError, ReadError
from brinery.parser.archives.listing import list_archives
from brinery.parser.archives.members import Member
from brinery.parser.archives.reading import MemberReader
from brinery.parser.images.signature import NotAnImage
from brinery.parser.options import ReadBudget

from ..samples import JPEG_LIKE, contents, listed, members, not_images, unreadable

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
COMPRESSIONS = {"plain": "w", "gz": "w:gz", "bz2": "w:bz2", "xz": "w:xz"}


def tar(entries, kind="pax", mode="w"):
    """A tar of (name or TarInfo, bytes)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=FORMATS[kind], errors="surrogateescape") as archive:
        for name, data in entries:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


@pytest.fixture
def write(tmp_path):
    def write(data, name="a.tar"):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return write


def three(kind="gnu"):
    return tar([(f"{name}.jpg", JPEG_LIKE * 30) for name in "abc"], kind)


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


def entry_of(kind, name="a.jpg", data=JPEG_LIKE, target="", size=None):
    """An entry of any type, without the end of a tar."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, len(data) if size is None else size
    return info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % 512)


END = bytes(1024)


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


def pax_header(kind, records):
    """An extended header of these bytes, with its blocks."""
    info = tarfile.TarInfo("pax")
    info.type, info.size = kind, len(records)
    return info.tobuf(tarfile.USTAR_FORMAT) + records + bytes(-len(records) % 512)


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
