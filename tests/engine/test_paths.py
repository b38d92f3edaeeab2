"""Relative paths mean what they meant when they were given, whichever folder becomes the current one."""

import os
import pickle
from multiprocessing import get_context

import numpy as np
import pytest

import brinery
from brinery.engine.paths import absolute
from brinery.errors import UsageError

from ..images import images, make_folder, make_tar

OPTIONS = {"workers": 2, "backend": "threading", "shard_size": "4KiB"}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A current folder with a dataset, an archive and a folder; and another one to go to."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    make_tar(tmp_path / "photos.tar", images(12))
    make_folder(tmp_path / "photos", images(12))
    brinery.convert("photos.tar", "set.brine", **OPTIONS)
    return tmp_path


@pytest.mark.parametrize("given", ["set.brine", "./set.brine/", "elsewhere/../set.brine"])
@pytest.mark.parametrize("via", ["payload", "protocol"])
def test_a_dataset_opened_by_a_relative_path_is_read_from_another_folder(here, given, via):
    with brinery.open(given, via=via) as dataset:
        packed = pickle.dumps(dataset)
        os.chdir("elsewhere")
        first = dataset[0]
        assert dataset.path.is_absolute()
        np.testing.assert_array_equal(first, pickle.loads(packed)[0])
        assert list(dataset.keys) == list(pickle.loads(packed).keys)


def first_of(packed):
    os.chdir("/")
    return np.array(pickle.loads(packed)[0])


def test_a_dataset_is_unpickled_in_a_process_of_another_folder(here):
    with brinery.open("set.brine") as dataset, get_context("spawn").Pool(1) as pool:
        np.testing.assert_array_equal(pool.apply(first_of, (pickle.dumps(dataset),)), dataset[0])


def test_a_forked_process_reads_from_another_folder(here):
    dataset = brinery.open("set.brine")
    child = os.fork()
    if not child:
        os.chdir("/")
        os._exit(0 if len(dataset[0]) and len(list(dataset.keys)) == 12 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("source", ["photos.tar", "photos"])
def test_a_convert_goes_on_where_it_began_while_the_folder_changes(here, source):
    moved = []

    def move(_):
        os.chdir(here / "elsewhere")
        moved.append(True)

    result = brinery.convert(source, "out.brine", progress=move, **OPTIONS)
    assert moved
    assert result.path == here / "out.brine"
    assert os.listdir(here / "elsewhere") == []
    with brinery.open(result.path) as dataset:
        assert len(dataset) == 12


def test_verify_and_restore_go_on_where_they_began(here):
    def move(*_):
        os.chdir(here / "elsewhere")

    assert brinery.verify("set.brine", workers=1, backend="threading", progress=move).samples == 12
    os.chdir(here)
    result = brinery.restore("set.brine", "images", workers=1, backend="threading", progress=move)
    assert result.path == here / "images"
    assert result.images == 12
    assert os.listdir(here / "elsewhere") == []


def test_keys_of_several_relative_sources_stay_their_own(here):
    make_folder(here / "elsewhere" / "more", images(2))
    os.chdir(here / "photos")
    brinery.convert([".", "../elsewhere/more"], here / "both.brine", **OPTIONS)
    with brinery.open(here / "both.brine") as dataset:
        assert {key.partition("/")[0] for key in dataset.keys} == {"photos", "more"}


def test_absolute_paths_are_used_where_there_is_no_current_folder(here):
    gone = here / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    result = brinery.convert(here / "photos.tar", here / "out.brine", **OPTIONS)
    assert result.samples == len(brinery.open(here / "out.brine")) == 12
    with pytest.raises(UsageError, match=r"the current folder does not exist any more: give an absolute"):
        brinery.open("set.brine")
    with pytest.raises(UsageError, match=r"the current folder does not exist any more: give an absolute"):
        brinery.convert("photos.tar", here / "other.brine", **OPTIONS)


def test_links_and_dots_are_left_as_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute("a/../b") == tmp_path / "a/../b"
