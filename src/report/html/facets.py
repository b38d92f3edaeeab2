"""Pictures of one kind side by side: as many in a row as there is room for."""

from typing import Any

from .chart import built, charting

__all__ = ["cells"]

_HEADING = 34


def cells(
    chart: Any,
    by: str,
    order: list[str],
    *,
    width: int,
    least: int,
    edge: int,
    gap: int,
    columns: int,
    axis: int = 18,
    scale: str = "shared",
) -> dict[str, Any]:
    """Return a picture for each value of a field, as a grid that a page lets flow.

    Args:
        chart: one picture, its height given.
        by: the field.
        order: its values.
        width: of a picture where nothing is known of the page, in pixels.
        least: the narrowest that a page may make it.
        edge: room for the vertical axis.
        gap: between pictures, beside that.
        columns: at most so many in a row.
        axis: room for the horizontal axis.
        scale: "independent" gives each picture a vertical scale of its own.
    """
    alt = charting()
    columns = min(columns, len(order))
    heading = alt.Header(labelAnchor="start", labelPadding=6)
    grid = (
        chart.properties(width=width)
        .facet(facet=alt.Facet(f"{by}:N", title=None, sort=order, header=heading), columns=columns)
        .resolve_scale(y=scale)
        .resolve_axis(x="independent", y="independent")
    )
    spec = built(grid)
    spec["spacing"] = {"row": _HEADING + axis, "column": edge + gap}
    spec["bounds"] = "flush"
    spec["usermeta"] = {"least": least, "edge": edge, "gap": edge + gap, "most": columns}
    return spec
