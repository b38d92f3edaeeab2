"""What a run used over time, as pictures that zoom together."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, TypeAlias

from markupsafe import Markup

from ...benchmark.text.numbers import counted, percent, plain, seconds, size
from ...benchmark.text.table import Entry, Table, Value, right, share
from .chart import Chart, built, charting, data, tips, told_apart
from .markup import tag
from .theme import ACCENT, FADED, GRID, INK, MUTED, SHORT_LABELS, WARM
from .usage import Moment, Usage

Series: TypeAlias = dict[str, Callable[[Moment], float | None]]

_AXIS = 46
_ZOOM = ("from", "to")
_WIDTH, _HEIGHT = 780, 150
_LANE = 20
_LETTER = 6.2  # pixels a letter takes at most, nearly
_ROWS = 80


def timeline_charts(usage: Usage) -> list[Chart]:
    """Return cores busy, memory, storage and the workers' lanes, each where there is anything to draw."""
    found = [_cpu(usage), _memory(usage), _storage(usage), _workers(usage)]
    return [chart for chart in found if chart is not None]


def zoom_bar(usage: Usage) -> Markup:
    """Return the buttons that zoom all timelines; they appear with the script."""
    names = (
        ("in", "Zoom in"),
        ("out", "Zoom out"),
        ("left", "Earlier"),
        ("right", "Later"),
        ("all", "Whole run"),
    )
    buttons = [tag("button", title, type="button", data_step=step) for step, title in names]
    help_text = tag("span", "or drag across a timeline; with one in focus: + \N{MINUS SIGN} arrows 0")
    return tag(
        "div",
        buttons,
        tag("output", aria_live="polite"),
        help_text,
        class_="zoom",
        hidden=True,
        data_end=f"{usage.end_s:.6f}",
        role="group",
        aria_label="Zoom all timelines",
    )


def _zoomed(alt: Any, end_s: float) -> tuple[Any, list[Any]]:
    """Return the time axis of a timeline, and the parameters by which the page zooms it."""
    parameters = [alt.param(name=name, value=value) for name, value in zip(_ZOOM, (0.0, end_s), strict=True)]
    scale = alt.Scale(domain=[alt.ExprRef(name) for name in _ZOOM], nice=False, zero=False)
    return alt.X(
        "t:Q", title="seconds since the run began", scale=scale, axis=alt.Axis(tickCount=8)
    ), parameters


def _band_layers(alt: Any, usage: Usage, x: Any, *, named: bool = True) -> list[Any]:
    """Return a line where each part of the run begins, and the names of new ones where they fit."""
    if not usage.bands:
        return []
    new = [usage.bands[0], *(band for last, band in pairwise(usage.bands) if band.name != last.name)]
    ends = [*(band.start_s for band in new[1:]), usage.end_s]
    titles = [
        {"t": band.start_s, "until": end, "name": band.name} for band, end in zip(new, ends, strict=True)
    ]
    fits = f"(datum.until - datum.t) / ({_ZOOM[1]} - {_ZOOM[0]}) * width > {_LETTER} * length(datum.name) + 4"
    rules = (
        data([{"t": band.start_s} for band in usage.bands])
        .mark_rule(color=FADED, strokeWidth=0.8, strokeDash=[2, 3], clip=True)
        .encode(x)
    )
    names = (
        data(titles)
        .mark_text(align="left", baseline="top", dx=4, fontSize=10, color=MUTED, clip=True)
        .encode(
            x,
            y=alt.value(2),
            text="name:N",
            opacity=alt.when(fits).then(alt.value(1)).otherwise(alt.value(0)),
        )
    )
    return [rules, names] if named else [rules]


def line_chart(
    usage: Usage,
    series: Series,
    *,
    title: str,
    level: tuple[float, str] | None = None,
    filled: bool = False,
) -> dict[str, Any]:
    """Return lines over time, told apart by dash, colour and the legend.

    Args:
        usage: the run.
        series: values by name.
        title: the unit of the values.
        level: a height to compare with, and its name.
        filled: the first series is an area.
    """
    alt = charting()
    x, parameters = _zoomed(alt, usage.end_s)
    rows = [
        {"t": moment.t_s, "value": value, "series": name}
        for name, read in series.items()
        for moment in usage.moments
        if (value := read(moment)) is not None
    ]
    names = [name for name in series if any(row["series"] == name for row in rows)]
    y = alt.Y("value:Q", title=None, axis=_axis(alt), stack=None)
    base = data(rows)
    legend = alt.Legend(symbolType="stroke", symbolStrokeWidth=2, symbolSize=300) if len(names) > 1 else None
    looks = dict(zip(names, zip((ACCENT, WARM, MUTED), ([1, 0], [6, 3], [2, 2]), strict=True), strict=False))
    colour = told_apart("Color", "series:N", {name: one for name, (one, _) in looks.items()}, legend)
    dash = told_apart("StrokeDash", "series:N", {name: one for name, (_, one) in looks.items()}, legend)
    tooltip = tips("series:N", "t:Q|second|.1f", f"value:Q|{title}|.3~r")
    layers = []
    if filled:
        first = base.transform_filter(f"datum.series == '{names[0]}'")
        layers.append(first.mark_area(color=ACCENT, opacity=0.18, interpolate="step", clip=True).encode(x, y))
    layers.append(
        base.mark_line(strokeWidth=1.6, interpolate="step" if filled else "linear", clip=True).encode(
            x, y, color=colour, strokeDash=dash
        )
    )
    layers.append(base.mark_point(opacity=0, size=90, clip=True).encode(x, y, tooltip=tooltip))
    if level is not None:
        line = data([{"value": level[0], "name": level[1]}])
        layers.append(line.mark_rule(color=INK, strokeWidth=1, strokeDash=[6, 4]).encode(alt.Y("value:Q")))
        layers.append(
            line.mark_text(align="right", baseline="bottom", dy=-3, fontSize=10, color=INK).encode(
                alt.Y("value:Q"), x=alt.value("width"), text="name:N"
            )
        )
    layers += _band_layers(alt, usage, x)
    chart = alt.layer(*layers).add_params(*parameters)
    return built(chart.properties(width=_WIDTH, height=_HEIGHT))


def _axis(alt: Any) -> Any:
    return alt.Axis(tickCount=4, labelExpr=SHORT_LABELS, minExtent=_AXIS, maxExtent=_AXIS)


def _cpu(usage: Usage) -> Chart:
    moments = usage.moments
    total = [one.workers + one.parent for one in moments]
    mean = sum(total) / len(total)
    peak = max(range(len(total)), key=total.__getitem__)
    parent = sum(one.parent for one in moments) / len(moments)
    caption = (
        f"On average {plain(mean)} of {usage.cores_name} were busy ({percent(mean / usage.cores)}), "
        f"at most {plain(total[peak])} at {plain(moments[peak].t_s)} s; the parent took {plain(parent)}. "
        "CPU time before a process was first seen is not drawn."
    )
    series: Series = {
        "all processes": lambda one: one.workers + one.parent,
        "the parent alone": lambda one: one.parent,
    }
    level = (usage.cores, usage.cores_name)
    drawn = line_chart(usage, series, title="cores busy", level=level, filled=True)
    table = series_table(usage, "CPU over time", series, "cores")
    return Chart("timeline-cpu", "CPU: cores busy", caption, drawn, table, "timeline")


def _memory(usage: Usage) -> Chart:
    shared = [one for one in usage.moments if one.pss_bytes is not None]
    rss = max(usage.moments, key=lambda one: one.rss_bytes)
    text = (
        f"Resident memory peaks at {size(rss.rss_bytes)} ({seconds(rss.t_s * 1e9)}), shared "
        "pages counted in each"
    )
    if shared:
        pss = max(shared, key=lambda one: one.pss_bytes or 0.0)
        text += f"; counted once (PSS, read about once a second) at {size(pss.pss_bytes)}"
    if usage.memory_bytes:
        text += f". The machine has {size(usage.memory_bytes)}"
    series: Series = {
        "PSS: shared pages once": lambda one: None if one.pss_bytes is None else one.pss_bytes / (1 << 20),
        "RSS: in each process": lambda one: one.rss_bytes / (1 << 20),
    }
    drawn, table = (
        line_chart(usage, series, title="MiB"),
        series_table(usage, "Memory over time", series, "MiB"),
    )
    caption = f"{text}. Without the pool's helper processes."
    title = "Memory of the parent and its workers, MiB"
    return Chart("timeline-memory", title, caption, drawn, table, "timeline")


def _storage(usage: Usage) -> Chart | None:
    if not any(one.write is not None or one.read is not None for one in usage.moments):
        return None
    written = sum((one.write or 0.0) for one in usage.moments) * usage.step_s
    fetched = sum((one.read or 0.0) for one in usage.moments) * usage.step_s
    peak = max(usage.moments, key=lambda one: one.write or 0.0)
    caption = (
        f"About {size(written)} went towards storage, at most {size(peak.write)}/s ({plain(peak.t_s)} "
        f"s), and {size(fetched)} "
        f"came from it{': reads were served from memory' if fetched < written / 100 else ''}. "
        "Written bytes are counted when they enter the page cache."
    )
    series: Series = {
        "towards storage": lambda one: None if one.write is None else one.write / 1e6,
        "from storage": lambda one: None if one.read is None else one.read / 1e6,
    }
    drawn = line_chart(usage, series, title="MB/s")
    table = series_table(usage, "Storage over time", series, "MB/s")
    return Chart("timeline-storage", "Storage, MB/s", caption, drawn, table, "timeline")


def _workers(usage: Usage) -> Chart | None:
    if not usage.lanes:
        return None
    alt = charting()
    x, parameters = _zoomed(alt, usage.end_s)
    count = 1 + max(one.lane for one in usage.lanes)
    rows = [
        {
            "t": one.start_s,
            "end": one.end_s,
            "lane": f"{one.lane + 1}",
            "busy": one.busy,
            "height": 3 + one.busy * (_LANE - 7),
            "pid": str(one.pid),
        }
        for one in usage.lanes
    ]
    names = [f"{number + 1}" for number in range(count)]
    tooltip = tips("lane:N|worker", "pid:N|process", "busy:Q|of a CPU|.0%")
    y = alt.Y("lane:N", sort=names, title=None, axis=alt.Axis(minExtent=_AXIS, maxExtent=_AXIS))
    shade = alt.Color(
        "busy:Q",
        scale=alt.Scale(scheme="cividis", domain=[0, 1]),
        legend=alt.Legend(
            title="share of a CPU", format=".0%", gradientLength=140, gradientThickness=9, titleOrient="left"
        ),
    )
    base = data(rows)
    # The height of a bar says the same as its colour.
    bars = base.mark_bar(clip=True, stroke=GRID, strokeWidth=0.3, baseline="middle").encode(
        x,
        alt.X2("end:Q"),
        y,
        color=shade,
        size=alt.Size("height:Q", scale=None, legend=None),
        tooltip=tooltip,
    )
    chart = alt.layer(bars, *_band_layers(alt, usage, x, named=False)).add_params(*parameters)
    busy = sum((one.end_s - one.start_s) * one.busy for one in usage.lanes)
    there = sum(one.end_s - one.start_s for one in usage.lanes)
    processes = len({one.pid for one in usage.lanes})
    caption = (
        f"{counted(processes, 'worker process', 'worker processes')} in {counted(count, 'lane')}; while "
        "they lived they were on a CPU for "
        f"{percent(busy / there if there else None)} of the time. Tall and bright is busy, low and dark "
        "is waiting."
    )
    columns = right("process", "lane", "from, s", "to, s", "of a CPU")
    body = [_life(usage, pid) for pid in dict.fromkeys(one.pid for one in usage.lanes)]
    return Chart(
        "timeline-workers",
        "Workers: share of a CPU, a lane each",
        caption,
        built(chart.properties(width=_WIDTH, height=max(60, _LANE * count))),
        Table("Workers over time", columns, body),
        "timeline",
    )


def _life(usage: Usage, pid: int) -> tuple[Value, ...]:
    own = [one for one in usage.lanes if one.pid == pid]
    begin, end = own[0].start_s, own[-1].end_s
    busy = sum((one.end_s - one.start_s) * one.busy for one in own)
    return (
        str(pid),
        Entry(str(own[0].lane + 1), own[0].lane),
        begin,
        end,
        share(busy / (end - begin)),
    )


def series_table(usage: Usage, title: str, series: Series, unit: str) -> Table:
    """Return the series over time in at most `_ROWS` rows, each the mean of its moments."""
    columns = right("second", *(f"{name}, {unit}" for name in series))
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
    return Table(title, columns, rows, notes)
