"""How steady the machine was: the sentinel over time, and every cell over the rounds."""

from collections import defaultdict
from statistics import median
from typing import Any

import altair as alt
import numpy as np

from ...benchmark.analysis.noise import spread
from ...benchmark.result.measured import round_times
from ...benchmark.result.result import BenchResult
from ...benchmark.text.numbers import counted, known, percent
from ...benchmark.text.table import Table, Value, left, right, share
from ..html.chart import Chart, data, layered, tips, told_apart
from ..html.theme import ACCENT, BAND, FADED, INK, WARM

_HEIGHT = 210
_AXIS = alt.Axis(format="+.0%", tickCount=5, minExtent=46)
_CLIP = 0.6  # deviations beyond this are drawn at the edge
_NAMES = {"a": "A", "b": "B", "unsampled": "without the sampler"}
_LOOKS = {"A": ("circle", ACCENT), "B": ("square", WARM), "without the sampler": ("triangle-up", FADED)}
_SPREAD = {"low": 5, "lower": 25, "middle": 50, "upper": 75, "high": 95}  # in percent of the cells


def sentinel_chart(result: BenchResult) -> Chart | None:
    """Return how the same small work went from the first round to the last; None without a sentinel."""
    samples = [one for one in result.noise.sentinel if one.wall_ns > 0]
    if len(samples) < 2:
        return None
    middle = median(one.wall_ns for one in samples)
    begin = min(one.begin_ns for one in samples)
    rows: list[dict[str, Any]] = []
    for one in samples:
        value, where = one.wall_ns / middle - 1, f"{one.part}, round {one.round + 1}, {one.place}"
        row = {"t": (one.begin_ns - begin) / 1e9, "value": value, "drawn": max(-_CLIP, min(_CLIP, value))}
        rows.append(row | {"name": _NAMES[one.name], "where": where})
    body = [(row["name"], row["where"], row["t"], _change(row["value"])) for row in rows]
    columns = (*left("which", "where"), *right("second", "against the median"))
    title = "The sentinel: time of the same work against its median"
    table = Table("The sentinel", columns, body)
    return Chart("sentinel", title, _caption(result, rows), _sentinel_spec(result, rows), table)


def _sentinel_spec(result: BenchResult, rows: list[dict[str, Any]]) -> dict[str, Any]:
    looks = {name: look for name, look in _LOOKS.items() if any(row["name"] == name for row in rows)}
    x = alt.X("t:Q", title="seconds since the first", axis=alt.Axis(tickCount=8))
    channels = told_apart("name:N", looks, alt.Legend(), "shape", "color")
    tooltip = tips("name:N", "where:N", "value:Q|time|+.1%")
    points = data(rows).mark_point(filled=True, size=60, opacity=0.9)
    layers = [points.encode(x, alt.Y("drawn:Q", title=None, axis=_AXIS), tooltip=tooltip, **channels)]
    floor, drift = result.noise.floor, result.noise.drift
    if floor is not None and known(floor):
        shaded = data([{"low": -min(floor, _CLIP), "high": min(floor, _CLIP)}])
        zone = shaded.mark_rect(color=BAND, opacity=0.5)
        layers.insert(0, zone.encode(alt.Y("low:Q"), alt.Y2("high:Q")))
    if drift is not None and known(drift.over_run.value):  # through the middle, relative to its own middle
        half = (1 + drift.over_run.value) ** 0.5
        times = [row["t"] for row in rows]
        ends = [{"t": min(times), "drawn": 1 / half - 1}, {"t": max(times), "drawn": half - 1}]
        line = data(ends).mark_line(color=INK, strokeDash=[6, 4], strokeWidth=1.2, clip=True)
        layers.append(line.encode(alt.X("t:Q"), alt.Y("drawn:Q")))
    return layered(layers, _HEIGHT)


def _caption(result: BenchResult, rows: list[dict[str, Any]]) -> str:
    values, apart = [row["value"] for row in rows], spread(result.noise)
    ends, which = (max(values) - min(values), "") if apart is None else (apart, " round")
    text = (
        f"The same work, {counted(len(rows), 'time')}, as A and as B: slowest and fastest{which} lie "
        f"{percent(ends)} of the median apart."
    )
    floor, drift = result.noise.floor, result.noise.drift
    if known(floor):
        shown = percent(floor, places=1)
        text += f" The noise floor, shaded, is {shown}: smaller differences between cells mean nothing."
    if drift is not None:
        ends_of_change = (drift.over_run.value, drift.over_run.low, drift.over_run.high)
        change, low, high = (percent(end, sign=True, places=1) for end in ends_of_change)
        text += f" From first to last it took {change} ({low} to {high}), the dashed line: "
        text += "the machine drifted." if drift.significant else "no drift beyond the noise."
    else:
        text += " With fewer than five rounds neither drift nor noise floor can be told."
    if any(abs(value) > _CLIP for value in values):
        text += f" What lies beyond {percent(_CLIP)} is drawn at the edge."
    return text


def rounds_chart(result: BenchResult) -> Chart | None:
    """Return every cell's time in each round against its own median; None with one round."""
    by_round: dict[tuple[str, int], list[float]] = defaultdict(list)
    for cell in result.cells:
        rounds = round_times(cell.samples)
        middle = median(rounds.values()) if rounds else 1.0
        part = "one process" if cell.layout == "single" else "over workers"
        for number, time in rounds.items() if len(rounds) > 1 else ():
            by_round[part, number + 1].append(time / middle - 1)
    if not by_round:
        return None
    body = [
        (part, number, len(values), *(_change(read(values)) for read in (median, min, max)))
        for (part, number), values in sorted(by_round.items())
    ]
    worst = max(by_round, key=lambda key: abs(median(by_round[key])))
    every = [value for values in by_round.values() for value in values]
    caption = (
        "The thin line holds nine of ten cells of a round, the thick one half of them, the diamond is their "
        f"median. The round that stands out most is round {worst[1]} of {worst[0]}: its cells took "
        f"{percent(median(by_round[worst]), sign=True, places=1)} against their medians. "
        f"{percent(sum(abs(value) > 0.1 for value in every) / len(every))} of all regions lie more than 10 % "
        "from theirs."
    )
    columns = (*left("part"), *right("round", "cells", "median", "fastest", "slowest"))
    title = "Every cell over the rounds: time against its median"
    return Chart("rounds", title, caption, _rounds_spec(by_round), Table("Rounds", columns, body))


def _change(value: float) -> Value:
    return share(value, sign=True, places=1)


def _rounds_spec(by_round: dict[tuple[str, int], list[float]]) -> dict[str, Any]:
    rows = []
    for (part, number), values in sorted(by_round.items()):
        ends = np.percentile(values, list(_SPREAD.values())).clip(-_CLIP, _CLIP).tolist()
        spread_of = dict(zip(_SPREAD, ends, strict=True))
        rows.append({"label": f"{part}, {number}", **spread_of, "cells": len(values)})
    axis = alt.Axis(labelAngle=-35, labelOverlap=False, domain=False)
    base = data(rows).encode(alt.X("label:N", sort=[row["label"] for row in rows], title=None, axis=axis))
    y = alt.Y("middle:Q", title=None, axis=_AXIS)
    thick = base.mark_rule(color=FADED, strokeWidth=9, opacity=0.55)
    diamond = base.mark_point(shape="diamond", filled=True, size=90, opacity=1, color=ACCENT)
    layers = [
        base.mark_rule(color=FADED, strokeWidth=1.2).encode(alt.Y("low:Q"), alt.Y2("high:Q")),
        thick.encode(alt.Y("lower:Q"), alt.Y2("upper:Q")),
        diamond.encode(y, tooltip=tips("label:N", *(f"{name}:Q||+.1%" for name in _SPREAD))),
    ]
    return layered(layers, _HEIGHT)
