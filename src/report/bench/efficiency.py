"""How much of each further worker is kept, as a heatmap with its numbers."""

from typing import Any

from ...benchmark.result.result import BenchResult
from ..html.chart import Chart, charting
from ..html.facets import cells
from ..html.numbers import known, percent
from ..html.tables import Cell, Column, DataTable
from .variants import variants

__all__ = ["efficiency_chart"]

_ROW, _COLUMN, _EDGE, _COLUMNS = 26, 56, 70, 2


def efficiency_chart(result: BenchResult) -> Chart | None:
    """Return the chart; None where fewer than two numbers of workers were measured."""
    usable = result.host.usable_cpus
    rows: list[dict[str, Any]] = []
    for group in variants(result):
        for protocol, own in group.cells.items():
            rates = {cell.workers: cell.stats.images_per_s for cell in own if cell.valid and cell.stats}
            one = rates.get(1)
            for workers, rate in rates.items():
                if one and known(one) and known(rate) and workers > 1:
                    value = rate / one / workers
                    rows.append(
                        {
                            "op": group.title,
                            "protocol": protocol,
                            "workers": f"{workers}{'*' if workers > usable else ''}",
                            "count": workers,
                            "efficiency": value,
                            "text": percent(value),
                        }
                    )
    if not rows:
        return None
    return Chart(
        name="efficiency",
        title="Efficiency: speed-up over the number of workers",
        caption=_caption(rows, usable),
        spec=_spec(rows),
        table=_table(rows),
        fit="cells",
    )


def _caption(rows: list[dict[str, Any]], usable: float) -> str:
    allowed = [row for row in rows if row["count"] <= usable]
    text = "100 % means that every worker does as much as one alone; lighter is more. "
    if allowed:
        best = max(allowed, key=lambda row: row["efficiency"])
        worst = min(allowed, key=lambda row: row["efficiency"])
        text += (
            f"Within the usable CPUs the best is {best['op']} of {best['protocol']} ({best['text']} with "
            f"{best['count']} workers)"
        )
        text += (
            f", the worst {worst['op']} of {worst['protocol']} ({worst['text']} with {worst['count']})."
            if worst is not best
            else "."
        )
    if any(row["count"] > usable for row in rows):
        text += " * more workers than CPUs: there it can only fall."
    return text


def _spec(rows: list[dict[str, Any]]) -> dict[str, Any]:
    alt = charting()
    names = list(dict.fromkeys(row["protocol"] for row in rows))
    labels = [row["workers"] for row in sorted(rows, key=lambda row: row["count"])]
    order = list(dict.fromkeys(labels))
    ops = list(dict.fromkeys(row["op"] for row in rows))
    base = alt.Chart(alt.Data(values=rows)).encode(
        alt.X(
            "workers:O",
            sort=order,
            title=None,
            axis=alt.Axis(orient="top", labelAngle=0, domain=False, ticks=False),
        ),
        alt.Y("protocol:N", sort=names, title=None, axis=alt.Axis(domain=False, labelLimit=_EDGE)),
    )
    shade = alt.Color(
        "efficiency:Q", scale=alt.Scale(scheme="cividis", domain=[0, 1], clamp=True), legend=None
    )
    tooltip = [
        alt.Tooltip("op:N", title="operation"),
        alt.Tooltip("protocol:N"),
        alt.Tooltip("workers:N"),
        alt.Tooltip("text:N", title="efficiency"),
    ]
    tiles = base.mark_rect(cornerRadius=2).encode(color=shade, tooltip=tooltip)
    ink = alt.when("datum.efficiency < 0.5").then(alt.value("#fffffd")).otherwise(alt.value("#101418"))
    texts = base.mark_text(fontSize=11).encode(text="text:N", color=ink)
    chart = alt.layer(tiles, texts).properties(height=_ROW * len(names))
    width = max(160, _COLUMN * len(order))
    return cells(
        chart, "op", ops, width=width, least=36 * len(order), edge=_EDGE, gap=18, columns=_COLUMNS, axis=10
    )


def _table(rows: list[dict[str, Any]]) -> DataTable:
    columns = (
        Column("operation", numeric=False),
        Column("protocol", numeric=False),
        Column("workers"),
        Column("efficiency"),
    )
    body = tuple(
        (row["op"], row["protocol"], Cell(row["workers"], row["count"]), Cell(row["text"], row["efficiency"]))
        for row in rows
    )
    return DataTable("Efficiency", columns, body)
