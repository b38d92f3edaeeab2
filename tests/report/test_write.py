"""brinery.write_report and the command: formats, names, errors."""

import builtins
import csv
import json
import sys

import pytest

import brinery
import brinery.report
from brinery.benchmark.compare.compare import compare_results
from brinery.benchmark.result.file import write_result
from brinery.errors import DatasetError, MissingLibraryError, StorageError, UsageError

from ..cli.test_commands import brinery_command  # noqa: F401 - the fixture
from .made import bench, dataset, hostile

pytest.importorskip("altair")


@pytest.fixture
def file(tmp_path):
    write_result(bench(), tmp_path / "result.json")
    return tmp_path / "result.json"


def test_a_result_becomes_one_file(file, tmp_path):
    written = brinery.write_report(file, tmp_path / "r.html")
    assert (written.kind, written.format, written.conclusion) == (
        "bench",
        "html",
        "Choose npy with 2 workers.",
    )
    assert (tmp_path / "r.html").stat().st_size == written.bytes
    assert {"tradeoff", "scaling-load", "efficiency", "timeline-cpu", "sentinel"} <= set(written.charts)


def test_the_format_follows_the_name(file, tmp_path):
    assert brinery.write_report(file, tmp_path / "r.md").format == "md"
    assert (tmp_path / "r.md").read_text().startswith("# brinery bench")
    brinery.write_report(file, tmp_path / "r.svg", chart="tradeoff")
    assert (tmp_path / "r.svg").read_text().startswith("<svg")
    brinery.write_report(file, tmp_path / "r.png", chart="efficiency")
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")


def test_every_table_becomes_a_file_of_numbers(file, tmp_path):
    written = brinery.write_report(file, tmp_path / "tables", format="csv")
    files = {path.stem: path.read_text() for path in (tmp_path / "tables").iterdir()}
    assert written.path == str(tmp_path / "tables")
    assert written.bytes == sum(len(text.encode()) for text in files.values())
    assert {"tradeoff", "scaling-load", "candidates-by-aim", "efficiency", "timeline-workers"} <= set(files)
    head, *rows = csv.DictReader(files["scaling-load"].splitlines())
    assert head["protocol"] == "npy"
    assert [(row["workers"], row["efficiency"]) for row in rows][:2] == [("2", "1"), ("4", "0.5")]


def test_where_there_is_no_table_csv_says_so(tmp_path):
    differ = compare_results(hostile(), bench())
    with pytest.raises(UsageError, match="there is no table to write"):
        brinery.write_report(differ, tmp_path / "tables", format="csv")
    assert not (tmp_path / "tables").exists()


def test_a_picture_stands_alone_with_its_patterns(file, tmp_path):
    brinery.write_report(file, tmp_path / "r.svg", chart="time-load")
    svg = (tmp_path / "r.svg").read_text()
    assert 'fill="url(#p1)"' in svg or 'fill="url(#p4)"' in svg
    assert '<pattern id="p1"' in svg
    assert "http" not in svg.replace("http://www.w3.org", "")


@pytest.mark.parametrize("chart", [None, "nonsense"])
def test_an_unknown_chart_lists_the_known_ones(file, tmp_path, chart):
    with pytest.raises(UsageError, match=r"choose with --chart one of tradeoff, scaling-dump, scaling-load"):
        brinery.write_report(file, tmp_path / "r.svg", chart=chart)


def test_wrong_calls(file, tmp_path):
    with pytest.raises(UsageError, match="no format 'pdf': known are html, md, csv, svg, png"):
        brinery.write_report(file, tmp_path / "r", format="pdf")
    with pytest.raises(UsageError, match="not for html"):
        brinery.write_report(file, tmp_path / "r.html", chart="tradeoff")
    with pytest.raises(StorageError, match="cannot write"):
        brinery.write_report(file, tmp_path / "nowhere" / "r.md")
    with pytest.raises(DatasetError, match="cannot read"):
        brinery.write_report(tmp_path / "none.json", tmp_path / "r.html")
    with pytest.raises(DatasetError, match="no brinery dataset"):
        brinery.write_report(tmp_path, tmp_path / "r.html", other=None) if not (
            tmp_path / "result.json"
        ).unlink() else None
    for text in ("", "[1]", "{}", '{"schema": "brinery.compare/1"}'):
        (tmp_path / "odd.json").write_text(text)
        with pytest.raises(DatasetError, match=r"odd\.json"):
            brinery.write_report(tmp_path / "odd.json", tmp_path / "r.html")


def test_a_failed_report_leaves_what_was_there(file, tmp_path):
    (tmp_path / "r.svg").write_text("old")
    with pytest.raises(UsageError):
        brinery.write_report(file, tmp_path / "r.svg", chart="nonsense")
    assert (tmp_path / "r.svg").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.svg", "result.json"]


def test_two_results_or_their_comparison_become_a_forest(file, tmp_path):
    made = compare_results(
        bench(), bench({"npy": 30.0, "hickle": 60.0, "json": 2000.0}), names=("before", "after")
    )
    (tmp_path / "compare.json").write_text(json.dumps(made.as_dict()))
    first = brinery.write_report(tmp_path / "compare.json", tmp_path / "a.html")
    second = brinery.write_report(file, tmp_path / "b.html", other=file)
    assert (first.kind, second.kind) == ("compare", "compare")
    assert first.conclusion == "8 of 24 cells regressed."
    assert second.conclusion == "Nothing regressed."
    assert "forest-load" in first.charts


def test_a_dataset_has_a_report_of_its_own(tmp_path):
    out = dataset(tmp_path, failures=3)
    written = brinery.write_report(out, tmp_path / "c.html")
    assert written.kind == "convert"
    assert "3 failed" in written.conclusion
    assert brinery.write_report(out / "manifest.sqlite", tmp_path / "c.md").kind == "convert"
    assert "keys to look at" in (tmp_path / "c.md").read_text()


@pytest.mark.parametrize("missing", ["altair", "vl_convert", "markupsafe"])
def test_without_the_extra_a_message_names_it_and_markdown_works(file, tmp_path, monkeypatch, missing):
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name == missing:
            raise ImportError(f"no {name}")
        return real(name, *arguments, **options)

    for name in [name for name in sys.modules if name.startswith("brinery.report.")]:
        monkeypatch.delitem(sys.modules, name)
        monkeypatch.delattr(brinery.report, name.rpartition(".")[2], raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    from brinery.report.write import write_report

    with pytest.raises(MissingLibraryError, match=r"pip install 'brinery\[report\]'"):
        write_report(file, tmp_path / "r.html")
    assert write_report(file, tmp_path / "r.md").format == "md"
    assert write_report(dataset(tmp_path), tmp_path / "c.md").kind == "convert"


def test_the_command_prints_the_conclusion(brinery_command, file, tmp_path):  # noqa: F811
    code, text, err = brinery_command("report", file, "-o", tmp_path / "r.html")
    assert (code, text) == (0, "Choose npy with 2 workers.\n")
    assert "r.html" in err
    code, text, _ = brinery_command("report", file, "-o", tmp_path / "r.md", "--json")
    assert (code, json.loads(text)["format"]) == (0, "md")
    code, _, err = brinery_command("report", file, "--format", "svg")
    assert (code, "tradeoff" in err) == (2, True)
    assert brinery_command("report", tmp_path / "none.json")[0] == 4
