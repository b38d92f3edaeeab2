"""Damage is named by its file, its cause and its samples, and the command that is named repairs it."""

import shlex
import sqlite3
from contextlib import closing

import pytest
from click.testing import CliRunner

import brinery
from brinery.cli.convert import command as convert_command

from ...images import images, make_folder, make_tar

FAST = {"workers": 1, "backend": "threading", "fsync": False}
ONE_ROW = "DELETE FROM samples WHERE record = 1 AND shard = (SELECT MAX(shard) FROM samples WHERE record = 1)"
FILES = images(40)


@pytest.fixture
def dataset(tmp_path):
    source = make_tar(tmp_path / "my photos.tar", FILES)
    brinery.convert(source, tmp_path / "out", protocol="pickle-5", shard_size="64KiB", **FAST)
    return tmp_path / "out"


def verify(dataset):
    return brinery.verify(dataset, workers=1, backend="threading")


def shards(dataset):
    return sorted((dataset / "shards").iterdir())


def cut(dataset):
    shard = shards(dataset)[2]
    shard.write_bytes(shard.read_bytes()[:2000])


def flip(dataset):
    shard = shards(dataset)[2]
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)


def change(dataset, statement):
    with closing(sqlite3.connect(dataset / "manifest.sqlite")) as db, db:
        db.execute(statement)


DAMAGES = {
    "a missing shard": (lambda d: shards(d)[2].unlink(), "it is missing", 3),
    "a shard that is cut short": (cut, "it is cut short: 2,000 of ", 3),
    "a flipped bit": (flip, "its bytes do not give the checksum that was recorded", 1),
    "another file in its place": (
        lambda d: shards(d)[2].write_bytes(bytes(shards(d)[2].stat().st_size)),
        "its bytes do not give the checksum that was recorded",
        3,
    ),
    "a longer file": (
        lambda d: shards(d)[2].write_bytes(b"x" * 7 + shards(d)[2].read_bytes()),
        "bytes, where ",
        3,
    ),
}


@pytest.mark.parametrize(("damage", "cause", "least"), DAMAGES.values(), ids=DAMAGES.keys())
def test_damage_is_named_and_repaired_by_the_command(dataset, damage, cause, least):
    name = f"shards/{shards(dataset)[2].name}"
    damage(dataset)
    result = verify(dataset)
    assert result.exit_code == 3
    (found,) = result.damage
    assert (found.file, cause in found.cause) == (name, True), found
    assert len(found.keys) >= least
    assert {*found.keys} == {bad.key for bad in result.bad} < {*FILES}
    assert {bad.file for bad in result.bad} == {name}
    repair(result)
    assert verify(dataset).exit_code == 0


def repair(result):
    """Run the command that a verification names."""
    words = shlex.split(result.repair)
    assert words[:2] == ["brinery", "convert"]
    done = CliRunner().invoke(convert_command, [*words[2:], "--workers", "1", "--backend", "threading"])
    assert done.exception is None or done.exit_code == 0, done.output


@pytest.mark.parametrize(
    "statement",
    [
        ONE_ROW,
        "DELETE FROM shards WHERE id = (SELECT MIN(id) FROM shards)",
        "UPDATE shards SET samples = samples + 1 WHERE id = (SELECT MIN(id) FROM shards)",
    ],
)
def test_rows_that_are_gone_are_said_and_repaired(dataset, statement):
    change(dataset, statement)
    result = verify(dataset)
    assert result.exit_code == 3
    assert result.damage
    assert all("samples" in one.cause for one in result.damage)
    repair(result)
    assert verify(dataset).exit_code == 0
    with brinery.open(dataset) as opened:
        assert sorted(opened.keys) == sorted(FILES)


def test_rows_that_are_gone_cost_restore_their_shard_alone(dataset, tmp_path):
    change(dataset, ONE_ROW)
    result = brinery.restore(dataset, tmp_path / "back", workers=1, backend="threading")
    assert result.exit_code == 3
    assert 0 < result.images == len(list((tmp_path / "back").rglob("*.png"))) < len(FILES)


def test_a_file_that_is_not_of_the_dataset_is_named_and_costs_nothing(dataset):
    (dataset / "shards" / "holiday.zip").write_bytes(b"")
    result = verify(dataset)
    assert (result.strangers, result.exit_code, result.repair) == (("shards/holiday.zip",), 0, "")


def test_a_sound_dataset_needs_no_command(dataset):
    result = verify(dataset)
    assert (result.samples, result.bad, result.damage, result.repair) == (40, (), (), "")


def test_the_command_says_how_the_dataset_was_made(tmp_path):
    first, second = make_folder(tmp_path / "it's", images(3)), make_tar(tmp_path / "b.tar", images(3))
    brinery.convert([first, second], tmp_path / "out", layout="mirror", mode="gray", orient=True, **FAST)
    next((tmp_path / "out" / "files").rglob("*.npy")).unlink()
    result = verify(tmp_path / "out")
    assert shlex.split(result.repair) == [
        *("brinery", "convert", str(first), str(second), str(tmp_path / "out")),
        *("--layout", "mirror", "--mode", "gray", "--orient", "--repair"),
    ]
    assert result.damage[0].file.startswith("files/")
    assert result.damage[0].cause == "it is missing"
    repair(result)
    assert verify(tmp_path / "out").exit_code == 0
