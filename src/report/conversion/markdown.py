"""A convert as Markdown: works without any extra."""

from ...benchmark.text.findings import verdict_lines
from ...benchmark.text.markdown import markdown_list, markdown_text
from ...benchmark.text.numbers import plain, seconds, size
from ...benchmark.text.table import Table, left, markdown_table, right
from .advice import advice
from .head import phases_table, skipped_table, speeds, status, traffic_rows
from .read import Conversion


def conversion_markdown(found: Conversion) -> str:
    """Return what a convert did, used and left out."""
    run = found.run
    state = "" if found.complete else " **A run is unfinished: run the same convert again.**"
    held = markdown_text(f"{found.protocol}: {status(found)} {found.failed:,} failed.")
    parts = [f"# brinery convert: {markdown_text(found.path)}", f"{held}{state}"]
    if run is not None and run.wall_s:
        (peak, kind), (images, traffic, what) = run.peak, speeds(run)
        rows = [
            ("started", run.started),
            ("outcome", run.outcome),
            ("workers", f"{run.workers} ({run.backend})"),
            ("time", seconds(run.wall_s * 1e9)),
            ("images/s", images),
            (f"MB/s of {what}", traffic),
            ("cores busy", plain(run.summary.cores_busy)),
            (f"peak memory ({kind})", size(peak)),
            *traffic_rows(run),
        ]
        parts.append(markdown_table(Table("The run", (*left("what"), *right("value")), rows)))
        parts.append(markdown_table(phases_table(run)))
        if found.verdict is not None:
            parts.append(markdown_text(f"Limit: {' '.join(verdict_lines(found.verdict))}"))
        steps = [f"{one.what}: {one.why}.{one.bound}" for one in advice(run, found.protocol)]
        parts.append(f"## What would make it faster\n\n{markdown_list(steps) or 'Nothing stands out.'}")
    reasons = []
    for one in found.failures:
        keys = ", ".join(key for key, _ in one.examples)
        reasons.append((one.stage, f"{one.error}: {one.message}", f"{one.members:,}", keys))
    columns = (*left("stage", "reason"), *right("images"), *left("keys to look at"))
    tables = (Table("Failures", columns, reasons), skipped_table(found))
    return "\n\n".join(parts + [markdown_table(table) for table in tables if table.rows]) + "\n"
