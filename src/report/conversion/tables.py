"""What a convert used and left out, as tables."""

from collections.abc import Sequence

from ...benchmark.text.numbers import size
from ...benchmark.text.table import Column, Entry, Table, left, right, share
from .read import Conversion, RunUse


def phases_table(run: RunUse) -> Table:
    """Return the workers' seconds by phase."""
    parts = {**run.phases_s, "no phase": run.idle_s}
    members = run.summary.members
    rows = [
        (name, spent, share(spent / run.worker_s, places=1), spent * 1000 / members if members else None)
        for name, spent in parts.items()
    ]
    columns = (*left("phase"), *right("seconds", "share"), Column("ms an image", page=True))
    return Table("Where the workers' time went", columns, rows)


def skipped_table(found: Conversion) -> Table:
    """Return why entries of the archive gave no sample, and how many."""
    rows = [(reason, Entry(f"{count:,}", count)) for reason, count in found.skipped]
    return Table("Skipped", (*left("skipped, no image"), *right("entries")), rows)


def traffic_rows(run: RunUse) -> Sequence[tuple[str, str]]:
    """Return what storage saw, as the kernel counts it."""
    counted = {
        "read from storage": run.summary.read_bytes,
        "written towards storage": run.summary.write_bytes,
    }
    return [(what, "not counted here" if value is None else size(value)) for what, value in counted.items()]
