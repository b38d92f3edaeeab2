"""brinery failures."""

import csv
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from ..engine.choices import STAGES
from ..engine.printable import printable
from ..errors import UsageError
from .output import ProgressBar, counted, emit_json, json_option, put, say

if TYPE_CHECKING:
    from ..engine.datasets.failed_files import CopyResult
    from ..engine.datasets.failures import FailureList

__all__ = ["command"]

_COLUMNS = ("key", "stage", "error", "message", "source", "run")
_STAGE = "Only failures of this stage; may be given several times."
_MATCH = "Only failures whose error or message holds this text."
_COPY = "Copy the files that failed from their sources into this new or empty folder."


@click.command("failures", short_help="list what failed and why, or copy those files")
@click.argument("dest")
@click.option("--stage", "stages", type=click.Choice(STAGES), multiple=True, help=_STAGE)
@click.option("--match", metavar="TEXT", default="", help=_MATCH)
@click.option("--skipped", is_flag=True, help="List the entries that are no images too.")
@click.option("--csv", "as_csv", is_flag=True, help="A table on stdout, one line each.")
@click.option("--copy-to", metavar="DIR", help=_COPY)
@json_option
def command(
    dest: str,
    stages: tuple[str, ...],
    match: str,
    skipped: bool,
    as_csv: bool,
    copy_to: str | None,
    as_json: bool,
) -> int:
    r"""List every failure of the dataset DEST: its key, the stage, what is wrong, and its source.

    Stages are list (the archive's own listing), read, decode, dump and write. With --copy-to the files
    themselves go into DIR, as they are in their archives, and DIR/failures.csv says which is which; exit
    code 3 says that some could not be copied. To try failures again: brinery convert ... --retry-failed

    \b
    brinery failures photos.brine
    brinery failures photos.brine --stage decode --match truncated
    brinery failures photos.brine --csv > failures.csv
    brinery failures photos.brine --copy-to broken/
    """
    if as_csv and as_json:
        raise UsageError("--csv and --json are two forms of the same: give one of them")
    from ..engine.datasets.failures import read_failures  # noqa: PLC0415 - start-up stays cheap

    found = read_failures(dest, stages, match)
    copied = None
    if copy_to is not None:
        from ..engine.datasets.failed_files import copy_failed  # noqa: PLC0415 - as above

        total = len(found.failures)
        with ProgressBar("copying", "files") as bar:
            copied = copy_failed(dest, copy_to, found.failures, lambda done: bar.update(done, done / total))
    if as_json:
        emit_json({"path": dest, **_as_document(found, skipped=skipped), **_copies(copied)})
    elif as_csv:
        _write_csv(_rows(found, skipped=skipped))
    elif copied is None:
        put(*_kinds(dest, found), *(_line(row) for row in _rows(found, skipped=skipped)))
    if copied is not None:
        _tell_copied(copied, put if not (as_json or as_csv) else say)
    return 0 if copied is None else copied.exit_code


def _rows(found: "FailureList", *, skipped: bool) -> Iterator[dict[str, Any]]:
    """Yield failures, and behind them skipped entries if those were asked for, as plain values."""
    from ..engine.datasets.failures import source_of  # noqa: PLC0415 - as above

    for one in found.failures:
        source = source_of(found.sources, one.key)
        told = (one.key, one.stage, one.error, one.message, source and source.path, one.run)
        yield dict(zip(_COLUMNS, told, strict=True))
    for key, reason in found.skipped if skipped else ():
        source = source_of(found.sources, key)
        yield dict(zip(_COLUMNS, (key, "skipped", "", reason, source and source.path, None), strict=True))


def _as_document(found: "FailureList", *, skipped: bool) -> dict[str, Any]:
    from ..engine.datasets.failures import failure_kinds  # noqa: PLC0415 - as above
    from ..engine.datasets.info import reason_of  # noqa: PLC0415

    return {
        "failed": len(found.failures),
        "failure_reasons": [reason_of(kind) for kind in failure_kinds(found.failures)],
        "failures": list(_rows(replace(found, skipped=[]), skipped=False)),
        "skipped_reasons": dict(Counter(reason for _, reason in found.skipped).most_common()),
        "skipped": [{"key": key, "reason": reason} for key, reason in found.skipped] if skipped else None,
    }


def _kinds(dest: str, found: "FailureList") -> Iterator[str]:
    """Yield how many failed, by kind, and how many were skipped, by reason."""
    from ..engine.datasets.failures import failure_kinds  # noqa: PLC0415 - as above

    kinds = failure_kinds(found.failures)
    yield f"{dest}: {counted(len(found.failures), 'failure')} of {counted(len(kinds), 'kind')}"
    for kind in kinds:
        yield f"  failed    {kind.members}: {kind.stage}, {kind.error}: {kind.message}"
    for reason, count in Counter(reason for _, reason in found.skipped).most_common():
        yield f"  skipped   {count}: {reason}"


def _line(row: dict[str, Any]) -> str:
    where = f" ({row['source']})" if row["source"] else ""
    return f"{row['key']}: {row['stage']}, {row['message']}{where}"


def _write_csv(rows: Iterator[dict[str, Any]]) -> None:
    table = csv.DictWriter(sys.stdout, _COLUMNS, lineterminator="\n")
    table.writeheader()
    for row in rows:  # names and messages come from anybody, and a terminal may show this
        table.writerow({name: printable(v) if isinstance(v, str) else v for name, v in row.items()})


def _copies(copied: "CopyResult | None") -> dict[str, Any]:
    if copied is None:
        return {}
    missing = [{"key": one.key, "reason": one.reason} for one in copied.not_copied]
    return {
        "copied": {"path": str(copied.path), "files": copied.files, "not_copied": missing},
        "exit_code": copied.exit_code,
    }


def _tell_copied(copied: "CopyResult", tell: Callable[[str], None]) -> None:
    tell(f"{copied.path}: {counted(copied.files, 'file')} copied; failures.csv says which failure each is")
    if copied.not_copied:
        say(f"{counted(len(copied.not_copied), 'failure')} without a copy:")
    for one in copied.not_copied:
        say(f"  {one.key}: {one.reason}")
