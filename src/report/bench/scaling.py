"""How throughput grows with workers: a small picture for each protocol."""

import math
from itertools import pairwise
from operator import itemgetter
from typing import Any

import altair as alt

from ...benchmark.result.estimates import BandPoint
from ...benchmark.result.measured import CellResult
from ...benchmark.result.result import BenchResult
from ...benchmark.text.numbers import amount, counted, is_noise, known, listed, sentence, times
from ...benchmark.text.tables import interval, interval_note, workers_table
from ..html.chart import Chart, Grid, data, distinct, either, side_by_side, tips, told_apart
from ..html.theme import ACCENT, BAND, HATCH, INK, MUTED, SHORT_LABELS, SURFACE, WARM
from .groups import Group

_HEIGHT = 108
_GRID = Grid(width=150, least=105, edge=34, gap=16, columns=4, scale="independent")
_LINES: dict[str, tuple[str, str, list[float]]] = {
    "point": ("measured", ACCENT, [1, 0]),
    "fit": ("fitted curve", INK, [1, 0]),
    "ideal": ("ideal", MUTED, [6, 4]),
    "ceiling": ("ceiling", WARM, [1.5, 3.5]),
}
_ROOM = 1.35  # what lies farther above the highest point than this is left out of the picture
_BAND_POINTS = 14


def scaling_chart(result: BenchResult, group: Group) -> Chart | None:
    """Return the chart of one operation; None where nothing of it counts."""
    bands = {one.protocol: one.fit.band for one in group.curves if one.fit}
    rows = [
        {"protocol": protocol, **row}
        for protocol, own in group.cells.items()
        for row in _rows(own, bands.get(protocol, ()), group.usable)
    ]
    if not rows:
        return None
    name, title = f"scaling-{group.variant.id}", f"{sentence(group.variant.title)}: images/s over workers"
    table = workers_table(result, group.variant)
    return Chart(name, title, _caption(group, rows), _spec(rows, group), table, "cells")


def _rows(cells: list[CellResult], band: tuple[BandPoint, ...], usable: float) -> list[dict[str, Any]]:
    """Return the points, lines and bands of one protocol."""
    cells = [cell for cell in cells if cell.rate]
    if not cells:
        return []
    rows = []
    for cell in cells:
        span = interval(cell)
        low, high = (1e9 / span[1], 1e9 / span[0]) if span else (cell.rate, cell.rate)
        rows.append(_mark("point", cell.workers, cell.rate, low=low, high=high, over=cell.workers > usable))
    top, one = _ROOM * max(row["high"] for row in rows), cells[0].rate
    for workers in [cell.workers for cell in cells] if cells[0].workers == 1 else ():
        if workers * one > top:  # the line ends where the picture does
            rows.append(_mark("ideal", top / one, top))
            break
        rows.append(_mark("ideal", workers, workers * one))
    bounds = [(cell, cell.bound.fraction) for cell in cells if cell.bound]
    usual = [(cell, part) for cell, part in bounds if known(part) and part > 0 and not is_noise(part)]
    for piece, line in enumerate(below([(cell.workers, cell.rate / part) for cell, part in usual], top)):
        rows += [_mark("ceiling", *end, piece=piece) for end in line]
    most = cells[-1].workers
    inside = [point for point in band if point.workers <= most and point.throughput.value <= top]
    step = max(1, math.ceil(len(inside) / _BAND_POINTS))
    for point in [*inside[::step], *inside[-1:]]:
        value, bottom, peak = point.throughput.value, point.throughput.low, point.throughput.high
        ends = {"low": value if bottom is None else bottom, "high": value if peak is None else min(peak, top)}
        rows.append(_mark("fit", point.workers, value, **ends))
    return rows


def _mark(kind: str, workers: float, value: float, **more: float) -> dict[str, Any]:
    return {"kind": kind, "workers": workers, "value": value, **more}


def below(points: list[tuple[int, float]], top: float) -> list[tuple[tuple[float, float], ...]]:
    """Cut a line into pieces of two ends and leave out what lies above the top."""
    if len(points) == 1:  # a line needs two ends
        workers, value = points[0]
        return [((workers * 0.93, value), (workers * 1.07, value))] if value <= top else []
    pieces = []
    for (first, low), (last, high) in pairwise(points):
        if min(low, high) > top:
            continue
        ends: list[tuple[float, float]] = [(first, low), (last, high)]
        if max(low, high) > top:
            share = (top - low) / (high - low)
            ends[low < high] = (first * (last / first) ** share, top)  # the axis of workers is logarithmic
        pieces.append(tuple(ends))
    return pieces


def _spec(rows: list[dict[str, Any]], group: Group) -> dict[str, Any]:
    counts, names = group.workers, distinct(rows, "protocol")
    kinds = [kind for kind in _LINES if any(row["kind"] == kind for row in rows)]
    rows = [row | {"line": _LINES[row["kind"]][0]} for row in rows]
    if "fit" in kinds:  # a picture without a curve gets a band of no width
        fitted = {row["protocol"] for row in rows if row["kind"] == "fit"}
        rows += [
            row | {"kind": "fit", "line": None, "low": row["value"], "high": row["value"]}
            for row in rows
            if row["kind"] == "point" and row["protocol"] not in fitted
        ]
    right = counts[-1] * 1.15
    over = [n for n in counts if n > group.usable]
    if over:
        edge = math.sqrt(max([n for n in counts if n <= group.usable], default=over[0] / 2) * over[0])
        rows += [{"kind": "zone", "protocol": name, "workers": edge, "end": right} for name in names]
    base = data(rows)
    domain = [counts[0] / 1.15, right] if len(counts) > 1 else [counts[0] / 2, counts[0] * 2]
    scale = alt.Scale(type="log", base=2, domain=domain, nice=False)
    # The axis names a few numbers of workers all, of more of them about a power of two each.
    named = [n for n in counts if len(counts) <= 5 or n in (counts[0], counts[-1]) or n & (n - 1) == 0]
    axis = alt.Axis(values=named, format="d", labelOverlap=True)
    x = alt.X("workers:Q", title=None, scale=scale, axis=axis)
    axis = alt.Axis(tickCount=3, labelExpr=SHORT_LABELS)
    y = alt.Y("value:Q", title=None, scale=alt.Scale(nice=False), axis=axis)
    span = {"y": alt.Y("low:Q"), "y2": alt.Y2("high:Q")}
    symbol = {"symbolType": "stroke", "symbolSize": 400, "symbolStrokeWidth": 1.8}
    legend = alt.Legend(**symbol) if len(kinds) > 1 else None
    looks = {title: look for title, *look in (_LINES[kind] for kind in kinds)}
    channels = told_apart("line:N", looks, legend, "color", "strokeDash")
    told = tips("protocol:N", "workers:Q", "value:Q|images/s|,.0f", "low:Q|from|,.0f", "high:Q|to|,.0f")

    def only(kind: str) -> Any:
        return base.transform_filter(f"datum.kind == '{kind}'")

    lines = base.transform_filter("isValid(datum.line)").mark_line(strokeWidth=1.5)
    dots = only("point").mark_point(filled=True, size=46, opacity=1, stroke=ACCENT, strokeWidth=1.6)
    layers = [
        *([only("zone").mark_rect(color=HATCH).encode(x, alt.X2("end:Q"))] if over else []),
        *([only("fit").mark_area(color=BAND, opacity=0.7).encode(x, **span)] if "fit" in kinds else []),
        lines.encode(x, y, detail="piece:N", **channels),
        only("point").mark_rule(color=ACCENT, strokeWidth=1.6).encode(x, **span),
        dots.encode(x, y, fill=either("datum.over", SURFACE, ACCENT), tooltip=told),
    ]
    return side_by_side(alt.layer(*layers).properties(height=_HEIGHT), "protocol", names, _GRID)


def _caption(group: Group, rows: list[dict[str, Any]]) -> str:
    """Say who gains most and least from workers, and what the marks are."""
    points = [row for row in rows if row["kind"] == "point"]
    allowed = [row for row in points if row["workers"] <= max(1.0, group.usable)]
    parts, gains = [], {}
    if allowed:
        best = max(allowed, key=itemgetter("value"))
        fastest = f"{amount(best['value'])} images/s with {counted(best['workers'], 'worker')}"
        parts.append(f"Fastest in these rounds: {best['protocol']}, {fastest}.")
    for protocol in group.cells:
        own = {row["workers"]: row["value"] for row in allowed if row["protocol"] == protocol}
        more = [value for workers, value in own.items() if workers > 1]
        if more and 1 in own:
            gains[protocol] = max(more) / own[1]
    if gains:
        first, last = max(gains, key=gains.__getitem__), min(gains, key=gains.__getitem__)
        most = max(row["workers"] for row in allowed if row["protocol"] in gains)
        text = f"Up to {counted(most, 'worker')}, {first} gains most ({times(gains[first])} one worker)"
        parts.append(text + (f" and {last} least ({times(gains[last])})." if last != first else "."))
        losing = [name for name, gain in gains.items() if gain < 0.97]
        if losing:
            are = "is" if len(losing) == 1 else "are"
            parts.append(f"{listed(losing)} {are} slower than with one worker.")
    marks = [f"points are medians with their intervals ({interval_note(group.every)})"]
    if any(row["over"] for row in points):
        marks.append("hollow and hatched are more workers than CPUs")
    if any(row["kind"] == "fit" for row in rows):
        marks.append("the band is the 95 % interval of the fitted curve")
    return " ".join([*parts, f"{sentence('; '.join(marks))}. Each picture has its own scale."])
