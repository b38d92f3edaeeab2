"""A convert as Markdown: works without any extra."""

from collections.abc import Sequence

from ...benchmark.result.findings import LIMITS
from ...benchmark.text.table import Table, markdown_list, markdown_table, markdown_text
from ..html.numbers import amount, counted, percent, plain, seconds, size
from .advice import advice
from .read import Conversion, verdict_of

__all__ = ["conversion_markdown"]


def conversion_markdown(found: Conversion) -> str:
    """Return what a convert did, used and left out."""
    run = found.run
    parts = [f"# brinery convert: {markdown_text(found.path)}"]
    state = "" if found.complete else " **A run is unfinished: run the same convert again.**"
    parts.append(
        f"{counted(found.samples, 'sample')} in {counted(len(found.shards), 'shard')} of "
        f"{markdown_text(found.protocol)}: "
        f"{size(found.file_bytes)} of files, {size(found.pixel_bytes)} of pixels; {found.failed:,} "
        f"failed.{state}"
    )
    if run is not None and run.wall_s:
        there = run.workers * run.wall_s
        rows = [
            ("started", run.started),
            ("outcome", run.outcome),
            ("workers", f"{run.workers} ({run.backend})"),
            ("time", seconds(run.wall_s * 1e9)),
            ("images/s", amount(run.samples / run.wall_s)),
            ("MB/s of pixels", amount(run.pixel_bytes / run.wall_s / 1e6)),
            ("cores busy", plain(run.cores_busy)),
            (f"peak memory ({run.peak_kind})", size(run.peak_bytes)),
            ("read from storage", "not counted" if run.read_bytes is None else size(run.read_bytes)),
            ("written towards storage", "not counted" if run.write_bytes is None else size(run.write_bytes)),
        ]
        parts.append(_table("The run", ("what", "value"), rows))
        spent: list[tuple[str, float]] = [*run.phases_s.items(), ("no phase", run.idle_s)]
        parts.append(
            _table(
                "Where the workers' time went",
                ("phase", "seconds", "share"),
                [(name, plain(value), percent(value / there, places=1)) for name, value in spent],
            )
        )
        verdict = verdict_of(run)
        if verdict is not None:
            parts.append(
                markdown_text(
                    f"Limit: {verdict.limit} ({LIMITS[verdict.limit]}). "
                    f"Evidence: {'; '.join(verdict.evidence)}."
                )
            )
        steps = [
            f"{one.what}: {one.why}" + (f"; at most {percent(one.saves)} of the time." if one.saves else ".")
            for one in advice(run, found.protocol)
        ]
        parts.append("## What would make it faster\n\n" + (markdown_list(steps) or "Nothing stands out."))
    if found.failures:
        reasons = [
            (
                group.stage,
                f"{group.error}: {group.reason}",
                f"{group.members:,}",
                ", ".join(key for key, _ in group.keys),
            )
            for group in found.failures
        ]
        parts.append(_table("Failures", ("stage", "reason", "images", "keys to look at"), reasons))
    if found.skipped:
        parts.append(
            _table(
                "Skipped", ("reason", "entries"), [(reason, f"{count:,}") for reason, count in found.skipped]
            )
        )
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _table(title: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    return markdown_table(Table(title, columns, tuple(rows)))
