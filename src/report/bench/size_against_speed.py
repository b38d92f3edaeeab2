"""File size against load time: what cannot be bettered in both."""

import math
from dataclasses import dataclass

from ...benchmark.result.result import BenchResult, CellResult
from ..html.chart import Chart, built, charting
from ..html.numbers import amount, counted, duration, known, listed, plain, times
from ..html.tables import Cell, Column, DataTable
from ..html.theme import ACCENT, FADED, INK, MUTED
from .variants import interval, variants, within

__all__ = ["pareto", "tradeoff_chart"]

_WIDTH, _HEIGHT, _LINE = 760, 380, 14.0


@dataclass(frozen=True, slots=True)
class _Spot:
    protocol: str
    kilobytes: float
    load_us: float
    low_us: float
    high_us: float
    workers: int
    best: bool = False


def pareto(points: dict[str, tuple[float, float]]) -> list[str]:
    """Return the names of the points that no other betters in one value without being worse in the other."""
    return [
        name
        for name, (x, y) in points.items()
        if not any((a <= x and b <= y and (a < x or b < y)) for a, b in points.values())
    ]


def tradeoff_chart(result: BenchResult) -> Chart | None:
    """Return the chart; None where no protocol has both a size and a load."""
    found = _spots(result)
    if not found:
        return None
    best = pareto({one.protocol: (one.kilobytes, one.load_us) for one in found})
    return Chart(
        name="tradeoff",
        title="Microseconds to load an image against the size of its file",
        caption=_caption(found, best),
        spec=_spec(found, best),
        table=_table(found, best),
    )


def _spots(result: BenchResult) -> list[_Spot]:
    groups = {group.name: group for group in variants(result)}
    group = groups.get("load") or next((one for name, one in groups.items() if one.op == "load"), None)
    if group is not None:
        cells = [_fastest(within(own, result.host.usable_cpus)) for own in group.cells.values()]
    else:
        cells = [cell for cell in result.cells if cell.op == "load" and cell.layout == "single"]
    found = []
    for cell in cells:
        if cell is None or not cell.valid or cell.stats is None:
            continue
        size, time = cell.size.file_bytes_per_image, cell.stats.median_ns
        if size is None or not known(size) or not known(time) or min(size, time) <= 0:
            continue
        low, high = interval(cell) or (time, time)
        found.append(_Spot(cell.protocol, size / 1000, time / 1000, low / 1000, high / 1000, cell.workers))
    return found


def _fastest(cells: list[CellResult]) -> CellResult | None:
    counted_in = [cell for cell in cells if cell.valid and cell.stats and known(cell.stats.median_ns)]
    return min(counted_in, key=lambda cell: cell.stats.median_ns if cell.stats else math.inf, default=None)


def _caption(found: list[_Spot], best: list[str]) -> str:
    leaders = [one for one in found if one.protocol in best]
    fastest = min(found, key=lambda one: one.load_us)
    smallest = min(found, key=lambda one: one.kilobytes)
    slowest = max(found, key=lambda one: one.load_us)
    line = (
        f"Lower left is better, both axes are logarithmic. {listed(best)} "
        f"{'stands' if len(leaders) == 1 else 'stand'} on the Pareto line: no other is both smaller and "
        "faster to load."
    )
    if fastest.protocol == smallest.protocol:
        line += f" {fastest.protocol} is the fastest and the smallest at once."
    else:
        line += (
            f" {fastest.protocol} loads fastest ({duration(fastest.load_us * 1000)}), {smallest.protocol} is "
            f"smallest ({plain(smallest.kilobytes)} kB)."
        )
    if slowest is not fastest:
        line += (
            f" {slowest.protocol} takes {times(slowest.load_us / fastest.load_us)} as long as "
            f"{fastest.protocol}."
        )
    return line


def _spec(found: list[_Spot], best: list[str]) -> dict[str, object]:
    alt = charting()
    x_domain = _domain([one.kilobytes for one in found], 1.25)
    y_domain = _domain([value for one in found for value in (one.low_us, one.high_us)], 1.4)
    places = _label_places(found, x_domain, y_domain)
    rows = [
        {
            "protocol": one.protocol,
            "kB": one.kilobytes,
            "load": one.load_us,
            "low": one.low_us,
            "high": one.high_us,
            "label": places[one.protocol][0],
            "left": places[one.protocol][1],
            "best": one.protocol in best,
            "read": f"{duration(one.load_us * 1000)} an image, {counted(one.workers, 'worker')}",
        }
        for one in found
    ]
    x = alt.X(
        "kB:Q",
        title="kB an image",
        scale=alt.Scale(type="log", domain=x_domain, nice=False),
        axis=alt.Axis(values=_decades(x_domain), format="~s"),
    )
    y_scale = alt.Scale(type="log", domain=y_domain, nice=False)
    y_axis = alt.Axis(values=_decades(y_domain), format="~s")
    y = alt.Y("load:Q", title=None, scale=y_scale, axis=y_axis)
    base = alt.Chart(alt.Data(values=rows))
    tooltip = [
        alt.Tooltip("protocol:N"),
        alt.Tooltip("kB:Q", format=".3~r", title="kB an image"),
        alt.Tooltip("read:N", title="load"),
    ]
    colour = alt.when("datum.best").then(alt.value(ACCENT)).otherwise(alt.value(FADED))
    line = (
        base.transform_filter("datum.best")
        .mark_line(interpolate="step-after", color=ACCENT, strokeWidth=1.5, strokeDash=[5, 3])
        .encode(x, y, order="kB:Q")
    )
    whisker = base.mark_rule(strokeWidth=1.5).encode(
        x, alt.Y("low:Q", scale=y_scale), alt.Y2("high:Q"), color=colour
    )
    shape = alt.Shape(
        "best:N", scale=alt.Scale(domain=[True, False], range=["diamond", "circle"]), legend=None
    )
    points = base.mark_point(filled=True, opacity=1, size=80).encode(
        x, y, shape=shape, color=colour, tooltip=tooltip
    )
    texts = [
        base.transform_filter(f"datum.left == {str(left).lower()}")
        .mark_text(align="right" if left else "left", dx=-9 if left else 9, fontSize=12)
        .encode(
            x,
            alt.Y("label:Q", scale=y_scale),
            text="protocol:N",
            color=alt.when("datum.best").then(alt.value(INK)).otherwise(alt.value(MUTED)),
        )
        for left in (False, True)
    ]
    return built(alt.layer(line, whisker, points, *texts).properties(width=_WIDTH, height=_HEIGHT))


def _decades(domain: list[float]) -> list[float]:
    """Return round numbers within a logarithmic axis: 1, 2 and 5 of each decade, or 1 alone over many."""
    low, high = domain
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    digits = (1, 2, 5) if last - first <= 3 else (1,)
    return [
        value
        for power in range(first, last + 1)
        for digit in digits
        if low <= (value := digit * 10.0**power) <= high
    ]


def _domain(values: list[float], room: float) -> list[float]:
    low, high = min(values), max(values)
    if high / low < 2:
        low, high = low / 1.5, high * 1.5
    return [low / room, high * room]


def _label_places(
    found: list[_Spot], x_domain: list[float], y_domain: list[float]
) -> dict[str, tuple[float, bool]]:
    """Return each label's height in the unit of y, so that none covers another, and if it stands left."""

    def height(value: float) -> float:
        return _HEIGHT * math.log(value / y_domain[0]) / math.log(y_domain[1] / y_domain[0])

    placed: list[tuple[float, float]] = []
    places = {}
    for one in sorted(found, key=lambda spot: spot.load_us):
        across = math.log(one.kilobytes / x_domain[0]) / math.log(x_domain[1] / x_domain[0])
        near = [y for x, y in placed if abs(x - across) < 0.3]
        y = height(one.load_us)
        while any(abs(y - other) < _LINE for other in near):
            y += 1.0
        placed.append((across, y))
        value = y_domain[0] * (y_domain[1] / y_domain[0]) ** (y / _HEIGHT)
        places[one.protocol] = (value, across > 0.7)
    return places


def _table(found: list[_Spot], best: list[str]) -> DataTable:
    columns = (
        Column("protocol", numeric=False),
        Column("kB an image"),
        Column("load, µs an image"),
        Column("images/s"),
        Column("workers"),
        Column("Pareto line", numeric=False),
    )
    rows = tuple(
        (
            one.protocol,
            one.kilobytes,
            Cell(plain(one.load_us), one.load_us, f"{plain(one.low_us)} to {plain(one.high_us)}"),
            Cell(amount(1e6 / one.load_us), 1e6 / one.load_us),
            Cell(str(one.workers), one.workers),
            "yes" if one.protocol in best else "no",
        )
        for one in sorted(found, key=lambda spot: spot.load_us)
    )
    return DataTable("File size and load time", columns, rows)
