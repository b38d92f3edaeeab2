"""When a run ends because too much failed, and when it warns that space looks short."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from brinery.engine.converting import run_limits
from brinery.engine.converting.options import ConvertCall
from brinery.engine.converting.run_limits import check_failures, warning_of_space
from brinery.engine.converting.tally import Tally
from brinery.errors import FailureLimitError

OUT = Path("photos.brine")


def limit(text):
    return ConvertCall("", "", max_failures=text).failure_limit


def after(members, failures):
    tally = Tally()
    tally.members, tally.failures = members, failures
    return tally


@pytest.mark.parametrize(
    ("text", "members", "failures"),
    [(None, 10, 10), ("3", 10, 3), ("0", 10, 0), ("5%", 100, 5), ("5%", 99, 99), ("100%", 500, 500)],
)
def test_a_run_goes_on_up_to_its_limit(text, members, failures):
    check_failures(limit(text), after(members, failures), OUT, final=False)


@pytest.mark.parametrize(("text", "members", "failures"), [("3", 10, 4), ("0", 1, 1), ("5%", 100, 6)])
def test_a_run_ends_beyond_its_limit(text, members, failures):
    with pytest.raises(
        FailureLimitError, match=rf"{failures} of {members} members failed, more than .* {text}"
    ):
        check_failures(limit(text), after(members, failures), OUT, final=False)


def test_a_percentage_of_few_members_counts_at_the_end_only():
    check_failures(limit("5%"), after(20, 2), OUT, final=False)
    with pytest.raises(FailureLimitError):
        check_failures(limit("5%"), after(20, 2), OUT, final=True)


def test_space_that_looks_short_is_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1 << 30))
    fits = (1 << 30) // run_limits.PIXELS_PER_SOURCE_BYTE
    assert warning_of_space(tmp_path, fits) is None
    warning = warning_of_space(tmp_path, 3 * fits)
    assert warning.startswith("the output may need about 3 GiB more")
    assert f"{tmp_path} has 1 GiB left" in warning
