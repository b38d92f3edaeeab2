"""A worker that dies of one sample costs that sample alone."""

import os
import signal
from functools import partial

import pytest

import brinery
from brinery.engine.datasets import restore, stretches, verify
from brinery.engine.datasets.dataset import Dataset
from brinery.errors import WorkerError

from ...images import images, make_tar

FILES = images(5)
KEYS = list(FILES)
DEADLY = [KEYS[1]]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root = tmp_path_factory.mktemp("stretches")
    options = {"shard_size": "8KiB", "workers": 1, "backend": "threading", "fsync": False}
    brinery.convert(make_tar(root / "photos.tar", FILES), root / "out", **options)
    return root / "out"


def deadly(function, deadly_keys, path, stretch):
    """Do as a function does; the process dies before it reads one of these samples."""
    with Dataset(path) as opened:
        for stored in stretch.samples(opened):
            if stored.key in deadly_keys:
                os.kill(os.getpid(), signal.SIGKILL)
    return function(stretch)


def read_keys(path, stretch):
    with Dataset(path) as opened:
        return [stored.key for stored in stretch.samples(opened)]


def test_more_than_a_few_are_given_up(dataset, monkeypatch):
    monkeypatch.setattr(stretches, "_MOST_LOST", 0)
    task = partial(deadly, partial(verify.verify_stretch, dataset), DEADLY, dataset)
    with pytest.raises(WorkerError):
        stretches.read_dataset(task, dataset, workers=1, backend="loky")


def test_verify_names_them(dataset, monkeypatch):
    real = verify.verify_stretch
    monkeypatch.setattr(verify, "verify_stretch", partial(deadly_verify, real))
    result = brinery.verify(dataset, workers=2)
    assert [bad.key for bad in result.bad] == DEADLY
    assert all("died" in bad.reason for bad in result.bad)
    assert (result.samples, result.exit_code) == (len(KEYS), 3)


def deadly_verify(real, path, stretch):
    return deadly(partial(real, path), DEADLY, path, stretch)


def test_restore_names_them_and_writes_the_others(dataset, tmp_path, monkeypatch):
    real = restore.restore_stretch
    monkeypatch.setattr(restore, "restore_stretch", partial(deadly_restore, real))
    result = brinery.restore(dataset, tmp_path / "out", workers=2)
    assert [failure.key for failure in result.failures] == sorted(DEADLY)
    assert result.images == len(KEYS) - len(DEADLY)
    assert len(list((tmp_path / "out").rglob("*.png"))) == result.images


def deadly_restore(real, path, out, image_format, quality, stretch):
    """Restore what comes before a deadly sample, and die of it."""
    for place, key in enumerate(read_keys(path, stretch)):
        if key in DEADLY:
            real(
                path,
                out,
                image_format,
                quality,
                stretches.Stretch(stretch.shards, stretch.start, stretch.start + place),
            )
            os.kill(os.getpid(), signal.SIGKILL)
    return real(path, out, image_format, quality, stretch)
