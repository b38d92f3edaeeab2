"""Two results side by side as a page: a forest of ratios beside the noise."""

from typing import Any

import altair as alt

from ...benchmark.analysis.statistics import SMALLEST_CHANGE
from ...benchmark.compare.compare import CellChange, Comparison
from ...benchmark.result.cell import protocol_title
from ...benchmark.text.comparison import (
    changes_by_variant,
    changes_table,
    groups_table,
    method_lines,
    side_line,
    summary,
    uncompared_table,
)
from ...benchmark.text.numbers import counted, known, listed, plain, sentence, times
from ..html.chart import Chart, data, layered, tips, told_apart
from ..html.glossary import COMPARE_WORDS
from ..html.markup import finite
from ..html.page import Fact, Page, Section, glossary, packed_json, raw_section
from ..html.theme import ACCENT, BAND, FADED, INK, MUTED, WARM

_ROW = 19
_VERDICTS = {  # in words, and what their points look like
    "regressed": ("regressed", "triangle-right", WARM),
    "faster": ("became faster", "triangle-left", ACCENT),
    "same": ("are the same", "circle", INK),
    "inconclusive": ("stay open", "square", FADED),
}
_TICKS = (1.02, 1.05, 1.1, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0)


def comparison_page(comparison: Comparison) -> Page:
    """Return the page of a comparison."""
    counts, floor = comparison.counts, comparison.floor
    margin = 1 + max(SMALLEST_CHANGE, floor if floor is not None and known(floor) else 0.0)
    facts = tuple(
        Fact(f"Cells that {news}", f"{counts[verdict]:,}", _extreme(comparison, verdict))
        for verdict, (news, *_) in _VERDICTS.items()
    )
    lead = (
        "A point is the time of B over that of A, with its 95 % interval. The shaded band reaches from "
        f"{plain(1 / margin)} to {plain(margin)}: within it nothing is called. A cell is called only if "
        "its interval excludes 1, the ratio lies beyond the band, and it stays so after correction for the "
        "number of cells."
    )
    if not comparison.paired:
        lead += " Where the machine itself may have changed as much between the runs, the answer stays open."
    document = packed_json(finite(comparison.as_dict()))
    forests = [_forest(*found, margin) for found in changes_by_variant(comparison.cells)]
    groups, apart = [groups_table(comparison)], [uncompared_table(comparison)]
    return Page(
        kind="compare",
        about=f"A: {side_line(comparison.a)}. B: {side_line(comparison.b)}.",
        conclusion=_conclusion(comparison),
        reason=summary(comparison),
        facts=facts if comparison.cells else (),
        status=" ".join(method_lines(comparison)),
        alarm_title="The two results cannot be compared: they differ.",
        alarms=tuple(f"{one.item}: {one.a} in A, {one.b} in B." for one in comparison.differences),
        sections=(
            Section("changes", "Every cell", lead, forests),
            Section("groups", "By protocol and operation", "Geometric means over the cells of each.", groups),
            Section("apart", "Not compared", "", apart),
            raw_section("comparison.json", document, "The comparison as brinery compare --json gives it."),
            glossary(COMPARE_WORDS),
        ),
    )


def _conclusion(comparison: Comparison) -> str:
    if comparison.differences:
        return "Not comparable."
    counts, cells = comparison.counts, len(comparison.cells)
    if counts["regressed"]:
        return f"{counts['regressed']} of {counted(cells, 'cell')} regressed."
    if not cells or counts["inconclusive"] == cells:
        return "Nothing could be decided."
    if not counts["faster"]:
        return "Nothing regressed."
    return f"Nothing regressed; {counts['faster']} of {counted(cells, 'cell')} became faster."


def _extreme(comparison: Comparison, verdict: str) -> str:
    own = [change for change in comparison.cells if change.verdict == verdict]
    if not own:
        return "none"
    if verdict in ("same", "inconclusive"):
        return listed(sorted({change.op for change in own}), 4)
    worst = (max if verdict == "regressed" else min)(own, key=lambda change: change.ratio.value)
    return f"most: {worst}, {times(worst.ratio.value)}"


def _forest(name: str, title: str, changes: list[CellChange], margin: float) -> Chart:
    head, table = f"{sentence(title)}: time of B over A", changes_table(sentence(title), changes)
    return Chart(f"forest-{name}", head, _caption(changes, margin), _spec(changes, margin), table)


def _label(change: CellChange) -> str:
    if change.layout == "single":
        return protocol_title(change.protocol)
    return f"{change.protocol}, {'inline' if change.pool == 'none' else change.workers}"


def _spec(changes: list[CellChange], margin: float) -> dict[str, Any]:
    rows: list[dict[str, Any]] = [
        {
            "cell": _label(change),
            "ratio": change.ratio.value,
            "low": change.ratio.value if change.ratio.low is None else change.ratio.low,
            "high": change.ratio.value if change.ratio.high is None else change.ratio.high,
            "verdict": change.verdict,
        }
        for change in changes
        if known(change.ratio.value) and change.ratio.value > 0
    ]
    reach = max([margin, *(max(row["high"], 1 / row["low"]) for row in rows if row["low"] > 0)]) * 1.04
    names = [row["cell"] for row in rows]
    scale = alt.Scale(type="log", domain=[1 / reach, reach], nice=False)
    steps = [step for step in _TICKS if step <= reach][-3:]
    ticks = alt.Axis(values=sorted([1.0, *steps, *(1 / step for step in steps)]), format=".3~g", grid=True)
    x = alt.X("ratio:Q", title="time of B over A: right is slower", scale=scale, axis=ticks)
    y = alt.Y("cell:N", sort=names, title=None, axis=alt.Axis(labelLimit=170))
    there = {row["verdict"] for row in rows}
    shown = {verdict: look for verdict, (_, *look) in _VERDICTS.items() if verdict in there}
    looks = told_apart("verdict:N", shown, alt.Legend(), "shape", "color")
    tooltip = tips("cell:N", "ratio:Q||.3f", "low:Q||.3f", "high:Q||.3f", "verdict:N")
    span = {"x": alt.X("low:Q", scale=scale), "x2": alt.X2("high:Q")}
    base = data(rows)
    dots = base.mark_point(filled=True, size=62, opacity=1, strokeWidth=2)
    layers = [
        data([{"low": 1 / margin, "high": margin}]).mark_rect(color=BAND, opacity=0.55).encode(**span),
        data([{"ratio": 1}]).mark_rule(color=MUTED, strokeWidth=1).encode(x),
        base.mark_rule(strokeWidth=1.6).encode(**span, y=y, color=looks["color"]),
        dots.encode(x, y, tooltip=tooltip, **looks),
    ]
    return layered(layers, max(60, _ROW * len(names)))


def _caption(changes: list[CellChange], margin: float) -> str:
    outside = [change for change in changes if not 1 / margin <= change.ratio.value <= margin]
    ordered = sorted(changes, key=lambda change: change.ratio.value)
    fastest, slowest = (
        f"{_label(one)} ({plain(one.ratio.value)}, {one.verdict})" for one in (ordered[0], ordered[-1])
    )
    left = f", to the left {fastest}" if len(changes) > 1 else ""
    text = f"{len(outside)} of {counted(len(changes), 'cell')} lie outside the band."
    text += f" The farthest to the right is {slowest}{left}."
    if any(change.ratio.low is None for change in changes):
        text += " Points without a line have fewer than five rounds."
    return text
