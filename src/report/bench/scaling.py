"""How throughput grows with workers: a small picture for each protocol."""

import math
from itertools import pairwise
from typing import Any

from ...benchmark.result.findings import Scaling
from ...benchmark.result.result import BenchResult, CellResult
from ...benchmark.text.tables import interval_note
from ..html.chart import Chart, charting
from ..html.facets import cells
from ..html.numbers import amount, counted, duration, known, listed, percent, plain, sentence, times
from ..html.tables import Cell, Column, DataTable, Value
from ..html.theme import ACCENT, BAND, HATCH, INK, MUTED, SHORT_LABELS, SURFACE, WARM
from .variants import Variant, interval

__all__ = ["below", "scaling_chart"]

_CELL, _COLUMNS, _HEIGHT = 150, 4, 108
_LINES: dict[str, tuple[str, str, list[float]]] = {
    "point": ("measured", ACCENT, [1, 0]),
    "fit": ("fitted curve", INK, [1, 0]),
    "ideal": ("ideal", MUTED, [6, 4]),
    "ceiling": ("ceiling", WARM, [1.5, 3.5]),
}
_ROOM = 1.35  # what lies farther above the highest point than this is left out of the picture
_BAND_POINTS = 14


def scaling_chart(result: BenchResult, group: Variant) -> Chart | None:
    """Return the chart of one operation; None where nothing of it counts."""
    usable = result.host.usable_cpus
    rows: list[dict[str, Any]] = []
    for protocol, own in group.cells.items():
        rows += _rows(protocol, own, _fit(result, group, protocol), usable)
    if not any(row["kind"] == "point" for row in rows):
        return None
    return Chart(
        name=f"scaling-{group.name}",
        title=f"{sentence(group.title)}: images/s over workers",
        caption=_caption(group, usable, rows),
        spec=_spec(rows, group, usable),
        table=_table(result, group),
        fit="cells",
    )


def _fit(result: BenchResult, group: Variant, protocol: str) -> Scaling | None:
    return next((one for one in result.scaling if one.protocol == protocol and group.holds(one)), None)


def _rows(
    protocol: str, cells: tuple[CellResult, ...], scaling: Scaling | None, usable: float
) -> list[dict[str, Any]]:
    rates = {
        cell.workers: cell for cell in cells if cell.valid and cell.stats and known(cell.stats.images_per_s)
    }
    if not rates:
        return []
    points: list[dict[str, Any]] = []
    for workers, cell in rates.items():
        assert cell.stats is not None
        low, high = interval(cell) or (cell.stats.median_ns, cell.stats.median_ns)
        points.append(
            {
                "kind": "point",
                "protocol": protocol,
                "workers": workers,
                "value": cell.stats.images_per_s,
                "low": 1e9 / high,
                "high": 1e9 / low,
                "over": workers > usable,
            }
        )
    top = _ROOM * max(point["high"] for point in points)
    rows = [*points]
    one = rates.get(1)
    if one is not None and one.stats is not None:
        for workers in sorted({*rates, 1}):
            value = workers * one.stats.images_per_s
            if value > top:  # the line ends where the picture does
                end = top / one.stats.images_per_s
                rows.append({"kind": "ideal", "protocol": protocol, "workers": end, "value": top})
                break
            rows.append({"kind": "ideal", "protocol": protocol, "workers": workers, "value": value})
    ceilings = [
        (workers, cell.stats.images_per_s / cell.bound.fraction)
        for workers, cell in sorted(rates.items())
        if cell.bound is not None and known(cell.bound.fraction) and cell.bound.fraction > 0 and cell.stats
    ]
    rows += [
        {"kind": "ceiling", "protocol": protocol, "workers": workers, "value": value, "piece": piece}
        for piece, ends in enumerate(below(ceilings, top))
        for workers, value in ends
    ]
    band = scaling.fit.band if scaling is not None and scaling.fit is not None else ()
    inside = [point for point in band if point.workers <= max(rates) and point.throughput.value <= top]
    step = max(1, math.ceil(len(inside) / _BAND_POINTS))
    for point in [*inside[::step], *inside[-1:]]:
        estimate = point.throughput
        low = estimate.value if estimate.low is None else estimate.low
        high = estimate.value if estimate.high is None else min(estimate.high, top)
        rows.append(
            {
                "kind": "fit",
                "protocol": protocol,
                "workers": point.workers,
                "value": estimate.value,
                "low": low,
                "high": high,
            }
        )
    return rows


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


def _spec(rows: list[dict[str, Any]], group: Variant, usable: float) -> dict[str, Any]:
    alt = charting()
    counts = group.workers
    over = [n for n in counts if n > usable]
    edge = (
        math.sqrt(max([n for n in counts if n <= usable], default=over[0] / 2 if over else 1) * over[0])
        if over
        else 0
    )
    right = counts[-1] * 1.15
    names = list(dict.fromkeys(row["protocol"] for row in rows))
    for row in rows:
        row["line"] = _LINES[row["kind"]][0]
    if any(row["kind"] == "fit" for row in rows):  # a picture without a curve gets a band of no width
        fitted = {row["protocol"] for row in rows if row["kind"] == "fit"}
        rows = rows + [
            {**row, "kind": "fit", "line": None, "low": row["value"], "high": row["value"]}
            for row in rows
            if row["kind"] == "point" and row["protocol"] not in fitted
        ]
    if over:
        rows = rows + [{"kind": "zone", "protocol": name, "workers": edge, "end": right} for name in names]
    base = alt.Chart(alt.Data(values=rows))

    def only(kind: str) -> Any:
        return base.transform_filter(f"datum.kind == '{kind}'")

    domain = [counts[0] / 1.15, right] if len(counts) > 1 else [counts[0] / 2, counts[0] * 2]
    x = alt.X(
        "workers:Q",
        title=None,
        scale=alt.Scale(type="log", base=2, domain=domain, nice=False),
        axis=alt.Axis(values=_ticks(counts), format="d", labelOverlap=True),
    )
    y = alt.Y(
        "value:Q",
        title=None,
        scale=alt.Scale(nice=False),
        axis=alt.Axis(tickCount=3, labelExpr=SHORT_LABELS),
    )
    tooltip = [
        alt.Tooltip("protocol:N"),
        alt.Tooltip("workers:Q"),
        alt.Tooltip("value:Q", title="images/s", format=",.0f"),
        alt.Tooltip("low:Q", title="from", format=",.0f"),
        alt.Tooltip("high:Q", title="to", format=",.0f"),
    ]
    kinds = [kind for kind in _LINES if any(row["kind"] == kind for row in rows)]
    looks = [_LINES[kind] for kind in kinds]
    titles = [title for title, _, _ in looks]
    legend = (
        alt.Legend(symbolType="stroke", symbolSize=400, symbolStrokeWidth=1.8) if len(kinds) > 1 else None
    )
    lines = (
        base.transform_filter("isValid(datum.line)")
        .mark_line(strokeWidth=1.5)
        .encode(
            x,
            y,
            color=alt.Color(
                "line:N",
                scale=alt.Scale(domain=titles, range=[colour for _, colour, _ in looks]),
                legend=legend,
            ),
            strokeDash=alt.StrokeDash(
                "line:N", scale=alt.Scale(domain=titles, range=[dash for _, _, dash in looks]), legend=legend
            ),
            detail="piece:N",
        )
    )
    layers = [
        only("zone").mark_rect(color=HATCH).encode(x, alt.X2("end:Q")),
        only("fit").mark_area(color=BAND, opacity=0.7).encode(x, alt.Y("low:Q"), alt.Y2("high:Q")),
        lines,
        only("point").mark_rule(color=ACCENT, strokeWidth=1.6).encode(x, alt.Y("low:Q"), alt.Y2("high:Q")),
        only("point")
        .mark_point(filled=True, size=46, opacity=1, stroke=ACCENT, strokeWidth=1.6)
        .encode(
            x,
            y,
            fill=alt.when("datum.over").then(alt.value(SURFACE)).otherwise(alt.value(ACCENT)),
            tooltip=tooltip,
        ),
    ]
    layers = [
        layer
        for layer, kind in zip(layers, ("zone", "fit", "point", "point", "point"), strict=True)
        if any(row["kind"] == kind for row in rows)
    ]
    chart = alt.layer(*layers).properties(height=_HEIGHT)
    return cells(
        chart,
        "protocol",
        names,
        width=_CELL,
        least=105,
        edge=34,
        gap=16,
        columns=_COLUMNS,
        scale="independent",
    )


def _ticks(counts: list[int]) -> list[int]:
    """Return the numbers of workers that an axis names: about a power of two each."""
    if len(counts) <= 5:
        return counts
    return [n for place, n in enumerate(counts) if place in (0, len(counts) - 1) or n & (n - 1) == 0]


def _caption(group: Variant, usable: float, rows: list[dict[str, Any]]) -> str:
    """Say who gains most and least from workers, and what the marks are."""
    gains: dict[str, tuple[float, int]] = {}
    best_rate = ("", 0.0, 0)
    for protocol in group.cells:
        points = {
            row["workers"]: row["value"]
            for row in rows
            if row["kind"] == "point" and row["protocol"] == protocol
        }
        allowed = {n: value for n, value in points.items() if n <= max(1.0, usable)}
        if not allowed:
            continue
        most = max(allowed, key=lambda n: allowed[n])
        if allowed[most] > best_rate[1]:
            best_rate = (protocol, allowed[most], most)
        if 1 in points and len(allowed) > 1:
            gains[protocol] = (max(allowed[n] for n in allowed if n > 1) / points[1], max(allowed))
    parts = []
    if best_rate[0]:
        parts.append(
            f"{best_rate[0]} is fastest: {amount(best_rate[1])} images/s with "
            f"{counted(best_rate[2], 'worker')}."
        )
    if gains:
        first, last = max(gains, key=lambda one: gains[one][0]), min(gains, key=lambda one: gains[one][0])
        most = max(n for _, n in gains.values())
        text = f"Up to {counted(most, 'worker')}, {first} gains most ({times(gains[first][0])} one worker)"
        parts.append(text + (f" and {last} least ({times(gains[last][0])})." if last != first else "."))
        losing = [name for name, (gain, _) in gains.items() if gain < 0.97]
        if losing:
            parts.append(
                f"{listed(losing)} {'is' if len(losing) == 1 else 'are'} slower than with one worker."
            )
    kinds = {row["kind"] for row in rows}
    shown = interval_note(cell for own in group.cells.values() for cell in own)
    marks = [f"points are medians with their intervals ({shown})"]
    if any(row.get("over") for row in rows):
        marks.append("hollow and hatched are more workers than CPUs")
    marks += ["the band is the 95 % interval of the fitted curve"] if "fit" in kinds else []
    return " ".join([*parts, f"{sentence('; '.join(marks))}. Each picture has its own scale."])


def _table(result: BenchResult, group: Variant) -> DataTable:
    columns = (
        Column("protocol", numeric=False),
        Column("workers"),
        Column("images/s"),
        Column("time an image"),
        Column("speed-up", hint="throughput over that of one worker"),
        Column("efficiency", hint="speed-up over the number of workers"),
        Column("of ceiling", hint="how much of the machine's ceiling was reached"),
        Column("cores busy"),
        Column("growth", numeric=False, hint="the fitted curve, where there are enough numbers of workers"),
    )
    rows: list[tuple[Value, ...]] = []
    for protocol, own in group.cells.items():
        one = next((cell.stats for cell in own if cell.workers == 1 and cell.stats), None)
        scaling = _fit(result, group, protocol)
        first = one.median_ns if one else None
        rows += [_row(protocol, cell, first, scaling, result.host.usable_cpus) for cell in own]
    note = (
        ("* more workers than usable CPUs.",)
        if any(n > result.host.usable_cpus for n in group.workers)
        else ()
    )
    return DataTable(f"{sentence(group.title)} over workers", columns, tuple(rows), note)


def _row(
    protocol: str, cell: CellResult, one: float | None, scaling: Scaling | None, usable: float
) -> tuple[Value, ...]:
    workers = Cell(f"{cell.workers}{'*' if cell.workers > usable else ''}", cell.workers)
    stats = cell.stats
    if stats is None or not cell.valid:
        void = Cell("void", None, cell.problem, "bad")
        return (protocol, workers, void, *[None] * 5, "")
    found = interval(cell)
    span = f"{amount(1e9 / found[1])} to {amount(1e9 / found[0])}" if found else None
    gain = one / stats.median_ns if one and known(stats.median_ns) and stats.median_ns else None
    bound = cell.bound
    return (
        protocol,
        workers,
        Cell(amount(stats.images_per_s), stats.images_per_s, span),
        Cell(duration(stats.median_ns), stats.median_ns),
        gain,
        Cell(percent(gain / cell.workers), gain / cell.workers) if gain else None,
        Cell(percent(bound.fraction), bound.fraction, bound.ceiling) if bound else None,
        stats.cores_busy,
        _growth(scaling, cell.workers),
    )


def _growth(scaling: Scaling | None, workers: int) -> str:
    fit = scaling.fit if scaling is not None else None
    if fit is None or fit.model is None or workers != max(point.workers for point in fit.points):
        return ""
    text = f"{fit.model}{', low confidence' if fit.low_confidence else ''}"
    peak = fit.peak
    if peak is None or peak.beyond_data or peak.workers is None or peak.throughput is None:
        return f"{text}; its peak is beyond the data"
    return f"{text}; peak {amount(peak.throughput.value)} images/s at {plain(peak.workers.value)} workers"
