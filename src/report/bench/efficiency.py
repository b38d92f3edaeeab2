"""How much of each further worker is kept, as a heatmap with its numbers."""

from operator import itemgetter
from typing import Any

import altair as alt

from ...benchmark.text.numbers import is_noise, of_possible
from ...benchmark.text.table import Entry, Table, left, right
from ..html.chart import Chart, Grid, data, distinct, either, side_by_side, tips
from .groups import Group

_ROW, _COLUMN, _EDGE = 26, 56, 70


def efficiency_chart(groups: list[Group]) -> Chart | None:
    """Return the chart; None where fewer than two numbers of workers were measured."""
    rows: list[dict[str, Any]] = []
    body = []
    for group in groups:
        for op, (one, *more) in ((group.variant.title, own) for own in group.cells.values()):
            for cell in more if one.workers == 1 and one.rate else ():
                if cell.rate:
                    kept, workers = cell.rate / one.rate / cell.workers, group.marked(cell.workers)
                    row = {
                        "op": op,
                        "protocol": cell.protocol,
                        "workers": workers.text,
                        "count": cell.workers,
                    }
                    rows.append(row | {"efficiency": kept, "text": of_possible(kept)})
                    body.append((op, cell.protocol, workers, Entry(of_possible(kept), kept)))
    if not rows:
        return None
    columns = (*left("operation", "protocol"), *right("workers", "efficiency"))
    title, table = "Efficiency: speed-up over the number of workers", Table("Efficiency", columns, body)
    return Chart("efficiency", title, _caption(rows, groups[0].usable), _spec(rows), table, "cells")


def _caption(rows: list[dict[str, Any]], usable: float) -> str:
    def told(row: dict[str, Any]) -> str:
        return f"{row['op']} of {row['protocol']} ({row['text']} with {row['count']} workers)"

    within = [row for row in rows if row["count"] <= usable and not is_noise(row["efficiency"])]
    allowed = sorted(within, key=itemgetter("efficiency"))
    text = "100 % means that every worker does as much as one alone; lighter is more."
    if allowed:
        worst = f", the worst {told(allowed[0])}" if len(allowed) > 1 else ""
        text += f" Within the usable CPUs the best is {told(allowed[-1])}{worst}."
    if any(is_noise(row["efficiency"]) for row in rows):
        text += " What is well above that is noise."
    if any(row["count"] > usable for row in rows):
        text += " * more workers than CPUs: there it can only fall."
    return text


def _spec(rows: list[dict[str, Any]]) -> dict[str, Any]:
    names = distinct(rows, "protocol")
    order = distinct(sorted(rows, key=itemgetter("count")), "workers")
    top = alt.Axis(orient="top", labelAngle=0, domain=False, ticks=False)
    base = data(rows).encode(
        alt.X("workers:O", sort=order, title=None, axis=top),
        alt.Y("protocol:N", sort=names, title=None, axis=alt.Axis(domain=False, labelLimit=_EDGE)),
    )
    scale = alt.Scale(scheme="cividis", domain=[0, 1], clamp=True)
    colour = alt.Color("efficiency:Q", scale=scale, legend=None)
    tooltip = tips("op:N|operation", "protocol:N", "workers:N", "text:N|efficiency")
    tiles = base.mark_rect(cornerRadius=2).encode(color=colour, tooltip=tooltip)
    ink = either("datum.efficiency < 0.5", "#fffffd", "#101418")
    texts = base.mark_text(fontSize=11).encode(text="text:N", color=ink)
    chart = alt.layer(tiles, texts).properties(height=_ROW * len(names))
    grid = Grid(max(160, _COLUMN * len(order)), 36 * len(order), _EDGE, gap=18, columns=2, axis=10)
    return side_by_side(chart, "op", distinct(rows, "op"), grid)
