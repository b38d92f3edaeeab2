"""Names become keys in the encoding that they have."""

import io
import tarfile
import zipfile

import pytest

from brinery.errors import UsageError
from brinery.parser.archives.listing import list_sources, plan_sources
from brinery.parser.archives.names import checked_encoding, key_of_bytes

from ..samples import JPEG_LIKE, members


def zip_of(path, names, flag=0, host=3):
    """A zip whose entries have these bytes as names."""
    with zipfile.ZipFile(path, "w") as archive:
        for number, name in enumerate(names):
            archive.writestr("QXZ"[number] * len(name), JPEG_LIKE)
    data = bytearray(path.read_bytes())
    for number, name in enumerate(names):
        data = data.replace(b"QXZ"[number : number + 1] * len(name), name)
    at = data.find(b"PK\x01\x02")
    while at >= 0:
        data[at + 5] = host
        data[at + 8 : at + 10] = flag.to_bytes(2, "little")
        at = data.find(b"PK\x01\x02", at + 4)
    path.write_bytes(data)
    return path


def tar_of(path, names, tar_format=tarfile.GNU_FORMAT):
    with tarfile.open(path, "w", format=tar_format, encoding="latin-1") as archive:
        for name in names:
            info = tarfile.TarInfo(name.decode("latin-1"))
            info.size = len(JPEG_LIKE)
            archive.addfile(info, io.BytesIO(JPEG_LIKE))
    return path


def keys(path, encoding=None):
    return [entry.key for entry in members(list_sources(plan_sources([path], encoding=encoding)))]


TEXT = "日本/ä.png"


@pytest.mark.parametrize("host", [0, 3, 19])
@pytest.mark.parametrize("flag", [0, 0x800])
def test_utf8_in_a_zip_needs_no_flag(tmp_path, host, flag):
    assert keys(zip_of(tmp_path / "a.zip", [TEXT.encode()], flag, host)) == [TEXT]


def test_what_is_no_utf8_in_a_zip_is_code_page_437(tmp_path):
    assert keys(zip_of(tmp_path / "a.zip", ["größe.jpg".encode("cp437")], host=0)) == ["größe.jpg"]


@pytest.mark.parametrize("encoding", ["cp932", "gbk", "euc_jp", "big5", "cp949"])
def test_another_encoding_is_an_option(tmp_path, encoding):
    name = "日本/花.png" if encoding != "cp949" else "한국/꽃.png"
    for make in (zip_of, tar_of):
        archive = make(tmp_path / make.__name__, [name.encode(encoding), b"plain/a.png"])
        assert keys(archive, encoding) == [name, "plain/a.png"]


def test_the_option_leaves_alone_what_says_its_encoding(tmp_path):
    assert keys(zip_of(tmp_path / "a.zip", [TEXT.encode()], flag=0x800), "gbk") == [TEXT]
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo(TEXT))
    assert keys(tmp_path / "a.tar", "gbk") == [TEXT]


def test_what_is_in_neither_encoding_is_escaped():
    assert key_of_bytes(b"a\xff.png", "p/", "gbk") == "p/a\\xff.png"
    assert key_of_bytes("ä.png".encode(), "", "ascii") == "ä.png"


def test_backslashes_between_folders_of_windows_are_slashes(tmp_path):
    names = [rb"a\b.jpg", "ü\\c.jpg".encode(), b"folder\\"]
    assert keys(zip_of(tmp_path / "a.zip", names, host=0)) == ["a/b.jpg", "ü/c.jpg"]
    assert keys(zip_of(tmp_path / "b.zip", names[:1], host=3)) == [r"a\b.jpg"]
    assert keys(zip_of(tmp_path / "c.zip", [rb"a/b\c.jpg"], host=0)) == [r"a/b\c.jpg"]
    # The second byte of this letter is a backslash.
    assert keys(zip_of(tmp_path / "d.zip", ["ソ\\表.jpg".encode("cp932")], host=0), "cp932") == ["ソ/表.jpg"]


@pytest.mark.parametrize(
    ("given", "name"),
    [("CP932", "cp932"), ("ms_kanji", "cp932"), ("utf8", "utf-8"), ("latin-1", "iso8859-1")],
)
def test_an_encoding_has_one_name(given, name):
    assert checked_encoding(given) == name


@pytest.mark.parametrize(
    "given", ["", "cp9999", "base64", "utf-16", "idna", "unicode_escape", "cp037", "a\0b", "é"]
)
def test_what_is_no_encoding_of_names_is_refused(given):
    with pytest.raises(UsageError, match="no encoding of names: give one that Python knows, such as cp932"):
        checked_encoding(given)
