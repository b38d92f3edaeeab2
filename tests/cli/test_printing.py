"""Names and messages come from anybody: what commands print steers no terminal, one line a fact."""

import json
import sqlite3
from contextlib import closing

import pytest

import brinery
from brinery.engine.manifest.schema import COLUMNS

from ..benchmark.made import pooled, result
from ..images import images, make_folder
from .test_commands import brinery_command  # noqa: F401 - a fixture

NASTY = "a\x1b[2Jb\u202ec\nd\re\x07\x9bf\x7f"
SHOWN = "a\\x1b[2Jb\\u202ec\\nd\\re\\x07\\x9bf\\x7f"
SENSE = {
    ("dataset", "name"),
    ("dataset", "value"),
    ("shards", "name"),
    ("runs", "settings"),
    ("runs", "summary"),
}
SENSE |= {("samples", name) for name in ("key", "dtype", "shape", "xxh3")}


@pytest.fixture
def dataset(tmp_path):
    files = images(3) | {"broken.jpg": b"\xff\xd8\xff\xe0 no more", "notes.txt": b"no image"}
    folder = make_folder(tmp_path / "in", files)
    brinery.convert(folder, tmp_path / "out", workers=1, backend="threading", fsync=False)
    with closing(sqlite3.connect(tmp_path / "out/manifest.sqlite", isolation_level=None)) as db:
        db.execute("UPDATE shards SET name = name || 'x'")  # so that no sample can be read
        for table, columns in COLUMNS.items():
            for column, (kind, _) in columns.items():
                if kind is str and (table, column) not in SENSE:
                    db.execute(f"UPDATE {table} SET {column} = ?", (NASTY,))
        db.execute("UPDATE samples SET key = ? || record", (NASTY,))
        db.execute("UPDATE dataset SET value = ? WHERE name IN ('mode', 'frames')", (NASTY,))
        db.execute("INSERT INTO dataset VALUES (?, ?)", (NASTY, NASTY))
    return tmp_path / "out"


def assert_plain(*texts):
    for text in texts:
        odd = [letter for letter in text if not letter.isprintable() and letter != "\n"]
        assert odd == []


@pytest.mark.parametrize("style", [(), ("--json",)])
def test_texts_of_a_manifest(brinery_command, dataset, tmp_path, style):  # noqa: F811
    for arguments, expected in (
        (("info", dataset), 0),
        (("verify", dataset, "--workers", "1"), 3),
        (("restore", dataset, tmp_path / f"back{len(style)}", "--workers", "1"), 3),
        (("report", dataset, "-o", tmp_path / "report.md"), 0),
        (("report", dataset, "-o", tmp_path / "report.html"), 0),
    ):
        code, out, err = brinery_command(*arguments, *style)
        assert code == expected, err
        assert_plain(out, err)
        if style:
            json.loads(out)
        elif "report" not in arguments:
            assert SHOWN in out + err
    assert_plain((tmp_path / "report.md").read_text())
    assert not set("\x1b\u202e\x07\x9b\x7f") & set((tmp_path / "report.html").read_text())


def test_one_text_is_one_line(brinery_command, dataset):  # noqa: F811
    _, out, _ = brinery_command("info", dataset)
    assert {line.split()[0] for line in out.splitlines()[1:]} <= {
        *("files", "from", "pixels", "shape", "skipped", "failed", "run", "speed", "CPU", "memory", "read"),
        *("written", "time", f"{SHOWN}:"),
    }


def test_a_long_text_is_cut(brinery_command, dataset):  # noqa: F811
    with closing(sqlite3.connect(dataset / "manifest.sqlite", isolation_level=None)) as db:
        db.execute("UPDATE failures SET message = ?", ("x" * 100_000,))
    _, out, _ = brinery_command("info", dataset)
    assert max(map(len, out.splitlines())) < 5000
    assert "more letters)" in out


def test_names_of_a_result(brinery_command, tmp_path):  # noqa: F811
    cells = [(pooled(NASTY, "load", workers), [20.0] * 5) for workers in (1, 2)]
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(json.dumps(result(cells).as_dict()))
    for style in ((), ("--markdown",), ("--json",)):
        code, out, err = brinery_command("compare", tmp_path / "a.json", tmp_path / "b.json", *style)
        assert code in (0, 2)
        assert_plain(out, err)


@pytest.mark.parametrize(
    "arguments", [(NASTY,), ("info", NASTY), ("info", f"--{NASTY}"), ("info", "a", NASTY)]
)
def test_what_was_called_wrongly(brinery_command, arguments):  # noqa: F811
    code, out, err = brinery_command(*arguments)
    assert code in (2, 4)
    assert_plain(out, err)
    assert "\\u202e" in err
