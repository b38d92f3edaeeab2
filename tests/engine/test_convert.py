"""Archives become datasets: all of them, once, the same whoever does the work."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import brinery
from brinery.errors import ArchiveError, DestinationError, FailureLimitError, StorageError, UsageError

from ..images import as_pillow, encoded, images, jpeg, make_folder, make_tar, make_zip, pixels

SMALL = {"workers": 2, "backend": "threading", "shard_size": "64KiB", "fsync": False}


def contents(dataset):
    """Every file of a dataset by its path, and the rows that say what it holds."""
    root = Path(dataset)
    files = {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != "manifest.sqlite"
    }
    with closing(sqlite3.connect(root / "manifest.sqlite")) as db:
        rows = {
            "samples": db.execute("SELECT * FROM samples ORDER BY shard, record").fetchall(),
            "shards": db.execute("SELECT * FROM shards ORDER BY id").fetchall(),
            "failures": db.execute("SELECT key, stage, error FROM failures ORDER BY key, stage").fetchall(),
            "skipped": db.execute("SELECT key, reason FROM skipped ORDER BY key").fetchall(),
        }
    return files, rows


def keys_in(dataset, file):
    """The keys that a file of a dataset holds."""
    if file.parent.name != "shards":
        return [str(file.relative_to(Path(dataset) / "files")).removesuffix(".npy")]
    with sqlite3.connect(Path(dataset) / "manifest.sqlite") as db:
        query = "SELECT key FROM samples JOIN shards ON shards.id = shard WHERE name = ?"
        return [key for (key,) in db.execute(query, (file.name,))]


def assert_holds(dataset, files):
    with brinery.open(dataset) as opened:
        assert sorted(opened.keys) == sorted(files)
        for name, data in files.items():
            np.testing.assert_array_equal(opened[name], as_pillow(data))


def test_every_image_of_a_folder_is_in_the_dataset(tmp_path, folder, files):
    result = brinery.convert(folder, tmp_path / "out", **SMALL)
    assert (result.samples, result.converted, result.failures, result.exit_code) == (40, 40, 0, 0)
    assert_holds(tmp_path / "out", files)
    assert sorted(os.listdir(tmp_path / "out")) == ["README.txt", "manifest.sqlite", "shards"]


def test_the_order_is_the_archives(tmp_path, files):
    tar = make_tar(tmp_path / "photos.tar", dict(reversed(files.items())))
    brinery.convert(tar, tmp_path / "out", **SMALL)
    with brinery.open(tmp_path / "out") as dataset:
        assert list(dataset.keys) == list(reversed(files))


def test_several_sources_get_their_names_before_the_keys(tmp_path):
    tar = make_tar(tmp_path / "a.tar", images(3))
    zipped = make_zip(tmp_path / "b.zip", images(3))
    brinery.convert([tar, zipped], tmp_path / "out", **SMALL)
    expected = {f"{source}/{name}": data for source in ("a.tar", "b.zip") for name, data in images(3).items()}
    assert_holds(tmp_path / "out", expected)


@pytest.mark.parametrize("layout", ["shards", "mirror"])
@pytest.mark.parametrize("protocol", ["npy", "pickle-5", "hdf5+gzip", "json"])
def test_workers_and_backend_change_no_byte(tmp_path, protocol, layout):
    broken = {"set0/broken.jpg": jpeg(0)[:200], "set1/notes.txt": b"no image"}
    tar = make_tar(tmp_path / "photos.tar", images(24) | broken)
    made = []
    for number, (workers, backend) in enumerate(
        [(1, "loky"), (2, "loky"), (1, "threading"), (2, "threading")]
    ):
        out = tmp_path / str(number)
        options = SMALL | {"workers": workers, "backend": backend}
        assert brinery.convert(tar, out, protocol=protocol, layout=layout, **options).exit_code == 3
        made.append(contents(out))
    assert made[0][0]
    assert made[1:] == made[:1] * 3


def test_a_second_run_does_nothing(tmp_path, folder):
    brinery.convert(folder, tmp_path / "out", **SMALL)
    before = contents(tmp_path / "out")
    again = brinery.convert(folder, tmp_path / "out", **SMALL)
    assert (again.converted, again.unchanged, again.samples) == (0, 40, 40)
    assert contents(tmp_path / "out") == before


@pytest.mark.parametrize("layout", ["shards", "mirror"])
def test_a_second_run_does_just_what_is_missing_new_or_changed(tmp_path, folder, files, layout):
    out = tmp_path / "out"
    brinery.convert(folder, out, layout=layout, **SMALL)
    stored = sorted(path for path in out.rglob("*.npy"))
    lost = stored[3]
    lost_bytes = lost.read_bytes()
    kept = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in stored if path != lost}
    in_lost = keys_in(out, lost)
    lost.unlink()
    names = [name for name in sorted(files) if name not in in_lost]
    gone, changed = names[0], names[1]
    (folder / gone).unlink()
    (folder / changed).write_bytes(jpeg(1000))
    for number in (1001, 1002):
        (folder / f"new{number}.jpg").write_bytes(jpeg(number))
    result = brinery.convert(folder, out, layout=layout, **SMALL)
    expected = files | {changed: jpeg(1000)} | {f"new{n}.jpg": jpeg(n) for n in (1001, 1002)}
    assert result.converted == len(in_lost) + 3
    assert result.gone == 1
    assert lost.read_bytes() == lost_bytes
    changed_file = out / "files" / f"{changed}.npy"
    for path, state in kept.items():
        if path != changed_file:
            assert (path.stat().st_ino, path.stat().st_mtime_ns) == state
    assert_holds(out, expected)
    pruned = brinery.convert(folder, out, layout=layout, prune=True, **SMALL)
    assert (pruned.pruned, pruned.converted) == (1, 0)
    del expected[gone]
    assert_holds(out, expected)


def test_a_shard_whose_images_are_gone_is_recorded_as_failure(tmp_path, folder):
    out = tmp_path / "out"
    brinery.convert(folder, out, **SMALL)
    with brinery.open(out) as dataset:
        lost = [stored.key for stored in dataset.each_in_shard(0)]
    (out / "shards" / "000000.npy").unlink()
    for key in lost[1:]:
        (folder / key).unlink()
    result = brinery.convert(folder, out, **SMALL)
    assert result.exit_code == 3
    assert [row[0] for row in contents(out)[1]["failures"]] == sorted(lost[1:])
    with brinery.open(out) as dataset:
        assert lost[0] in dataset.keys
        assert lost[1] not in dataset.keys


def test_failures_are_recorded_with_stage_and_reason(tmp_path, folder):
    (folder / "cut.jpg").write_bytes(jpeg(1)[:-200])
    (folder / "deep.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    (folder / "notes.txt").write_bytes(b"nothing to see")
    result = brinery.convert(folder, tmp_path / "out", **SMALL)
    assert (result.samples, result.failures, result.skipped, result.exit_code) == (40, 2, 1, 3)
    rows = contents(tmp_path / "out")[1]
    assert [row[:2] for row in rows["failures"]] == [("cut.jpg", "decode"), ("deep.png", "decode")]
    assert [row[0] for row in rows["skipped"]] == ["notes.txt"]
    again = brinery.convert(folder, tmp_path / "out", **SMALL)
    assert (again.converted, again.exit_code) == (0, 3)


def test_a_mended_image_replaces_its_failure(tmp_path, folder):
    (folder / "cut.jpg").write_bytes(jpeg(1)[:-200])
    brinery.convert(folder, tmp_path / "out", **SMALL)
    (folder / "cut.jpg").write_bytes(jpeg(1))
    result = brinery.convert(folder, tmp_path / "out", **SMALL)
    assert (result.converted, result.failures, result.exit_code) == (1, 0, 0)


def test_salvage_keeps_a_truncated_image_and_flags_it(tmp_path, folder):
    (folder / "cut.jpg").write_bytes(jpeg(1, (64, 64, 3))[:-100])
    result = brinery.convert(folder, tmp_path / "out", salvage=True, **SMALL)
    assert result.failures == 0
    with sqlite3.connect(tmp_path / "out" / "manifest.sqlite") as db:
        assert db.execute("SELECT key FROM samples WHERE salvaged").fetchall() == [("cut.jpg",)]


def test_the_last_of_two_equal_keys_wins(tmp_path):
    twice = tmp_path / "twice.tar"
    make_tar(twice, {"a.jpg": jpeg(1)})
    make_tar(twice, {"a.jpg": jpeg(2)}, mode="a")
    result = brinery.convert(twice, tmp_path / "out", **SMALL)
    assert (result.samples, result.failures, result.skipped) == (1, 0, 1)
    assert_holds(tmp_path / "out", {"a.jpg": jpeg(2)})
    assert brinery.convert(twice, tmp_path / "out", **SMALL).converted == 0


def test_frames_become_samples_of_their_own(tmp_path, folder):
    from PIL import Image

    frames = [Image.fromarray(pixels(index)) for index in range(3)]
    frames[0].save(folder / "moving.png", save_all=True, append_images=frames[1:])
    brinery.convert(folder, tmp_path / "out", frames="all", **SMALL)
    with brinery.open(tmp_path / "out") as dataset:
        for number, frame in enumerate(frames):
            key = f"moving.png#{number}" if number else "moving.png"
            np.testing.assert_array_equal(dataset[key], np.asarray(frame))
    (folder / "moving.png").write_bytes(encoded(pixels(7), "PNG"))
    brinery.convert(folder, tmp_path / "out", frames="all", **SMALL)
    with brinery.open(tmp_path / "out") as dataset:
        assert "moving.png#1" not in dataset.keys
        assert len(dataset) == 41


def test_a_shard_never_passes_its_size_by_more_than_an_image(tmp_path):
    big = {f"{i}.png": encoded(np.full((64, 64, 3), i, np.uint8), "PNG") for i in range(200)}
    brinery.convert(make_folder(tmp_path / "in", big), tmp_path / "out", **SMALL)
    shards = contents(tmp_path / "out")[1]["shards"]
    assert max(row[2] for row in shards) > 1  # parts of one unit
    assert all(0 < row[5] <= 64 * 1024 for row in shards)
    assert_holds(tmp_path / "out", big)


def test_limit_looks_at_the_first_entries_only(tmp_path, folder):
    assert brinery.convert(folder, tmp_path / "out", limit=7, **SMALL).samples == 7
    assert brinery.convert(folder, tmp_path / "out", **SMALL).samples == 40


def test_more_entries_than_the_budget_of_members_end_the_run_and_lose_nothing(tmp_path, folder, files):
    with pytest.raises(ArchiveError, match="more than 30 entries; what was committed stays: raise --max-mem"):
        brinery.convert(folder, tmp_path / "out", max_members=30, **SMALL)
    with brinery.open(tmp_path / "out") as dataset:
        committed = sorted(dataset.keys)
    assert 0 < len(committed) <= 30
    assert committed == sorted(files)[: len(committed)]
    result = brinery.convert(folder, tmp_path / "out", max_members=40, **SMALL)
    assert (result.samples, result.converted) == (40, 40 - len(committed))


def test_a_source_given_twice_is_refused(tmp_path, folder):
    (tmp_path / "link").symlink_to(folder)
    for other in (folder, tmp_path / "link", f"{folder}/../photos"):
        with pytest.raises(UsageError, match="is given twice"):
            brinery.convert([folder, other], tmp_path / "out", **SMALL)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("limit", "stops"), [(1, True), (2, False), ("4%", True), ("5%", False)])
def test_a_run_bears_as_many_failures_as_it_is_told(tmp_path, folder, limit, stops):
    for name in ("x.jpg", "y.jpg"):
        (folder / name).write_bytes(jpeg(1)[:-200])
    if stops:
        with pytest.raises(FailureLimitError, match="--max-failures"):
            brinery.convert(folder, tmp_path / "out", max_failures=limit, **SMALL)
    else:
        assert brinery.convert(folder, tmp_path / "out", max_failures=limit, **SMALL).exit_code == 3


def test_another_protocol_or_shard_size_is_refused_by_name(tmp_path, folder):
    brinery.convert(folder, tmp_path / "out", **SMALL)
    for other, name in (({"protocol": "pickle-5"}, "protocol"), ({"shard_size": "1MiB"}, "shard-size")):
        with pytest.raises(DestinationError, match=name):
            brinery.convert(folder, tmp_path / "out", **(SMALL | other))
    result = brinery.convert(folder, tmp_path / "out", protocol="pickle-5", overwrite=True, **SMALL)
    assert result.converted == 40
    assert not list((tmp_path / "out").rglob("*.npy"))


def test_a_folder_with_other_things_in_it_is_never_touched(tmp_path, folder):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(DestinationError, match="not empty"):
            brinery.convert(folder, tmp_path / "out", overwrite=overwrite, **SMALL)
    assert os.listdir(tmp_path / "out") == ["thesis.tex"]


def test_an_archive_without_images_leaves_nothing_behind(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArchiveError, match="no image"):
        brinery.convert(tmp_path / "empty", tmp_path / "out", **SMALL)
    assert not (tmp_path / "out").exists()


def test_a_destination_inside_its_source_is_refused(tmp_path, folder):
    with pytest.raises(UsageError, match="inside"):
        brinery.convert(folder, folder / "out", **SMALL)


def test_two_converts_into_one_destination(tmp_path, folder):
    from brinery.engine.converting.destination import Destination
    from brinery.engine.converting.options import ConvertCall

    first = Destination(
        tmp_path / "out", ConvertCall("", "", **SMALL).identity(), overwrite=False, fsync=False
    )
    with pytest.raises(StorageError, match="another convert"):
        brinery.convert(folder, tmp_path / "out", **SMALL)
    first.close()
    assert brinery.convert(folder, tmp_path / "out", **SMALL).samples == 40


def test_names_that_cannot_be_files_fail_alone_in_the_mirror_layout(tmp_path):
    hostile = {"../out.jpg": jpeg(1), "x" * 254: jpeg(2), "good.jpg": jpeg(3), "a/b.jpg": jpeg(4)}
    tar = make_tar(tmp_path / "photos.tar", hostile)
    result = brinery.convert(tar, tmp_path / "out", layout="mirror", **SMALL)
    assert (result.samples, result.failures) == (2, 2)
    assert not (tmp_path / "out" / "out.jpg.npy").exists()
    assert_holds(tmp_path / "out", {"good.jpg": jpeg(3), "a/b.jpg": jpeg(4)})


def test_the_run_is_recorded_with_what_it_used(tmp_path, folder):
    result = brinery.convert(folder, tmp_path / "out", **(SMALL | {"backend": "loky"}))
    summary = result.summary
    with brinery.open(tmp_path / "out") as dataset:
        assert summary.pixel_bytes == sum(array.nbytes for array in dataset)
    assert summary.source_bytes == sum(path.stat().st_size for path in folder.rglob("*.jpg"))
    assert summary.file_bytes == sum(path.stat().st_size for path in (tmp_path / "out").rglob("*.npy"))
    assert 0 < summary.phases.decode_ns < summary.wall_ns * 2
    assert os.getpid() not in summary.units_by_worker
    with sqlite3.connect(tmp_path / "out" / "manifest.sqlite") as db:
        assert db.execute("SELECT outcome, workers FROM runs").fetchall() == [("finished", 2)]
        roles = {role for (role,) in db.execute("SELECT DISTINCT role FROM timeline")}
    assert {"parent", "worker"} <= roles


@pytest.mark.parametrize("how", ["script", "stdin"])
def test_it_works_without_a_main_guard(tmp_path, folder, how):
    script = tmp_path / "script.py"
    script.write_text(
        "import brinery\n"
        f"print(brinery.convert({str(folder)!r}, {str(tmp_path / 'out')!r}, workers=2).samples)\n"
    )
    arguments = [sys.executable, str(script)] if how == "script" else [sys.executable, "-"]
    stdin = None if how == "script" else script.read_text()
    done = subprocess.run(arguments, input=stdin, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "40"), done.stderr


def test_a_compressed_tar_gives_the_same_shards_as_a_plain_one(tmp_path, files):
    plain = make_tar(tmp_path / "photos.tar", files)
    packed = make_tar(tmp_path / "photos.tar.gz", files, mode="w:gz")
    for source in (plain, packed):
        brinery.convert(source, tmp_path / source.name.replace(".", "-"), **SMALL)
    assert contents(tmp_path / "photos-tar")[0] == contents(tmp_path / "photos-tar-gz")[0]


def test_leftovers_of_a_killed_run_are_swept(tmp_path, folder):
    brinery.convert(folder, tmp_path / "out", **SMALL)
    before = contents(tmp_path / "out")
    shutil.copy(tmp_path / "out" / "shards" / "000000.npy", tmp_path / "out" / "shards" / "000099.npy")
    (tmp_path / "out" / ".partial").mkdir()
    (tmp_path / "out" / ".partial" / "000100.npy").write_bytes(b"half")
    brinery.convert(folder, tmp_path / "out", **SMALL)
    assert contents(tmp_path / "out") == before
    assert sorted(os.listdir(tmp_path / "out")) == ["README.txt", "manifest.sqlite", "shards"]


@pytest.mark.parametrize("layout", ["shards", "mirror"])
def test_repair_does_just_the_damaged_samples_again(tmp_path, folder, files, layout):
    out = tmp_path / "out"
    brinery.convert(folder, out, layout=layout, **SMALL)
    stored = sorted(out.rglob("*.npy"))
    damaged, missing = stored[2], stored[5]
    data = bytearray(damaged.read_bytes())
    data[-1] ^= 1
    damaged.write_bytes(data)
    lost = keys_in(out, missing)
    missing.unlink()
    result = brinery.convert(folder, out, layout=layout, repair=True, **SMALL)
    assert result.converted == 1 + len(lost)
    assert brinery.verify(out, workers=1).bad == ()
    assert_holds(out, files)
    assert brinery.convert(folder, out, layout=layout, repair=True, **SMALL).converted == 0


def test_repair_keeps_what_the_archive_no_longer_holds(tmp_path, folder, files):
    out = tmp_path / "out"
    brinery.convert(folder, out, **SMALL)
    shard = out / "shards" / "000000.npy"
    keys = keys_in(out, shard)
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    (folder / keys[0]).unlink()
    (folder / keys[-1]).unlink()
    assert brinery.convert(folder, out, repair=True, **SMALL).converted == 0
    with brinery.open(out, verify=True) as dataset:
        np.testing.assert_array_equal(dataset[keys[0]], as_pillow(files[keys[0]]))
    assert [bad.key for bad in brinery.verify(out, workers=1).bad] == [keys[-1]]
