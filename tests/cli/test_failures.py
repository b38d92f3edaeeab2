"""What failed and why, as text, JSON and CSV, and the files themselves."""
# ruff: noqa: F811 - the fixture

import csv
import io
import json

import pytest

from ..images import images, jpeg, make_tar
from .test_commands import brinery_command  # noqa: F401 - the fixture

FAST = ("--workers", "1", "--backend", "threading")


@pytest.fixture
def dataset(brinery_command, tmp_path):
    """Forty truncated images, thirteen rare kinds of junk named like images, and two notes."""
    files = images(3) | {f"cut/{n:02}.jpg": jpeg(n)[: 300 + n] for n in range(40)}
    heads = [b"%PDF-1.7", b"GIF87", b"\x7fELF", b"OggS", b"ID3\x03", b"SQLite format 3\0", b"<html>"]
    heads += [b"PK\x03\x04", b"\x1f\x8b\x08", b"Rar!\x1a\x07\0", b"7z\xbc\xaf\x27\x1c", b"BZh9", b"{}"]
    files |= {f"junk/{n:02}.jpg": head + bytes(40) for n, head in enumerate(heads)}
    files |= {f"notes/{n}.txt": b"words" for n in range(2)}
    brinery_command("convert", make_tar(tmp_path / "mixed.tar", files), tmp_path / "out", *FAST)
    return tmp_path / "out"


def test_every_failure_is_listed_with_stage_reason_and_source(brinery_command, dataset, tmp_path):
    code, text, err = brinery_command("failures", dataset)
    assert (code, err) == (0, "")
    lines = text.splitlines()
    assert lines[0].startswith(f"{dataset}: 53 failures of ")
    assert "  skipped   2: text or unknown data" in lines
    assert sum(line.startswith("cut/") for line in lines) == 40
    assert any(
        line.startswith("cut/07.jpg: decode, ") and f"({tmp_path}/mixed.tar)" in line for line in lines
    )


def test_json_holds_all_and_adds_up(brinery_command, dataset):
    document = json.loads(brinery_command("failures", dataset, "--json", "--skipped")[1])
    assert document["failed"] == len(document["failures"]) == 53
    assert sum(kind["members"] for kind in document["failure_reasons"]) == 53
    assert document["skipped_reasons"] == {"text or unknown data": 2}
    assert [one["key"] for one in document["skipped"]] == ["notes/0.txt", "notes/1.txt"]
    assert {*document["failures"][0]} == {"key", "stage", "error", "message", "source", "run"}


def test_csv_is_a_table_of_what_was_asked_for(brinery_command, dataset):
    text = brinery_command("failures", dataset, "--csv", "--stage", "decode", "--match", "PDF")[1]
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["key"], row["stage"]) == ("junk/00.jpg", "decode")


def test_files_are_copied_and_counted(brinery_command, dataset, tmp_path):
    code, text, _ = brinery_command("failures", dataset, "--match", "PDF", "--copy-to", tmp_path / "broken")
    assert (code, text) == (0, f"{tmp_path}/broken: 1 file copied; failures.csv says which failure each is\n")
    assert (tmp_path / "broken" / "junk" / "00.jpg").read_bytes().startswith(b"%PDF")
    (tmp_path / "mixed.tar").unlink()
    code, text, err = brinery_command("failures", dataset, "--copy-to", tmp_path / "more", "--json")
    assert (code, json.loads(text)["copied"]["files"]) == (3, 0)
    assert f"its source {tmp_path}/mixed.tar is not there any more" in err


def test_info_names_every_kind_or_says_that_it_does_not(brinery_command, dataset):
    text = brinery_command("info", dataset)[1]
    document = json.loads(brinery_command("info", dataset, "--json")[1])
    kinds = document["failure_reasons"]
    assert len(document["failures"]) == document["failed"] == 53
    assert len(kinds) > 10
    shown = [line for line in text.splitlines() if line.startswith("  failed ") and "(as " in line]
    assert len(shown) == 10
    assert f"  failed    and {len(kinds) - 10} more kinds: brinery failures {dataset}" in text


def test_two_forms_at_once_are_refused(brinery_command, dataset):
    code, out, err = brinery_command("failures", dataset, "--json", "--csv")
    assert (code, out) == (2, "")
    assert "--csv and --json" in err
