"""How steady the machine was: the sentinel over time, and every cell over the rounds."""

from collections import defaultdict
from statistics import median
from typing import Any

import numpy as np

from ...benchmark.result.measured import round_times
from ...benchmark.result.result import BenchResult
from ..html.chart import Chart, built, charting
from ..html.numbers import counted, known, percent
from ..html.tables import Cell, Column, DataTable, Value
from ..html.theme import ACCENT, BAND, FADED, INK, WARM

__all__ = ["rounds_chart", "sentinel_chart"]

_WIDTH, _HEIGHT = 760, 210
_CLIP = 0.6  # deviations beyond this are drawn at the edge


def sentinel_chart(result: BenchResult) -> Chart | None:
    """Return how the same small work went from the first round to the last; None without a sentinel."""
    samples = [one for one in result.noise.sentinel if known(one.wall_ns) and one.wall_ns > 0]
    if len(samples) < 2:
        return None
    alt = charting()
    middle = median(one.wall_ns for one in samples)
    begin = min(one.begin_ns for one in samples)
    titles = {"a": "A", "b": "B", "unsampled": "without the sampler"}
    rows = [
        {
            "t": (one.begin_ns - begin) / 1e9,
            "value": one.wall_ns / middle - 1,
            "drawn": max(-_CLIP, min(_CLIP, one.wall_ns / middle - 1)),
            "name": titles.get(one.name, one.name),
            "where": f"{one.part}, round {one.round + 1}, {one.place}",
        }
        for one in samples
    ]
    names = [title for title in titles.values() if any(row["name"] == title for row in rows)]
    x = alt.X("t:Q", title="seconds since the first", axis=alt.Axis(tickCount=8))
    y = alt.Y("drawn:Q", title=None, axis=alt.Axis(format="+.0%", tickCount=5, minExtent=46))
    base = alt.Chart(alt.Data(values=rows))
    legend = alt.Legend()
    points = base.mark_point(filled=True, size=60, opacity=0.9).encode(
        x,
        y,
        shape=alt.Shape(
            "name:N",
            scale=alt.Scale(domain=names, range=["circle", "square", "triangle-up"][: len(names)]),
            legend=legend,
        ),
        color=alt.Color(
            "name:N", scale=alt.Scale(domain=names, range=[ACCENT, WARM, FADED][: len(names)]), legend=legend
        ),
        tooltip=[
            alt.Tooltip("name:N"),
            alt.Tooltip("where:N"),
            alt.Tooltip("value:Q", format="+.1%", title="time"),
        ],
    )
    layers = [points]
    floor, drift = result.noise.floor, result.noise.drift
    if floor is not None and known(floor):
        reach = min(floor, _CLIP)
        zone = alt.Chart(alt.Data(values=[{"low": -reach, "high": reach}]))
        layers.insert(0, zone.mark_rect(color=BAND, opacity=0.5).encode(alt.Y("low:Q"), alt.Y2("high:Q")))
    if drift is not None and known(drift.over_run.value):
        layers.append(_trend(alt, rows, drift.over_run.value))
    chart = alt.layer(*layers).properties(width=_WIDTH, height=_HEIGHT)
    return Chart(
        "sentinel",
        "The sentinel: time of the same work against its median",
        _caption(result, rows),
        built(chart),
        _table(rows),
    )


def _trend(alt: Any, rows: list[dict[str, Any]], over_run: float) -> Any:
    """Return the drift as a line through the middle of the points, relative to its own middle."""
    first, last = min(row["t"] for row in rows), max(row["t"] for row in rows)
    half = (1 + over_run) ** 0.5
    ends = [{"t": first, "drawn": 1 / half - 1}, {"t": last, "drawn": half - 1}]
    line = alt.Chart(alt.Data(values=ends)).mark_line(
        color=INK, strokeDash=[6, 4], strokeWidth=1.2, clip=True
    )
    return line.encode(alt.X("t:Q"), alt.Y("drawn:Q"))


def _caption(result: BenchResult, rows: list[dict[str, Any]]) -> str:
    spread = max(row["value"] for row in rows) - min(row["value"] for row in rows)
    text = (
        f"The same work, {counted(len(rows), 'time')}, as A and as B: slowest and fastest lie "
        f"{percent(spread)} of the median apart."
    )
    floor, drift = result.noise.floor, result.noise.drift
    if known(floor):
        text += (
            f" The noise floor, shaded, is {percent(floor, places=1)}: smaller differences between cells "
            "mean nothing."
        )
    if drift is not None:
        change = drift.over_run
        span = (
            ""
            if change.low is None or change.high is None
            else (
                f" ({percent(change.low, sign=True, places=1)} to "
                f"{percent(change.high, sign=True, places=1)})"
            )
        )
        text += (
            f" From first to last it took {percent(change.value, sign=True, places=1)}{span}, the dashed "
            "line: "
        )
        text += "the machine drifted." if drift.significant else "no drift that could be told from noise."
    else:
        text += " With fewer than five rounds neither drift nor noise floor can be told."
    if any(abs(row["value"]) > _CLIP for row in rows):
        text += f" What lies beyond {percent(_CLIP)} is drawn at the edge."
    return text


def _table(rows: list[dict[str, Any]]) -> DataTable:
    columns = (
        Column("which", numeric=False),
        Column("where", numeric=False),
        Column("second"),
        Column("against the median"),
    )
    body = tuple(
        (row["name"], row["where"], row["t"], Cell(percent(row["value"], sign=True, places=1), row["value"]))
        for row in rows
    )
    return DataTable("The sentinel", columns, body)


def rounds_chart(result: BenchResult) -> Chart | None:
    """Return every cell's time in each round against its own median; None with one round."""
    by_round: dict[tuple[str, int], list[float]] = defaultdict(list)
    for cell in result.cells:
        rounds = round_times(cell.samples)
        if len(rounds) < 2:
            continue
        middle = median(rounds.values())
        part = "one process" if cell.layout == "single" else "over workers"
        for number, time in rounds.items():
            by_round[part, number + 1].append(time / middle - 1)
    if not by_round:
        return None
    alt = charting()
    keys = sorted(by_round)
    rows = [
        {
            "label": f"{part}, {number}",
            **_spread(by_round[part, number]),
            "cells": len(by_round[part, number]),
        }
        for part, number in keys
    ]
    axis = alt.Axis(labelAngle=-35, labelOverlap=False, domain=False)
    x = alt.X("label:N", sort=[row["label"] for row in rows], title=None, axis=axis)
    y = alt.Y("middle:Q", title=None, axis=alt.Axis(format="+.0%", tickCount=5, minExtent=46))
    base = alt.Chart(alt.Data(values=rows)).encode(x)
    parts = ("low", "lower", "middle", "upper", "high")
    tooltip = [alt.Tooltip("label:N"), *(alt.Tooltip(f"{name}:Q", format="+.1%") for name in parts)]
    layers = [
        base.mark_rule(color=FADED, strokeWidth=1.2).encode(alt.Y("low:Q"), alt.Y2("high:Q")),
        base.mark_rule(color=FADED, strokeWidth=9, opacity=0.55).encode(alt.Y("lower:Q"), alt.Y2("upper:Q")),
        base.mark_point(shape="diamond", filled=True, size=90, opacity=1, color=ACCENT).encode(
            y, tooltip=tooltip
        ),
    ]
    worst = max(by_round, key=lambda key: abs(median(by_round[key])))
    every = [value for values in by_round.values() for value in values]
    far = sum(abs(value) > 0.1 for value in every)
    caption = (
        "The thin line holds nine of ten cells of a round, the thick one half of them, the diamond is their "
        f"median. The round that stands out most is round {worst[1]} of {worst[0]}: its cells took "
        f"{percent(median(by_round[worst]), sign=True, places=1)} against their medians. "
        f"{percent(far / len(every))} of all regions lie more than 10 % from theirs."
    )
    columns = (
        Column("part", numeric=False),
        Column("round"),
        Column("cells"),
        Column("median"),
        Column("fastest"),
        Column("slowest"),
    )
    body: tuple[tuple[Value, ...], ...] = tuple(
        (
            part,
            Cell(str(number), number),
            len(by_round[part, number]),
            *(
                Cell(percent(value, sign=True, places=1), value)
                for value in (
                    median(by_round[part, number]),
                    min(by_round[part, number]),
                    max(by_round[part, number]),
                )
            ),
        )
        for part, number in keys
    )
    chart = alt.layer(*layers).properties(width=_WIDTH, height=_HEIGHT)
    return Chart(
        "rounds",
        "Every cell over the rounds: time against its median",
        caption,
        built(chart),
        DataTable("Rounds", columns, body),
    )


def _spread(values: list[float]) -> dict[str, float]:
    """Return the median of deviations and the ends of their middle half and nine tenths, clipped."""
    ends = np.percentile(values, [5, 25, 50, 75, 95]).clip(-_CLIP, _CLIP).tolist()
    return dict(zip(("low", "lower", "middle", "upper", "high"), ends, strict=True))
