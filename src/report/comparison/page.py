"""Two results side by side as a page: a forest of ratios beside the noise."""

import json
from itertools import groupby
from typing import Any

from ...benchmark.analysis.statistics import SMALLEST_CHANGE
from ...benchmark.compare.compare import CellChange, CellName, Comparison
from ...benchmark.result.variant import protocol_title
from ...benchmark.text.comparison import summary
from ..html.chart import Chart, built, charting
from ..html.glossary import COMPARE_WORDS, words_html
from ..html.markup import Markup, finite, tag
from ..html.numbers import amount, counted, known, listed, percent, plain, sentence, times
from ..html.page import Attachment, Fact, Page, Section, download
from ..html.tables import Cell, Column, DataTable, Value, table_html
from ..html.theme import ACCENT, BAND, FADED, INK, MUTED, WARM

__all__ = ["comparison_page"]

_ROW = 19
_LOOKS = {
    "regressed": ("triangle-right", WARM),
    "faster": ("triangle-left", ACCENT),
    "same": ("circle", INK),
    "inconclusive": ("square", FADED),
}
_NEWS = {
    "regressed": "regressed",
    "faster": "became faster",
    "same": "are the same",
    "inconclusive": "stay open",
}


def comparison_page(comparison: Comparison) -> Page:
    """Return the page of a comparison."""
    counts = comparison.counts
    content = json.dumps(finite(comparison.as_dict()), separators=(",", ":")).encode()
    attachment = Attachment("comparison.json", content)
    facts = tuple(
        Fact(f"Cells that {news}", f"{counts[verdict]:,}", _extreme(comparison, verdict))
        for verdict, news in _NEWS.items()
    )
    sections = (
        Section("changes", "Every cell", _lead(comparison), _forests(comparison)),
        _groups(comparison),
        _apart(comparison),
        Section(
            "raw",
            "Raw data",
            "The comparison as brinery compare --json gives it.",
            [tag("p", download(attachment))],
        ),
        Section("glossary", "Glossary", "", [words_html(COMPARE_WORDS)]),
    )
    floor = "not known" if not known(comparison.floor) else percent(comparison.floor, places=1)
    how = "measured in turns in one session" if comparison.paired else "between two runs"
    return Page(
        kind="compare",
        about=f"A: {_side(comparison, 'a')}. B: {_side(comparison, 'b')}.",
        conclusion=_conclusion(comparison),
        reason=summary(comparison),
        facts=facts if comparison.cells else (),
        status=(
            f"Ratios of time {how}, above 1 is slower in B. Noise floor {floor}; "
            f"the least change called is {percent(SMALLEST_CHANGE)}."
        ),
        alarm_title="The two results cannot be compared: they differ.",
        alarms=tuple(f"{one.item}: {one.a} in A, {one.b} in B." for one in comparison.differences),
        sections=tuple(section for section in sections if section.body),
    )


def _side(comparison: Comparison, which: str) -> str:
    side = comparison.a if which == "a" else comparison.b
    commit = f" at {side.commit[:12]}" if side.commit else ""
    return f"{side.name}, brinery {side.brinery}{commit}, {side.started_at[:16].replace('T', ' ')}"


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
        return listed(sorted({change.name.op for change in own}), 4)
    worst = (max if verdict == "regressed" else min)(own, key=lambda change: change.ratio.value)
    return f"most: {worst.name}, {times(worst.ratio.value)}"


def _lead(comparison: Comparison) -> str:
    margin = _margin(comparison)
    return (
        "A point is the time of B over that of A, with its 95 % interval. "
        f"The shaded band reaches from {plain(1 / margin)} to {plain(margin)}: within it nothing has "
        "changed. "
        "A cell is called only if its interval excludes 1, the ratio lies beyond the band, and it stays "
        "so after correction for the number of cells. Where the machine itself may have changed as much "
        "between the runs, the answer stays open."
    )


def _margin(comparison: Comparison) -> float:
    floor = comparison.floor
    return 1 + max(SMALLEST_CHANGE, floor if floor is not None and known(floor) else 0.0)


def _key(name: CellName) -> tuple[str, ...]:
    dispatch = name.dispatch if name.op != "convert" else ""
    return (
        "single" if name.layout == "single" else "workers",
        name.op,
        name.cache,
        name.durability,
        dispatch,
    )


def _forests(comparison: Comparison) -> list[Chart | Markup]:
    order = sorted(comparison.cells, key=lambda change: _key(change.name))
    return [
        _forest(comparison, key, list(own))
        for key, own in groupby(order, key=lambda change: _key(change.name))
    ]


def _forest(comparison: Comparison, key: tuple[str, ...], changes: list[CellChange]) -> Chart:
    layout, op, *conditions = key
    shown = {"cold": "cold", "fsync": "fsync", "engine": "dispatched"}
    marks = [shown[mark] for mark in conditions if mark in shown]
    name = "-".join(["forest", *(["single"] if layout == "single" else []), op, *marks])
    title = ", ".join([op, "one file an image" if layout == "single" else "over workers", *marks])
    return Chart(
        name=name,
        title=f"{sentence(title)}: time of B over A",
        caption=_caption(changes, _margin(comparison)),
        spec=_spec(changes, _margin(comparison)),
        table=_table(changes, sentence(title)),
    )


def _label(change: CellChange) -> str:
    name = change.name
    if name.layout == "single":
        return protocol_title(name.protocol)
    return f"{name.protocol}, {'inline' if name.pool == 'none' else name.workers}"


def _spec(changes: list[CellChange], margin: float) -> dict[str, Any]:
    alt = charting()
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
    x = alt.X(
        "ratio:Q",
        title="time of B over A: right is slower",
        scale=scale,
        axis=alt.Axis(values=_ticks(reach), format=".3~g", grid=True),
    )
    y = alt.Y("cell:N", sort=names, title=None, axis=alt.Axis(labelLimit=170))
    shown = [verdict for verdict in _LOOKS if any(row["verdict"] == verdict for row in rows)]
    legend = alt.Legend()
    shape = alt.Shape(
        "verdict:N", scale=alt.Scale(domain=shown, range=[_LOOKS[one][0] for one in shown]), legend=legend
    )
    colour = alt.Color(
        "verdict:N", scale=alt.Scale(domain=shown, range=[_LOOKS[one][1] for one in shown]), legend=legend
    )
    tooltip = [
        alt.Tooltip("cell:N"),
        *(alt.Tooltip(f"{name}:Q", format=".3f") for name in ("ratio", "low", "high")),
        alt.Tooltip("verdict:N"),
    ]
    zone = alt.Chart(alt.Data(values=[{"low": 1 / margin, "high": margin}])).mark_rect(
        color=BAND, opacity=0.55
    )
    base = alt.Chart(alt.Data(values=rows))
    layers = [
        zone.encode(alt.X("low:Q", scale=scale), alt.X2("high:Q")),
        alt.Chart(alt.Data(values=[{"ratio": 1}])).mark_rule(color=MUTED, strokeWidth=1).encode(x),
        base.mark_rule(strokeWidth=1.6).encode(
            alt.X("low:Q", scale=scale), alt.X2("high:Q"), y, color=colour
        ),
        base.mark_point(filled=True, size=62, opacity=1, strokeWidth=2).encode(
            x, y, shape=shape, color=colour, tooltip=tooltip
        ),
    ]
    return built(alt.layer(*layers).properties(width=760, height=max(60, _ROW * len(names))))


def _ticks(reach: float) -> list[float]:
    steps = [1.02, 1.05, 1.1, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0]
    inside = [step for step in steps if step <= reach]
    chosen = inside[-3:]
    return sorted([1.0, *chosen, *(1 / step for step in chosen)])


def _caption(changes: list[CellChange], margin: float) -> str:
    outside = [change for change in changes if not 1 / margin <= change.ratio.value <= margin]
    text = f"{len(outside)} of {counted(len(changes), 'cell')} lie outside the band."
    slowest = max(changes, key=lambda change: change.ratio.value)
    fastest = min(changes, key=lambda change: change.ratio.value)
    text += (
        f" The farthest to the right is {_label(slowest)} ({plain(slowest.ratio.value)}, {slowest.verdict})"
    )
    text += (
        f", to the left {_label(fastest)} ({plain(fastest.ratio.value)}, {fastest.verdict})."
        if fastest is not slowest
        else "."
    )
    if any(change.ratio.low is None for change in changes):
        text += " Points without a line have fewer than five rounds."
    return text


def _table(changes: list[CellChange], title: str) -> DataTable:
    columns = (
        Column("cell", numeric=False),
        Column("A, images/s"),
        Column("B, images/s"),
        Column("time B/A"),
        Column("machine", hint="relative change that the machine itself may have had between the runs"),
        Column("q", hint="odds of such a ratio by chance, corrected for the number of cells"),
        Column("verdict", numeric=False),
    )
    rows: list[tuple[Value, ...]] = []
    for change in changes:
        ratio = change.ratio
        span = None if ratio.low is None or ratio.high is None else f"{ratio.low:.3f} to {ratio.high:.3f}"
        mark = "~" if change.other_work else ""
        rows.append(
            (
                _label(change),
                Cell(
                    amount(1e9 / change.a_ns if change.a_ns else None),
                    1e9 / change.a_ns if change.a_ns else None,
                ),
                Cell(
                    amount(1e9 / change.b_ns if change.b_ns else None),
                    1e9 / change.b_ns if change.b_ns else None,
                ),
                Cell(f"{mark}{ratio.value:.3f}", ratio.value, span),
                None if change.machine is None else Cell(percent(change.machine, places=1), change.machine),
                change.q_value,
                Cell(
                    change.verdict,
                    change.verdict,
                    change.reason,
                    {"regressed": "bad", "faster": "good"}.get(change.verdict),
                ),
            )
        )
    notes = (
        ("~ the runs measured prefixes of the images whose lengths differ by more than a fifth.",)
        if any(c.other_work for c in changes)
        else ()
    )
    return DataTable(title, columns, tuple(rows), notes)


def _groups(comparison: Comparison) -> Section:
    columns = (
        Column("protocol", numeric=False),
        Column("operation", numeric=False),
        Column("cells"),
        Column("time B/A"),
        Column("lowest"),
        Column("highest"),
    )
    rows: tuple[tuple[Value, ...], ...] = tuple(
        (
            one.protocol,
            one.op,
            one.cells,
            *(Cell(f"{value:.3f}", value) for value in (one.ratio, one.lowest, one.highest)),
        )
        for one in comparison.groups
    )
    body = [table_html(DataTable("By protocol and operation", columns, rows))] if rows else []
    return Section("groups", "By protocol and operation", "Geometric means over the cells of each.", body)


def _apart(comparison: Comparison) -> Section:
    """Return what was not compared."""
    rows: list[tuple[Value, ...]] = [
        (str(one.name), Cell(one.reason, kind="bad")) for one in comparison.excluded
    ]
    rows += [(str(name), "only in A") for name in comparison.only_a]
    rows += [(str(name), "only in B") for name in comparison.only_b]
    columns = (Column("cell", numeric=False), Column("why", numeric=False))
    body = [table_html(DataTable("Not compared", columns, tuple(rows)))] if rows else []
    return Section("apart", "Not compared", "", body)
