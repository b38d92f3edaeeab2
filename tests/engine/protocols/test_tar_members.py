"""Names and headers of tar members: those of Python's tarfile, and keys that keep apart."""

import io
import re
import tarfile

import pytest

from brinery.engine.protocols.tar_members import head_of, key_of, member_head, member_name
from brinery.errors import CorruptError, MemberError

KEYS = {
    "photos/a.jpg": "photos/a%2Ejpg",
    "photos/a": "photos/a",
    "v1.0/a.b.c": "v1.0/a%2Eb%2Ec",
    ".hidden": "%2Ehidden",
    "100%.png": "100%25%2Epng",
    "100%25%2Epng": "100%2525%252Epng",
    "a/": "a%2F",
    "/": "%2F",
    "//": "%2F%2F",
    "/etc/passwd": "%2Fetc/passwd",
    "a//b": "a/%2Fb",
    "../../a": "%2E%2E/%2E%2E/a",
    "a/../b": "a/%2E%2E/b",
    "./a": "%2E/a",
    "..": "%2E%2E",
    "...": "%2E%2E%2E",
    ".../a": ".../a",
    "__meta__/a": "%5F_meta__/a",
    "__a__": "__a__",
    "a\nb.c/d": "a%0Ab.c/d",
    "nul\0": "nul%00",
    "ü/图 像": "ü/图 像",
}
LONG = [
    "x" * 96,
    "x" * 97,
    "a" * 60 + "/" + "b" * 60,
    "ü" * 4000,
    "😀.jpg",
    *("y" * n for n in range(975, 995)),
]
GROUPED = re.compile(r"^((?:.*/|)[^.]+)[.]([^/]*)$")  # how WebDataset and Hugging Face cut a name


@pytest.mark.parametrize(("key", "name"), KEYS.items())
def test_a_key_becomes_a_name_that_readers_cut_as_meant(key, name):
    assert member_name(key) == name
    assert key_of(f"{name}.npy") == key
    assert GROUPED.match(f"{name}.npy").groups() == (name, "npy")
    assert not name.startswith("/")
    assert not name.endswith("/")
    assert not {"..", ".", ""} & set(name.split("/"))


def test_keys_keep_apart():
    assert len({member_name(key) for key in [*KEYS, *KEYS.values()]}) == len({*KEYS, *KEYS.values()})


@pytest.mark.parametrize("name", [f"{member_name(key)}.npy" for key in [*KEYS, *LONG]])
def test_a_head_is_that_of_tarfile(name):
    info = tarfile.TarInfo(name)
    info.size = 12345
    head = member_head(name, 12345)
    assert head == info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")
    assert head_of(head + bytes(12345)) == (name, len(head))


def test_what_tar_cannot_hold_is_the_samples_error():
    with pytest.raises(MemberError, match="empty"):
        member_name("")
    with pytest.raises(MemberError, match=r"70,000 bytes.*65,536"):
        member_head("x" * 70_000, 1)
    with pytest.raises(MemberError, match="8 GiB"):
        member_head("x", 1 << 33)


@pytest.mark.parametrize("name", ["photos/a%2Ejpg.npy", "ü" * 200 + ".npy"])
def test_a_head_that_differs_in_any_byte_but_the_long_name_is_refused(name):
    record = member_head(name, 100) + bytes(100)
    own = record.find(name.encode(), 512) if len(record) > 700 else -1
    for at in range(len(record) - 100):
        if own <= at < own + len(name.encode()):
            continue
        damaged = bytearray(record)
        damaged[at] ^= 0x10
        with pytest.raises(CorruptError):
            head_of(bytes(damaged))
    for other in (record[:-1], record + b"\0", record[:300], b"", record[512:]):
        if other != record[1024:]:
            with pytest.raises(CorruptError):
                head_of(other)


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.GNUTYPE_SPARSE, tarfile.CHRTYPE]
)
def test_links_and_others_are_no_members(kind):
    info = tarfile.TarInfo("a.npy")
    info.type, info.linkname, info.size = kind, "/etc/passwd", 0
    with pytest.raises(CorruptError):
        head_of(info.tobuf(tarfile.PAX_FORMAT))


def test_lengths_of_a_forged_pax_header_are_not_followed():
    sound = member_head("ü.npy", 10)
    for size in (b"77777777777", b"00000000000", b"-0000000001", b"00000001000"):
        forged = sound[:124] + size + sound[135:] + bytes(10)
        with pytest.raises(CorruptError):
            head_of(forged)
    with pytest.raises(CorruptError):
        head_of(io.BytesIO(sound).read(512))
