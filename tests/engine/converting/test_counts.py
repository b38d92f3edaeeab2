"""Whatever happens to an archive and its dataset, the counts of every convert add up, and its line too."""

import random
import re
import sqlite3
from contextlib import closing, suppress

import pytest

import brinery
from brinery.cli.convert import _sentence
from brinery.errors import ArchiveError

from ...images import encoded, jpeg, make_folder, make_tar, pixels

FAST = {"workers": 1, "backend": "threading", "fsync": False, "shard_size": "16KiB", "protocol": "npy"}


def count(dataset, what):
    with closing(sqlite3.connect(dataset / "manifest.sqlite")) as db:
        return db.execute(f"SELECT COUNT(*) FROM {what}").fetchone()[0]


def check(result, dataset, before):
    """Hold a result against the manifest, and its parts against each other."""
    run = f"run = {count(dataset, 'runs')}"
    assert result.samples == count(dataset, "samples")
    assert (result.failures, result.failed) == (
        count(dataset, "failures"),
        count(dataset, f"failures WHERE {run}"),
    )
    assert result.skipped == count(dataset, "skipped")
    parts = (result.converted, result.unchanged, result.gone, result.others)
    assert min(*parts, result.replaced, result.pruned, result.failures - result.failed) >= 0, result
    assert sum(parts) == result.samples
    assert before + result.converted == result.samples + result.replaced + result.pruned
    added, total = _sentence(result).split("; ")
    shown = [
        re.match(r"[\d,]+", part.strip())[0]
        for part in added.partition(": ")[2].split(", ")
        if "MB" not in part and "busy" not in part
    ]
    assert sum(map(int, shown)) == int(total.split()[0])


class Source:
    """Files that come, go and change, some of them broken, in a folder or a tar."""

    def __init__(self, path, dice):
        self.path, self.dice, self.files, self.made = path, dice, {}, 0
        for _ in range(12):
            self.add()

    def add(self):
        self.made += 1
        number = self.made
        kinds = (
            *(("jpg", jpeg(number)),) * 4,
            ("jpg", jpeg(number)[:300]),
            ("txt", b"words"),
            ("tif", encoded(pixels(number, (9, 5)), "TIFF")),
        )
        suffix, data = self.dice.choice(kinds)
        self.files[f"{self.dice.choice('ab')}/{number}.{suffix}"] = data

    def change(self):
        for key in self.dice.sample(sorted(self.files), min(3, len(self.files))):
            if self.dice.random() < 0.5:
                del self.files[key]
            else:
                self.made += 1
                self.files[key] = jpeg(self.made) if self.dice.random() < 0.7 else jpeg(self.made)[:200]
        for _ in range(self.dice.randrange(4)):
            self.add()

    def write(self):
        if self.path.suffix == ".tar":
            make_tar(self.path, self.files)
            return self.path
        if self.path.exists():
            for file in self.path.rglob("*.*"):
                if str(file.relative_to(self.path)) not in self.files:
                    file.unlink()
        return make_folder(self.path, self.files)


def damage(dataset, dice):
    """Lose a shard, or change a bit of one."""
    shards = sorted((dataset / "shards").iterdir())
    if shards:
        shard = dice.choice(shards)
        if dice.random() < 0.5:
            shard.unlink()
        else:
            data = bytearray(shard.read_bytes())
            data[-1] ^= 1
            shard.write_bytes(data)


@pytest.mark.parametrize("seed", range(6))
def test_the_counts_add_up(tmp_path, seed):
    dice = random.Random(seed)
    dataset = tmp_path / "out"
    sources = [Source(tmp_path / name, dice) for name in ("one", "two.tar")]
    before = 0
    for step in range(7):
        for source in sources:
            if step:
                source.change()
            source.write()
        options = {
            "prune": dice.random() < 0.3,
            "yes": True,
            "retry_failed": dice.random() < 0.3,
            "repair": dice.random() < 0.3,
            "limit": dice.choice([None, None, None, 9]) if step else None,
        }
        named = sources if not step or dice.random() < 0.6 else [dice.choice(sources)]
        if step and dice.random() < 0.4:
            damage(dataset, dice)
        with suppress(ArchiveError):  # nothing but junk is left
            result = brinery.convert([source.path for source in named], dataset, **FAST, **options)
            check(result, dataset, before)
        before = count(dataset, "samples")


@pytest.mark.parametrize("where", [0, 1, 3])
def test_a_run_that_goes_on_says_what_was_there(tmp_path, where):
    source = make_tar(
        tmp_path / "a.tar", {f"{n}.jpg": jpeg(n) for n in range(40)} | {"cut.jpg": jpeg(1)[:200]}
    )
    calls = []

    def stop(progress):
        calls.append(progress)
        if len({one.members for one in calls}) > where + 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        brinery.convert(source, tmp_path / "out", progress=stop, **FAST)
    before = count(tmp_path / "out", "samples")
    result = brinery.convert(source, tmp_path / "out", **FAST)
    check(result, tmp_path / "out", before)
    assert (result.samples, result.unchanged, result.gone) == (40, before, 0)


def test_keys_that_occur_twice_are_counted_once(tmp_path):
    names = [f"{n}.jpg" for n in range(5)]
    source = make_tar(tmp_path / "a.tar", {name: jpeg(1) for name in names})
    with source.open("r+b") as file:
        again = make_tar(tmp_path / "b.tar", {"2.jpg": jpeg(7), "9.txt": b"words"}).read_bytes()
        file.seek(5 * (512 + 1024))
        file.truncate()
        file.write(again)
    before = 0
    for _ in range(2):
        result = brinery.convert(source, tmp_path / "out", **FAST)
        check(result, tmp_path / "out", before)
        before = result.samples
    assert (result.samples, result.unchanged) == (5, 5)


def test_old_failures_are_not_those_of_a_run_that_did_not_touch_them(tmp_path):
    files = {f"{n}.jpg": jpeg(n) for n in range(5)} | {"cut.jpg": jpeg(1)[:200]}
    source = make_folder(tmp_path / "a", files)
    first = brinery.convert(source, tmp_path / "out", **FAST)
    second = brinery.convert(source, tmp_path / "out", **FAST)
    third = brinery.convert(source, tmp_path / "out", retry_failed=True, **FAST)
    assert [(run.failures, run.failed) for run in (first, second, third)] == [(1, 1), (1, 0), (1, 1)]
    assert {run.exit_code for run in (first, second, third)} == {3}
