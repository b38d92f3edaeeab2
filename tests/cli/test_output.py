"""What commands write: JSON on stdout, lines for people, progress now and then."""

import json
import time
from pathlib import Path

import pytest

from brinery.cli import output
from brinery.cli.output import ProgressBar, emit_json, put, say, terminal_width


def test_json_is_one_document_on_stdout(capsys):
    emit_json({"path": Path("a/b"), "count": 3})
    out, err = capsys.readouterr()
    assert json.loads(out) == {"path": "a/b", "count": 3}
    assert err == ""


def test_people_are_told_on_stderr_and_asked_for_text_is_on_stdout(capsys):
    say("a warning")
    put("one", "two")
    assert capsys.readouterr() == ("one\ntwo\n", "a warning\n")


def test_only_a_terminal_or_columns_narrows_what_is_printed(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert terminal_width() is None
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert terminal_width() is not None
    monkeypatch.setenv("COLUMNS", "93")
    assert terminal_width() == 93


def test_one_text_is_one_line_that_steers_nothing(capsys):
    say("bad\nname\x1b[2J")
    assert capsys.readouterr().err == "bad\\nname\\x1b[2J\n"


def test_a_very_long_text_is_cut(capsys):
    put("x" * 5000)
    assert capsys.readouterr().out == "x" * 4000 + " ... (1,000 more letters)\n"


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets forward."""

    class Clock:
        now = 100.0

    monkeypatch.setattr(time, "monotonic", lambda: Clock.now)
    return Clock


def test_progress_without_a_terminal_is_a_line_after_a_second_and_every_ten_seconds(capsys, clock):
    with ProgressBar("verifying", "samples") as bar:
        for seconds, done in ((0.5, 5), (1, 10), (5, 50), (11, 110), (12, 120), (21, 1050)):
            clock.now = 100.0 + seconds
            bar.update(done, done / 1400)
    assert capsys.readouterr().err.splitlines() == [
        "verifying 1%: 10 samples, 10/s, 2:19 left",
        "verifying 8%: 110 samples, 10/s, 2:09 left",
        "verifying 75%: 1,050 samples, 50/s, 0:07 left",
    ]


def test_the_time_that_workers_take_to_start_is_not_expected_again(capsys, clock):
    with ProgressBar("verifying", "samples") as bar:
        for seconds, done in ((30, 10), (40, 110)):
            clock.now = 100.0 + seconds
            bar.update(done, done / 210)
    assert capsys.readouterr().err.splitlines() == [
        "verifying 5%: 10 samples, 0/s",
        "verifying 52%: 110 samples, 3/s, 0:10 left",
    ]


def test_what_is_shown_has_an_end_only_if_that_is_known(capsys, clock):
    with ProgressBar("converting", "images") as bar:
        clock.now += 1
        bar.show("listing: 12,000 entries found", None, None)
        clock.now += 10
        bar.show("500 images, 45/s, 1 failed", 0.25, 33.0)
    assert capsys.readouterr().err.splitlines() == [
        "converting: listing: 12,000 entries found",
        "converting 25%: 500 images, 45/s, 1 failed, 0:33 left",
    ]


def test_progress_of_an_unknown_whole_has_no_end(capsys, clock):
    with ProgressBar("reading", "samples") as bar:
        clock.now += output._PLAIN_SECONDS
        bar.update(20, None)
    assert capsys.readouterr().err == "reading: 20 samples, 2/s\n"


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0:00"), (75, "1:15"), (3600, "1:00:00"), (36_061, "10:01:01")]
)
def test_the_time_left_is_read_at_a_glance(seconds, shown):
    assert output._clock(seconds) == shown
