"""Pictures of one kind side by side: as many in a row as there is room for."""

from dataclasses import dataclass
from typing import Any

import altair as alt

from .chart import built

_HEADING = 34


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
