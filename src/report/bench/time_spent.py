"""Where the workers' time went: on a CPU or waiting, and in which phase."""

from collections import defaultdict
from collections.abc import Sequence
from statistics import median

from ...benchmark.result.result import BenchResult, CellResult
from ..html.chart import Chart
from ..html.numbers import counted, known, listed, percent, plain, sentence, times
from ..html.stacked_bars import Stack, stacked_cells, stacked_rows
from ..html.tables import Cell, Column, DataTable, Value
from .variants import Variant

__all__ = ["phases_chart", "phases_of", "split_chart"]

_SPLIT = {
    "user": "user",
    "system": "system",
    "run_wait": "waiting for a CPU",
    "block_wait": "waiting for storage",
    "other": "other",
}
_FAR = 8.0  # a bar so many times the median would make the others unreadable


def split_chart(result: BenchResult, group: Variant) -> Chart | None:
    """Return the shares of the workers' time in one operation; None where no cell has any."""
    usable = result.host.usable_cpus
    stacks, rows = [], []
    for workers in group.workers:
        for protocol, cells in group.cells.items():
            cell = next((one for one in cells if one.workers == workers), None)
            if cell is None or cell.split is None:
                continue
            shares = {title: getattr(cell.split, key) for key, title in _SPLIT.items()}
            mark = "*" if workers > usable else ""
            parts = {title: share for title, share in shares.items() if known(share)}
            stacks.append(Stack(protocol, parts, f"{counted(workers, 'worker')}{mark}"))
            values = [Cell(percent(share), share) if share is not None else None for share in shares.values()]
            rows.append((protocol, Cell(f"{workers}{mark}", workers), *values))
    if not stacks:
        return None
    columns = (
        Column("protocol", numeric=False),
        Column("workers"),
        *(Column(title) for title in _SPLIT.values()),
    )
    return Chart(
        name=f"time-{group.name}",
        title=f"{sentence(group.title)}: shares of the workers' time",
        caption=_split_caption(stacks),
        spec=stacked_cells(
            stacks,
            [title for title in _SPLIT.values() if any(title in stack.parts for stack in stacks)],
            columns=4,
        ),
        table=DataTable(f"{sentence(group.title)}: where the time went", columns, tuple(rows)),
        fit="cells",
    )


def _split_caption(stacks: Sequence[Stack]) -> str:
    parts = []
    for cell in dict.fromkeys(stack.cell for stack in stacks):
        own = [stack.parts for stack in stacks if stack.cell == cell]
        busy = median(one.get("user", 0.0) + one.get("system", 0.0) for one in own)
        queued = median(one.get("waiting for a CPU", 0.0) for one in own)
        parts.append(f"{cell}: {percent(busy)} on a CPU, {percent(queued)} waiting for one")
    text = f"Medians over protocols. {'; '.join(parts)}."
    system = max(stacks, key=lambda stack: stack.parts.get("system", 0.0))
    if system.parts.get("system", 0.0) > 0.3:
        text += (
            f" The kernel's share is largest in {system.row} with {system.cell} "
            f"({percent(system.parts['system'])})."
        )
    return text


def phases_chart(group: Variant) -> Chart | None:
    """Return seconds by phase for 1000 images with the fewest workers; None where no phase was recorded."""
    rows: list[tuple[Value, ...]] = []
    names: dict[str, None] = {}
    found: dict[str, dict[str, float]] = {}
    for protocol, cells in group.cells.items():
        for cell in cells:
            parts = phases_of(cell)
            names.update(dict.fromkeys(parts))
            if parts and protocol not in found:
                found[protocol] = parts
    for protocol, cells in group.cells.items():
        for cell in cells:
            parts = phases_of(cell)
            if parts:
                total = sum(parts.values())
                rows.append(
                    (
                        protocol,
                        Cell(str(cell.workers), cell.workers),
                        total,
                        *(parts.get(name) for name in names),
                    )
                )
    if not found:
        return None
    totals = {protocol: sum(parts.values()) for protocol, parts in found.items()}
    middle = median(totals.values())
    far = [protocol for protocol, total in totals.items() if total > _FAR * middle]
    stacks = [
        Stack(protocol, {name: parts.get(name, 0.0) for name in names}, end=f"{plain(totals[protocol])} s")
        for protocol, parts in found.items()
        if protocol not in far
    ]
    fewest = min(cell.workers for cells in group.cells.values() for cell in cells)
    columns = (
        Column("protocol", numeric=False),
        Column("workers"),
        Column("sum, s"),
        *(Column(f"{name}, s") for name in names),
    )
    title = f"{sentence(group.title)}: seconds of work for 1000 images, by phase"
    return Chart(
        name=f"phases-{group.name}",
        title=title,
        caption=_phases_caption(found, totals, far, middle, fewest),
        spec=stacked_rows(stacks, list(names), title=f"seconds for 1000 images, {counted(fewest, 'worker')}"),
        table=DataTable(
            title,
            columns,
            tuple(rows),
            ("Workers' time added up: with N workers the wall clock shows an Nth.",),
        ),
    )


def phases_of(cell: CellResult) -> dict[str, float]:
    """Return the workers' seconds by phase for 1000 images, over all valid samples."""
    sums: dict[str, float] = defaultdict(float)
    images = 0
    for sample in cell.samples:
        if sample.valid and sample.images:
            images += sample.images
            for worker in sample.workers:
                for name, spent in worker.phases_ns.items():
                    sums[name] += spent or 0
    return {name: spent / images / 1e6 for name, spent in sums.items()} if images else {}


def _phases_caption(
    found: dict[str, dict[str, float]], totals: dict[str, float], far: list[str], middle: float, fewest: int
) -> str:
    biggest: dict[str, list[str]] = defaultdict(list)
    for protocol, parts in found.items():
        biggest[max(parts, key=lambda name: parts[name])].append(protocol)
    texts = [
        f"{phase} in {listed(protocols, 4)}"
        for phase, protocols in sorted(biggest.items(), key=lambda item: -len(item[1]))
    ]
    text = f"With {counted(fewest, 'worker')}. The largest phase is {'; '.join(texts)}."
    for protocol in far:
        text += (
            f" {protocol} takes {plain(totals[protocol])} s, {times(totals[protocol] / middle)} the median, "
            "and is left out of the picture; the table has it."
        )
    return text
