"""Limits at which a run ends or warns: too many failures, too little space."""

import shlex
import shutil
from pathlib import Path

from ...errors import FailureLimitError
from ..sizes import format_size
from .options import FailureLimit
from .tally import Tally

__all__ = ["PIXELS_PER_SOURCE_BYTE", "check_failures", "warning_of_space"]

PIXELS_PER_SOURCE_BYTE = 10  # a JPEG of a photograph
_MIN_DONE_FOR_PERCENT = 100


def check_failures(limit: FailureLimit | None, tally: Tally, folder: Path, *, final: bool) -> None:
    """Raise FailureLimitError if more members have failed than the limit allows.

    Args:
        limit: the limit; None for no limit.
        tally: counts of the run so far.
        folder: the dataset's folder.
        final: the run is over, so that a percentage of few members counts too.
    """
    if limit is None:
        return
    failures, members = tally.failures, tally.members
    if limit.percent and not final and members < _MIN_DONE_FOR_PERCENT:
        return
    allowed = limit.value * members / 100 if limit.percent else limit.value
    if failures > allowed:
        raise FailureLimitError(
            f"{failures} of {members} members failed, more than --max-failures {limit}:"
            f" stopped; what was committed stays, and `brinery failures {shlex.quote(str(folder))}` shows why"
        )


def warning_of_space(folder: Path, source_bytes: float) -> str | None:
    """Return a warning if the space left looks too small for the arrays of these source bytes; else None."""
    ahead = source_bytes * PIXELS_PER_SOURCE_BYTE
    free = shutil.disk_usage(folder).free
    if ahead <= free:
        return None
    return (
        f"the output may need about {format_size(ahead)} more, and {folder} has"
        f" {format_size(free)} left; if the run stops for lack of space, run the same command again when"
        " there is more"
    )
