"""A dataset whose folders or files are links has nothing outside of it written or deleted."""

import os
import shutil
import sqlite3

import pytest

import brinery
from brinery.errors import BrineryError, StorageError

from ..images import encoded, make_folder, make_tar, pixels

FILES = {name: encoded(pixels(seed, (6, 7, 3)), "PNG") for seed, name in enumerate(("a.png", "sub/b.png"))}
OPTIONS = {"workers": 1, "backend": "threading", "fsync": False}
MINE = {
    "000000.npy": b"my shard",
    "b.png.npy": b"my pixels",
    "manifest.sqlite": b"my list",
    "0/1": b"my number",
}


@pytest.fixture
def victim(tmp_path):
    """A folder outside of the dataset, whose files bear the names that a convert gives."""
    folder = make_folder(tmp_path / "victim", MINE)
    yield folder
    left = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert left == MINE


@pytest.fixture
def made(tmp_path, layout):
    """An archive and its dataset."""
    archive = make_tar(tmp_path / "in.tar", FILES)
    brinery.convert(archive, tmp_path / "out", layout=layout, **OPTIONS)
    return archive, tmp_path / "out"


def lead_away(path, target):
    """Put a link in a path's place; what was there is gone."""
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


@pytest.mark.parametrize("option", [{}, {"repair": True}, {"prune": True}])
@pytest.mark.parametrize(
    ("layout", "name", "target"),
    [
        ("shards", "shards", "."),
        ("mirror", "files", "."),
        ("shards", "manifest.sqlite", "manifest.sqlite"),
        ("shards", "manifest.sqlite", "new.sqlite"),
        ("shards", "manifest.sqlite-journal", "manifest.sqlite"),
        ("shards", "manifest.sqlite-journal", "new.sqlite"),
    ],
)
def test_converting_into_links_is_refused(made, victim, layout, name, target, option):
    archive, out = made
    lead_away(out / name, victim / target)
    with pytest.raises(BrineryError, match=r"is a link|not empty and no brinery dataset"):
        brinery.convert(archive, out, layout=layout, **OPTIONS, **option)
    assert (out / name).is_symlink()


@pytest.mark.parametrize(
    ("layout", "name"), [("shards", "shards"), ("mirror", "files"), ("shards", "manifest.sqlite-wal")]
)
def test_overwriting_replaces_links_themselves(made, victim, layout, name):
    archive, out = made
    lead_away(out / name, victim)
    assert brinery.convert(archive, out, layout=layout, overwrite=True, **OPTIONS).samples == 2
    assert not (out / name).is_symlink()
    assert brinery.verify(out, workers=1).exit_code == 0


@pytest.mark.parametrize("layout", ["shards", "mirror"])
@pytest.mark.parametrize(
    "name", [".partial", ".partial/claims", ".partial/000001.npy", ".partial/000001-0.npy"]
)
def test_a_link_among_unfinished_files_is_removed(made, victim, layout, name):
    archive, out = made
    (out / name).parent.mkdir(exist_ok=True)
    (out / name).symlink_to(victim / "000000.npy" if name.endswith("npy") else victim)
    make_tar(archive, FILES | {"new.png": FILES["a.png"]})
    assert brinery.convert(archive, out, layout=layout, **OPTIONS).samples == 3
    assert brinery.verify(out, workers=1).exit_code == 0
    assert not os.path.lexists(out / ".partial")


@pytest.mark.parametrize("layout", ["shards"])
def test_a_shard_that_is_a_link_is_made_anew(made, victim):
    archive, out = made
    lead_away(out / "shards" / "000000.npy", victim / "000000.npy")
    assert brinery.convert(archive, out, **OPTIONS).converted == 2
    assert not (out / "shards" / "000000.npy").is_symlink()


@pytest.mark.parametrize("layout", ["mirror"])
class TestFoldersBelow:
    """A link in place of a folder below `files`."""

    @pytest.fixture
    def led_away(self, made, victim):
        archive, out = made
        lead_away(out / "files" / "sub", victim)
        return archive, out

    @pytest.mark.parametrize("option", [{}, {"repair": True}])
    def test_what_would_be_written_there_is_a_failure(self, led_away, option):
        archive, out = led_away
        result = brinery.convert(archive, out, layout="mirror", **OPTIONS, **option)
        assert (result.samples, result.failures) == (1, 1)
        with sqlite3.connect(out / "manifest.sqlite") as db:
            ((key, message),) = db.execute("SELECT key, message FROM failures").fetchall()
        assert key == "sub/b.png"
        assert "sub is a link" in message

    def test_what_is_dropped_is_not_deleted_there(self, led_away, tmp_path):
        _, out = led_away
        archive = make_tar(tmp_path / "in.tar", {"a.png": FILES["a.png"]})
        assert brinery.convert(archive, out, layout="mirror", prune=True, **OPTIONS).pruned == 1

    def test_what_changed_is_not_written_there(self, led_away, tmp_path):
        _, out = led_away
        archive = make_tar(tmp_path / "in.tar", FILES | {"sub/b.png": encoded(pixels(9, (9, 9)), "PNG")})
        result = brinery.convert(archive, out, layout="mirror", **OPTIONS)
        assert (result.samples, result.failures) == (1, 1)

    def test_a_folder_in_a_files_place_costs_that_file(self, made):
        archive, out = made
        (out / "files" / "a.png.npy").unlink()
        (out / "files" / "a.png.npy").mkdir()
        result = brinery.convert(archive, out, layout="mirror", **OPTIONS)
        assert (result.samples, result.failures) == (1, 1)

    def test_put_right_it_is_done_again(self, led_away):
        archive, out = led_away
        brinery.convert(archive, out, layout="mirror", **OPTIONS)
        (out / "files" / "sub").unlink()
        result = brinery.convert(archive, out, layout="mirror", retry_failed=True, **OPTIONS)
        assert (result.samples, result.failures) == (2, 0)
        assert brinery.verify(out, workers=1).exit_code == 0


@pytest.mark.parametrize("layout", ["shards"])
def test_a_folder_in_a_shards_place_is_named(made):
    archive, out = made
    (out / "shards" / "000000.npy").unlink()
    (out / "shards" / "000000.npy").mkdir()
    with pytest.raises(StorageError, match=r"shards/000000\.npy: Is a directory"):
        brinery.convert(archive, out, **OPTIONS)


@pytest.mark.parametrize("layout", ["mirror"])
def test_a_path_longer_than_the_system_takes_is_a_failure(tmp_path, layout):
    long = "/".join(["d" * 200] * 21) + ".png"
    archive = make_tar(tmp_path / "in.tar", {long: FILES["a.png"], "a.png": FILES["a.png"]})
    result = brinery.convert(archive, tmp_path / "out", layout=layout, **OPTIONS)
    assert (result.samples, result.failures) == (1, 1)
    assert sorted(path.name for path in (tmp_path / "out" / "files").iterdir()) == ["a.png.npy"]
