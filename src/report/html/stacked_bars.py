"""Stacked bars: parts of a whole, told by colour, pattern and order."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import altair as alt

from ...benchmark.text.numbers import plain
from .chart import Grid, data, layered, side_by_side, tips, told_apart
from .theme import INK, PARTS, SHORT_LABELS, SURFACE

_ROW, _EDGE = 24, 70
_TOTAL = 52  # pixels for the total behind a bar


@dataclass(frozen=True, slots=True)
class Stack:
    """One bar."""

    row: str  # its name
    parts: dict[str, float]  # what it consists of, by name; the same names in the same order in all bars
    picture: str = ""  # which one it belongs to, where there are several
    end: str = ""  # what stands behind the bar


def stacked_rows(stacks: Sequence[Stack], parts: Sequence[str], *, title: str) -> dict[str, Any]:
    """Return one picture whose bars share an axis, each with its total behind it."""
    rows = _rows(stacks)
    base, names = data(rows), list(dict.fromkeys(one.row for one in stacks))
    y = alt.Y("row:N", sort=names, title=None, axis=alt.Axis(minExtent=_EDGE))
    longest = max(row["end"] for row in rows)
    room = alt.ExprRef(f"{longest} * width / max(width - {_TOTAL}, width / 2)")
    axis = alt.Axis(grid=True, tickCount=6, labelExpr=SHORT_LABELS, labelBound=True)
    x = alt.X("start:Q", title=title, scale=alt.Scale(domain=[0, room], nice=False), axis=axis)
    ends = base.transform_filter("datum.last").mark_text(align="left", dx=6, color=INK)
    named = ends.encode(alt.X("end:Q"), y, text="total:N")
    return layered([_bars(base, x, y, parts), named], _ROW * len(names))


def stacked_cells(stacks: Sequence[Stack], parts: Sequence[str]) -> dict[str, Any]:
    """Return a picture for each cell, its bars shares of the whole."""
    rows = _rows(stacks)
    names = list(dict.fromkeys(one.row for one in stacks))
    titles = list(dict.fromkeys(one.picture for one in stacks))
    y = alt.Y("row:N", sort=names, title=None, axis=alt.Axis(labelLimit=_EDGE))
    axis = alt.Axis(format=".0%", values=[0, 0.5, 1])
    x = alt.X("start:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=axis)
    chart = _bars(data(rows), x, y, parts).properties(height=_ROW * len(names))
    return side_by_side(chart, "cell", titles, Grid(150, 105, _EDGE, gap=16, columns=4))


def _bars(base: Any, x: Any, y: Any, parts: Sequence[str]) -> Any:
    looks = dict(zip(parts, cycle(PARTS), strict=False))
    colour = told_apart("part:N", looks, alt.Legend(symbolType="square"), "color")
    tooltip = tips("cell:N| ", "row:N|protocol", "part:N", "read:N|amount")
    bars = base.mark_bar(height=_ROW - 8, stroke=SURFACE, strokeWidth=0.8)
    return bars.encode(x, y, alt.X2("end:Q"), tooltip=tooltip, **colour)


def _rows(stacks: Sequence[Stack]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for stack in stacks:
        end = 0.0
        for part, value in stack.parts.items():
            if value > 0:
                start, end = end, end + value
                read = plain(value) if stack.end else f"{value:.1%}"
                row = {"row": stack.row, "cell": stack.picture, "part": part, "start": start, "end": end}
                rows.append(row | {"read": read, "last": False, "total": stack.end})
        if end:
            rows[-1]["last"] = True
    return rows
