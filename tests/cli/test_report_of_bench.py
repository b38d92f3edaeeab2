"""brinery bench writes the page beside its result, or says what is missing."""

import pytest

from brinery.cli import bench as bench_command
from brinery.errors import MissingLibraryError

from ..report.made import bench


def test_the_page_is_written(tmp_path, capsys):
    pytest.importorskip("altair")
    bench_command._write_page(bench(), tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
    assert "report.html: " in capsys.readouterr().err


def test_what_to_choose_is_said_last(monkeypatch):
    pytest.importorskip("scipy")
    monkeypatch.delenv("COLUMNS", raising=False)
    told = []
    bench_command._conclude(bench(), told.append)
    assert told[-1] == "Choose npy with 2 workers."
    assert "x your source" in told[0]


def test_without_the_extra_a_note_names_it(tmp_path, capsys, monkeypatch):
    def missing(*arguments):
        raise MissingLibraryError("charts need altair: pip install 'brinery[report]'")

    monkeypatch.setattr("brinery.report.write.write_report", missing)
    bench_command._write_page(bench(), tmp_path / "report.html")
    assert (
        "note: no report.html: charts need altair: pip install 'brinery[report]'" in capsys.readouterr().err
    )
    assert not (tmp_path / "report.html").exists()
