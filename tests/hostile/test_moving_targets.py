"""Sources that change while they are converted give what they were, or say that they changed."""

import os
import shutil
import sqlite3
import time

import numpy as np
import pytest

import brinery
from brinery.engine.converting import run
from brinery.errors import ArchiveError

from ..engine.test_convert import assert_holds
from ..images import as_pillow, images, jpeg, make_folder, make_tar, make_zip

SMALL = {"workers": 1, "backend": "threading", "fsync": False, "shard_size": "16KiB"}
LARGE = SMALL | {"shard_size": "4MiB"}  # one unit


@pytest.fixture
def meanwhile(monkeypatch):
    """Have something done when the first units are recorded, while others are still to be read."""

    def arrange(action):
        record, done = run.Run._record, []

        def recording(self, result):
            if not done:
                done.append(True)
                action()
            record(self, result)

        monkeypatch.setattr(run.Run, "_record", recording)

    return arrange


@pytest.fixture
def once_listed(monkeypatch):
    """Have something done when everything is listed and the last unit not yet read."""

    def arrange(action):
        list_all = run.list_named

        def listing(*arguments, **options):
            yield from list_all(*arguments, **options)
            action()

        monkeypatch.setattr(run, "list_named", listing)

    return arrange


def failures(dataset):
    with sqlite3.connect(dataset / "manifest.sqlite") as db:
        return dict(db.execute("SELECT key, message FROM failures"))


def test_files_that_vanish_grow_or_become_something_else(tmp_path, once_listed, monkeypatch):
    files = images(40)
    folder = make_folder(tmp_path / "in", files)
    gone, grown, pipe = (sorted(files)[index] for index in (-1, -3, -5))

    def change():
        (folder / gone).unlink()
        (folder / grown).write_bytes(files[grown] + b"more")
        (folder / pipe).unlink()
        os.mkfifo(folder / pipe)

    once_listed(change)
    result = brinery.convert(folder, tmp_path / "out", **LARGE)
    monkeypatch.undo()
    assert (result.samples, result.exit_code) == (37, 3)
    said = failures(tmp_path / "out")
    assert said.keys() == {gone, grown, pipe}
    assert said[gone] == "cannot be read: No such file or directory"
    assert "changed while reading" in said[grown]
    assert "no regular file any more" in said[pipe]
    (folder / pipe).unlink()
    assert brinery.convert(folder, tmp_path / "out", **LARGE).converted == 1  # the grown one


def test_a_folder_that_vanishes(tmp_path, meanwhile):
    files = images(40)
    folder = make_folder(tmp_path / "in", files)
    meanwhile(lambda: shutil.rmtree(folder, ignore_errors=True))
    result = brinery.convert(folder, tmp_path / "out", **SMALL)
    assert result.samples + result.failures >= 1
    make_folder(tmp_path / "in", files)
    assert brinery.convert(folder, tmp_path / "out", retry_failed=True, **SMALL).samples == 40
    assert_holds(tmp_path / "out", files)


@pytest.mark.parametrize("make", [make_tar, make_zip])
@pytest.mark.parametrize("how", ["replaced", "written over", "appended to"])
def test_an_archive_that_changes_never_gives_one_image_under_the_name_of_another(
    tmp_path, meanwhile, make, how
):
    # A tar has no checksums: read at the old offsets, the new archive would give other images.
    files = {f"{index:02}.jpg": jpeg(index) for index in range(40)}
    turned = dict(zip(files, reversed(files.values()), strict=True))
    archive = make(tmp_path / "in", files)
    other = make(tmp_path / "other", turned)

    def change():
        time.sleep(0.01)  # so that the time of change is another one
        if how == "replaced":
            other.replace(archive)
        elif how == "written over":
            archive.write_bytes(other.read_bytes())
        else:
            with archive.open("ab") as file:
                file.write(bytes(512))

    meanwhile(change)
    with pytest.raises(
        ArchiveError, match="in was changed while it was being read; what was committed stays"
    ):
        brinery.convert(archive, tmp_path / "out", **SMALL)
    with brinery.open(tmp_path / "out") as dataset:
        assert 0 < len(dataset) < 40
        for key in dataset.keys:
            np.testing.assert_array_equal(dataset[key], as_pillow(files[key]))
