"""A chart with all that goes with it: what to see in words, the numbers, a drawing that needs no script."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeAlias

import altair as alt
import vl_convert
from markupsafe import Markup

from ...benchmark.text.table import Table
from ...engine.printable import printable
from .markup import each, finite, scroller, tag, trusted
from .table import folded
from .theme import chart_config, with_patterns

Fit: TypeAlias = Literal["width", "cells", "timeline"]

_NOISE = re.compile(
    r'<(?:path|line)(?: [a-z-]+="[^"]*")* opacity="0"(?: [a-z-]+="[^"]*")*/>'
    r'| (?:role|aria-roledescription|aria-hidden|pointer-events|class|xmlns:xlink|stroke-miterlimit)="[^"]*"'
    r"|<path d=\"M0,0h0v0h0Z\"[^>]*/>"
    r'| font-family="[^"]*"| opacity="1"| stroke-width="1"| text-anchor="start"'
)
_EMPTY = re.compile(
    r'<path(?: [a-z-]+="[^"]*")* d=""(?: [a-z-]+="[^"]*")*/>|<path d="M0,0h0v0h0Z"/>'
    r'|<g></g>|<g transform="translate\(0,0\)"></g>'
)
_HEADING = 34  # pixels above a picture that stands beside others
_LONG = re.compile(r"(\d+\.\d\d)\d+")


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart."""

    name: str  # its id in the page and on the command line
    title: str  # what it shows
    caption: str  # what there is to see, computed from the same numbers
    spec: dict[str, Any]  # Vega-Lite, data included
    table: Table  # the numbers behind it
    fit: Fit = "width"  # stretched over the page, as cells that flow, or as a timeline that zooms with others


def built(chart: Any) -> dict[str, Any]:
    """Return the Vega-Lite of an altair chart, with the look of this report."""
    # Names come from results and archives: every text is made printable.
    shown: dict[str, Any] = each(finite(chart.to_dict()), str, printable)
    return shown | {"config": chart_config()}


@cache
def javascript() -> str:
    """Return Vega, Vega-Lite and vega-embed as one script, which needs no network."""
    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")


def static_svg(chart: Chart) -> Markup:
    """Return a chart as an element of a page whose style sheet gives fonts and colours."""
    svg = _NOISE.sub("", _svg(chart))
    for _ in range(3):
        svg = _EMPTY.sub("", svg)
    svg = re.sub(r'((?:id="|url\(#))((?:clip|gradient)[\w]*)', rf"\1{chart.name}-\2", _LONG.sub(r"\1", svg))
    return trusted(svg.replace("<svg ", '<svg class="drawn" aria-hidden="true" ', 1))


def standalone_svg(chart: Chart) -> str:
    """Return a chart as a file of its own, in light colours on white."""
    return with_patterns(_svg(chart)) + "\n"


def png(chart: Chart) -> bytes:
    """Return a chart as a picture of twice its size in pixels."""
    return vl_convert.svg_to_png(standalone_svg(chart), scale=2)


def figure_html(chart: Chart) -> Markup:
    """Return a chart with its caption and the table behind it."""
    caption = f"{chart.name}-caption"
    names = {"aria_label": chart.title, "aria_describedby": caption}
    drawing = tag(
        "div", static_svg(chart), class_="chart", id=chart.name, role="img", data_fit=chart.fit, **names
    )
    return tag(
        "figure",
        tag("h3", chart.title, class_="chart-title"),
        scroller(f"Chart: {chart.title}", "group", drawing),
        tag("figcaption", chart.caption, id=caption),
        folded("Data table", chart.table),
    )


def _svg(chart: Chart) -> str:
    version = re.search(r"/v(\d+\.\d+)", chart.spec["$schema"])  # as vl-convert names what altair wrote
    assert version is not None
    return vl_convert.vegalite_to_svg(chart.spec, vl_version=version[1])


def data(rows: list[dict[str, Any]]) -> Any:
    """Return a chart of rows, without a mark as yet."""
    return alt.Chart(alt.Data(values=rows))


def tips(*fields: str) -> list[Any]:
    """Return what is told at a mark: fields as "name:type", "name:type|title" or "name:type|title|format"."""
    parts = [(*field.split("|"), "", "")[:3] for field in fields]
    none = alt.Undefined
    return [alt.Tooltip(name, title=title or none, format=form or none) for name, title, form in parts]


def told_apart(field: str, looks: dict[Any, Any], legend: Any, *channels: str) -> dict[str, Any]:
    """Return channels, such as "color", that tell the values of a field apart by what each looks like."""
    found = {}
    for place, channel in enumerate(channels):
        scale = alt.Scale(domain=list(looks), range=[own[place] for own in looks.values()])
        found[channel] = getattr(alt, channel[0].upper() + channel[1:])(field, scale=scale, legend=legend)
    return found


def either(test: str, yes: Any, no: Any) -> Any:
    """Return one value where a test of the row holds, else the other."""
    return alt.when(test).then(alt.value(yes)).otherwise(alt.value(no))


def layered(layers: Sequence[Any], height: float) -> dict[str, Any]:
    """Return layers as one picture, as wide as the page."""
    return built(alt.layer(*layers).properties(width=760, height=height))


def distinct(rows: Sequence[dict[str, Any]], name: str) -> list[Any]:
    """Return the values of a field, each once, in the order of the rows."""
    return list(dict.fromkeys(row[name] for row in rows))


@dataclass(frozen=True, slots=True)
class Grid:
    """How much room the pictures take, in pixels."""

    width: int  # of a picture where nothing is known of the page
    least: int  # the narrowest that a page may make it
    edge: int  # room for the vertical axis
    gap: int  # between pictures, beside that
    columns: int  # the most that stand in one row
    axis: int = 18  # room for the horizontal axis
    scale: str = "shared"  # "independent" gives each picture a vertical scale of its own


def side_by_side(chart: Any, by: str, order: list[str], grid: Grid) -> dict[str, Any]:
    """Return a picture for each value of a field in that order, as a grid that a page lets flow."""
    columns = min(grid.columns, len(order))
    heading = alt.Header(labelAnchor="start", labelPadding=6)
    pictures = (
        chart.properties(width=grid.width)
        .facet(facet=alt.Facet(f"{by}:N", title=None, sort=order, header=heading), columns=columns)
        .resolve_scale(y=grid.scale)
        .resolve_axis(x="independent", y="independent")
    )
    gap = grid.edge + grid.gap
    spacing = {"row": _HEADING + grid.axis, "column": gap}
    flow = {"least": grid.least, "edge": grid.edge, "gap": gap, "most": columns}
    return built(pictures) | {"spacing": spacing, "bounds": "flush", "usermeta": flow}
