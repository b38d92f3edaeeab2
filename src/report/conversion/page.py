"""A convert as a page: how fast, what it used, what failed, what would make it faster."""

import shlex
from collections import Counter
from dataclasses import asdict

import altair as alt
from markupsafe import Markup

from ...benchmark.text.findings import verdict_lines
from ...benchmark.text.numbers import amount, counted, listed, percent, plain, seconds, sentence, size
from ...benchmark.text.table import Table, left, right
from ..html.chart import Chart, built, data, tips
from ..html.glossary import CONVERT_WORDS
from ..html.lanes import lane_charts
from ..html.markup import bullets, finite, tag
from ..html.page import Body, Fact, Page, Section, glossary, packed_json, raw_section
from ..html.stacked_bars import Stack, stacked_rows
from ..html.theme import ACCENT
from ..html.timeline import MIB, series_chart, timeline_charts, zoom_bar
from .advice import advice
from .head import about, conclusion, phases_table, reason, skipped_table, speeds, status, traffic_rows
from .read import Conversion

_BINS = 24
_MOST_SHARDS = 2000
_SIZES = ("max_bytes", "memory", "shard_size")  # options in bytes


def conversion_page(found: Conversion) -> Page:
    """Return the page of a convert."""
    document = finite(asdict(found)) | {"shards_in_all": len(found.shards)}
    document["shards"] = document["shards"][:_MOST_SHARDS]  # the manifest has them all
    usage, throughput = found.usage, _throughput(found)
    zoomed: Body = [zoom_bar(usage), throughput] if usage and throughput else []
    lines = [*timeline_charts(usage), *lane_charts(usage)] if usage else []
    files = "Files, by unit" if found.settings.get("layout") == "mirror" else "Shards"
    savings = "By where the workers' time went; savings are upper bounds, one at a time."
    seen = "All processes, as the sampler saw them."
    raw = "All figures of this page; the manifest itself is SQLite."
    unfinished = "A run is unfinished: run the same convert again, and it goes on from there."
    return Page(
        kind="convert",
        about=about(found),
        conclusion=conclusion(found),
        reason=reason(found, found.verdict),
        facts=_facts(found),
        status=status(found),
        alarm_title="The dataset is not complete.",
        alarms=() if found.complete else (unfinished,),
        sections=(
            Section("faster", "What would make it faster", savings, _faster(found)),
            Section("throughput", "Throughput", "The timelines of this page zoom together.", zoomed),
            Section("phases", "Where the time went", *_time(found)),
            Section("timeline", "What the run used", seen, lines),
            Section("shards", files, "", [_shards(found)] if found.shards else []),
            Section("failures", "Failures", *_failures(found)),
            Section("method", "Settings", "", _settings(found)),
            raw_section("convert.json", packed_json(document), raw),
            glossary(CONVERT_WORDS),
        ),
    )


def _facts(found: Conversion) -> tuple[Fact, ...]:
    run, shown = found.run, []
    if run is not None and run.wall_s:
        (peak, kind), (images, traffic, what) = run.peak, speeds(run)
        who = f"of {counted(run.workers, 'worker')} and the parent"
        shown += [
            Fact("Speed", f"{images} /s", f"images; {traffic} MB/s of {what}"),
            Fact("Cores busy", plain(run.summary.cores_busy), who),
            Fact("Peak memory", size(peak), f"{kind} of all processes"),
        ]
    reasons = counted(len(found.failures), "reason") if found.failed else "none"
    return (*shown, Fact("Failed", f"{found.failed:,}", reasons))


def _faster(found: Conversion) -> Body:
    if found.run is None:
        return []
    steps = advice(found.run, found.protocol)
    items = [tag("li", tag("b", f"{one.what}."), f" {sentence(one.why)}.{one.bound}") for one in steps]
    nothing = "Nothing stands out: no phase takes a quarter of the time, and workers hardly waited."
    limit = [tag("h3", "What limited it"), bullets(verdict_lines(found.verdict))] if found.verdict else []
    return [tag("ol", items, class_="steps") if items else tag("p", nothing), *limit]


def _throughput(found: Conversion) -> Chart | None:
    usage, run = found.usage, found.run
    if usage is None or run is None or not run.summary.samples or not run.summary.file_bytes:
        return None
    each = run.summary.file_bytes / run.summary.samples
    rates = [rate for rate in usage.series("written", each) if rate is not None]
    if not rates:
        return None
    mean, half = run.summary.images_per_second, len(rates) // 2
    first, second = sum(rates[:half]) / max(1, half), sum(rates[half:]) / max(1, len(rates) - half)
    steady = abs(second - first) <= 0.1 * max(first, second, 1e-9)
    halves = " and ".join(
        f"{amount(half) if half > mean / 1000 else 'none'} in the {which} half"
        for half, which in ((first, "first"), (second, "second"))
    )
    caption = (
        f"On average {amount(mean)} images/s, {'the same in both halves' if steady else halves}; at most "
        f"{amount(max(rates))}. Taken from the bytes that the workers wrote, {plain(each / 1000)} kB an "
        "image."
    )
    series, level = {"images/s": usage.series("written", each)}, (mean, "mean")
    return series_chart(
        usage, "throughput", "Images/s", series, unit="images/s", caption=caption, level=level
    )


def _time(found: Conversion) -> tuple[str, Body]:
    """Return what is to be said of the phases, and their chart."""
    run = found.run
    if run is None or not sum(run.phases_s.values()):
        return "", []
    parts, total = run.parts_s, sum(run.parts_s.values())
    biggest = max(run.phases_s, key=parts.__getitem__)
    caption = (
        f"{counted(run.workers, 'worker')} for {seconds(run.wall_s * 1e9)} are {plain(total)} worker "
        f"seconds. The largest phase is {biggest} with {percent(parts[biggest] / total)}; in "
        f"{percent(run.idle_s / total)} a worker was in none: starting, waiting for the next unit, or done."
    )
    stack = Stack("all workers", parts, end=f"{plain(total)} s")
    drawn = stacked_rows([stack], list(parts), title="worker seconds")
    chart = Chart("phases", "Seconds of the workers by phase", caption, drawn, phases_table(run))
    busy, parent = percent(run.on_cpu), percent(run.parent_busy)
    return f"Workers were on a CPU for {busy} of the time, the parent for {parent}.", [chart]


def _shards(found: Conversion) -> Chart:
    sizes = sorted(one.file_bytes for one in found.shards)
    low, high = sizes[0], sizes[-1]
    step = max(1, -(-(high - low + 1) // _BINS))
    counts = Counter((value - low) // step for value in sizes)
    body = [
        ((low + place * step) / MIB, (low + (place + 1) * step) / MIB, count)
        for place, count in sorted(counts.items())
    ]
    rows = [dict(zip(("from", "to", "shards"), row, strict=True)) for row in body]
    bars = data(rows).mark_bar(color=ACCENT, binSpacing=1)
    chart = bars.encode(
        alt.X("from:Q", bin="binned", title="MiB a file", axis=alt.Axis(tickCount=8)),
        alt.X2("to:Q"),
        alt.Y("shards:Q", title=None, axis=alt.Axis(format="d", tickCount=min(4, max(counts.values())))),
        tooltip=tips("from:Q||.2f", "to:Q||.2f", "shards:Q"),
    ).properties(width=760, height=150)
    caption = (
        f"{counted(len(sizes), 'file')} of {size(low)} to {size(high)}, half of them up to "
        f"{size(sizes[len(sizes) // 2])}; {plain(found.samples / len(sizes))} samples in each on average."
    )
    table = Table("Files by size", right("from, MiB", "to, MiB", "files"), body)
    return Chart("shards", "How many files are how large", caption, built(chart), table)


def _failures(found: Conversion) -> tuple[str, Body]:
    all_of_them, tables = f"brinery failures {shlex.quote(found.path)}", []
    for group in found.failures:
        hidden = group.members - len(group.examples)
        title = f"{counted(group.members, 'image')} in {group.stage}: {group.error}, {group.message}"
        notes = (f"And {hidden:,} more: {all_of_them}",) if hidden else ()
        tables.append(Table(title, left("key", "message"), group.examples, notes))
    tables.append(skipped_table(found))
    if not found.failed:
        return "", [tag("p", "No image failed."), *tables]
    body: Body = [
        *tables,
        tag("p", "All of them, and how to try again once the files are mended:"),
        tag("pre", all_of_them, Markup("\n"), "brinery convert --retry-failed ...", tabindex="0"),
    ]
    lead = (
        f"{counted(found.failed, 'image')} of {found.failed + found.samples:,} gave no sample; each cost "
        "itself and nothing else."
    )
    return lead, body


def _settings(found: Conversion) -> Body:
    run = found.run
    rows = [("shape", f"{shape}: {counted(count, 'image')}") for shape, count in found.shapes]
    rows += [(name.replace("_", " "), _setting(name, value)) for name, value in found.settings.items()]
    if run is not None:
        given = {name: value for name, value in run.settings.items() if name not in found.settings}
        rows += [(f"--{name.replace('_', '-')}", _setting(name, value)) for name, value in given.items()]
        rows += traffic_rows(run)
        sampler_s = run.summary.sampler_cpu_ns / 1e9
        part = percent(sampler_s / run.wall_s if run.wall_s else None, places=1)
        rows += [
            ("units by worker", listed([f"{units}" for units in run.summary.units_by_worker.values()], 16)),
            ("the sampler's own CPU time", f"{plain(sampler_s)} s, {part} of a CPU"),
        ]
    runs = [(*told[:3], None if told[3] is None else told[3] / 1e9) for told in found.runs]
    columns = (*left("started", "outcome"), *right("workers", "seconds"))
    settings = Table("Settings and environment", left("what", "value"), rows)
    return [settings, Table("Runs", columns, runs) if len(runs) > 1 else None]


def _setting(name: str, value: object) -> str:
    """Return an option's value with its unit."""
    if isinstance(value, str) and value.isdecimal() and value.isascii():
        value = int(value)
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        shown = f"{value:,}" if isinstance(value, int) else f"{value:g}"
        return size(value) if name in _SIZES else f"{shown} s" if name == "timeout" else shown
    return listed([str(one) for one in value], 12) if isinstance(value, list) else str(value)
