"""A comparison in sentences and tables: text for the terminal, Markdown for a pull request."""

from collections.abc import Iterator, Sequence
from itertools import compress, groupby
from statistics import mode

from ...engine.printable import printable
from ..analysis.statistics import SMALLEST_CHANGE
from ..compare.compare import CellChange, Comparison, Side
from ..result.cell import Variant
from .markdown import markdown_list, markdown_text
from .numbers import counted, percent, sentence
from .table import Column, Entry, Table, Value, left, markdown_table, right, share
from .terminal import text_table, wrapped

_COLUMNS = (
    *left("protocol"),
    *right("workers"),
    *(Column(head, spare=2) for head in ("A images/s", "B images/s")),
    Column("time B/A", notes="95 % interval"),
    Column("machine", hint="relative change that the machine itself may have had between the runs", spare=3),
    Column("detectable", hint="the least slowdown that nine of ten such comparisons would call", spare=1),
    Column("q", hint="odds of such a ratio by chance, corrected for the number of cells", page=True),
    *left("verdict"),
)
_KINDS = {"regressed": "bad", "faster": "good"}
_LISTED = 12


def summary(comparison: Comparison) -> str:
    """Return the outcome in a sentence."""
    if comparison.differences:
        items = "; ".join(f"{one.item}: {one.a} in A, {one.b} in B" for one in comparison.differences)
        return f"Not comparable, they differ in {items}."
    cells, counts = comparison.cells, comparison.counts
    if not cells:
        why = "all that they share are void" if comparison.excluded else "the results have none in common"
        return f"Nothing could be decided: no cell to compare, {why}."
    if counts["inconclusive"] == len(cells):
        every = "the one cell is" if len(cells) == 1 else f"all {len(cells)} cells are"
        return f"Nothing could be decided: {every} inconclusive. {_most_frequent(comparison)}"
    rest = ", ".join(f"{counts[verdict]} {verdict}" for verdict in ("faster", "same", "inconclusive"))
    if not counts["regressed"]:
        return f"Nothing regressed in {counted(len(cells), 'cell')}: {rest}."
    worst = max((one for one in cells if one.verdict == "regressed"), key=lambda one: one.ratio.value)
    return (
        f"{counts['regressed']} of {counted(len(cells), 'cell')} regressed, {rest}; "
        f"worst: {worst} takes {worst.ratio.value:.3f} times as long."
    )


def comparison_text(comparison: Comparison, width: int | None = None) -> str:
    """Return the tables for a terminal, fitted to its width, and the summary below them."""
    tables = [*_tables(comparison.cells), groups_table(comparison), uncompared_table(comparison, _LISTED)]
    shown = [text_table(table, width) for table in tables if table.rows]
    sides = "\n".join(wrapped(printable(side), width) for side in _sides(comparison))
    return "\n\n".join([*shown, sides, wrapped(printable(summary(comparison)), width)])


def comparison_markdown(comparison: Comparison) -> str:
    """Return Markdown for a pull request: what changed or is open in sight, what is the same folded away."""
    parts = ["### brinery compare", f"**{markdown_text(summary(comparison))}**"]
    parts.append(markdown_list(_sides(comparison)))
    if comparison.differences:
        rows = [(one.item, one.a, one.b) for one in comparison.differences]
        parts.append(_markdown(Table("Differences", left("item", "A", "B"), rows)))
    of = {word: [one for one in comparison.cells if one.verdict == word] for word in comparison.counts}
    parts += map(_markdown, _tables([one for one in comparison.cells if one.verdict in _KINDS]))
    folded = [(f"{len(of[word])} {word}", _tables(of[word])) for word in ("inconclusive", "same")]
    others = groups_table(comparison), uncompared_table(comparison, _LISTED)
    folded += [(table.title, [table]) for table in others]
    for title, tables in folded:
        body = "\n\n".join(_markdown(table) for table in tables if table.rows)
        if body:
            parts.append(f"<details><summary>{markdown_text(title)}</summary>\n\n{body}\n\n</details>")
    return "\n\n".join(parts) + "\n"


def _markdown(table: Table) -> str:
    return markdown_table(table, heading="**{}**")


def changes_by_variant(changes: Sequence[CellChange]) -> Iterator[tuple[str, str, list[CellChange]]]:
    """Yield the cells of each layout and variant, with an id and a title of these."""

    def key(change: CellChange) -> tuple[bool, Variant]:
        return change.layout != "single", Variant.of(change)

    for (shards, variant), own in groupby(sorted(changes, key=key), key):
        op, *marks = variant.title.split(", ")
        title = ", ".join([op, "over workers" if shards else "one file an image", *marks])
        yield variant.id if shards else f"single-{variant.id}", title, list(own)


def _tables(changes: Sequence[CellChange]) -> list[Table]:
    return [changes_table(title, own) for _, title, own in changes_by_variant(changes)]


def changes_table(title: str, changes: Sequence[CellChange]) -> Table:
    """Return a line for each cell, by protocol and number of workers, without columns that are empty."""
    protocols = list(dict.fromkeys(change.protocol for change in changes))
    own = sorted(changes, key=lambda one: (protocols.index(one.protocol), one.workers, one.pool == "loky"))
    other = "~ the runs measured prefixes of the corpus whose lengths differ by more than a fifth."
    notes = (other,) if any(change.other_work for change in own) else ()
    rows = [_row(change) for change in own]
    known = [any(value is not None for value in column) for column in zip(*rows, strict=True)]
    return Table(title, [*compress(_COLUMNS, known)], [[*compress(row, known)] for row in rows], notes)


def _row(change: CellChange) -> Sequence[Value]:
    ratio = change.ratio
    ends = None if ratio.low is None or ratio.high is None else f"{ratio.low:.3f} to {ratio.high:.3f}"
    return (
        change.protocol,
        Entry("inline", 0) if change.pool == "none" else change.workers,
        1e9 / change.a_ns if change.a_ns else None,
        1e9 / change.b_ns if change.b_ns else None,
        Entry(f"{'~' if change.other_work else ''}{ratio.value:.3f}", ratio.value, ends),
        share(change.machine),
        share(change.detectable),
        change.q_value,
        Entry(change.verdict, change.verdict, change.reason, _KINDS.get(change.verdict)),
    )


def groups_table(comparison: Comparison) -> Table:
    """Return geometric means over the cells of a protocol and operation."""
    rows: list[Sequence[Value]] = []
    for one in comparison.groups:
        ratios = (Entry(f"{ratio:.3f}", ratio) for ratio in (one.ratio, one.lowest, one.highest))
        rows.append((one.protocol, one.op, one.cells, *ratios))
    columns = (*left("protocol", "op"), *right("cells", "time B/A", "lowest", "highest"))
    return Table("By protocol and operation: geometric mean", columns, rows)


def uncompared_table(comparison: Comparison, most: int | None = None) -> Table:
    """Return the cells that were not compared, `most` of them at the most."""
    rows: list[Sequence[Value]] = [(str(one), Entry(one.reason, kind="bad")) for one in comparison.excluded]
    rows += [(str(name), "only in A") for name in comparison.only_a]
    rows += [(str(name), "only in B") for name in comparison.only_b]
    shown = rows[:most]
    notes = (f"And {len(rows) - len(shown)} more.",) if len(rows) > len(shown) else ()
    return Table("Not compared", left("cell", "why"), shown, notes)


def _sides(comparison: Comparison) -> list[str]:
    return [f"A: {side_line(comparison.a)}", f"B: {side_line(comparison.b)}", *method_lines(comparison)]


def method_lines(comparison: Comparison) -> list[str]:
    """Return what the ratios are from, what may be noise, and how small a slowdown would have been found."""
    how, machine = "between two runs", "; machine: by how much the ceilings may have changed"
    if comparison.paired:
        pairs = counted(max((change.ratio.rounds for change in comparison.cells), default=0), "pair")
        waits = "without the wait for CPUs that other programs held"
        how, machine = f"of {pairs} of processes that took turns, {waits}", ""
    floor = "not known" if comparison.floor is None else percent(comparison.floor, places=1)
    least = percent(max(SMALLEST_CHANGE, comparison.floor or 0.0), places=1)
    noise = f"noise floor {floor}, no change below {least} is called{machine}"
    lines = [f"Ratios of time {how}, above 1 is slower in B; {noise}."]
    found = sorted(change.detectable for change in comparison.cells if change.detectable is not None)
    if found:
        half, every = percent(found[(len(found) - 1) // 2]), percent(found[-1])
        where = f"{half} in half of the cells, of {every} in all" if len(found) > 1 else every
        lines.append(f"Detectable, nine times out of ten: a slowdown of {where}.")
    return lines


def side_line(side: Side) -> str:
    """Return what a result is, in a line."""
    name = side.name if side.version is None else f"{side.version} in {side.name}"
    commit = f" at {side.commit[:12]}" if side.commit else ""
    return f"{name}, brinery {side.brinery}{commit}, {side.started_at}"


def _most_frequent(comparison: Comparison) -> str:
    reason = mode(change.reason or "" for change in comparison.cells)
    enough = 8 if comparison.paired else 7
    hint = f": measure with --rounds {enough}" if reason.startswith("fewer than") else ""
    return f"{sentence(reason)}{hint}."
