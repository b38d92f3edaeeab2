"""What each worker used over time, as lanes that zoom with the timelines."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from statistics import fmean

import altair as alt

from ...benchmark.text.numbers import counted, percent, plain, size
from ...benchmark.text.table import Entry, Table, Value, right, share
from .chart import Chart, data, tips
from .theme import GRID
from .timeline import AXIS, MIB, bands, time_axis, zoomed
from .usage import Lane, Usage

_HEIGHT = 20
_LEGEND = {"tickCount": 3, "gradientLength": 140, "gradientThickness": 9, "titleOrient": "left"}


@dataclass(frozen=True, slots=True)
class _Measure:
    """What lanes can show."""

    name: str  # in `Usage.lanes`
    chart: str  # its name
    title: str
    unit: str
    scale: float  # values in that unit
    format: str  # of numbers in the picture


_MEASURES = (
    _Measure("cpu", "timeline-workers", "share of a CPU", "of a CPU", 1.0, ".0%"),
    _Measure("memory", "timeline-workers-memory", "resident memory", "MiB", MIB, ".3~r"),
    _Measure("storage", "timeline-workers-storage", "storage read and written", "MB/s", 1e6, ".3~r"),
)


def lane_charts(usage: Usage) -> list[Chart]:
    """Return a lane for each worker: its CPU, memory and storage, each where there is anything to draw."""
    found = ((measure, usage.lanes.get(measure.name, ())) for measure in _MEASURES)
    return [_chart(usage, measure, lanes) for measure, lanes in found if any(one.value > 0 for one in lanes)]


def _chart(usage: Usage, measure: _Measure, lanes: tuple[Lane, ...]) -> Chart:
    top = 1.0 if measure.name == "cpu" else max(one.value for one in lanes) / measure.scale
    rows = [
        {
            "t": one.start_s,
            "end": one.end_s,
            "lane": str(one.lane + 1),
            "value": one.value / measure.scale,
            "height": 3 + one.level * (_HEIGHT - 7),  # says the same as the colour
            "pid": str(one.pid),
        }
        for one in lanes
    ]
    names = [str(number + 1) for number in range(1 + max(one.lane for one in lanes))]
    scale = alt.Scale(scheme="cividis", domain=[0, top], clamp=True)
    legend = alt.Legend(title=measure.unit, format=measure.format, **_LEGEND)
    marks = data(rows).mark_bar(clip=True, stroke=GRID, strokeWidth=0.3, baseline="middle")
    bars = marks.encode(
        time_axis(),
        alt.X2("end:Q"),
        alt.Y("lane:N", sort=names, title=None, axis=alt.Axis(**AXIS)),
        color=alt.Color("value:Q", scale=scale, legend=legend),
        size=alt.Size("height:Q", scale=None, legend=None),
        tooltip=tips("lane:N|worker", "pid:N|process", f"value:Q|{measure.unit}|{measure.format}"),
    )
    lives = [_life(pid, list(own), measure) for pid, own in groupby(lanes, attrgetter("pid"))]
    heads = ("process", "lane", "from, s", "to, s", f"mean, {measure.unit}", f"highest, {measure.unit}")
    title = f"Workers: {measure.title}, a lane each"
    processes = counted(len(lives), "worker process", "worker processes")
    caption = _caption(measure, lanes, f"{processes} in {counted(len(names), 'lane')}")
    drawn = zoomed(usage, [bars, *bands(usage, named=False)], max(60, _HEIGHT * len(names)))
    return Chart(measure.chart, title, caption, drawn, Table(title, right(*heads), lives), "timeline")


def _caption(measure: _Measure, lanes: tuple[Lane, ...], who: str) -> str:
    if measure.name == "cpu":
        return (
            f"{who}; while they lived, their start included, they were on a CPU for "
            f"{percent(_mean(lanes))} of the time. Tall and bright is busy, low and dark is waiting."
        )
    most, what = max(lanes, key=attrgetter("value")), "by the kernel's count"
    told = f"{plain(most.value / 1e6)} MB/s"
    if measure.name == "memory":
        what, told = "shared pages counted in each", size(most.value)
    return f"{who}, {what}. The most is {told}, in lane {most.lane + 1} at {plain(most.start_s)} s."


def _life(pid: int, own: list[Lane], measure: _Measure) -> tuple[Value, ...]:
    found = (_mean(own), max(one.value for one in own))
    levels = [share(value) if measure.name == "cpu" else value / measure.scale for value in found]
    return (str(pid), Entry(str(own[0].lane + 1), own[0].lane), own[0].start_s, own[-1].end_s, *levels)


def _mean(lanes: Sequence[Lane]) -> float:
    return fmean([one.value for one in lanes], [one.end_s - one.start_s for one in lanes])
