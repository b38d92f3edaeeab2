"""A convert as a page: how fast, what it used, what failed, what would make it faster."""

import json
import shlex
from dataclasses import asdict

from ...benchmark.result.findings import LIMITS, Verdict
from ...engine.schema import MANIFEST_NAME
from ..html.chart import Chart, built, charting
from ..html.glossary import CONVERT_WORDS, words_html
from ..html.markup import Markup, finite, tag
from ..html.numbers import DASH, amount, counted, listed, percent, plain, seconds, sentence, size
from ..html.page import Attachment, Page, Section, download
from ..html.stacked_bars import Stack, stacked_rows
from ..html.tables import Cell, Column, DataTable, Value, table_html
from ..html.theme import ACCENT
from ..html.timeline import Series, line_chart, series_table, timeline_charts, zoom_bar
from .advice import advice
from .head import about, conclusion, facts, reason, status
from .read import Conversion, verdict_of

__all__ = ["conversion_page"]

_BINS = 24
_MOST_SHARDS = 2000


def conversion_page(found: Conversion) -> Page:
    """Return the page of a convert."""
    run = found.run
    verdict = verdict_of(run) if run is not None else None
    attachment = _attachment(found)
    sections = (
        _faster(found, verdict),
        _throughput(found),
        _time(found, verdict),
        _timeline(found),
        _shards(found),
        _failures(found),
        _settings(found),
        Section(
            "raw",
            "Raw data",
            "All figures of this page; the manifest itself is SQLite.",
            [tag("p", download(attachment))],
        ),
        Section("glossary", "Glossary", "", [words_html(CONVERT_WORDS)]),
    )
    return Page(
        kind="convert",
        about=about(found),
        conclusion=conclusion(found),
        reason=reason(found, verdict),
        facts=facts(found),
        status=status(found),
        alarm_title="The dataset is not complete.",
        alarms=()
        if found.complete
        else ("A run is unfinished: run the same convert again, and it goes on from there.",),
        sections=tuple(section for section in sections if section.body),
    )


def _attachment(found: Conversion) -> Attachment:
    """Return the figures of the page; of very many shards the first, since the manifest has them all."""
    document = finite(asdict(found)) | {"shards_in_all": len(found.shards)}
    document["shards"] = document["shards"][:_MOST_SHARDS]
    return Attachment("convert.json", json.dumps(document, separators=(",", ":")).encode())


def _faster(found: Conversion, verdict: Verdict | None) -> Section:
    run = found.run
    if run is None:
        return Section("faster", "What would make it faster", "", [])
    steps = advice(run, found.protocol)
    items = [
        tag(
            "li",
            tag("b", f"{one.what}."),
            f" {sentence(one.why)}.",
            f" At most {percent(one.saves)} of the time." if one.saves else "",
        )
        for one in steps
    ]
    body: list[Chart | Markup] = [
        tag("ol", items, class_="steps")
        if items
        else tag("p", "Nothing stands out: no phase takes a quarter of the time, and workers hardly waited.")
    ]
    if verdict is not None:
        body += [tag("h3", "What limited it"), _verdict(verdict)]
    return Section(
        "faster",
        "What would make it faster",
        "By where the workers' time went; savings are upper bounds, one at a time.",
        body,
    )


def _verdict(verdict: Verdict) -> Markup:
    lines = [
        f"{sentence(verdict.limit.replace('-', ' '))}: {LIMITS[verdict.limit]}.",
        f"Evidence: {'; '.join(verdict.evidence)}.",
    ]
    if verdict.runner_up:
        lines.append(
            f"Next likely is {verdict.runner_up.replace('-', ' ')}, which lacks: "
            f"{'; '.join(verdict.lacking) or 'nothing'}."
        )
    if verdict.missing:
        lines.append(f"Not counted in a convert: {', '.join(verdict.missing)}.")
    return tag("ul", [tag("li", line) for line in lines])


def _throughput(found: Conversion) -> Section:
    usage, run = found.usage, found.run
    if usage is None or run is None or not run.samples or not run.file_bytes:
        return Section("throughput", "Throughput", "", [])
    each = run.file_bytes / run.samples
    series: Series = {"images/s": lambda one: None if one.written is None else one.written / each}
    rates = [one.written / each for one in usage.moments if one.written is not None]
    if not rates:
        return Section("throughput", "Throughput", "", [])
    mean = run.samples / run.wall_s if run.wall_s else 0.0
    half = len(rates) // 2
    first, second = sum(rates[:half]) / max(1, half), sum(rates[half:]) / max(1, len(rates) - half)
    trend = (
        "the same in both halves"
        if abs(second - first) <= 0.1 * max(first, second, 1e-9)
        else f"{amount(first)} in the first half and {amount(second)} in the second"
    )
    caption = (
        f"On average {amount(mean)} images/s, {trend}; at most {amount(max(rates))}. Taken from the bytes "
        f"that the workers wrote, {plain(each / 1000)} kB an image."
    )
    spec = line_chart(usage, series, title="images/s", level=(mean, "mean"), filled=True)
    chart = Chart(
        "throughput",
        "Images/s over time",
        caption,
        spec,
        series_table(usage, "Throughput over time", series, ""),
        "timeline",
    )
    return Section(
        "throughput", "Throughput", "The timelines of this page zoom together.", [zoom_bar(usage), chart]
    )


def _time(found: Conversion, verdict: Verdict | None) -> Section:
    run = found.run
    if run is None or not sum(run.phases_s.values()):
        return Section("phases", "Where the time went", "", [])
    parts = {**run.phases_s, "no phase": run.idle_s}
    total = sum(parts.values())
    columns = (Column("phase", numeric=False), Column("seconds"), Column("share"), Column("ms an image"))
    rows = tuple(
        (
            name,
            spent,
            Cell(percent(spent / total, places=1), spent / total),
            spent * 1000 / run.members if run.members else None,
        )
        for name, spent in parts.items()
    )
    biggest = max(run.phases_s, key=lambda name: run.phases_s[name])
    caption = (
        f"{counted(run.workers, 'worker')} for {seconds(run.wall_s * 1e9)} are {plain(total)} worker "
        "seconds. "
        f"The largest phase is {biggest} with {percent(run.phases_s[biggest] / total)}; in "
        f"{percent(run.idle_s / total)} a worker was in none: starting, waiting for the next unit, or "
        "done."
    )
    chart = Chart(
        "phases",
        "Seconds of the workers by phase",
        caption,
        stacked_rows(
            [Stack("all workers", parts, end=f"{plain(total)} s")], list(parts), title="worker seconds"
        ),
        DataTable("Phases", columns, rows),
    )
    lead = (
        ""
        if verdict is None
        else (
            f"Workers were on a CPU for {percent(run.worker_cpu_s / (run.workers * run.wall_s))} of the "
            f"time, the parent for {percent(run.parent_cpu_s / run.wall_s)}."
        )
    )
    return Section("phases", "Where the time went", lead, [chart])


def _timeline(found: Conversion) -> Section:
    if found.usage is None:
        return Section("timeline", "What the run used", "", [])
    return Section(
        "timeline",
        "What the run used",
        "All processes, as the sampler saw them.",
        timeline_charts(found.usage),
    )


def _shards(found: Conversion) -> Section:
    if not found.shards:
        return Section("shards", "Shards", "", [])
    sizes = [one.file_bytes for one in found.shards]
    low, high = min(sizes), max(sizes)
    step = max(1, -(-(high - low + 1) // _BINS))
    counts: dict[int, int] = {}
    for value in sizes:
        counts[(value - low) // step] = counts.get((value - low) // step, 0) + 1
    rows = [
        {
            "from": (low + place * step) / (1 << 20),
            "to": (low + (place + 1) * step) / (1 << 20),
            "shards": count,
        }
        for place, count in sorted(counts.items())
    ]
    alt = charting()
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_bar(color=ACCENT, binSpacing=1)
        .encode(
            alt.X("from:Q", bin="binned", title="MiB a file", axis=alt.Axis(tickCount=8)),
            alt.X2("to:Q"),
            alt.Y("shards:Q", title=None, axis=alt.Axis(tickMinStep=1, tickCount=4)),
            tooltip=[
                alt.Tooltip("from:Q", format=".2f"),
                alt.Tooltip("to:Q", format=".2f"),
                alt.Tooltip("shards:Q"),
            ],
        )
        .properties(width=760, height=150)
    )
    middle = sorted(sizes)[len(sizes) // 2]
    caption = (
        f"{counted(len(sizes), 'file')} of {size(low)} to {size(high)}, half of them up to {size(middle)}; "
        f"{plain(found.samples / len(sizes))} samples in each on average."
    )
    columns = (Column("from, MiB"), Column("to, MiB"), Column("files"))
    table = DataTable(
        "Files by size", columns, tuple((plain(row["from"]), row["to"], row["shards"]) for row in rows)
    )
    what = "Shards" if found.settings.get("layout") != "mirror" else "Files, by unit"
    return Section(
        "shards", what, "", [Chart("shards", "How many files are how large", caption, built(chart), table)]
    )


def _failures(found: Conversion) -> Section:
    body: list[Chart | Markup] = []
    for group in found.failures:
        hidden = group.members - len(group.keys)
        rows: tuple[tuple[Value, ...], ...] = tuple((key, message) for key, message in group.keys)
        columns = (Column("key", numeric=False), Column("message", numeric=False))
        title = f"{counted(group.members, 'image')} in {group.stage}: {group.error}, {group.reason}"
        notes = (f"And {hidden:,} more in the table failures of the manifest.",) if hidden else ()
        body += [tag("h3", title), table_html(DataTable(title, columns, rows, notes))]
    if found.skipped:
        columns = (Column("skipped, no image", numeric=False), Column("entries"))
        rows = tuple((text, Cell(f"{count:,}", count)) for text, count in found.skipped)
        body += [tag("h3", "Skipped"), table_html(DataTable("Skipped", columns, rows))]
    if not found.failed:
        body.insert(0, tag("p", "No image failed."))
    else:
        manifest = shlex.quote(f"{found.path}/{MANIFEST_NAME}")
        query = f'sqlite3 {manifest} "SELECT key, message FROM failures"'  # noqa: S608 - shown, not run
        body += [
            tag("p", "All of them, and how to try again once the files are mended:"),
            tag("pre", query, Markup("\n"), "brinery convert --retry-failed ...", tabindex="0"),
        ]
    lead = (
        (
            f"{counted(found.failed, 'image')} of {found.failed + found.samples:,} gave no sample; each cost "
            "itself and nothing else."
        )
        if found.failed
        else ""
    )
    return Section("failures", "Failures", lead, body)


def _settings(found: Conversion) -> Section:
    run = found.run
    rows: list[tuple[Value, ...]] = [
        ("shape", f"{shape}: {counted(count, 'image')}") for shape, count in found.shapes
    ]
    rows += [(name.replace("_", " "), str(value)) for name, value in found.settings.items()]
    if run is not None:
        rows += [
            (f"--{name.replace('_', '-')}", _setting(value))
            for name, value in run.settings.items()
            if name not in found.settings
        ]
        rows += [
            (
                "read from storage",
                size(run.read_bytes) if run.read_bytes is not None else f"{DASH} not counted here",
            ),
            (
                "written towards storage",
                size(run.write_bytes) if run.write_bytes is not None else f"{DASH} not counted here",
            ),
            ("units by worker", listed([f"{units}" for units in run.units], 16)),
            (
                "the sampler's own CPU time",
                (
                    f"{plain(run.sampler_cpu_s)} s, "
                    f"{percent(run.sampler_cpu_s / run.wall_s if run.wall_s else None, places=1)} of a CPU"
                ),
            ),
        ]
    columns = (Column("what", numeric=False), Column("value", numeric=False))
    body: list[Chart | Markup] = [table_html(DataTable("Settings and environment", columns, tuple(rows)))]
    if len(found.runs) > 1:
        heads = (
            Column("started", numeric=False),
            Column("outcome", numeric=False),
            Column("workers"),
            Column("seconds"),
        )
        runs = tuple(
            (started, outcome, Cell(str(workers), workers), None if wall is None else wall / 1e9)
            for started, outcome, workers, wall in found.runs
        )
        body += [tag("h3", "Runs"), table_html(DataTable("Runs", heads, runs))]
    return Section("method", "Settings", "", body)


def _setting(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return listed([str(one) for one in value], 12) if isinstance(value, list) else str(value)
