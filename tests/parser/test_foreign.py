"""Archives that brinery does not read are named, with what unpacks them."""

import subprocess

import pytest

from brinery.parser.foreign import foreign_archive


@pytest.mark.parametrize(
    ("head", "name", "command"),
    [
        (b"7z\xbc\xaf\x27\x1c\0\4", "7z archive", "7z x"),
        (b"Rar!\x1a\x07\x01\0", "rar archive", "unrar x"),
        (b"070701" + b"0" * 100, "cpio archive", "cpio -id"),
        (b"!<arch>\ndebian-binary", "ar archive or Debian package", "ar x"),
        (b"\x21\x2b-lh5-\x10", "LHA archive", "lha x"),
        (b"\x5d\0\0\x80\0" + b"\xff" * 8 + b"\0", "LZMA data", "xz -d"),
        (b"\x1f\x9d\x90", "compress data", "gzip -d"),
    ],
)
def test_a_foreign_archive_is_told_by_its_first_bytes(head, name, command):
    assert foreign_archive(head) == (name, command)


@pytest.mark.parametrize("tool", ["ar", "xz"])
def test_what_the_tool_itself_writes_is_told(tmp_path, tool):
    (tmp_path / "a").write_bytes(bytes(300))
    command = {"ar": ["ar", "rc", "out", "a"], "xz": ["xz", "--format=lzma", "-k", "-S", ".out", "a"]}[tool]
    try:
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip(f"{tool} is not installed")
    (made,) = (path for path in tmp_path.iterdir() if path.name != "a")
    assert foreign_archive(made.read_bytes()[:512]).unpack.startswith(tool)


@pytest.mark.parametrize(
    "head",
    [b"", b"PK\3\4", b"\x1f\x8b\x08", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"\xff\xd8\xff\xe0", bytes(512)],
)
def test_what_is_read_or_no_archive_is_none_of_them(head):
    assert foreign_archive(head) is None
