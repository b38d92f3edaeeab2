"""What a run used over time, as pictures that zoom together."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import altair as alt
from markupsafe import Markup

from ...benchmark.text.numbers import percent, plain, seconds, size
from ...benchmark.text.table import Table, right
from .chart import Chart, built, data, tips, told_apart
from .markup import tag
from .theme import ACCENT, FADED, INK, MUTED, SHORT_LABELS, WARM
from .usage import Moment, Usage

Series: TypeAlias = dict[str, Callable[[Moment], float | None]]

AXIS = {"minExtent": 46, "maxExtent": 46}  # one below the other they share their time axis
_ZOOM = ("from", "to")
_WIDTH, _HEIGHT = 780, 150
_LETTER = 6.2  # pixels a letter takes at most, nearly
_ROWS = 80
MIB = 1 << 20
_STEPS = {"in": "Zoom in", "out": "Zoom out", "left": "Earlier", "right": "Later", "all": "Whole run"}


@dataclass(frozen=True, slots=True)
class Level:
    """A height to compare a series with."""

    value: float
    name: str


def timeline_charts(usage: Usage) -> list[Chart]:
    """Return cores busy, memory and storage of all processes, each where there is anything to draw."""
    return [chart for chart in (_cpu(usage), _memory(usage), _storage(usage)) if chart is not None]


def zoom_bar(usage: Usage) -> Markup:
    """Return the buttons that zoom all timelines; they appear with the script."""
    buttons = [tag("button", title, type="button", data_step=step) for step, title in _STEPS.items()]
    return tag(
        "div",
        buttons,
        tag("output", aria_live="polite"),
        tag("span", "or drag across a timeline; with one in focus: + \N{MINUS SIGN} arrows 0"),
        class_="zoom",
        hidden=True,
        data_end=f"{usage.end_s:.6f}",
        role="group",
        aria_label="Zoom all timelines",
    )


def series_chart(
    usage: Usage,
    series: Series,
    *,
    name: str,
    title: str,
    unit: str,
    caption: str,
    level: Level | None = None,
) -> Chart:
    """Return lines over time, told apart by dash, colour and the legend; beside a level the first is an area.

    Args:
        usage: the run.
        series: values by name.
        name: the chart's.
        title: the chart's.
        unit: of the values.
        caption: what there is to see.
        level: a height to compare with.
    """
    drawn, table = _lines(usage, series, unit, level), _table(usage, title, series, unit)
    return Chart(name, title, caption, drawn, table, "timeline")


def zoomed(usage: Usage, layers: list[Any], height: int) -> dict[str, Any]:
    """Return layers as a timeline that the page zooms by two parameters."""
    parameters = [
        alt.param(name=name, value=value) for name, value in zip(_ZOOM, (0.0, usage.end_s), strict=True)
    ]
    chart = alt.layer(*layers).add_params(*parameters)
    return built(chart.properties(width=_WIDTH, height=height))


def time_axis() -> Any:
    """Return the time axis of a timeline."""
    scale = alt.Scale(domain=[alt.ExprRef(name) for name in _ZOOM], nice=False, zero=False)
    return alt.X("t:Q", title="seconds since the run began", scale=scale, axis=alt.Axis(tickCount=8))


def bands(usage: Usage, *, named: bool = True) -> list[Any]:
    """Return a line where each part of the run begins, and the names of new ones where they fit."""
    if not usage.bands:
        return []
    starts = data([{"t": band.start_s} for band in usage.bands])
    rules = starts.mark_rule(color=FADED, strokeWidth=0.8, strokeDash=[2, 3], clip=True).encode(time_axis())
    if not named:
        return [rules]
    new = [usage.bands[0], *(band for last, band in pairwise(usage.bands) if band.name != last.name)]
    ends = [*(band.start_s for band in new[1:]), usage.end_s]
    titles = [{"t": one.start_s, "until": end, "name": one.name} for one, end in zip(new, ends, strict=True)]
    fits = f"(datum.until - datum.t) / ({_ZOOM[1]} - {_ZOOM[0]}) * width > {_LETTER} * length(datum.name) + 4"
    seen = alt.when(fits).then(alt.value(1)).otherwise(alt.value(0))
    texts = data(titles).mark_text(align="left", baseline="top", dx=4, fontSize=10, color=MUTED, clip=True)
    return [rules, texts.encode(time_axis(), y=alt.value(2), text="name:N", opacity=seen)]


def _lines(usage: Usage, series: Series, unit: str, level: Level | None) -> dict[str, Any]:
    rows = [
        {"t": moment.t_s, "value": value, "series": name}
        for name, read in series.items()
        for moment in usage.moments
        if (value := read(moment)) is not None
    ]
    names = [name for name in series if any(row["series"] == name for row in rows)]
    x = time_axis()
    y = alt.Y("value:Q", title=None, stack=None, axis=alt.Axis(tickCount=4, labelExpr=SHORT_LABELS, **AXIS))
    base = data(rows)
    legend = alt.Legend(symbolType="stroke", symbolStrokeWidth=2, symbolSize=300) if len(names) > 1 else None
    colours: dict[str, str] = dict(zip(names, (ACCENT, WARM, MUTED), strict=False))
    dashes: dict[str, list[int]] = dict(zip(names, ([1, 0], [6, 3], [2, 2]), strict=False))
    line = base.mark_line(strokeWidth=1.6, interpolate="step" if level else "linear", clip=True).encode(
        x,
        y,
        color=told_apart("Color", "series:N", colours, legend),
        strokeDash=told_apart("StrokeDash", "series:N", dashes, legend),
    )
    told = tips("series:N", "t:Q|second|.1f", f"value:Q|{unit}|.3~r")
    layers = [line, base.mark_point(opacity=0, size=90, clip=True).encode(x, y, tooltip=told)]
    if level is not None:
        first = base.transform_filter(f"datum.series == '{names[0]}'")
        area = first.mark_area(color=ACCENT, opacity=0.18, interpolate="step", clip=True).encode(x, y)
        height = data([{"value": level.value, "name": level.name}])
        rule = height.mark_rule(color=INK, strokeWidth=1, strokeDash=[6, 4]).encode(alt.Y("value:Q"))
        text = height.mark_text(align="right", baseline="bottom", dy=-3, fontSize=10, color=INK)
        named = text.encode(alt.Y("value:Q"), x=alt.value("width"), text="name:N")
        layers = [area, *layers, rule, named]
    return zoomed(usage, layers + bands(usage), _HEIGHT)


def _table(usage: Usage, title: str, series: Series, unit: str) -> Table:
    """Return the series over time in at most `_ROWS` rows, each the mean of its moments."""
    many = -(-len(usage.moments) // _ROWS)
    rows = []
    for place in range(0, len(usage.moments), many):
        group = usage.moments[place : place + many]
        values = []
        for read in series.values():
            known = [value for one in group if (value := read(one)) is not None]
            values.append(sum(known) / len(known) if known else None)
        rows.append((group[0].t_s, *values))
    notes = (f"Each row is the mean of {many} stretches of {plain(usage.step_s)} s.",) if many > 1 else ()
    heads = (name if name == unit else f"{name}, {unit}" for name in series)
    return Table(f"{title}, over time", right("second", *heads), rows, notes)


def _cpu(usage: Usage) -> Chart:
    moments = usage.moments
    total = [one.workers + one.parent for one in moments]
    own = usage.counted.cores_busy
    mean = sum(total) / len(total) if own is None else own
    peak = max(range(len(total)), key=total.__getitem__)
    parent = sum(one.parent for one in moments) / len(moments)
    rest = f"the parent took {plain(parent)}" if own is None else "the average leaves out starting workers"
    return series_chart(
        usage,
        {
            "all processes": lambda one: one.workers + one.parent,
            "the parent alone": lambda one: one.parent,
        },
        name="timeline-cpu",
        title="CPU: cores busy",
        unit="cores",
        caption=f"On average {plain(mean)} of {usage.cores_name} were busy ({percent(mean / usage.cores)}), "
        f"at most {plain(total[peak])} at {plain(moments[peak].t_s)} s; {rest}. "
        "CPU time before a process was first seen is not drawn.",
        level=Level(usage.cores, usage.cores_name),
    )


def _memory(usage: Usage) -> Chart:
    counted = usage.counted
    known = [one.pss_bytes for one in usage.moments if one.pss_bytes is not None]
    last = max(usage.moments, key=lambda one: one.rss_bytes)
    rss, pss = counted.peak_rss_bytes or last.rss_bytes, counted.peak_pss_bytes or max(known, default=None)
    text = f"Resident memory peaks at {size(rss)} ({seconds(last.t_s * 1e9)}), shared pages counted in each"
    if pss is not None:
        text += f"; counted once (PSS, read about once a second) at {size(pss)}"
    if usage.memory_bytes:
        text += f". The machine has {size(usage.memory_bytes)}"
    helpers = "are not drawn" if counted.peak_rss_bytes is None else "are in the peaks, and not drawn"
    return series_chart(
        usage,
        {
            "PSS: shared pages once": lambda one: None if one.pss_bytes is None else one.pss_bytes / MIB,
            "RSS: in each process": lambda one: one.rss_bytes / MIB,
        },
        name="timeline-memory",
        title="Memory of the parent and its workers, MiB",
        unit="MiB",
        caption=f"{text}. The pool's helper processes {helpers}.",
    )


def _storage(usage: Usage) -> Chart | None:
    if not any(one.write is not None or one.read is not None for one in usage.moments):
        return None
    written, fetched, rest = usage.counted.write_bytes, usage.counted.read_bytes, ""
    if written is None or fetched is None:
        written = round(sum((one.write or 0.0) for one in usage.moments) * usage.step_s)
        fetched = round(sum((one.read or 0.0) for one in usage.moments) * usage.step_s)
    else:
        rest = " The totals are the units' own; the lines also hold what processes read to start."
    peak = max(usage.moments, key=lambda one: one.write or 0.0)
    cached = ": reads were served from memory" if fetched < written / 100 else ""
    return series_chart(
        usage,
        {
            "towards storage": lambda one: None if one.write is None else one.write / 1e6,
            "from storage": lambda one: None if one.read is None else one.read / 1e6,
        },
        name="timeline-storage",
        title="Storage, MB/s",
        unit="MB/s",
        caption=f"About {size(written)} went towards storage, at most {size(peak.write)}/s "
        f"({plain(peak.t_s)} s), and {size(fetched)} came from it{cached}. Written bytes are counted when "
        f"they enter the page cache.{rest}",
    )
