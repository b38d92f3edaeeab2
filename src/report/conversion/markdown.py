"""A convert as Markdown: works without any extra."""

from ...benchmark.text.findings import verdict_lines
from ...benchmark.text.markdown import markdown_list, markdown_text
from ...benchmark.text.numbers import amount, plain, seconds, size
from ...benchmark.text.table import Table, left, markdown_table, right
from .advice import advice
from .head import status
from .read import Conversion, verdict_of
from .tables import phases_table, skipped_table, traffic_rows


def conversion_markdown(found: Conversion) -> str:
    """Return what a convert did, used and left out."""
    run = found.run
    state = "" if found.complete else " **A run is unfinished: run the same convert again.**"
    held = markdown_text(f"{found.protocol}: {status(found)} {found.failed:,} failed.")
    parts = [f"# brinery convert: {markdown_text(found.path)}", f"{held}{state}"]
    if run is not None and run.wall_s:
        peak, kind = run.peak
        rows = [
            ("started", run.started),
            ("outcome", run.outcome),
            ("workers", f"{run.workers} ({run.backend})"),
            ("time", seconds(run.wall_s * 1e9)),
            ("images/s", amount(run.images_per_s)),
            ("MB/s of pixels", amount(run.summary.pixel_bytes_per_second / 1e6)),
            ("cores busy", plain(run.summary.cores_busy)),
            (f"peak memory ({kind})", size(peak)),
            *traffic_rows(run),
        ]
        parts.append(markdown_table(Table("The run", (*left("what"), *right("value")), rows)))
        parts.append(markdown_table(phases_table(run)))
        verdict = verdict_of(run)
        if verdict is not None:
            parts.append(markdown_text(f"Limit: {' '.join(verdict_lines(verdict))}"))
        steps = [f"{one.what}: {one.why}.{one.bound}" for one in advice(run, found.protocol)]
        parts.append(f"## What would make it faster\n\n{markdown_list(steps) or 'Nothing stands out.'}")
    reasons = [
        (
            group.stage,
            f"{group.error}: {group.message}",
            f"{group.members:,}",
            ", ".join(key for key, _ in group.examples),
        )
        for group in found.failures
    ]
    columns = (*left("stage", "reason"), *right("images"), *left("keys to look at"))
    tables = (Table("Failures", columns, reasons), skipped_table(found))
    return "\n\n".join(parts + [markdown_table(table) for table in tables if table.rows]) + "\n"
