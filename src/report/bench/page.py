"""A bench's result as a page: the sections and what they say."""

import shlex
from dataclasses import replace
from operator import attrgetter

from ...benchmark.analysis.warnings import disturbances, trouble_of
from ...benchmark.result.cell import protocol_title
from ...benchmark.result.recommendations import OBJECTIVES
from ...benchmark.result.result import BenchResult
from ...benchmark.text.conclusion import candidate_table, chosen, conclusion_of, why
from ...benchmark.text.findings import growth_table
from ...benchmark.text.numbers import counted, cpus, plain, sentence
from ...benchmark.text.prices import cost_table
from ...benchmark.text.projection import projection_table
from ...benchmark.text.report import environment_lines, method_lines, status_of, warning_lines
from ...benchmark.text.table import Entry, Table, Value, left, right
from ...benchmark.text.tables import OP_TITLES, best_of, by_protocol, seed_table
from ..html.chart import Chart
from ..html.glossary import BENCH_WORDS, definitions
from ..html.lanes import lane_charts
from ..html.markup import bullets, finite, remark, tag
from ..html.page import Body, Folded, Item, Page, Section, glossary, packed_json, raw_section
from ..html.timeline import timeline_charts, zoom_bar
from ..html.usage import Counted, points_of, usage_of
from .bottlenecks import limits_lead, limits_table, resources_table
from .conclusion import alarms, facts_of
from .efficiency import efficiency_chart
from .groups import Group, groups_of
from .scaling import scaling_chart
from .size_against_speed import tradeoff_chart
from .stability import rounds_chart, sentinel_chart
from .time_spent import phases_chart, split_chart

_MOST_RAW = 600_000  # bytes in the page, gzipped and in base 64


def bench_page(result: BenchResult) -> Page:
    """Return the page of a bench."""
    conclusion, groups, trouble = conclusion_of(result), groups_of(result), trouble_of(result)
    host, data = result.host, result.dataset
    shape = next(iter(data.shapes), "images")
    about = (
        f"{result.run.started_at[:10]}, {host.cpu or host.architecture}, {cpus(host.usable_cpus)}, "
        f"{counted(data.images, 'image')} of {shape}, brinery {result.run.brinery}"
    )
    reads = (
        "Reads from memory, each protocol with its best number of workers: through brinery.open "
        "where that was timed, otherwise by its own library."
    )
    clocks = "What the workers did, by their own clocks."
    again = "What the same work took again and again, and how far rounds lie apart."
    steady = [sentinel_chart(result), rounds_chart(result)]
    sections = (
        _choose(result),
        _seed(result, trouble),
        Section("size", "Size against speed", reads, _doubted([tradeoff_chart(result)], trouble)),
        _workers(result, groups, trouble),
        _time(result, groups),
        Section("phases", "Phases", clocks, [*map(phases_chart, groups)]),
        _timeline(result),
        Section("stability", "How steady it was", again, steady),
        _method(result),
        _raw(result),
        glossary(BENCH_WORDS),
    )
    return Page(
        kind="bench",
        about=about,
        conclusion=conclusion.sentence,
        reason=conclusion.reason,
        facts=facts_of(result),
        status=status_of(result),
        alarms=alarms(result),
        alarm_title=f"Read with care{': the machine was disturbed' if disturbances(result.noise) else ''}.",
        sections=sections,
    )


def _choose(result: BenchResult) -> Section:
    items = [
        tag(
            "li",
            tag("span", sentence(OBJECTIVES[one.objective]), class_="goal"),
            tag("span", chosen(one), class_="winner"),
            tag("span", why(one), class_="why"),
        )
        for one in result.recommendations
    ]
    lead = (
        "One answer for each aim, among the numbers of workers that the CPUs allow. Of protocols that are "
        "statistically tied the safe, portable and simplest one is named."
    )
    assumed = [
        f"{sentence(OBJECTIVES[one.objective])}: {'; '.join(one.assumptions)}."
        for one in result.recommendations
        if one.assumptions
    ]
    candidates = Folded("All candidates, with their odds", candidate_table(result))
    note = remark(" ".join(assumed)) if assumed else None
    body: Body = [tag("ul", items, class_="choices"), note, candidates] if items else []
    for table in (projection_table(result), cost_table(result)):
        body = [*body, tag("h3", table.title), table] if table else body
    return Section("choose", "What to choose", lead, body)


def _doubted(body: Body, trouble: str | None) -> Body:
    """Take back what captions say of differences, where no time decides anything."""
    if trouble is None:
        return body
    caption = f"No difference here means anything: {trouble}."
    return [replace(one, caption=caption) if isinstance(one, Chart) else one for one in body]


def _seed(result: BenchResult, trouble: str | None) -> Section:
    cells, parts = by_protocol(result), []
    for op, does, what in () if trouble else (("load", "loaded", " for 1000 images"), ("dump", "dumped", "")):
        best = best_of(cells, op)
        if best is not None and best.stats is not None:
            parts.append(f"{best.protocol} {does} fastest, {plain(best.stats.median_ns / 1e6)} s{what}")
    lead = f"{'; '.join(parts)}. One process, as a simple script would do it." if parts else ""
    return Section("seed", "Single process, one file per image", lead, [seed_table(result)])


def _workers(result: BenchResult, groups: list[Group], trouble: str | None) -> Section:
    body: list[Item | None] = []
    for group in groups:
        growth = growth_table(result, group.variant)
        body += [scaling_chart(result, group), Folded(growth.title, growth) if growth else None]
    body.append(efficiency_chart(groups))
    ops = dict.fromkeys(group.variant.op for group in groups)
    meanings = " ".join(f"{sentence(OP_TITLES.get(op, op))}." for op in ops)
    return Section("workers", "More workers", meanings, _doubted(body, trouble))


def _time(result: BenchResult, groups: list[Group]) -> Section:
    body: list[Item | None] = []
    for group in groups:
        title, limits = f"What limits {group.variant.title}, with the evidence", limits_table(group)
        body += [split_chart(group), Folded(title, limits) if limits.rows else None]
    body.append(resources_table(result, groups))
    return Section("time", "Where the time went", limits_lead(result), body)


def _timeline(result: BenchResult) -> Section:
    host, sampler = result.host, result.sampler
    usage = usage_of(
        points_of(sampler.columns, sampler.rows),
        bands=_bands(result),
        cores=host.usable_cpus,
        cores_name=cpus(host.usable_cpus),
        memory_bytes=host.usable_memory_bytes or host.memory_bytes,
        counted=Counted(peak_rss_bytes=sampler.peak_rss_bytes, peak_pss_bytes=sampler.peak_pss_bytes),
    )
    lead = (
        "The whole run as the sampler saw it, calibration left out; the pictures zoom together. "
        "Lines mark the rounds."
    )
    body: Body = [zoom_bar(usage), *timeline_charts(usage), *lane_charts(usage)] if usage else []
    return Section("timeline", "What the run used", lead, body)


def _bands(result: BenchResult) -> list[tuple[str, float]]:
    """Return the part of each round and when it begins, from the sentinels that open them."""
    begin = result.sampler.begin_ns
    if begin is None:
        return []
    first: dict[tuple[str, int], float] = {}
    for one in sorted(result.noise.sentinel, key=attrgetter("begin_ns")):
        first.setdefault((one.part, one.round), (one.begin_ns - begin) / 1e9)
    names = {"seed": "one process", "scaling": "over workers"}
    return [(names.get(part, part), max(0.0, start)) for (part, _), start in first.items()]


def _method(result: BenchResult) -> Section:
    found = [
        (what or "the run", text) for what, text in warning_lines(result) if not what.startswith("void:")
    ]
    void: list[tuple[Value, ...]] = []
    for cell in result.cells:
        if not cell.valid:
            why = Entry(cell.problem or "no valid sample", kind="bad")
            void.append((protocol_title(cell.protocol), cell.op, cell.workers, why))
    columns = (*left("protocol", "operation"), *right("workers"), *left("why"))
    note = (
        f"Seed {result.run.seed}. The same command with the same versions on a quiet machine gives "
        "comparable numbers."
    )
    body: Body = [
        *(tag("h3", "Warnings"), definitions(found) if found else tag("p", "None.")),
        Table("Void cells", columns, void),
        *(tag("h3", "Method"), bullets(method_lines(result))),
        *(tag("h3", "Environment"), bullets(environment_lines(result))),
        *(tag("h3", "The command"), tag("pre", shlex.join(result.run.argv), tabindex="0"), remark(note)),
    ]
    return Section("method", "Method and environment", "", body)


def _raw(result: BenchResult) -> Section:
    """Return the whole result; where it would make the page too large, without each worker's counters."""
    document = finite(result.as_dict())
    packed, name = packed_json(document), "result.json"
    kept = "It is kept in this page, each worker's counters with it."
    if len(packed) > _MOST_RAW:
        for one in (*document["cells"], *document["ceilings"]):
            for sample in one["samples"]:
                sample["workers"] = []
        packed, name = packed_json(document), "result-without-workers.json"
        kept = (
            "To keep this page small, the counters of each worker in each sample are left out here; the "
            "result.json that the bench wrote has them."
        )
    cells, samples = len(result.cells), sum(len(cell.samples) for cell in result.cells)
    held = f"{counted(cells, 'cell')} with {counted(samples, 'sample')}"
    use = "brinery report result.json and brinery compare A.json B.json read it."
    return raw_section(name, packed, f"Everything above is drawn from one result: {held}. {kept}", use)
