"""Links, and names that occur twice: what an archive is once all of it is unpacked."""

import gzip
import os
import shutil
import subprocess
import tarfile
import time
import tracemalloc

import pytest

from brinery.errors import ArchiveError
from brinery.parser.archives.linking import REPLACED
from brinery.parser.archives.listing import list_archives
from brinery.parser.archives.members import NotImage
from brinery.parser.archives.reading import MemberReader
from brinery.parser.options import ReadBudget

from ..samples import JPEG_LIKE, members, not_images, unreadable
from .tars import END, entry_of, tar

ONE, TWO = JPEG_LIKE + b"one", JPEG_LIKE + b"two"
PACK = {"plain": bytes, "gz": gzip.compress}


def file(name, data=ONE):
    return entry_of(tarfile.REGTYPE, name, data)


def hard(name, target):
    return entry_of(tarfile.LNKTYPE, name, b"", target)


def soft(name, target):
    return entry_of(tarfile.SYMTYPE, name, b"", target)


@pytest.fixture(params=PACK)
def listing(request, tmp_path):
    """Lists a tar of these entries, plain and compressed."""

    def listing(*entries, budget=ReadBudget()):  # noqa: B008 - frozen
        (tmp_path / "a.tar").write_bytes(PACK[request.param](b"".join(entries) + END))
        return list(list_archives([tmp_path / "a.tar"], budget))

    return listing


def bytes_of(entries):
    """The bytes of all members by their keys, each key once."""
    with MemberReader() as reader:
        found = [(member.key, reader.read(member)) for member in members(entries)]
    assert len(dict(found)) == len(found)
    return dict(found)


def reasons(entries):
    return {entry.key: entry.message for entry in unreadable(entries)}


def test_a_hard_link_is_what_an_earlier_entry_brought(listing):
    entries = listing(
        file("d/a.jpg"), hard("b.jpg", "d/a.jpg"), hard("c.jpg", "b.jpg"), hard("./e.jpg", "/d/./a.jpg")
    )
    assert bytes_of(entries) == dict.fromkeys(["d/a.jpg", "b.jpg", "c.jpg", "e.jpg"], ONE)
    assert [entry.key for entry in entries] == ["d/a.jpg", "b.jpg", "c.jpg", "e.jpg"]


def test_a_link_is_as_old_as_what_it_leads_to(listing):
    info = tarfile.TarInfo("a.jpg")
    info.mtime, info.size = 1_234_567_890, len(ONE)
    entries = listing(tar([(info, ONE)])[:1024], hard("b.jpg", "a.jpg"), soft("c.jpg", "a.jpg"))
    assert {entry.mtime_ns for entry in entries} == {1_234_567_890_000_000_000}


def test_a_hard_link_with_bytes_of_its_own_has_those(listing):
    own = entry_of(tarfile.LNKTYPE, "b.jpg", TWO, "a.jpg")
    assert bytes_of(listing(file("a.jpg"), own, file("c.jpg"))) == {"a.jpg": ONE, "b.jpg": TWO, "c.jpg": ONE}


def test_a_hard_link_that_tells_the_size_of_its_file_has_none(listing):
    told = entry_of(tarfile.LNKTYPE, "b.jpg", b"", "a.jpg", size=len(ONE))
    for behind in ([], [file("c.jpg")]):
        entries = listing(file("a.jpg"), told, *behind)
        assert bytes_of(entries) == dict.fromkeys(["a.jpg", "b.jpg", "c.jpg"][: 2 + len(behind)], ONE)


@pytest.mark.parametrize("name", ["b.jpg", "b"])
def test_a_hard_link_to_what_comes_later_or_never_is_a_failure_as_tar_has_it(listing, name):
    entries = listing(hard(name, "a.jpg"), file("a.jpg"), hard("c", "gone.txt"))
    assert reasons(entries) == {name: "a hard link to a.jpg, which the archive does not hold before it"}
    assert not_images(entries) == {"c": "a hard link to gone.txt, which the archive does not hold before it"}
    assert bytes_of(entries) == {"a.jpg": ONE}


def test_a_hard_link_keeps_what_it_led_to(listing):
    """Its file is another one from the moment on that the name is given to a later entry."""
    entries = listing(file("a.jpg", ONE), hard("b.jpg", "a.jpg"), file("a.jpg", TWO), hard("c.jpg", "a.jpg"))
    assert bytes_of(entries) == {"a.jpg": TWO, "b.jpg": ONE, "c.jpg": TWO}
    assert not_images(entries) == {"a.jpg": REPLACED}


def test_a_symbolic_link_leads_on_from_its_own_folder_at_the_end(listing):
    entries = listing(
        soft("d/b.jpg", "../a.jpg"),
        soft("d/c.jpg", "./b.jpg"),
        soft("e.jpg", "d/../d/c.jpg"),
        file("a.jpg", ONE),
        file("a.jpg", TWO),
    )
    assert bytes_of(entries) == dict.fromkeys(["a.jpg", "d/b.jpg", "d/c.jpg", "e.jpg"], TWO)


def test_a_link_to_a_folder_holds_what_the_folder_holds(listing):
    entries = listing(
        file("v2/a.jpg"),
        file("v2/deep/b.jpg", TWO),
        file("v2-not/c.jpg"),
        soft("v2/deep/again.jpg", "../a.jpg"),
        soft("latest", "v2"),
        soft("x/y", "../latest/deep/"),
    )
    assert bytes_of(entries) == {
        "v2/a.jpg": ONE,
        "v2/deep/b.jpg": TWO,
        "v2-not/c.jpg": ONE,
        "v2/deep/again.jpg": ONE,
        "latest/a.jpg": ONE,
        "latest/deep/b.jpg": TWO,
        "latest/deep/again.jpg": ONE,
        "x/y/b.jpg": TWO,
        "x/y/again.jpg": ONE,
    }


def test_a_way_through_a_link_to_a_folder(listing):
    entries = listing(file("v2/a.jpg"), soft("latest", "v2"), soft("b.jpg", "latest/a.jpg"))
    assert bytes_of(entries) == dict.fromkeys(["v2/a.jpg", "latest/a.jpg", "b.jpg"], ONE)


def test_links_that_lead_to_nothing_are_said(listing):
    entries = listing(
        file("a.jpg"),
        soft("up.jpg", "../a.jpg"),
        soft("root.jpg", "/etc/a.jpg"),
        soft("gone.jpg", "b.jpg"),
        soft("one.jpg", "two.jpg"),
        soft("two.jpg", "one.jpg"),
        soft("lib.so", "lib.so.1"),
        soft("host", "/etc"),
        soft("here", "."),
        soft("d/above", ".."),
        entry_of(tarfile.FIFOTYPE, "pipe", b""),
        soft("to-pipe", "pipe"),
        hard("at-pipe", "pipe"),
    )
    assert reasons(entries) == {
        "up.jpg": "a symbolic link to ../a.jpg, which lies outside of the archive",
        "root.jpg": "a symbolic link to /etc/a.jpg, which lies outside of the archive",
        "gone.jpg": "a symbolic link to b.jpg, which is not in the archive",
        "one.jpg": "a symbolic link to two.jpg, which leads round in circles",
        "two.jpg": "a symbolic link to one.jpg, which leads round in circles",
    }
    assert not_images(entries) == {
        "lib.so": "a symbolic link to lib.so.1, which is not in the archive",
        "host": "a symbolic link to /etc, which lies outside of the archive",
        "here": "link to a folder that it lies in: its images are read under their own names",
        "d/above": "link to a folder that it lies in: its images are read under their own names",
        "pipe": "named pipe",
        "to-pipe": "a symbolic link to pipe, which is no file",
        "at-pipe": "a hard link to pipe, which is no file",
    }
    assert bytes_of(entries) == {"a.jpg": ONE}


def test_folders_that_lead_into_each_other_end(listing):
    entries = listing(file("a/1.jpg"), file("b/2.jpg", TWO), soft("a/to-b", "../b"), soft("b/to-a", "../a"))
    assert bytes_of(entries) == {"a/1.jpg": ONE, "b/2.jpg": TWO, "a/to-b/2.jpg": TWO, "b/to-a/1.jpg": ONE}


def test_of_two_entries_of_one_name_the_last_one_counts_whatever_they_are(listing):
    pipe = entry_of(tarfile.FIFOTYPE, "c.jpg", b"")
    older = [file("a.jpg", ONE), file("b.jpg", TWO), pipe, soft("d.jpg", "b.jpg")]
    newer = [file("c.jpg", ONE), file("d.jpg", ONE), file("a.jpg", TWO), hard("b.jpg", "a.jpg")]
    entries = listing(*older, *newer, hard("b.jpg", "c.jpg"))
    assert bytes_of(entries) == {"a.jpg": TWO, "b.jpg": ONE, "c.jpg": ONE, "d.jpg": ONE}
    replaced = [entry.key for entry in entries if isinstance(entry, NotImage) and entry.reason == REPLACED]
    assert replaced == ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "b.jpg"]
    assert reasons(entries) == {}


def test_a_link_that_cannot_be_made_replaces_nothing(listing):
    entries = listing(file("a.jpg"), hard("a.jpg", "gone.jpg"))
    assert bytes_of(entries) == {"a.jpg": ONE}
    assert list(reasons(entries)) == ["a.jpg"]


def test_links_may_not_stand_for_more_than_the_budget(listing):
    large = JPEG_LIKE + os.urandom(1 << 20)
    links = [hard(f"{number}.jpg", "a.jpg") for number in range(9)]
    entries = listing(file("a.jpg", large), *links, budget=ReadBudget(max_ratio=3.5))
    assert len(members(entries)) in {4, 5}
    says = "links stand for more bytes than the budget of the archive allows"
    assert set(reasons(entries).values()) == {says}


def test_folders_that_double_with_every_level_end_soon(listing):
    levels = [file("0/a.jpg")]
    for level in range(1, 40):
        levels += [soft(f"{level}/x", f"../{level - 1}"), soft(f"{level}/y", f"../{level - 1}")]
    began = time.process_time()
    entries = listing(*levels)
    assert time.process_time() - began < 5
    assert 1000 < len(members(entries)) < 20_000
    assert "links lead into folders in too many ways: not all of it is read" in reasons(entries).values()


def test_ways_through_very_many_folders_end_soon(listing):
    """Forty links, each through thousands of folders, and a thousand links through all of those."""
    chain = [soft(f"l{number}", "d/../" * 15 + f"l{number + 1}") for number in range(39)]
    began = time.process_time()
    entries = listing(*chain, *(soft(f"{number}.jpg", "l0") for number in range(1000)), file("l39"))
    assert time.process_time() - began < 5
    assert len(members(entries)) + len(reasons(entries)) >= 1000


def test_what_is_remembered_of_names_is_no_memory(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.GNU_FORMAT) as archive:
        for number in range(3000):
            info = tarfile.TarInfo(f"{'folder/' * 9}{number}.jpg")
            archive.addfile(info)
            info.name, info.type, info.linkname = f"{number}.jpg", tarfile.LNKTYPE, info.name
            archive.addfile(info)
    tracemalloc.start()
    count = sum(1 for _ in list_archives([tmp_path / "a.tar"]))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 6000
    assert most < 1 << 20


def test_what_the_tar_command_makes_of_links(tmp_path):
    if shutil.which("tar") is None:
        pytest.skip("no tar command")
    folder = tmp_path / "in"
    (folder / "d").mkdir(parents=True)
    (folder / "d" / "a.jpg").write_bytes(ONE)
    (folder / "b.jpg").hardlink_to(folder / "d" / "a.jpg")
    (folder / "c.jpg").symlink_to("d/a.jpg")
    long = "n" * 120 + ".jpg"
    (folder / long).hardlink_to(folder / "b.jpg")
    names = ["d/a.jpg", "b.jpg", "c.jpg", long]
    for kind in ("gnu", "posix", "oldgnu"):
        for options in ([], ["-h"], ["-z"], ["-J", "-h"]):
            made = tmp_path / "made.tar"
            subprocess.run(["tar", *options, f"--format={kind}", "-cf", made, "-C", folder, "."], check=True)
            assert bytes_of(list(list_archives([made]))) == dict.fromkeys(names, ONE)
    subprocess.run(["tar", "-cf", made, "-C", folder, "."], check=True)
    (folder / "d" / "a.jpg").unlink()
    (folder / "d" / "a.jpg").write_bytes(TWO)
    subprocess.run(["tar", "-rf", made, "-C", folder, "./d/a.jpg"], check=True)
    found = bytes_of(list(list_archives([made])))
    assert (found["d/a.jpg"], found["c.jpg"]) == (TWO, TWO)
    shutil.rmtree(folder)
    folder.mkdir()
    subprocess.run(["tar", "-xf", made, "-C", folder], check=True)
    assert found == {name: (folder / name).read_bytes() for name in names}


@pytest.mark.parametrize("pack", PACK.values(), ids=PACK)
def test_an_archive_that_changes_while_it_is_listed_is_said(tmp_path, pack):
    (tmp_path / "a.tar").write_bytes(pack(file("a.jpg") + hard("b.jpg", "a.jpg") + END))
    entries = list_archives([tmp_path / "a.tar"])
    assert next(entries).key == "a.jpg"
    os.utime(tmp_path / "a.tar", (1, 1))
    with pytest.raises(ArchiveError, match=r"a\.tar was changed while it was being read"):
        list(entries)
