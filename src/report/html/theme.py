"""Colours, patterns and the look of charts.

Charts are drawn in the light colours below. The page's style sheet replaces each by a variable (`[fill=...]`
beats the attribute of an SVG element), so that one drawing serves light, dark and print, and turns the fills
of stacked parts into patterns, so that colour is never alone. The categorical colours are Okabe and Ito's
("Color universal design", 2008).
"""

import re
from typing import Any

FONT = 'Inter, system-ui, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif'

_ROLES = {  # colours and their dark counterparts
    "ink": ("#1b2733", "#e8edf2"),
    "muted": ("#55626e", "#a5b3c0"),
    "grid": ("#e1e6eb", "#2b3641"),
    "surface": ("#fffffe", "#161d24"),
    "accent": ("#0072b2", "#62b5ef"),
    "warm": ("#d55e00", "#f4935a"),
    "faded": ("#8a97a3", "#7c8a97"),
    "band": ("#bcd9ea", "#22445c"),
}
INK, MUTED, GRID, SURFACE, ACCENT, WARM, FADED, BAND = (colour for colour, _ in _ROLES.values())
HATCH = "#ece6dd"

# Labels of an axis: 0.5, 20, 1.5k.
SHORT_LABELS = "abs(datum.value) < 1000 ? format(datum.value, '.3~r') : format(datum.value, '~s')"

# Parts of a stack in their order: colour, its dark counterpart, pattern.
PARTS: tuple[tuple[str, str, str], ...] = (
    ("#0072b3", "#4aa3df", "solid"),
    ("#56b4e9", "#9ad4f5", "diagonal"),
    ("#d55e01", "#f08a3c", "cross"),
    ("#cc79a7", "#e2a3c5", "vertical"),
    ("#009e73", "#2fc795", "horizontal"),
    ("#e69f00", "#f2bf4d", "dots"),
    ("#7a8793", "#6c7884", "counter"),
    ("#b8a200", "#d8cb52", "grid"),
)

_PATTERNS = {f"p{number}": (one[0], one[2]) for number, one in enumerate(PARTS) if one[2] != "solid"}

_SHAPES = {
    "diagonal": '<path d="M-1 1l2-2M0 6l6-6M5 7l2-2"/>',
    "counter": '<path d="M-1 5l2 2M0 0l6 6M5-1l2 2"/>',
    "cross": '<path d="M0 6l6-6M0 0l6 6"/>',
    "vertical": '<path d="M3 0v6"/>',
    "horizontal": '<path d="M0 3h6"/>',
    "dots": '<path d="M3 2.2v1.6"/>',
    "grid": '<path d="M3 0v6M0 3h6"/>',
}


def chart_config() -> dict[str, Any]:
    """Return the configuration of every chart."""
    label = {"labelColor": MUTED, "labelFontSize": 11, "titleColor": MUTED, "titleFontSize": 11}
    return {
        "background": "transparent",
        "font": FONT,
        "aria": False,
        "padding": 4,
        "view": {"stroke": None},
        "axis": {
            **label,
            "titleFontWeight": 500,
            "titlePadding": 8,
            "gridColor": GRID,
            "domainColor": GRID,
            "tickColor": GRID,
            "labelPadding": 5,
            "ticks": False,
        },
        "axisX": {"grid": False},
        "axisY": {"domain": False},
        "header": {"labelColor": INK, "labelFontSize": 12, "labelFontWeight": 600, "titleColor": MUTED},
        "legend": {
            **label,
            "labelColor": INK,
            "orient": "top",
            "direction": "horizontal",
            "symbolSize": 130,
            "symbolStrokeWidth": 0,
            "labelLimit": 0,
            "title": None,
            "columnPadding": 14,
            "offset": 8,
        },
        "text": {"color": INK, "fontSize": 11},
        "line": {"strokeCap": "round", "strokeJoin": "round"},
    }


def css() -> str:
    """Return the rules that give the charts the page's colours and patterns."""
    pairs = _ROLES | {f"part{number}": part[:2] for number, part in enumerate(PARTS)}
    variables = ";".join(f"--{name}:light-dark({light},{dark})" for name, (light, dark) in pairs.items())
    rules = [f":root{{{variables}}}"]
    for name, (colour, _) in pairs.items():
        pattern, own = name.replace("part", "p"), f"var(--{name})"
        fill = f"url(#{pattern})" if pattern in _PATTERNS else own
        rules += [f'.chart [fill="{colour}"]{{fill:{fill}}}', f'.chart [stroke="{colour}"]{{stroke:{own}}}']
        rules += [f"#{pattern} rect{{fill:{own}}}"] if name.startswith("part") else []
    rules += [
        f'.chart [fill="{HATCH}"]{{fill:url(#hatch)}}',
        "#hatch rect{fill:none}#hatch path{stroke:var(--faded);stroke-opacity:.5}",
    ]
    return "\n".join(rules)


def pattern_defs(*, colours: bool) -> str:
    """Return the SVG patterns of stacked parts; with their own colours where no style sheet gives them."""
    found = [
        _pattern(name, f' fill="{colour}"' if colours else "", shape, "#ffffff", 0.75)
        for name, (colour, shape) in _PATTERNS.items()
    ]
    found.append(_pattern("hatch", ' fill="none"', "diagonal", FADED, 0.5))
    return f"<defs>{''.join(found)}</defs>"


def _pattern(name: str, fill: str, shape: str, stroke: str, opacity: float) -> str:
    width, back = 1.6 if shape == "dots" else 0.9, f'<rect width="6" height="6"{fill}/>'
    drawn = _SHAPES[shape].replace(
        "/>", f' stroke="{stroke}" stroke-opacity="{opacity}" stroke-width="{width}" fill="none"/>'
    )
    return f'<pattern id="{name}" width="6" height="6" patternUnits="userSpaceOnUse">{back}{drawn}</pattern>'


def with_patterns(svg: str) -> str:
    """Return a chart that stands alone: white ground, patterns in it."""
    for name, (colour, _) in _PATTERNS.items():
        svg = svg.replace(f'fill="{colour}"', f'fill="url(#{name})"')
    svg = svg.replace(f'fill="{HATCH}"', 'fill="url(#hatch)"')
    ground = '<rect width="100%" height="100%" fill="#ffffff"/>'
    return re.sub(r"(<svg[^>]*>)", lambda head: head[1] + pattern_defs(colours=True) + ground, svg, count=1)
