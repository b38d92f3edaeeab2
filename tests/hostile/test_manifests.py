"""A manifest may come from anybody: what it says costs no more than its size, and touches nothing else."""

import os
import sqlite3
import struct
import sys
import time
from contextlib import closing

import pytest

import brinery
from brinery.engine.datasets.info import describe
from brinery.engine.datasets.restore import restore_stretch
from brinery.engine.datasets.stretches import Stretch
from brinery.engine.datasets.verify import verify_stretch
from brinery.engine.manifest import guarded
from brinery.engine.manifest.reader import Catalog
from brinery.errors import BrineryError, CorruptError, DatasetError

from ..images import encoded, make_tar, pixels
from .apart import peak, run_apart
from .sqlite_pages import multiply, repeat_cell

FILES = {f"{index}.png": encoded(pixels(index, (20, 24, 3)), "PNG") for index in range(3)}
FILES |= {"broken.png": b"\x89PNG\r\n\x1a\nno more", "notes.txt": b"no image"}
SMALL = {"workers": 1, "backend": "threading", "fsync": False}


@pytest.fixture
def dataset(tmp_path):
    brinery.convert(make_tar(tmp_path / "in.tar", FILES), tmp_path / "out", **SMALL)
    return tmp_path / "out"


def change(dataset, *statements):
    with closing(sqlite3.connect(dataset / "manifest.sqlite", isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


def whole(dataset):
    """All of a dataset for one process: `verify` and `restore` start others."""
    with closing(Catalog(dataset)) as catalog:  # one that is left open waits for the collector of garbage
        return Stretch(catalog.shards.ids)


def ways_to_use(dataset, root):
    """All that can be done with a dataset."""
    return {
        "open": lambda: list(brinery.open(dataset)),
        "keys": lambda: [brinery.open(dataset).keys.index(key) for key in brinery.open(dataset).keys],
        "verify": lambda: verify_stretch(dataset, whole(dataset)),
        "restore": lambda: restore_stretch(dataset, root / "back", "png", None, whole(dataset)),
        "report": lambda: brinery.write_report(dataset, root / "report.md"),
        "resume": lambda: brinery.convert(root / "in.tar", dataset, **SMALL),
        "repair": lambda: brinery.convert(root / "in.tar", dataset, repair=True, **SMALL),
        "prune": lambda: brinery.convert(root / "in.tar", dataset, prune=True, limit=1, **SMALL),
    }


def use(step, dataset, root):
    """Do everything; return how it ended, the most CPU time it took, and the memory."""
    ends, longest, unasked = {}, 0.0, []
    sys.unraisablehook = unasked.append
    sound = (dataset / "manifest.sqlite").read_bytes()
    before = peak()
    ways = ways_to_use(dataset, root)
    del ways["repair"]  # starts processes, as verify does
    for step.value, (name, function) in enumerate(ways.items()):
        begin = time.process_time()
        try:
            function()
        except BrineryError as error:
            ends[name] = type(error).__name__
        longest = max(longest, time.process_time() - begin)
        (dataset / "manifest.sqlite").write_bytes(sound)
    assert unasked == []
    return ends, longest, peak() - before


TABLES = ["dataset", "shards", "samples", "failures", "skipped", "runs", "timeline"]


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("levels", [2, 6])
def test_pages_that_are_used_again_and_again(dataset, tmp_path, table, levels):
    multiply(dataset / "manifest.sqlite", table, levels)
    ends, longest, memory = run_apart(use, dataset, tmp_path, within=100)
    assert longest < 10
    assert memory < 200 << 20
    assert set(ends.values()) <= {"DatasetError", "CorruptError"}
    if table in ("dataset", "shards"):  # which are read whole when the dataset is opened
        assert len(ends) == len(ways_to_use(dataset, tmp_path)) - 1


@pytest.mark.parametrize("table", TABLES)
def test_a_long_value_that_is_in_every_row(dataset, tmp_path, table):
    column = {
        "dataset": "value",
        "shards": "name",
        "samples": "dtype",
        "timeline": "role",
        "runs": "settings",
    }
    change(
        dataset,
        "DELETE FROM timeline WHERE t_ns > (SELECT MIN(t_ns) FROM timeline)",  # a slow run has pages of rows
        f"UPDATE {table} SET {column.get(table, 'key')} = printf('%.*c', 200000, 'x')"
        f" WHERE {'name = ' + repr('protocol') if table == 'dataset' else '1'}",
        "PRAGMA page_size = 65536",
        "VACUUM",
    )
    assert repeat_cell(dataset / "manifest.sqlite", table) > 500
    ends, longest, memory = run_apart(use, dataset, tmp_path, within=100)
    assert longest < 10
    assert memory < 200 << 20
    assert set(ends.values()) <= {"DatasetError", "CorruptError"}


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW more AS SELECT 1",
        "CREATE TRIGGER more AFTER INSERT ON runs BEGIN DELETE FROM samples; END",
        "CREATE VIRTUAL TABLE more USING rtree (id, a, b)",
        "CREATE INDEX more ON samples (length(shape))",
        "ALTER TABLE skipped ADD COLUMN more AS (hex(zeroblob(400000000)))",
    ],
)
def test_what_brinery_does_not_make_is_refused_whatever_is_to_be_done(dataset, tmp_path, statement):
    change(dataset, statement)
    for function in ways_to_use(dataset, tmp_path).values():
        with pytest.raises(DatasetError, match="is not as brinery makes it"):
            function()
    assert brinery.convert(tmp_path / "in.tar", dataset, overwrite=True, **SMALL).samples == 3


def test_a_manifest_may_have_pages_of_any_size(dataset):
    for size in (512, 65536):
        change(dataset, f"PRAGMA page_size = {size}", "VACUUM")
        with brinery.open(dataset, verify=True) as opened:
            assert len(list(opened)) == 3


@pytest.mark.parametrize(
    ("offset", "value"), [(16, b"\0\3"), (18, b"\2\2"), (56, b"\0\0\0\2")], ids=["page", "log", "utf-16"]
)
def test_a_header_that_brinery_does_not_write(dataset, offset, value):
    with (dataset / "manifest.sqlite").open("r+b") as file:
        file.seek(offset)
        file.write(value)
    with pytest.raises(DatasetError, match="is no manifest as brinery writes it"):
        brinery.open(dataset)


def journal(pages, *, records=0, sector=512, page=4096, body=b""):
    head = bytes.fromhex("d9d505f920a163d7") + struct.pack(">5I", records, 0, pages, sector, page)
    return head.ljust(sector, b"\0") + body


@pytest.mark.parametrize(
    "planted",
    [
        journal(2**31 - 2),
        journal(1000),
        journal(2**32 - 1, page=65536),
        journal(5, page=65536),
        journal(5, page=1000),
        journal(5, sector=48),
        journal(1, body=bytes(100_000)),
    ],
    ids=[
        "8.8 TB",
        "4 MB",
        "281 TB",
        "other pages",
        "no page size",
        "no sector size",
        "more than it can undo",
    ],
)
def test_a_journal_that_would_do_more_than_undo_is_refused(dataset, tmp_path, planted):
    manifest = dataset / "manifest.sqlite"
    (dataset / "manifest.sqlite-journal").write_bytes(planted)
    before = manifest.read_bytes()
    for function in ways_to_use(dataset, tmp_path).values():
        with pytest.raises(DatasetError, match="does not belong to this manifest"):
            function()
    assert manifest.read_bytes() == before
    assert (dataset / "manifest.sqlite-journal").exists()


@pytest.mark.parametrize("planted", [b"", bytes(28), b"x" * 5000, journal(0, records=0)[:20]])
def test_a_journal_of_a_transaction_that_changed_nothing_is_no_hindrance(dataset, planted):
    (dataset / "manifest.sqlite-journal").write_bytes(planted)
    with brinery.open(dataset, verify=True) as opened:
        assert len(list(opened)) == 3


def test_a_log_is_not_read_in_the_manifests_place(dataset, tmp_path):
    manifest = dataset / "manifest.sqlite"
    other = tmp_path / "other.sqlite"
    other.write_bytes(manifest.read_bytes())
    with closing(sqlite3.connect(other, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("UPDATE samples SET key = 'from the log/' || key")
        (dataset / "manifest.sqlite-wal").write_bytes((tmp_path / "other.sqlite-wal").read_bytes())
    for function in ways_to_use(dataset, tmp_path).values():
        with pytest.raises(DatasetError, match="which brinery never makes"):
            function()
    assert sorted(os.listdir(dataset)) == ["README.txt", "manifest.sqlite", "manifest.sqlite-wal", "shards"]


def test_a_manifest_that_is_a_link_is_refused(dataset, tmp_path):
    (dataset / "manifest.sqlite").rename(tmp_path / "elsewhere.sqlite")
    (dataset / "manifest.sqlite").symlink_to(tmp_path / "elsewhere.sqlite")
    for function in ways_to_use(dataset, tmp_path).values():
        with pytest.raises(
            BrineryError, match=r"it is a link, and none is followed|is a link or something else"
        ):
            function()


@pytest.mark.parametrize("rows", [10**6, 2**40, 2**62])
def test_more_samples_than_the_file_has_room_for(dataset, rows):
    change(dataset, f"UPDATE shards SET samples = {rows}")
    with pytest.raises(CorruptError, match="it is too small for"):
        brinery.open(dataset)


@pytest.mark.parametrize("key", ["\ud800", "x" * 10**7, "", "nowhere"])
def test_a_key_that_no_dataset_has(dataset, key):
    with brinery.open(dataset) as opened:
        assert key not in opened
        assert key not in opened.keys
        with pytest.raises(KeyError):
            opened[key]


@pytest.mark.parametrize("letters", [16_384, 16_385, 1_000_000])
def test_a_name_that_is_too_long_for_a_key_is_a_failure(tmp_path, letters):
    names = [letter * letters for letter in "ab"]
    tar = make_tar(tmp_path / "in.tar", dict.fromkeys((*names, "c"), FILES["0.png"]))
    for _ in range(2):
        result = brinery.convert(tar, tmp_path / "out", **SMALL)
        fits = 2 if letters <= 16_384 else 0
        assert (result.samples, result.failures) == (1 + fits, 2 - fits)
        with brinery.open(tmp_path / "out", verify=True) as opened:
            assert list(opened.keys) == [*names[:fits], "c"]
            assert len(list(opened)) == 1 + fits
        catalog = Catalog(tmp_path / "out")
        found = [row for rows in catalog.table("failures", ("key", "error")) for row in rows]
        assert len({key for key, _ in found}) == 2 - fits
        assert {error for _, error in found} <= {"NameTooLong", "TarError"}


def test_an_error_amid_rows_leaves_the_manifest_free(dataset):
    change(dataset, "UPDATE failures SET ordinal = -5")
    with pytest.raises(CorruptError, match="the table failures has -5 as ordinal, which makes no sense"):
        describe(dataset)
    with closing(sqlite3.connect(dataset / "manifest.sqlite", isolation_level=None, timeout=0)) as db:
        db.execute("BEGIN EXCLUSIVE")


@pytest.mark.parametrize("ordinal", [2**31, 2**59, 2**62])
def test_a_place_far_away_takes_no_memory(dataset, tmp_path, ordinal):
    change(dataset, f"UPDATE samples SET ordinal = ordinal + {ordinal}")
    ends, _, memory = run_apart(use, dataset, tmp_path)
    assert memory < 100 << 20
    assert set(ends) <= {"resume", "prune"}


@pytest.mark.parametrize("size", [2**31, 2**43])
def test_a_hole_gives_a_manifest_no_more_room(dataset, tmp_path, size):
    manifest = dataset / "manifest.sqlite"
    try:
        os.truncate(manifest, size)
    except OSError:
        pytest.skip("the file system has no files of this size")
    if not manifest.stat().st_blocks:
        pytest.skip("the file system does not tell what it stores")
    for function in ways_to_use(dataset, tmp_path).values():
        with pytest.raises(DatasetError, match="the others are a hole"):
            function()


def test_the_rows_of_numbers_are_bounded_however_large_the_file(dataset, monkeypatch):
    monkeypatch.setattr(guarded.Guard, "most_rows", 2**40)
    with brinery.open(dataset, verify=True) as opened:
        assert len(list(opened)) == 3
