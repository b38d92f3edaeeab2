"""The entries of a tar, from whatever gives its bytes: where they are, and what damage costs."""

import io
import tarfile

from brinery.parser.archives.blocks import Archive
from brinery.parser.archives.members import Link, Member, NotImage, Unreadable
from brinery.parser.archives.tarwalk import TAR_ERROR, TarWalk

BLOCK = 512


class Bytes:
    """The bytes of a tar, which remember how much of them was read."""

    def __init__(self, data):
        self.data, self.taken, self.position = data, 0, 0

    def read(self, position, size):
        found = self.data[position : position + size]
        self.taken += len(found)
        self.position = position + len(found)
        return found


def tar(*entries, format=tarfile.GNU_FORMAT):  # noqa: A002 - as tarfile calls it
    """A tar of (name, bytes) or (TarInfo, bytes)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as archive:
        for name, data in entries:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def walked(data, *, origin=0, end=True):
    archive = Archive(path="/a.tar", key="a.tar", origin=origin, prefix="in/", encoding=None)
    return list(TarWalk(Bytes(data), archive, len(data) if end else None))


def test_members_say_where_their_bytes_are():
    data = tar(("a.jpg", b"A" * 700), ("b/c.png", b"B"))
    first, second = walked(data)
    assert (first.key, second.key) == ("in/a.jpg", "in/b/c.png")
    for member, content in ((first, b"A" * 700), (second, b"B")):
        assert data[member.offset : member.offset + member.stored] == content
        assert member.size == len(content)
    assert [one.offset for one in walked(data, origin=4096)] == [first.offset + 4096, second.offset + 4096]


def test_other_entries_are_named_or_silent():
    entries = walked(
        tar(
            special("folder", tarfile.DIRTYPE),
            special("soft", tarfile.SYMTYPE, "a.jpg"),
            special("hard", tarfile.LNKTYPE, "a.jpg"),
            special("pipe", tarfile.FIFOTYPE),
        )
    )
    assert entries == [
        Link("in/soft", "a.jpg", hard=False, within="in/"),
        Link("in/hard", "a.jpg", hard=True, within="in/"),
        NotImage("in/pipe", "named pipe"),
    ]


def test_a_damaged_header_costs_its_member_and_no_other():
    data = bytearray(tar(("a", b"A"), ("b", b"B"), ("c", b"C")))
    data[2 * BLOCK + 10] ^= 1  # the second header
    a, lost, c = walked(bytes(data))
    assert (a.key, c.key) == ("in/a", "in/c")
    assert (lost.error, lost.message) == (TAR_ERROR, "damaged header: the member here is lost")


def test_what_follows_the_end_marker_is_read_and_said():
    entries = walked(tar(("a", b"A")) + tar(("b", b"B")))
    assert [type(one) for one in entries] == [Member, Unreadable, Member]
    assert entries[1].message.startswith("members after the end marker")


def test_the_end_may_be_missing_in_three_ways():
    data = tar(("a", b"A" * 900))
    (whole, cut) = walked(data[: 3 * BLOCK])
    assert whole.key == "in/a"
    assert "without its end marker" in cut.message
    (short,) = walked(data[: 2 * BLOCK])
    assert (short.key, short.message) == ("in/a", "truncated: 512 of 900 bytes are there")
    (nothing,) = walked(b"")
    assert "without its end marker" in nothing.message


def test_a_long_name_comes_before_its_entry_and_goes_with_it():
    name = "deep/" * 60 + "a.jpg"
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        long, plain = walked(tar((name, b"A"), ("b.jpg", b"B"), format=form))
        assert (long.key, plain.key) == ("in/" + name, "in/b.jpg")


def test_members_are_not_read_to_find_the_next():
    blocks = Bytes(tar(("a", bytes(1 << 20)), ("b", bytes(1 << 20))))
    archive = Archive(path="/a.tar", key="a.tar", origin=0, prefix="", encoding=None)
    assert [one.key for one in TarWalk(blocks, archive, len(blocks.data))] == ["a", "b"]
    assert blocks.taken < 20 * BLOCK
