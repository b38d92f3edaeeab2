"""Links in a folder stand for what they lead to: inside the tree, outside only where that is asked for."""

import os
import time

import pytest

from brinery.errors import ReadError
from brinery.parser.archives.folder import list_folder
from brinery.parser.archives.members import Member
from brinery.parser.archives.reading import MemberReader

from ..samples import JPEG_LIKE, contents, listed, members, not_images, unreadable


def image(number):
    return JPEG_LIKE + str(number).encode()


@pytest.fixture
def tree(tmp_path):
    """`source` with a folder of two images, and beside it a folder that holds one."""
    for name, number in (("source/cats/1.jpg", 1), ("source/cats/2.jpg", 2), ("beside/dogs/3.jpg", 3)):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image(number))
    return tmp_path / "source"


def followed(source):
    return list(list_folder(os.path.realpath(source), follow_links=True))


def reasons(entries):
    return {entry.key: entry.message for entry in unreadable(entries)}


def test_links_inside_the_tree_are_read_under_their_own_names(tree):
    (tree / "best.jpg").symlink_to("cats/2.jpg")
    (tree / "pets").symlink_to("cats")
    (tree / "absolute").symlink_to(tree / "cats" / "1.jpg")
    (tree / "twice.jpg").symlink_to("pets/1.jpg")
    assert contents(tree) == {
        "absolute": image(1),
        "best.jpg": image(2),
        "cats/1.jpg": image(1),
        "cats/2.jpg": image(2),
        "pets/1.jpg": image(1),
        "pets/2.jpg": image(2),
        "twice.jpg": image(1),
    }
    assert [entry.key for entry in listed(tree)] == sorted(contents(tree))


def test_links_out_of_the_tree_say_what_follows_them(tree):
    (tree / "dogs").symlink_to("../beside/dogs")
    (tree / "dog.jpg").symlink_to("../beside/dogs/3.jpg")
    (tree / "by way of").symlink_to("dogs/3.jpg")
    said = reasons(listed(tree))
    assert said.keys() == {"dogs", "dog.jpg", "by way of"}
    beside = os.path.realpath(tree.parent / "beside" / "dogs")
    assert said["dogs"] == f"a link that leads outside the source, to {beside}: add --follow-links"
    keys = [entry.key for entry in members(followed(tree))]
    assert keys == ["by way of", "cats/1.jpg", "cats/2.jpg", "dog.jpg", "dogs/3.jpg"]


def test_a_tree_beside_that_begins_with_the_same_name_is_outside(tree):
    (tree.parent / "source2").mkdir()
    (tree.parent / "source2" / "4.jpg").write_bytes(image(4))
    (tree / "more").symlink_to("../source2")
    assert reasons(listed(tree)).keys() == {"more"}


def test_the_source_itself_may_be_a_link(tree):
    (tree / "pets").symlink_to("cats")
    (tree.parent / "current").symlink_to("source")
    assert contents(tree.parent / "current") == contents(tree)


def test_links_to_nothing_are_failures_where_they_are_named_like_images(tree):
    (tree / "gone.jpg").symlink_to("cats/9.jpg")
    (tree / "gone").symlink_to("cats/9")
    (tree / "round.png").symlink_to("round.png")
    (tree / "below.jpg").symlink_to("cats/1.jpg/x")
    entries = listed(tree)
    assert reasons(entries) == {
        "gone.jpg": "a broken link: cats/9.jpg does not exist",
        "round.png": "a broken link: round.png leads round in circles",
        "below.jpg": "a broken link: cats/1.jpg/x does not exist",
    }
    assert not_images(entries) == {"gone": "a broken link: cats/9 does not exist"}


def test_no_folder_is_listed_inside_itself(tree):
    (tree / "cats" / "up").symlink_to("..")
    (tree / "self").symlink_to(".")
    (tree / "zoo").mkdir()
    (tree / "zoo" / "cats").symlink_to("../cats")
    entries = listed(tree)
    assert [entry.key for entry in members(entries)] == [
        "cats/1.jpg",
        "cats/2.jpg",
        "zoo/cats/1.jpg",
        "zoo/cats/2.jpg",
    ]
    assert not_images(entries).keys() == {"cats/up", "self", "zoo/cats/up"}
    assert unreadable(entries) == []


def test_a_link_to_a_folder_above_the_source_does_not_list_the_source_again(tree):
    (tree / "all").symlink_to("..")
    entries = followed(tree)
    assert [entry.key for entry in members(entries)] == ["all/beside/dogs/3.jpg", "cats/1.jpg", "cats/2.jpg"]
    assert not_images(entries).keys() == {"all/source"}


def test_links_that_double_with_every_level_are_bounded(tmp_path):
    for level in range(30):
        folder = tmp_path / f"{level:02}"
        folder.mkdir()
        for name in "ab":
            (folder / name).symlink_to(f"../{level + 1:02}")
    (tmp_path / "30").mkdir()
    (tmp_path / "30" / "a.jpg").write_bytes(JPEG_LIKE)
    entries = listed(tmp_path)
    assert "30/a.jpg" in [entry.key for entry in members(entries)]
    assert len(entries) < 5000
    assert {entry.message for entry in unreadable(entries)} == {
        "links lead to its folder in more than 64 ways: it is not read in one more"
    }


def test_many_links_to_one_folder_are_all_read(tree):
    for number in range(100):
        (tree / f"{number:03}").symlink_to("cats")
    assert len(contents(tree)) == 202


@pytest.mark.parametrize("link", ["best.jpg", "pets"])
def test_what_is_swapped_behind_a_link_is_not_read(tree, link):
    (tree / "best.jpg").symlink_to("cats/1.jpg")
    (tree / "pets").symlink_to("cats")
    (member,) = [
        one for one in members(listed(tree)) if one.key in {"best.jpg", "pets/1.jpg"} and link in one.key
    ]
    (tree / "cats").rename(tree / "old")
    (tree / "cats").symlink_to("../beside/dogs")
    (tree.parent / "beside" / "dogs" / "1.jpg").write_bytes(image(1))
    with (
        MemberReader() as reader,
        pytest.raises(ReadError, match="its link led to another file when it was listed"),
    ):
        reader.read(member)


def test_links_in_a_folder_with_names_that_are_no_unicode(tree):
    (tree / os.fsdecode(b"\xff")).symlink_to("cats")
    assert sorted(contents(tree)) == ["\\xff/1.jpg", "\\xff/2.jpg", "cats/1.jpg", "cats/2.jpg"]


def test_members_are_doubted_where_their_file_or_link_is_newer(tree):
    (tree / "pets").symlink_to("cats")
    (tree / "best.jpg").symlink_to("cats/1.jpg")

    def doubted(since):
        return [entry.key for entry in list_folder(os.path.realpath(tree), doubt_from=since) if entry.doubted]

    assert len(doubted(0)) == 5
    time.sleep(0.03)  # the clock of file systems ticks every 10 ms or less
    (tree / "cats" / "2.jpg").chmod(0o600)
    changed = (tree / "cats" / "2.jpg").stat().st_ctime_ns
    assert doubted(changed) == ["cats/2.jpg", "pets/2.jpg"]
    time.sleep(0.03)
    (tree / "pets").unlink()
    (tree / "pets").symlink_to("cats")
    newest = (tree / "pets").lstat().st_ctime_ns
    assert doubted(newest) == ["pets/1.jpg", "pets/2.jpg"]
    assert doubted(newest + 1) == []


def test_a_member_behind_a_link_names_its_file(tree):
    (tree / "best.jpg").symlink_to("cats/1.jpg")
    status = (tree / "cats" / "1.jpg").stat()
    (best,) = [entry for entry in listed(tree) if entry.key == "best.jpg"]
    size = len(image(1))
    assert best == Member(
        "best.jpg",
        os.path.realpath(tree / "cats" / "1.jpg"),
        0,
        size,
        size,
        status.st_mtime_ns,
        identity=(status.st_dev, status.st_ino),
    )
