"""What a run used over time, as pictures that zoom together."""

from itertools import pairwise
from operator import attrgetter
from statistics import fmean
from typing import Any, TypeAlias

import altair as alt
from markupsafe import Markup

from ...benchmark.text.numbers import percent, plain, seconds, size
from ...benchmark.text.table import Table, right
from .chart import Chart, built, data, distinct, either, tips, told_apart
from .markup import tag
from .theme import ACCENT, FADED, INK, MUTED, SHORT_LABELS, WARM
from .usage import Usage

Series: TypeAlias = dict[str, list[float | None]]  # a value for each moment, None if not known, by name

AXIS = {"minExtent": 46, "maxExtent": 46}  # one below the other they share their time axis
_ZOOM = ("from", "to")
_WIDTH, _HEIGHT = 780, 150
_LETTER = 6.2  # pixels a letter takes at most, nearly
_ROWS = 80
_LOOKS = ((ACCENT, [1, 0]), (WARM, [6, 3]), (MUTED, [2, 2]))  # colour and dash of each series
MIB = 1 << 20
_STEPS = {"in": "Zoom in", "out": "Zoom out", "left": "Earlier", "right": "Later", "all": "Whole run"}


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
    name: str,
    title: str,
    series: Series,
    *,
    unit: str,
    caption: str,
    level: tuple[float, str] | None = None,
) -> Chart:
    """Return lines over time, told apart by dash, colour and the legend.

    Beside a level, a height to compare with and its name, the first of them is an area.
    """
    rows = [
        {"t": moment.t_s, "value": value, "series": one}
        for one, values in series.items()
        for moment, value in zip(usage.moments, values, strict=True)
        if value is not None
    ]
    names = distinct(rows, "series")
    x = time_axis()
    y = alt.Y("value:Q", title=None, stack=None, axis=alt.Axis(tickCount=4, labelExpr=SHORT_LABELS, **AXIS))
    base = data(rows)
    legend = alt.Legend(symbolType="stroke", symbolStrokeWidth=2, symbolSize=300) if len(names) > 1 else None
    looks = told_apart("series:N", dict(zip(names, _LOOKS, strict=False)), legend, "color", "strokeDash")
    line = base.mark_line(strokeWidth=1.6, interpolate="step" if level else "linear", clip=True)
    told = tips("series:N", "t:Q|second|.1f", f"value:Q|{unit}|.3~r")
    points = base.mark_point(opacity=0, size=90, clip=True)
    layers = [line.encode(x, y, **looks), points.encode(x, y, tooltip=told)]
    if level is not None:
        first = base.transform_filter(f"datum.series == '{names[0]}'")
        area = first.mark_area(color=ACCENT, opacity=0.18, interpolate="step", clip=True).encode(x, y)
        height = data([{"value": level[0], "name": level[1]}])
        rule = height.mark_rule(color=INK, strokeWidth=1, strokeDash=[6, 4]).encode(alt.Y("value:Q"))
        text = height.mark_text(align="right", baseline="bottom", dy=-3, fontSize=10, color=INK)
        named = text.encode(alt.Y("value:Q"), x=alt.value("width"), text="name:N")
        layers = [area, *layers, rule, named]
    drawn = zoomed(usage, layers + bands(usage), _HEIGHT)
    return Chart(name, title, caption, drawn, _table(usage, title, series, unit), "timeline")


def zoomed(usage: Usage, layers: list[Any], height: int) -> dict[str, Any]:
    """Return layers as a timeline that the page zooms by two parameters."""
    limits = zip(_ZOOM, (0.0, usage.end_s), strict=True)
    chart = alt.layer(*layers).add_params(*(alt.param(name=name, value=value) for name, value in limits))
    return built(chart.properties(width=_WIDTH, height=height))


def time_axis() -> Any:
    """Return the time axis of a timeline."""
    scale = alt.Scale(domain=[alt.ExprRef(name) for name in _ZOOM], nice=False, zero=False)
    return alt.X("t:Q", title="seconds since the run began", scale=scale, axis=alt.Axis(tickCount=8))


def bands(usage: Usage, *, named: bool = True) -> list[Any]:
    """Return a line where each part of the run begins, and the names of new ones where they fit."""
    if not usage.bands:
        return []
    starts = data([{"t": begin} for _, begin in usage.bands])
    rules = starts.mark_rule(color=FADED, strokeWidth=0.8, strokeDash=[2, 3], clip=True).encode(time_axis())
    if not named:
        return [rules]
    new = [usage.bands[0], *(band for last, band in pairwise(usage.bands) if band[0] != last[0])]
    ends = [*(begin for _, begin in new[1:]), usage.end_s]
    titles = [{"t": t, "until": end, "name": name} for (name, t), end in zip(new, ends, strict=True)]
    fits = f"(datum.until - datum.t) / ({_ZOOM[1]} - {_ZOOM[0]}) * width > {_LETTER} * length(datum.name) + 4"
    texts = data(titles).mark_text(align="left", baseline="top", dx=4, fontSize=10, color=MUTED, clip=True)
    return [rules, texts.encode(time_axis(), y=alt.value(2), text="name:N", opacity=either(fits, 1, 0))]


def _table(usage: Usage, title: str, series: Series, unit: str) -> Table:
    """Return the series over time in at most `_ROWS` rows, each the mean of its moments."""
    many = -(-len(usage.moments) // _ROWS)
    rows = []
    for place in range(0, len(usage.moments), many):
        known = [[one for one in own[place : place + many] if one is not None] for own in series.values()]
        rows.append((usage.moments[place].t_s, *(fmean(own) if own else None for own in known)))
    notes = (f"Each row is the mean of {many} stretches of {plain(usage.step_s)} s.",) if many > 1 else ()
    heads = (name if name == unit else f"{name}, {unit}" for name in series)
    return Table(f"{title}, over time", right("second", *heads), rows, notes)


def _cpu(usage: Usage) -> Chart:
    moments, own = usage.moments, usage.counted.cores_busy
    busy = fmean(one.cores for one in moments) if own is None else own
    peak = max(moments, key=attrgetter("cores"))
    parent = fmean(one.parent for one in moments)
    rest = f"the parent took {plain(parent)}" if own is None else "the average leaves out starting workers"
    caption = (
        f"On average {plain(busy)} of {usage.cores_name} were busy ({percent(busy / usage.cores)}), "
        f"at most {plain(peak.cores)} at {plain(peak.t_s)} s; {rest}. "
        "CPU time before a process was first seen is not drawn."
    )
    series = {"all processes": usage.series("cores"), "the parent alone": usage.series("parent")}
    level = (usage.cores, usage.cores_name)
    return series_chart(
        usage, "timeline-cpu", "CPU: cores busy", series, unit="cores", caption=caption, level=level
    )


def _memory(usage: Usage) -> Chart:
    counted = usage.counted
    series = {
        "PSS: shared pages once": usage.series("pss_bytes", MIB),
        "RSS: in each process": usage.series("rss_bytes", MIB),
    }
    last = max(usage.moments, key=attrgetter("rss_bytes"))
    known = [one.pss_bytes for one in usage.moments if one.pss_bytes is not None]
    rss, pss = counted.peak_rss_bytes or last.rss_bytes, counted.peak_pss_bytes or max(known, default=None)
    text = f"Resident memory peaks at {size(rss)} ({seconds(last.t_s * 1e9)}), shared pages counted in each"
    if pss is not None:
        text += f"; counted once (PSS, read about once a second) at {size(pss)}"
    if usage.memory_bytes:
        text += f". The machine has {size(usage.memory_bytes)}"
    helpers = "are not drawn" if counted.peak_rss_bytes is None else "are in the peaks, and not drawn"
    caption = f"{text}. The pool's helper processes {helpers}."
    title = "Memory of the parent and its workers, MiB"
    return series_chart(usage, "timeline-memory", title, series, unit="MiB", caption=caption)


def _storage(usage: Usage) -> Chart | None:
    series = {"towards storage": usage.series("write", 1e6), "from storage": usage.series("read", 1e6)}
    if not any(value is not None for own in series.values() for value in own):
        return None
    written, fetched, rest = usage.counted.write_bytes, usage.counted.read_bytes, ""
    if written is None or fetched is None:
        written = round(sum((one.write or 0.0) for one in usage.moments) * usage.step_s)
        fetched = round(sum((one.read or 0.0) for one in usage.moments) * usage.step_s)
    else:
        rest = " The totals are the units' own; the lines also hold what processes read to start."
    peak = max(usage.moments, key=lambda one: one.write or 0.0)
    cached = ": reads were served from memory" if fetched < written / 100 else ""
    caption = (
        f"About {size(written)} went towards storage, at most {size(peak.write)}/s "
        f"({plain(peak.t_s)} s), and {size(fetched)} came from it{cached}. Written bytes are counted when "
        f"they enter the page cache.{rest}"
    )
    return series_chart(usage, "timeline-storage", "Storage, MB/s", series, unit="MB/s", caption=caption)
