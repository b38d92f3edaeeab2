"""Sources keep the beginnings of their keys for life, whatever comes, moves or is left out."""

import json
import sqlite3
from contextlib import closing

import pytest

import brinery
from brinery.engine.converting.sources import Recorded, recognise
from brinery.errors import DestinationError, UsageError
from brinery.parser.archives.listing import plan_sources

from ...images import images, jpeg, make_folder, make_tar, make_zip
from ..test_convert import SMALL, assert_holds

FIRST, SECOND = images(12), images(12, start=100)


def rows(dataset, statement):
    with closing(sqlite3.connect(dataset / "manifest.sqlite")) as db:
        found = db.execute(statement).fetchall()
        db.commit()
    return found


def prefixed(prefix, files):
    return {prefix + name: data for name, data in files.items()}


@pytest.fixture
def one(tmp_path):
    return make_tar(tmp_path / "one.tar", FIRST)


@pytest.fixture
def two(tmp_path):
    return make_zip(tmp_path / "two.zip", SECOND)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def twins(root):
    """Two tars of one name, in folders of their own."""
    for name, files in (("train", FIRST), ("val", SECOND)):
        (root / name).mkdir(parents=True)
        make_tar(root / name / "images.tar", files)
    return root / "train" / "images.tar", root / "val" / "images.tar"


def test_sources_of_one_name_are_told_apart_by_their_folders(tmp_path, out):
    assert brinery.convert(twins(tmp_path), out, **SMALL).exit_code == 0
    assert_holds(out, prefixed("train/images.tar/", FIRST) | prefixed("val/images.tar/", SECOND))


def test_another_source_is_refused_unless_it_is_added(one, two, out):
    brinery.convert(one, out, **SMALL)
    for sources in (two, [one, two]):
        with pytest.raises(
            DestinationError, match=r"was made from \S+/one\.tar; \S+/two\.zip is another source: --add"
        ):
            brinery.convert(sources, out, **SMALL)
    assert_holds(out, FIRST)


def test_what_is_added_leaves_the_keys_of_the_first_as_they_are(one, two, out):
    brinery.convert(one, out, **SMALL)
    result = brinery.convert([one, two], out, add=True, **SMALL)
    assert (result.converted, result.unchanged, result.gone) == (12, 12, 0)
    expected = FIRST | prefixed("two.zip/", SECOND)
    assert_holds(out, expected)
    for sources in ([one, two], [two, one], one, two):
        result = brinery.convert(sources, out, prune=True, **SMALL)
        assert (result.converted, result.gone, result.pruned, result.failures) == (0, 0, 0, 0)
    assert_holds(out, expected)


def test_the_added_source_can_be_named_alone(one, two, out):
    brinery.convert(one, out, **SMALL)
    brinery.convert(two, out, add=True, **SMALL)
    assert_holds(out, FIRST | prefixed("two.zip/", SECOND))
    assert brinery.convert(two, out, add=True, **SMALL).unchanged == 12


def test_add_into_a_new_dataset_is_a_plain_convert(one, out):
    brinery.convert(one, out, add=True, **SMALL)
    assert_holds(out, FIRST)


def test_an_added_source_of_a_known_name_gets_its_folder_too(tmp_path, out):
    train, val = twins(tmp_path)
    brinery.convert(train, out, **SMALL)
    brinery.convert(val, out, add=True, **SMALL)
    assert_holds(out, FIRST | prefixed("val/images.tar/", SECOND))


def test_one_of_several_sources_named_alone_keeps_its_keys(one, two, out):
    brinery.convert([one, two], out, **SMALL)
    make_tar(one, dict(list(FIRST.items())[1:]) | {"new.jpg": jpeg(50)})
    result = brinery.convert(one, out, prune=True, **SMALL)
    assert (result.converted, result.pruned) == (1, 1)
    (gone,) = set(FIRST) - set(list(FIRST)[1:])
    left = {name: data for name, data in FIRST.items() if name != gone} | {"new.jpg": jpeg(50)}
    assert_holds(out, prefixed("one.tar/", left) | prefixed("two.zip/", SECOND))


def test_failures_and_skipped_files_of_sources_that_are_not_named_stay(tmp_path, one, out):
    odd = make_zip(
        tmp_path / "odd.zip", {"a.jpg": jpeg(1), "cut.jpg": jpeg(1)[:-200], "notes.txt": b"text", "a/": b""}
    )
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "gone.jpg").symlink_to("nowhere.jpg")
    assert brinery.convert([one, odd, tmp_path / "links"], out, **SMALL).failures == 2
    result = brinery.convert(one, out, prune=True, **SMALL)
    assert (result.failures, result.skipped, result.exit_code) == (2, 1, 3)


def test_a_key_that_begins_like_those_of_another_source_is_a_failure(tmp_path, two, out):
    folder = make_folder(tmp_path / "folder", {"a.jpg": jpeg(1)})
    brinery.convert(folder, out, **SMALL)
    brinery.convert(two, out, add=True, **SMALL)
    make_folder(folder, {"two.zip/b.jpg": jpeg(2), "two.zip2/b.jpg": jpeg(3)})
    result = brinery.convert([folder, two], out, **SMALL)
    assert (result.converted, result.failures) == (1, 1)
    assert rows(out, "SELECT key, error FROM failures") == [("two.zip/b.jpg", "DuplicateKey")]


def test_a_prefix_that_keys_have_already_is_not_taken(tmp_path, two, out):
    folder = make_folder(tmp_path / "folder", {"two.zip/b.jpg": jpeg(2)})
    brinery.convert(folder, out, **SMALL)
    brinery.convert(two, out, add=True, **SMALL)
    assert_holds(out, {"two.zip/b.jpg": jpeg(2)} | prefixed(f"{tmp_path.name}/two.zip/", SECOND))


def test_a_source_that_moved_is_the_same(tmp_path, out):
    sources = twins(tmp_path / "old")
    brinery.convert(sources, out, **SMALL)
    (tmp_path / "old").rename(tmp_path / "new")
    moved = [tmp_path / "new" / "val" / "images.tar", tmp_path / "new" / "train" / "images.tar"]
    for source in (moved, moved[0]):
        result = brinery.convert(source, out, **SMALL)
        assert (result.converted, result.gone) == (0, 0)
    assert rows(out, "SELECT path FROM sources ORDER BY id") == [(str(moved[1]),), (str(moved[0]),)]


def test_an_archive_that_was_renamed_is_the_same(tmp_path, one, out):
    brinery.convert(one, out, **SMALL)
    result = brinery.convert(one.rename(tmp_path / "other.tar"), out, **SMALL)
    assert (result.converted, result.unchanged) == (0, 12)


def test_a_link_and_what_it_leads_to_are_the_same(tmp_path, one, out):
    (tmp_path / "link").symlink_to(one)
    brinery.convert(tmp_path / "link", out, **SMALL)
    assert brinery.convert(one, out, **SMALL).unchanged == 12
    assert brinery.convert(tmp_path / "link", out, **SMALL).unchanged == 12


def test_what_is_added_is_not_taken_for_one_that_moved(tmp_path, out):
    first, second = twins(tmp_path)
    brinery.convert(first, out, **SMALL)
    first.unlink()
    brinery.convert(second, out, add=True, **SMALL)
    assert_holds(out, FIRST | prefixed("val/images.tar/", SECOND))


@pytest.mark.parametrize("kind", ["archive", "folder"])
def test_what_really_moved_is_not_added(tmp_path, out, kind):
    (tmp_path / "new").mkdir()
    old = make_tar(tmp_path / "in", FIRST) if kind == "archive" else make_folder(tmp_path / "in", FIRST)
    brinery.convert(old, out, **SMALL)
    result = brinery.convert(old.rename(tmp_path / "new" / "in"), out, add=True, **SMALL)
    assert (result.converted, result.unchanged) == (0, 12)


def test_a_link_that_leads_to_the_dataset_is_not_followed_into_it(tmp_path, one):
    source = make_folder(tmp_path / "source", FIRST)
    (tmp_path / "beside").mkdir()
    make_folder(tmp_path / "beside", {"b.jpg": jpeg(70)})
    (source / "beside").symlink_to("../beside")
    out = tmp_path / "beside" / "out"
    for _ in range(2):
        result = brinery.convert(source, out, follow_links=True, **SMALL)
        assert (result.samples, result.failures, result.skipped) == (13, 0, 1)


def recorded(path, prefix="", kind="tar", state=None):
    return Recorded(path, kind, prefix, None, state, 0)


def test_a_move_that_could_be_either_is_not_guessed(tmp_path):
    (tmp_path / "here").mkdir()
    make_tar(tmp_path / "here" / "images.tar", FIRST)
    plan = plan_sources([tmp_path / "here" / "images.tar"])
    both = [recorded("/gone/a/images.tar", "a/images.tar/"), recorded("/gone/b/images.tar", "b/images.tar/")]

    def is_one_of(known):
        try:
            (named,) = recognise(plan, known, add=False, taken=lambda _: False, dataset="out")
        except DestinationError:
            return None
        return named.source.prefix

    assert is_one_of(both) is None
    assert is_one_of([*both, recorded("/gone/here/images.tar", "c/")]) == "c/"
    assert is_one_of([recorded("/gone/images.tar", "c/", kind="zip")]) is None
    assert is_one_of([recorded("/gone/images.tar", "c/", kind="")]) == "c/"
    assert is_one_of([recorded("/gone/other.tar", "c/")]) is None


def test_a_dataset_of_an_early_version_takes_its_sources_from_its_runs(one, two, out):
    brinery.convert([one, two], out, **SMALL)
    rows(out, "DROP TABLE sources")
    with pytest.raises(DestinationError, match="is another source"):
        brinery.convert(make_tar(one.parent / "third.tar", FIRST), out, **SMALL)
    result = brinery.convert(one, out, prune=True, **SMALL)
    assert (result.unchanged, result.gone, result.pruned) == (12, 0, 0)
    assert rows(out, "SELECT path, prefix FROM sources ORDER BY id") == [
        (str(one), "one.tar/"),
        (str(two), "two.zip/"),
    ]


@pytest.mark.parametrize("settings", ["{}", "no json", '{"sources": 7}', '{"sources": [7]}', "[]"])
def test_a_dataset_that_does_not_say_its_sources_takes_what_it_is_given(one, out, settings):
    brinery.convert(one, out, **SMALL)
    rows(out, "DROP TABLE sources")
    rows(out, f"UPDATE runs SET settings = '{settings}'")
    assert brinery.convert(one, out, **SMALL).unchanged == 12
    assert rows(out, "SELECT path, prefix FROM sources") == [(str(one), "")]


def test_the_sources_of_a_dataset_without_samples_do_not_bind_it(tmp_path, one, out):
    text = make_folder(tmp_path / "text", {"notes.txt": b"text"})
    with pytest.raises(brinery.errors.ArchiveError, match="no image"):
        brinery.convert(text, out, **SMALL)
    brinery.convert(one, out, **SMALL)
    assert rows(out, "SELECT path, prefix FROM sources") == [(str(one), "")]


def test_a_missing_shard_with_samples_of_a_source_that_is_not_named_waits_for_it(one, two, out):
    brinery.convert([one, two], out, **(SMALL | {"shard_size": "1MiB"}))
    (shard, *_) = sorted((out / "shards").iterdir())
    shard.unlink()
    options, said = SMALL | {"shard_size": "1MiB"}, []
    result = brinery.convert(two, out, warn=said.append, **options)
    assert (result.samples, result.failures) == (24, 0)
    assert said == ["1 units with missing shards hold samples of sources that were not named: name those too"]
    brinery.convert([one, two], out, **options)
    assert_holds(out, prefixed("one.tar/", FIRST) | prefixed("two.zip/", SECOND))


@pytest.mark.parametrize(("left", "refused"), [(5, True), (6, False)])
def test_prune_drops_no_more_than_half_without_a_yes(one, out, left, refused):
    brinery.convert(one, out, **SMALL)
    make_tar(one, dict(list(FIRST.items())[:left]) | SECOND)
    said = []
    if refused:
        with pytest.raises(UsageError, match=r"more than half: 7 of 12 samples .*; --yes drops them"):
            brinery.convert(one, out, prune=True, warn=said.append, **SMALL)
        assert said == []
        assert len(brinery.open(out)) == 24
        assert brinery.convert(one, out, **SMALL).gone == 7
    result = brinery.convert(one, out, prune=True, yes=True, warn=said.append, **SMALL)
    assert result.pruned == 12 - left
    there = 24 if refused else 12
    assert said[0].startswith(f"--prune drops what is gone: {12 - left} of {there} samples are of members")


def test_an_encoding_holds_for_the_life_of_its_source(tmp_path, one, out):
    old = make_zip(tmp_path / "old.zip", {"xx.jpg": jpeg(1)})
    old.write_bytes(old.read_bytes().replace(b"xx.jpg", "花".encode("cp932") + b".jpg"))
    brinery.convert(old, out, encoding="ms932", **SMALL)
    for again in ({}, {"encoding": "cp932"}):
        assert brinery.convert(old, out, **again, **SMALL).unchanged == 1
    with pytest.raises(DestinationError, match="were read as cp932, not gbk"):
        brinery.convert(old, out, encoding="gbk", **SMALL)
    with pytest.raises(UsageError, match="no encoding of names"):
        brinery.convert(old, out, encoding="cp9999", **SMALL)
    brinery.convert(one, out, encoding="gbk", add=True, **SMALL)
    assert_holds(out, {"花.jpg": jpeg(1)} | prefixed("one.tar/", FIRST))
    assert rows(out, "SELECT encoding FROM sources") == [("cp932",), ("gbk",)]


def test_early_versions_recorded_their_sources_as_text(one, out):
    brinery.convert(one, out, **SMALL)
    (settings,) = rows(out, "SELECT settings FROM runs")[0]
    assert json.loads(settings)["sources"] == [str(one)]
