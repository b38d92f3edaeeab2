"""A bench's result as a page: the sections and what they say."""

import json
import shlex
from collections import Counter
from collections.abc import Sequence
from typing import Any

from ...benchmark.analysis.warnings import REMEDIES, disturbances
from ...benchmark.result.recommendations import OBJECTIVES, Recommendation
from ...benchmark.result.result import BenchResult
from ...benchmark.result.variant import protocol_title
from ...benchmark.text.report import environment_lines, method_lines
from ..html.chart import Chart
from ..html.glossary import BENCH_WORDS, definitions, words_html
from ..html.markup import Markup, finite, tag
from ..html.numbers import counted, cpus, duration, percent, plain, sentence
from ..html.page import Attachment, Page, Section, download
from ..html.tables import Cell, Column, DataTable, Value, table_html
from ..html.timeline import timeline_charts, zoom_bar
from ..html.usage import Band, Point, Usage, usage_of
from .article import seed_caption, seed_table
from .bottlenecks import limits_lead, limits_table, resources_table
from .conclusion import alarms, conclusion_of, facts_of, status_of, why
from .efficiency import efficiency_chart
from .scaling import scaling_chart
from .size_against_speed import tradeoff_chart
from .stability import rounds_chart, sentinel_chart
from .time_spent import phases_chart, split_chart
from .variants import variants

__all__ = ["bench_page"]

_MOST_RAW = 450_000  # bytes gzipped; a third more in the page


def bench_page(result: BenchResult) -> Page:
    """Return the page of a bench."""
    conclusion = conclusion_of(result)
    host, data = result.host, result.dataset
    shape = next(iter(data.shapes), "images")
    about = (
        f"{result.run.started_at[:10]}, {host.cpu or host.architecture}, {cpus(host.usable_cpus)}, "
        f"{counted(data.images, 'image')} of {shape}, brinery {result.run.brinery}"
    )
    attachment = _attachment(result)
    sections = (
        _choose(result),
        _seed(result),
        _tradeoff(result),
        _scaling(result),
        _time(result),
        _phases(result),
        _timeline(result),
        _stability(result),
        _method(result),
        _raw(result, attachment),
        Section("glossary", "Glossary", "", [words_html(BENCH_WORDS)]),
    )
    return Page(
        kind="bench",
        about=about,
        conclusion=conclusion.sentence,
        reason=conclusion.reason,
        facts=facts_of(result),
        status=status_of(result),
        alarms=alarms(result),
        alarm_title="Read with care"
        + (": the machine was disturbed." if disturbances(result.noise) else "."),
        sections=tuple(section for section in sections if section.body),
    )


def _choose(result: BenchResult) -> Section:
    items = [
        tag(
            "li",
            tag("span", sentence(OBJECTIVES[one.objective]), class_="goal"),
            tag("span", _winner(one), class_="winner"),
            tag(
                "span",
                why(one) if one.winner else f"{sentence(one.reason or 'nothing was measured')}.",
                class_="why",
            ),
        )
        for one in result.recommendations
    ]
    body: list[Chart | Markup] = []
    if items:
        body.append(tag("ul", items, class_="choices"))
        body.append(
            tag(
                "details",
                tag("summary", "All candidates, with their odds"),
                table_html(_candidates(result.recommendations)),
                class_="behind",
            )
        )
    lead = (
        "One answer for each aim, among the numbers of workers that the CPUs allow. Protocols that the "
        "measurements do not tell from the winner are named with it. "
        f"Cost adds one dump and {result.settings.weights.reads_per_write:g} loads."
    )
    return Section("choose", "What to choose", lead, body)


def _winner(one: Recommendation) -> str:
    if one.winner is None:
        return "None"
    if one.workers is None or one.layout == "single":
        return one.winner
    return f"{one.winner}, {counted(one.workers, 'worker')}"


def _candidates(found: Sequence[Recommendation]) -> DataTable:
    columns = (
        Column("aim", numeric=False),
        Column("protocol", numeric=False),
        Column("workers"),
        Column("an image"),
        Column("times the winner"),
        Column("odds of being best"),
    )
    rows: list[tuple[Value, ...]] = []
    for one in found:
        for choice in one.choices:
            known = choice.ratio_low is not None and choice.ratio_high is not None
            span = f"{plain(choice.ratio_low)} to {plain(choice.ratio_high)}" if known else None
            workers = (
                plain(choice.workers)
                if choice.dump_workers in (None, choice.workers)
                else f"load {choice.workers}, dump {choice.dump_workers}"
            )
            value = (
                duration(choice.value) if one.unit == "ns_per_image" else f"{plain(choice.value / 1000)} kB"
            )
            rows.append(
                (
                    OBJECTIVES[one.objective],
                    choice.protocol,
                    Cell(workers, choice.workers),
                    Cell(value, choice.value),
                    Cell(plain(choice.ratio), choice.ratio, span),
                    Cell(percent(choice.probability), choice.probability),
                )
            )
    return DataTable("Candidates by aim", columns, tuple(rows))


def _seed(result: BenchResult) -> Section:
    table = seed_table(result)
    body = [table_html(table)] if table is not None else []
    return Section("seed", "One process, one file an image", seed_caption(result), body)


def _tradeoff(result: BenchResult) -> Section:
    lead = "Loads over many images a file, each protocol with the number of workers that suits it best."
    return Section("size", "Size against speed", lead, _there([tradeoff_chart(result)]))


def _scaling(result: BenchResult) -> Section:
    groups = variants(result)
    body: list[Chart | Markup] = _there(
        [*(scaling_chart(result, group) for group in groups), efficiency_chart(result)]
    )
    meanings = " ".join(f"{sentence(group.meaning)}." for group in groups)
    return Section("workers", "More workers", meanings, body)


def _time(result: BenchResult) -> Section:
    body: list[Chart | Markup] = []
    for group in variants(result):
        body += _there([split_chart(result, group)])
        limits = limits_table(result, group)
        if limits is not None:
            body.append(
                tag(
                    "details",
                    tag("summary", f"What limits {group.title}, with the evidence"),
                    table_html(limits),
                    class_="behind",
                )
            )
    resources = resources_table(result)
    if resources is not None:
        body += [tag("h3", resources.title), table_html(resources)]
    return Section("time", "Where the time went", limits_lead(result), body)


def _phases(result: BenchResult) -> Section:
    body = _there([phases_chart(group) for group in variants(result)])
    return Section("phases", "Phases", "What the workers did, by their own clocks.", body)


def _timeline(result: BenchResult) -> Section:
    usage = bench_usage(result)
    if usage is None:
        return Section("timeline", "What the run used", "", [])
    charts = timeline_charts(usage)
    lead = (
        "The whole run as the sampler saw it, calibration left out; the pictures zoom together. Lines mark "
        "the rounds."
    )
    return Section("timeline", "What the run used", lead, [zoom_bar(usage), *charts])


def bench_usage(result: BenchResult) -> Usage | None:
    """Return the run's timeline; None where there is none."""
    sampler = result.sampler
    points = []
    for row in sampler.rows:
        values: dict[str, Any] = dict(zip(sampler.columns, row, strict=False))
        if not all(
            isinstance(values.get(name), int)
            for name in ("t_ns", "pid", "cpu_user_ns", "cpu_system_ns", "rss_bytes")
        ):
            continue
        points.append(
            Point(
                t_s=values["t_ns"] / 1e9,
                pid=values["pid"],
                role=str(values.get("role")),
                cpu_s=(values["cpu_user_ns"] + values["cpu_system_ns"]) / 1e9,
                rss_bytes=values["rss_bytes"],
                pss_bytes=values.get("pss_bytes"),
                read_bytes=values.get("read_bytes"),
                write_bytes=values.get("write_bytes"),
            )
        )
    host = result.host
    return usage_of(
        points,
        bands=_bands(result),
        cores=host.usable_cpus,
        cores_name=cpus(host.usable_cpus),
        memory_bytes=host.usable_memory_bytes or host.memory_bytes,
    )


def _bands(result: BenchResult) -> list[Band]:
    """Return the rounds, from the sentinels that open and close them."""
    begin = result.sampler.begin_ns
    if begin is None:
        return []
    found: dict[tuple[str, int], list[float]] = {}
    for one in result.noise.sentinel:
        found.setdefault((one.part, one.round), []).append((one.begin_ns - begin) / 1e9)
    names = {"seed": "one process", "scaling": "over workers"}
    return [
        Band(names.get(part, part), max(0.0, min(times)), max(times))
        for (part, _), times in sorted(found.items(), key=lambda item: min(item[1]))
    ]


def _stability(result: BenchResult) -> Section:
    body = _there([sentinel_chart(result), rounds_chart(result)])
    return Section(
        "stability",
        "How steady it was",
        "What the same work took again and again, and how far rounds lie apart.",
        body,
    )


def _method(result: BenchResult) -> Section:
    counts = Counter(code for cell in result.cells for code in cell.warnings)
    found = [("the run", text) for text in result.warnings]
    found += [
        (f"{code}, {counted(counts[code], 'cell')}", REMEDIES.get(code, ""))
        for code in dict.fromkeys((*REMEDIES, *counts))
        if counts[code]
    ]
    void = tuple(
        (
            protocol_title(cell.protocol),
            cell.op,
            Cell(str(cell.workers), cell.workers),
            Cell(cell.problem or "no valid sample", kind="bad"),
        )
        for cell in result.cells
        if not cell.valid
    )
    body: list[Chart | Markup] = [tag("h3", "Warnings"), definitions(found) if found else tag("p", "None.")]
    if void:
        heads = (
            Column("protocol", numeric=False),
            Column("operation", numeric=False),
            Column("workers"),
            Column("why", numeric=False),
        )
        body += [tag("h3", "Void cells"), table_html(DataTable("Void cells", heads, void))]
    body += [
        tag("h3", "Method"),
        tag("ul", [tag("li", line) for line in method_lines(result)]),
        tag("h3", "Environment"),
        tag("ul", [tag("li", line) for line in environment_lines(result)]),
        tag("h3", "The command"),
        tag("pre", shlex.join(result.run.argv), tabindex="0"),
        tag(
            "p",
            (
                f"Seed {result.run.seed}. The same command with the same versions on a quiet machine gives "
                "comparable numbers."
            ),
            class_="note",
        ),
    ]
    return Section("method", "Method and environment", "", body)


def _attachment(result: BenchResult) -> Attachment:
    """Return the whole result; where it would make the page too large, without each worker's counters."""
    document = finite(result.as_dict())
    whole = Attachment("result.json", json.dumps(document, separators=(",", ":")).encode())
    if len(whole.packed) <= _MOST_RAW:
        return whole
    for one in (*document["cells"], *document["ceilings"]):
        for sample in one["samples"]:
            sample["workers"] = []
    return Attachment("result-without-workers.json", json.dumps(document, separators=(",", ":")).encode())


def _raw(result: BenchResult, attachment: Attachment) -> Section:
    samples = sum(len(cell.samples) for cell in result.cells)
    left = "without" in attachment.name
    lead = (
        f"Everything above is drawn from one result: {counted(len(result.cells), 'cell')} with "
        f"{counted(samples, 'sample')}. "
        + (
            "To keep this page small, the counters of each worker in each sample are left out here; the "
            "result.json that the bench wrote has them."
            if left
            else "It is kept in this page, each worker's counters with it."
        )
    )
    use = "brinery report result.json and brinery compare A.json B.json read it."
    return Section("raw", "Raw data", lead, [tag("p", download(attachment)), tag("p", use, class_="note")])


def _there(charts: Sequence[Chart | None]) -> list[Chart | Markup]:
    return [chart for chart in charts if chart is not None]
