"""brinery bench writes the page beside its result, or says what is missing."""

import pytest

from brinery.cli import bench as bench_command
from brinery.errors import MissingLibraryError

from ..report.made import bench


def test_the_page_is_written_and_its_conclusion_returned_to_be_printed_last(tmp_path, capsys):
    pytest.importorskip("altair")
    told = bench_command._write_page(bench(), tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
    assert told == ["Choose npy with 2 workers."]
    assert "report.html: " in capsys.readouterr().err


def test_without_the_extra_a_note_names_it(tmp_path, capsys, monkeypatch):
    def missing(*arguments):
        raise MissingLibraryError("charts need altair: pip install 'brinery[report]'")

    monkeypatch.setattr("brinery.report.write.write_report", missing)
    assert bench_command._write_page(bench(), tmp_path / "report.html") == []
    assert (
        "note: no report.html: charts need altair: pip install 'brinery[report]'" in capsys.readouterr().err
    )
    assert not (tmp_path / "report.html").exists()
