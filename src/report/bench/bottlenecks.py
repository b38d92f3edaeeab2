"""What limits each protocol, with its evidence, and each resource by utilisation, saturation and errors.

The three questions are Gregg's: "Thinking methodically about performance", Communications of the ACM 2013.
"""

from collections.abc import Callable, Iterable
from typing import Any

from ...benchmark.result.findings import LIMITS
from ...benchmark.result.result import BenchResult, CellResult
from ..html.numbers import DASH, counted, known, listed, percent, sentence, size
from ..html.tables import Cell, Column, DataTable, Value
from .variants import Variant, variants

__all__ = ["limits_lead", "limits_table", "resources_table"]


def limits_table(result: BenchResult, group: Variant) -> DataTable | None:
    """Return the verdicts of one operation; None where there are none."""
    usable = result.host.usable_cpus
    rows: list[tuple[Value, ...]] = []
    for one in result.scaling:
        if not group.holds(one):
            continue
        for verdict in one.verdicts:
            second = verdict.runner_up or DASH
            lacking = f"lacks {'; '.join(verdict.lacking)}" if verdict.lacking else None
            rows.append(
                (
                    one.protocol,
                    Cell(f"{verdict.workers}{'*' if verdict.workers > usable else ''}", verdict.workers),
                    Cell(
                        verdict.limit.replace("-", " "),
                        verdict.limit,
                        kind="best" if verdict.limit != "undetermined" else None,
                    ),
                    Cell("; ".join(verdict.evidence) or DASH),
                    Cell([second.replace("-", " ")] + ([f": {lacking}"] if lacking else [])),
                    Cell(", ".join(verdict.missing) or DASH),
                )
            )
    if not rows:
        return None
    columns = (
        Column("protocol", numeric=False),
        Column("workers"),
        Column("limited by", numeric=False),
        Column("evidence, all of which holds", numeric=False),
        Column("next likely", numeric=False),
        Column("counters missing", numeric=False),
    )
    return DataTable(f"{sentence(group.title)}: what limits it", columns, tuple(rows))


def limits_lead(result: BenchResult) -> str:
    """Say what limits most, with the most workers that the CPUs allow, and what helps."""
    found: dict[str, list[str]] = {}
    for one in result.scaling:
        inside = [verdict for verdict in one.verdicts if verdict.workers <= max(1.0, result.host.usable_cpus)]
        if inside:
            last = max(inside, key=lambda verdict: verdict.workers)
            found.setdefault(last.limit, []).append(f"{one.op} {one.protocol}")
    if not found:
        return "Of every worker's time the kernel tells what it spent on a CPU, ready for one, or waiting."
    parts = []
    for limit, names in sorted(found.items(), key=lambda item: -len(item[1])):
        what = LIMITS.get(limit, limit)  # type: ignore[call-overload]
        which = (
            listed(names, 3)
            if len(names) < sum(map(len, found.values())) / 2
            else counted(len(names), "case")
        )
        parts.append(f"{limit.replace('-', ' ')} in {which} ({what})")
    return f"With the most workers that the CPUs allow, the limit is {'; '.join(parts)}."


def resources_table(result: BenchResult) -> DataTable | None:
    """Return utilisation, saturation and errors of each resource: the highest over cells within the CPUs."""
    usable = result.host.usable_cpus
    cells = [
        (group, cell)
        for group in variants(result)
        for own in group.cells.values()
        for cell in own
        if cell.workers <= max(1.0, usable)
    ]
    if not cells:
        return None
    noise, memory = result.noise, result.host.usable_memory_bytes or result.host.memory_bytes
    codes = [code for cell in result.cells for code in cell.warnings]

    def errors(*wanted: str) -> Value:
        number = sum(code in wanted for code in codes)
        return Cell(
            "none" if not number else counted(number, "cell"), number, kind="bad" if number else "good"
        )

    taken = [
        f"{name} {percent(share, places=1)}"
        for name, share in (("stolen", noise.steal), ("throttled", noise.throttled))
        if share is not None
    ]
    rows: tuple[tuple[Value, ...], ...] = (
        (
            "CPU",
            _highest(cells, lambda cell: cell.stats.cores_busy / usable if cell.stats else None),
            _highest(cells, lambda cell: cell.split.run_wait if cell.split else None),
            Cell(", ".join(taken) or DASH),
        ),
        (
            "memory",
            _highest(
                cells,
                lambda cell: _share(cell.memory.peak_pss_bytes if cell.memory else None, memory),
            ),
            Cell(_swapped(cells)),
            errors("swapped", "worker-restarted"),
        ),
        (
            "storage device",
            _highest(cells, lambda cell: _machine(cell, "device_busy_ns")),
            _highest(cells, lambda cell: _machine(cell, "io_stalled_ns")),
            errors("not-cold"),
        ),
    )
    columns = (
        Column("resource", numeric=False),
        Column("utilisation: highest", numeric=False, hint="share of the resource that was in use"),
        Column("saturation: highest", numeric=False, hint="share of time that work waited for it"),
        Column("errors, or time taken away", numeric=False),
    )
    notes = (
        (
            "CPU: cores busy over usable CPUs; time that workers were ready and waited for one. Memory: "
            "peak of all processes over the machine's; swap. "
            "Storage: time that the device had requests; time that some task of the machine waited for "
            "storage. Cells with no more workers than CPUs."
        ),
    )
    return DataTable("Utilisation, saturation, errors", columns, rows, notes)


def _highest(
    cells: Iterable[tuple[Variant, CellResult]], read: Callable[[CellResult], float | None]
) -> Value:
    found = [
        (value, group, cell) for group, cell in cells if known(value := read(cell)) and value is not None
    ]
    if not found:
        return Cell(f"{DASH} not counted here")
    value, group, cell = max(found, key=lambda one: one[0])
    return Cell(percent(value), value, f"{group.title} {cell.protocol}, {counted(cell.workers, 'worker')}")


def _share(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None


def _machine(cell: CellResult, name: str) -> float | None:
    uses: list[Any] = [
        sample.machine for sample in cell.samples if sample.valid and sample.machine is not None
    ]
    pairs = [(getattr(use, name), use.wall_ns) for use in uses if getattr(use, name) is not None]
    wall = sum(one for _, one in pairs)
    return sum(one for one, _ in pairs) / wall if wall else None


def _swapped(cells: Iterable[tuple[Variant, CellResult]]) -> str:
    found = [
        worker.swap_bytes
        for _, cell in cells
        for sample in cell.samples
        for worker in sample.workers
        if worker.swap_bytes is not None
    ]
    if not found:
        return f"{DASH} not counted here"
    return f"{size(max(found))} in swap" if max(found) else "no swap used"
