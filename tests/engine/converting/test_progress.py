"""What a convert tells of itself while it runs, by every kind of source."""

import io
import tarfile

import pytest

import brinery

from ...images import MAKERS, images, jpeg, make_tar, make_zip

FAST = {"workers": 1, "backend": "threading", "fsync": False, "shard_size": "64KiB"}


def told(source, out, **options):
    """The result of a convert, and everything that it told on the way."""
    steps = []
    result = brinery.convert(source, out, progress=steps.append, **FAST | options)
    return result, steps


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr("brinery.engine.converting.progress._EVERY_SECONDS", 0.0)
    monkeypatch.setattr("brinery.engine.converting.progress._MEASURE_AFTER_SECONDS", 0.0)
    monkeypatch.setattr("brinery.engine.converting.progress._LOOK", 1)


def mixed(count=60):
    files = {}
    for name, data in images(count).items():
        files[name] = data
        files[f"{name}.json"] = b'{"label": 1}'
    return files


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_the_end_is_nearly_reached_when_the_last_image_is_done(tmp_path, make):
    result, steps = told(make(tmp_path / "source", mixed()), tmp_path / "out")
    last = steps[-1]
    assert (last.images, last.skipped, last.entries) == (60, 60, 120) == (result.samples, 60, 120)
    assert last.seconds_left is not None
    assert last.seconds_left <= 0.2 * last.seconds
    assert last.fraction > 0.8


def test_files_that_are_no_images_are_not_counted_as_images(tmp_path):
    _, steps = told(make_tar(tmp_path / "a.tar", mixed() | {"cut.jpg": jpeg(1)[:300]}), tmp_path / "out")
    assert steps[-1].members == 121
    assert (steps[-1].images, steps[-1].skipped, steps[-1].failures) == (60, 60, 1)


def test_what_is_listed_is_told_before_anything_is_done(tmp_path):
    _, steps = told(make_tar(tmp_path / "a.tar", mixed()), tmp_path / "out")
    assert (steps[0].entries, steps[0].members) == (0, 0)
    assert any(step.entries and not step.members for step in steps)


def test_a_run_with_nothing_to_do_tells_what_it_lists_and_expects_no_work(tmp_path):
    source = make_tar(tmp_path / "a.tar", mixed())
    told(source, tmp_path / "out")
    _, steps = told(source, tmp_path / "out")
    middle = [step for step in steps if 40 <= step.entries <= 80]
    assert middle
    assert all(step.members == 0 for step in steps)
    listing = [step.seconds_left / step.seconds for step in middle if step.seconds_left is not None]
    assert all(left < 5 for left in listing)


def test_what_is_left_of_a_resumed_run_is_not_the_whole_archive(tmp_path, monkeypatch):
    """New space is asked for what is new only."""
    source = make_tar(tmp_path / "a.tar", images(100))
    told(source, tmp_path / "out")
    with tarfile.open(source, "a") as archive:
        info = tarfile.TarInfo("new.jpg")
        info.size = len(jpeg(7))
        archive.addfile(info, io.BytesIO(jpeg(7)))
    asked = []
    monkeypatch.setattr(
        "brinery.engine.converting.run.warning_of_space", lambda _, nbytes: asked.append(nbytes)
    )
    result, _ = told(source, tmp_path / "out")
    assert result.samples == 101
    assert asked
    assert asked[0] < 0.2 * source.stat().st_size


def test_a_repair_tells_how_far_it_has_verified(tmp_path):
    source = make_tar(tmp_path / "a.tar", images(30))
    told(source, tmp_path / "out")
    shard = sorted((tmp_path / "out" / "shards").iterdir())[1]
    shard.unlink()
    result, steps = told(source, tmp_path / "out", repair=True)
    assert result.samples == 30
    assert {step.to_verify for step in steps} == {0, 30}
    assert max(step.verified for step in steps) == 30


def test_several_sources_are_one_whole(tmp_path):
    first, second = make_tar(tmp_path / "a.tar", images(40)), make_zip(tmp_path / "b.zip", images(40))
    _, steps = told([first, second], tmp_path / "out")
    assert steps[-1].entries == 80
    assert steps[-1].fraction > 0.8
