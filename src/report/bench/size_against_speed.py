"""Size against time to read: what cannot be bettered in both."""

import math
from dataclasses import dataclass
from typing import Any

import altair as alt

from ...benchmark.analysis.candidates import Field
from ...benchmark.analysis.sizes import DIFFERENT_IMAGES, shown_layout, sizes_of
from ...benchmark.result.result import BenchResult
from ...benchmark.text.numbers import amount, counted, duration, known, listed, named, plain, sentence, times
from ...benchmark.text.table import Entry, Table, left, right
from ...benchmark.text.tables import size_note
from ..html.chart import Chart, data, either, layered, tips, told_apart
from ..html.theme import ACCENT, FADED, INK, MUTED, SHORT_LABELS, SURFACE

_HEIGHT, _LINE = 380, 14.0


@dataclass(frozen=True, slots=True)
class _Spot:
    """A protocol's place in the picture; times in microseconds."""

    protocol: str
    kilobytes: float
    load: float
    low: float
    high: float
    workers: int
    op: str


def pareto(points: dict[str, tuple[float, float]]) -> list[str]:
    """Return the names of the points that no other betters in one value without being worse in the other."""
    return [
        name
        for name, (x, y) in points.items()
        if not any((a <= x and b <= y and (a < x or b < y)) for a, b in points.values())
    ]


def tradeoff_chart(result: BenchResult) -> Chart | None:
    """Return the chart; None where no protocol has both a size and a read."""
    found = sorted(_spots(result), key=lambda spot: spot.load)
    if not found:
        return None
    sizes = sizes_of(result, shown_layout(result))
    mark, source = sizes.mark, (sizes.source or 0.0) / 1000
    best = pareto({one.protocol: (one.kilobytes, one.load) for one in found})
    columns = (
        *left("protocol"),
        *right("kB an image", "x your source", "read, µs an image", "images/s", "workers"),
        *left("read by", "Pareto line"),
    )
    rows = [
        (
            one.protocol,
            Entry(f"{mark}{plain(one.kilobytes)}", one.kilobytes),
            Entry(plain(one.kilobytes / source, 2), one.kilobytes / source) if source else None,
            Entry(None, one.load, f"{plain(one.low)} to {plain(one.high)}"),
            Entry(amount(1e6 / one.load), 1e6 / one.load),
            one.workers,
            one.op,
            "yes" if one.protocol in best else "no",
        )
        for one in found
    ]
    title, caption = "Microseconds to read an image against its size", _caption(found, best, mark)
    if result.sizes:
        what = "shards as convert cuts them" if shown_layout(result) == "shards" else "one file an image"
        caption += f" Sizes: {what}; {size_note(result)}."
    elif not sizes.comparable:
        caption += f" {sentence(DIFFERENT_IMAGES)}."
    return Chart(
        "tradeoff", title, caption, _spec(found, best), Table("Size and time to read", columns, rows)
    )


def _spots(result: BenchResult) -> list[_Spot]:
    """Return what readers of datasets get; a protocol that only its own library was timed of, by that."""
    field = Field(result)
    warm, _ = field.read_condition()
    timed = {one.protocol: one for one in (*field.candidates("load"), *field.reads(warm))}
    found = []
    for name, size in field.sizes().values.items():
        if (one := timed.get(name)) and known(size) and known(one.value) and min(size, one.value) > 0:
            time, low, high = (ns / 1000 for ns in (one.value, *one.span[:2]))
            (term,) = one.terms
            found.append(_Spot(named(name), size / 1000, time, low, high, term.workers, term.op))
    return found


def _caption(found: list[_Spot], best: list[str], mark: str) -> str:
    fastest, slowest = found[0], found[-1]
    smallest = min(found, key=lambda one: one.kilobytes)
    line = (
        "Lower left is better, both axes are logarithmic. On the Pareto line, where no other is both smaller "
        f"and faster to read: {listed(best)}. "
    )
    if fastest.protocol == smallest.protocol:
        line += f"Fastest and smallest at once: {fastest.protocol}."
    else:
        line += f"Fastest: {fastest.protocol} ({duration(fastest.load * 1000)}). "
        line += f"Smallest: {smallest.protocol} ({mark}{plain(smallest.kilobytes)} kB)."
    if slowest is not fastest:
        line += f" Slowest: {slowest.protocol}, {times(slowest.load / fastest.load)} as long as the fastest."
    return line


def _spec(found: list[_Spot], best: list[str]) -> dict[str, Any]:
    x_domain = _domain([one.kilobytes for one in found], 1.25)
    y_domain = _domain([value for one in found for value in (one.low, one.high)], 1.4)
    base, upright = data(_rows(found, best, x_domain, y_domain)), _logarithmic(y_domain)
    x = alt.X("kB:Q", title="kB an image", **_logarithmic(x_domain))
    y = alt.Y("load:Q", title=None, **upright)
    colour, ink = either("datum.best", ACCENT, FADED), either("datum.best", INK, MUTED)
    dashed = {"interpolate": "step-after", "color": ACCENT, "strokeWidth": 1.5, "strokeDash": [5, 3]}
    line = base.transform_filter("datum.best").mark_line(**dashed)
    whisker = base.mark_rule(strokeWidth=1.5)
    points = base.mark_point(filled=True, opacity=1, size=80)
    shape = told_apart("best:N", {True: ["diamond"], False: ["circle"]}, None, "shape")
    told = tips("protocol:N", "kB:Q|kB an image|.3~r", "read:N|load")
    layers = [
        line.encode(x, y, order="kB:Q"),
        whisker.encode(x, alt.Y("low:Q", scale=upright["scale"]), alt.Y2("high:Q"), color=colour),
        points.encode(x, y, color=colour, tooltip=told, **shape),
    ]
    named = {"x": x, "y": alt.Y("label:Q", scale=upright["scale"]), "text": "protocol:N"}
    for to_the_left, align, dx in (("false", "left", 9), ("true", "right", -9)):
        own = base.transform_filter(f"datum.left == {to_the_left}")
        place = {"align": align, "dx": dx, "fontSize": 12}
        halo = own.mark_text(stroke=SURFACE, strokeWidth=4, **place)  # no line strikes a name through
        layers += [halo.encode(**named), own.mark_text(**place).encode(**named, color=ink)]
    return layered(layers, _HEIGHT)


def _logarithmic(domain: list[float]) -> dict[str, Any]:
    """Return scale and axis; its numbers are 1, 2 and 5 of each decade, or 1 alone over many."""
    low, high = domain
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    digits = (1, 2, 5) if last - first <= 3 else (1,)
    round_numbers = (digit * 10.0**power for power in range(first, last + 1) for digit in digits)
    values = [value for value in round_numbers if low <= value <= high]
    scale = alt.Scale(type="log", domain=domain, nice=False)
    return {"scale": scale, "axis": alt.Axis(values=values, labelExpr=SHORT_LABELS)}


def _domain(values: list[float], room: float) -> list[float]:
    low, high = min(values), max(values)
    if high / low < 2:
        low, high = low / 1.5, high * 1.5
    return [low / room, high * room]


def _rows(
    found: list[_Spot], best: list[str], x_domain: list[float], y_domain: list[float]
) -> list[dict[str, Any]]:
    """Return the points, each with its label's height in the unit of y, so that none covers another."""

    def part(value: float, domain: list[float]) -> float:
        return math.log(value / domain[0]) / math.log(domain[1] / domain[0])

    placed: list[tuple[float, float]] = []
    rows = []
    for one in found:
        across = part(one.kilobytes, x_domain)
        near = [y for x, y in placed if abs(x - across) < 0.3]
        y = _HEIGHT * part(one.load, y_domain) + _LINE / 2  # above the line that runs through the point
        while any(abs(y - other) < _LINE for other in near):
            y += 1.0
        placed.append((across, y))
        row = {
            "protocol": one.protocol,
            "kB": one.kilobytes,
            "load": one.load,
            "low": one.low,
            "high": one.high,
        }
        label = y_domain[0] * (y_domain[1] / y_domain[0]) ** (y / _HEIGHT)
        read = f"{duration(one.load * 1000)} an image, {counted(one.workers, 'worker')}"
        rows.append(row | {"label": label, "left": across > 0.7, "best": one.protocol in best, "read": read})
    return rows
