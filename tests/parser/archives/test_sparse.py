"""Files whose holes a tar does not store come back with them."""

import shutil
import subprocess

import pytest

from brinery.errors import ReadError
from brinery.parser.archives.listing import list_archives
from brinery.parser.archives.reading import MemberReader
from brinery.parser.options import ReadBudget

from ..samples import JPEG_LIKE, contents, listed, members, unreadable
from .tars import END, entry_of, pax_header, tar

FORMATS = {
    "old": ["--format=gnu"],
    "0.0": ["--format=posix", "--sparse-version=0.0"],
    "0.1": ["--format=posix", "--sparse-version=0.1"],
    "1.0": ["--format=posix", "--sparse-version=1.0"],
}


@pytest.fixture
def write(tmp_path):
    def write(data, name="a.tar"):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return write


@pytest.fixture
def holes(tmp_path):
    """A file of 40 pieces, more than a block of the old format holds; at its end is a hole."""
    path = tmp_path / "in" / "deep" / "holes.jpg"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        for at in range(40):
            file.seek(at << 17)
            file.write(JPEG_LIKE * 300)
        file.truncate(6 << 20)
    (tmp_path / "in" / "z.jpg").write_bytes(JPEG_LIKE)
    return tmp_path / "in", {"deep/holes.jpg": path.read_bytes(), "z.jpg": JPEG_LIKE}


@pytest.mark.parametrize("compress", [[], ["--gzip"], ["--xz"]], ids=["plain", "gz", "xz"])
@pytest.mark.parametrize("kind", FORMATS)
def test_what_the_tar_command_stores_without_holes(tmp_path, holes, kind, compress):
    if shutil.which("tar") is None:
        pytest.skip("no tar command")
    folder, files = holes
    made = tmp_path / "made.tar"
    options = [*FORMATS[kind], *compress, "--sparse", "--sort=name"]
    subprocess.run(["tar", *options, "-cf", made, "-C", folder, "."], check=True)
    assert contents(made) == files
    if not compress:
        assert made.stat().st_size < len(files["deep/holes.jpg"]) / 5


def pax_sparse(records, data, name="GNUSparseFile.1/a.jpg"):
    """An entry in one of pax's sparse formats."""
    text = "".join(f"{keyword}={value}\n" for keyword, value in records)
    lines = [f" {line}\n" for line in text.splitlines()]
    counted = "".join(f"{len(line) + (2 if len(line) < 98 else 3)}{line}" for line in lines)
    return pax_header(b"x", counted.encode()) + entry_of(b"0", name, data)


GOOD = [("GNU.sparse.name", "a.jpg"), ("GNU.sparse.size", 4096), ("GNU.sparse.map", "0,1000,2000,24")]


def test_a_map_in_records(write):
    data = JPEG_LIKE[:24].ljust(1000, b"!") + b"?" * 24
    whole = contents(write(pax_sparse(GOOD, data) + END))
    assert whole == {"a.jpg": data[:1000] + bytes(1000) + b"?" * 24 + bytes(2072)}


@pytest.mark.parametrize(
    ("map_", "says"),
    [
        ("0,1000,500,24", "pieces that overlap"),
        ("0,1000,2000,23", "another size"),
        ("0,1000,4090,24", "another size"),
        ("0,1000,x,24", "no number"),
        ("0,1000,2000", "a piece without a size"),
    ],
)
def test_a_map_that_makes_no_sense_costs_its_member(write, map_, says):
    entry = pax_sparse([*GOOD[:2], ("GNU.sparse.map", map_)], bytes(1024))
    refused, read = listed(write(entry + tar([("b.jpg", JPEG_LIKE)])))
    assert (refused.key, refused.error, says in refused.message) == ("a.jpg", "TarError", True)
    assert read.key == "b.jpg"


def test_a_sparse_file_is_no_bomb(write):
    records = [("GNU.sparse.name", "a.jpg"), ("GNU.sparse.size", 1 << 29), ("GNU.sparse.map", "0,24")]
    (refused,) = listed(write(pax_sparse(records, JPEG_LIKE[:24]) + END))
    assert refused.message.startswith("a sparse file that expands from 24 to 536,870,912 bytes")
    records[1] = ("GNU.sparse.size", 1 << 40)
    (large,) = listed(write(pax_sparse(records, JPEG_LIKE[:24]) + END))
    assert len(large.data) == 512


def test_a_sparse_file_that_is_no_image_is_not_read(write):
    records = [("GNU.sparse.name", "disk.raw"), ("GNU.sparse.size", 1 << 19), ("GNU.sparse.map", "4096,24")]
    (entry,) = listed(write(pax_sparse(records, b"no image".ljust(24)) + END))
    assert (entry.key, entry.size, entry.data) == ("disk.raw", 1 << 19, bytes(512))


def test_a_sparse_file_whose_end_is_missing(write):
    entry = pax_sparse(GOOD, JPEG_LIKE[:24].ljust(1024))
    (cut, *_) = unreadable(listed(write(entry[:-600])))
    assert cut.message == "truncated: a sparse file whose end is missing"


def test_a_map_before_the_bytes_that_does_not_end(write):
    records = [("GNU.sparse.major", 1), ("GNU.sparse.minor", 0), *GOOD[:1], ("GNU.sparse.realsize", 4096)]
    entry = pax_sparse(records, b"5\n0\n10\n".ljust(512, b"\0"))
    (refused,) = listed(write(entry + END))
    assert "damaged map" in refused.message


def test_budgets_are_those_of_other_members(write):
    data = JPEG_LIKE[:24].ljust(1024, b"!")
    budget = ReadBudget(max_bytes=2000)
    (entry,) = members(list(list_archives([write(pax_sparse(GOOD, data) + END)], budget)))
    with MemberReader(budget) as reader, pytest.raises(ReadError, match="the budget of one image"):
        reader.read(entry)
