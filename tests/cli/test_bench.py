"""brinery bench as a user meets it: what it hands on, and two versions at once."""

import json
from dataclasses import replace

import pytest

import brinery
from brinery.benchmark.compare import ab
from brinery.benchmark.compare.compare import compare_results
from brinery.benchmark.compare.progress import TurnProgress
from brinery.benchmark.result.result import InTurns
from brinery.errors import BrineryError, UsageError

from ..benchmark.made import pooled, result
from .test_commands import brinery_command  # noqa: F401 - the fixture

pytest.importorskip("scipy")

CELL = pooled("npy", "dump", 2)


@pytest.fixture
def versions(monkeypatch, tmp_path):
    """Stand in for the measuring: the head takes 1.2 times as long; returns what was asked for."""
    asked = {}

    def run(versions, *, say, progress, after_pair, **options):
        base, head = versions
        asked.update(options, versions=versions)
        say("pair 1 of 7: base, main")
        progress(TurnProgress(0.5, 60.0, "pair 1 of 7, round 1, dump npy, 2 workers"))
        times = [150 + number % 3 for number in range(7)]
        made = (result([(CELL, times)]), result([(CELL, [1.2 * time for time in times])]))
        sides = [
            replace(one, in_turns=InTurns("turns", side, side, 1))
            for one, side in zip(made, ("base", "head"), strict=True)
        ]
        found = compare_results(*sides, names=(base, head))
        after_pair(found)
        return found

    monkeypatch.setattr(ab, "run_ab", run)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bench-out").mkdir()
    return asked


def test_two_versions_are_measured_and_the_exit_code_is_the_answer(brinery_command, versions):  # noqa: F811
    code, text, err = brinery_command("bench", "--ab", "main", "HEAD", "photos.tar", "--protocols", "npy")
    assert code == 1
    assert "1 of 1 cell regressed" in text
    assert "pair 1 of 7" in err
    assert versions["versions"] == ("main", "HEAD")
    assert (versions["source"], versions["protocols"], versions["rounds"]) == ("photos.tar", "npy", None)


def test_the_comparison_of_two_versions_is_saved(brinery_command, versions, tmp_path):  # noqa: F811
    _, text, err = brinery_command("bench", "--ab", "main", "HEAD", "--json")
    saved = {path.name: path.read_text() for path in (tmp_path / "bench-out").iterdir()}
    assert saved.keys() == {"comparison.json", "comparison.md", "comparison.html"}
    assert json.loads(saved["comparison.json"]) == json.loads(text)
    assert saved["comparison.md"].startswith("### brinery compare\n\n**1 of 1 cell regressed")
    assert "bench-out/comparison.html: " in err
    again = brinery.write_report("bench-out/comparison.json", "again.html")
    assert again.conclusion == "1 of 1 cell regressed."


def test_the_comparison_of_two_versions_comes_as_json_or_markdown(brinery_command, versions):  # noqa: F811
    _, text, _ = brinery_command("bench", "--ab", "main", "HEAD", "--json")
    assert json.loads(text)["counts"]["regressed"] == 1
    _, text, _ = brinery_command("bench", "--ab", "main", "HEAD", "--markdown")
    assert text.startswith("### brinery compare\n")


@pytest.mark.parametrize(
    ("error", "says"),
    [(UsageError("'x' is no revision"), "no revision"), (BrineryError("a round failed; see a.log"), "a.log")],
)
def test_two_versions_that_cannot_be_measured_end_with_4(brinery_command, monkeypatch, error, says):  # noqa: F811
    def fail(*_versions, **_options):
        raise error

    monkeypatch.setattr(ab, "run_ab", fail)
    code, text, err = brinery_command("bench", "--ab", "x", "HEAD")
    assert (code, text) == (4, "")
    assert says in err


def test_formats_exclude_each_other_and_markdown_needs_two_versions(brinery_command, versions):  # noqa: F811
    assert brinery_command("bench", "--ab", "main", "HEAD", "--json", "--markdown")[0] == 4
    assert brinery_command("bench", "--markdown")[0] == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["--reads-per-write", "-1"],
        ["--link", "0"],
        ["--memory-cap", "much"],
        ["--dispatch", "thrown"],
        ["--cache", "hot"],
    ],
)
def test_options_that_make_no_sense_end_with_2(brinery_command, tmp_path, arguments):  # noqa: F811
    code, text, err = brinery_command("bench", "--output", tmp_path / "out", *arguments)
    assert (code, text) == (2, "")
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_help_shows_examples(brinery_command):  # noqa: F811
    text = brinery_command("bench", "--help")[1]
    assert "brinery bench --ab main HEAD" in text
    assert "--reads-per-write" in text
