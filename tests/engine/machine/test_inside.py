"""What lies inside a folder is opened without following a link, and closed when nobody holds it."""

import gc
import os

import pytest

from brinery.engine.machine.inside import Folder

from ...images import make_folder


@pytest.fixture
def path(tmp_path):
    return make_folder(tmp_path / "folder", {"a.txt": b"one", "b/c/d.txt": b"two"})


def read(folder, folders, name):
    with os.fdopen(folder.open(folders, name), "rb") as file:
        return file.read()


def descriptors():
    return set(os.listdir("/proc/self/fd"))


def test_files_are_found_at_any_depth(path):
    folder = Folder(path)
    for _ in range(2):
        assert read(folder, (), "a.txt") == b"one"
        assert read(folder, ("b", "c"), "d.txt") == b"two"
    assert folder.holds(("b", "c"), "d.txt")
    assert not folder.holds((), "b")
    assert not folder.holds(("b", "x"), "d.txt")


@pytest.mark.parametrize("place", ["b", "b/c", "b/c/d.txt"])
def test_a_link_is_named(path, tmp_path, place):
    (path / place).rename(tmp_path / "elsewhere")
    (path / place).symlink_to(tmp_path / "elsewhere")
    folder = Folder(path)
    with pytest.raises(OSError, match=f"{(path / place).name} is a link"):
        folder.open(("b", "c"), "d.txt")
    assert not folder.holds(("b", "c"), "d.txt")
    folder.remove(("b", "c"), "d.txt")  # the link itself, if anything
    assert sum(file.is_file() for file in tmp_path.rglob("*")) >= 2


def test_folders_are_made_and_their_parents_told(path):
    folder, made = Folder(path), {}
    folder.below(("b", "new", "newer"), made)
    assert list(made) == [("b",), ("b", "new")]
    assert (path / "b" / "new" / "newer").is_dir()
    for folders in made:
        folder.flush(folders)
    folder.flush(())


def test_only_files_are_removed(path):
    folder = Folder(path)
    for folders, name in (((), "a.txt"), ((), "a.txt"), ((), "b"), (("x",), "y"), (("b", "c", "d.txt"), "e")):
        folder.remove(folders, name)
    assert sorted(os.listdir(path)) == ["b"]


def test_it_is_closed_with_the_last_reference(path):
    before = descriptors()
    gc.disable()
    try:
        folder = Folder(path)
        folder.flush(())
        folder.below(("b", "c"))
        assert len(descriptors() - before) == 2
        del folder
        assert descriptors() == before
    finally:
        gc.enable()


def test_it_stays_the_same_folder(path, tmp_path):
    folder = Folder(path)
    path.rename(tmp_path / "renamed")
    make_folder(path, {"a.txt": b"another"})
    assert read(folder, (), "a.txt") == b"one"
