"""Manifests changed field by field: the numbers of the file's structure, and all columns' values.

Whatever is done with them ends soon, with what it should give or with an error of the dataset.
"""

import contextlib
import gc
import json
import os
import random
import re
import sqlite3
import sys
import time
from collections import Counter
from contextlib import closing

import pytest
from click.testing import CliRunner

import brinery
from brinery.cli.failures import command as failures
from brinery.cli.info import command as info
from brinery.cli.report import command as report
from brinery.engine.datasets.restore import restore_stretch
from brinery.engine.datasets.stretches import Stretch
from brinery.engine.datasets.verify import verify_stretch
from brinery.engine.manifest.reader import Catalog
from brinery.engine.manifest.schema import COLUMNS
from brinery.errors import BrineryError

from ..images import encoded, make_tar, pixels
from .apart import peak, run_apart
from .sqlite_pages import change_field, fields

SOAK = os.environ.get("BRINERY_SOAK")
STRUCTURES = 20_000 if SOAK else 80
SECONDS = 10
WAITED = 50  # where other processes hold the CPUs
ROOM = 256 << 20
VALUES = [
    *(None, 0, 1, -1, 2**31, 2**63 - 1, -(2**63), 0.5, -1e308, 1e308, float("inf")),
    *(
        "",
        "x",
        "0",
        "-1",
        "9" * 5000,
        "é\u202e\x1b[31m\n|<b>`*",
        "../x",
        "..",
        "\x00",
        b"",
        b"x",
        b"\xff" * 9,
    ),
    *("{}", "[]", "[[1]]", '{"wall_ns": NaN}', '{"a": 1, "a": 2}', '{"\\ud800": 1e999}', "[" * 5000),
    *("npy", "|u1", "[1, 2, 3]", "2026-01-01T00:00:00+00:00", "x" * 100_000),
]
CELLS = [
    (table, column, number)
    for table, columns in COLUMNS.items()
    for column in columns
    for number in range(len(VALUES))
]
SMALL = {"workers": 1, "backend": "threading", "fsync": False}
FILES = {f"{index}.png": encoded(pixels(index, (5, 6, 3)), "PNG") for index in range(6)}
FILES |= {"broken.png": b"\x89PNG\r\n\x1a\nno more", "notes.txt": b"no image"}


def make(root):
    return brinery.convert(make_tar(root / "in.tar", FILES), root / "out", shard_size="1KiB", **SMALL).path


def read(dataset, root):
    with brinery.open(dataset, verify=True) as opened:
        for index in range(min(len(opened), 20)):
            with contextlib.suppress(BrineryError):
                assert opened[index].shape == (5, 6, 3)
        assert all(type(key) is str for key in opened.keys[:20])


def say(command, *arguments):
    """Run a command; what it prints is text and steers no terminal."""
    ended = CliRunner().invoke(command, [*map(str, arguments)])
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    assert ended.stdout.replace("\n", "").isprintable()
    return ended.stdout


def whole(dataset):
    """All of a dataset for one process: `verify` and `restore` start others."""
    with closing(Catalog(dataset)) as catalog:  # one that is left open waits for the collector of garbage
        return Stretch(catalog.shards.ids)


def convert(dataset, root, **options):
    brinery.convert(root / "in.tar", dataset, shard_size="1KiB", **SMALL, **options)


WAYS = {
    "read": read,
    "info": lambda dataset, _: say(info, dataset),
    "json": lambda dataset, _: json.loads(say(info, dataset, "--json")),
    "failures": lambda dataset, _: json.loads(say(failures, dataset, "--json", "--skipped")),
    "markdown": lambda dataset, root: say(report, dataset, "-o", root / "report.md"),
    "verify": lambda dataset, _: verify_stretch(dataset, whole(dataset)),
    "restore": lambda dataset, root: restore_stretch(dataset, root / "back", "png", None, whole(dataset)),
    "export": lambda dataset, root: brinery.export(dataset, root / "other", overwrite=True, **SMALL),
    "resume": convert,
    "prune": lambda dataset, root: convert(dataset, root, prune=True, retry_failed=True),
}


def use(dataset, root, outcomes):
    """Do everything with a manifest; nothing is printed of errors that nobody asked for."""
    unasked = []
    sys.unraisablehook = unasked.append
    manifest = dataset / "manifest.sqlite"
    given = manifest.read_bytes()
    for name, way in WAYS.items():
        begin, cpu = time.perf_counter(), time.process_time()
        try:
            way(dataset, root)
            outcomes[name, "done"] += 1
        except BrineryError:
            outcomes[name, "refused"] += 1
        cpu, took = time.process_time() - cpu, time.perf_counter() - begin
        assert cpu < SECONDS, f"{name} took {cpu:.1f} s of a CPU"
        assert took < WAITED, f"{name} took {took:.1f} s"
        manifest.write_bytes(given)
        for left in dataset.glob("manifest.sqlite-*"):
            left.unlink()
    assert unasked == []


def change_structures(step, root, first, count):
    dataset = make(root)
    manifest = dataset / "manifest.sqlite"
    sound = manifest.read_bytes()
    places = [*fields(sound)]
    outcomes = Counter()
    use(dataset, root, outcomes)
    before = peak()
    for step.value in range(first, first + count):
        chance = random.Random(step.value)
        data = bytearray(sound)
        for _ in range(chance.choice([1, 1, 1, 2, 5])):
            change_field(data, places, chance)
        manifest.write_bytes(data)
        use(dataset, root, outcomes)
        if not step.value % 50:
            gc.collect()  # commands that ended in an error are held by its traceback
        assert peak() - before < ROOM
    return outcomes


def test_no_number_of_the_structure_leads_astray(tmp_path):
    outcomes = run_apart(change_structures, tmp_path, 0, STRUCTURES, within=60 + 2 * STRUCTURES)
    assert all(outcomes[name, end] for name in WAYS for end in ("done", "refused"))


@contextlib.contextmanager
def without_rules(manifest):
    """A connection for which any column can hold anything; the schema is as before in the end."""
    change = "UPDATE sqlite_master SET sql = ? WHERE name = ?"
    with closing(sqlite3.connect(manifest, isolation_level=None)) as db:
        tables = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
        db.execute("PRAGMA writable_schema = ON")
        for name, sql in tables:
            loose = re.sub(r" NOT NULL| TEXT| INTEGER(?! PRIMARY)", "", sql)
            db.execute(change, (loose, name))
    with closing(sqlite3.connect(manifest, isolation_level=None)) as db:
        yield db
        db.execute("PRAGMA writable_schema = ON")
        for name, sql in tables:
            db.execute(change, (sql, name))


def change_values(step, root, cells):
    dataset = make(root)
    manifest = dataset / "manifest.sqlite"
    sound = manifest.read_bytes()
    outcomes = Counter()
    before = peak()
    for step.value, (table, column, number) in enumerate(cells):
        manifest.write_bytes(sound)
        with (
            without_rules(manifest) as db,
            contextlib.suppress(sqlite3.IntegrityError),  # of an id that is no number
        ):
            db.execute(f"UPDATE OR IGNORE {table} SET {column} = ?", (VALUES[number],))
        use(dataset, root, outcomes)
        if not step.value % 50:
            gc.collect()  # commands that ended in an error are held by its traceback
        assert peak() - before < ROOM
    return outcomes


@pytest.mark.parametrize("part", range(8 if SOAK else 1))
def test_no_value_of_a_column_leads_astray(tmp_path, part):
    cells = CELLS[part::8] if SOAK else random.Random(1).sample(CELLS, 100)
    outcomes = run_apart(change_values, tmp_path, cells, within=60 + 3 * len(cells))
    assert all(outcomes[name, end] for name in WAYS for end in ("done", "refused"))
