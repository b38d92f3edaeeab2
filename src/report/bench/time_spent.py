"""Where the workers' time went: on a CPU or waiting, and in which phase."""

from collections import Counter, defaultdict
from operator import attrgetter
from statistics import median

from ...benchmark.result.measured import CellResult
from ...benchmark.text.numbers import counted, known, listed, percent, plain, sentence, times
from ...benchmark.text.table import Table, left, right, share
from ..html.chart import Chart
from ..html.stacked_bars import Stack, stacked_cells, stacked_rows
from .groups import Group

_SPLIT = {
    "user": "user",
    "system": "system",
    "waiting for a CPU": "run_wait",
    "waiting for storage": "block_wait",
    "other": "other",
}
_FAR = 8.0  # a bar this many times the median makes the others unreadable


def split_chart(group: Group) -> Chart | None:
    """Return the shares of the workers' time in one operation; None where no cell has any."""
    stacks, rows = [], []
    for cell in sorted(group.every, key=attrgetter("workers")):
        if cell.split is None:
            continue
        shares = {title: getattr(cell.split, name) for title, name in _SPLIT.items()}
        mark = "*" if cell.workers > group.usable else ""
        parts = {title: part for title, part in shares.items() if known(part)}
        stacks.append(Stack(cell.protocol, parts, f"{counted(cell.workers, 'worker')}{mark}"))
        rows.append((cell.protocol, group.marked(cell.workers), *map(share, shares.values())))
    if not stacks:
        return None
    title = sentence(group.variant.title)
    there = [name for name in _SPLIT if any(name in stack.parts for stack in stacks)]
    table = Table(f"{title}: where the time went", (*left("protocol"), *right("workers", *_SPLIT)), rows)
    name, title = f"time-{group.variant.id}", f"{title}: shares of the workers' time"
    return Chart(name, title, _split_caption(stacks), stacked_cells(stacks, there), table, "cells")


def _split_caption(stacks: list[Stack]) -> str:
    parts = []
    for picture in dict.fromkeys(stack.picture for stack in stacks):
        own = [stack.parts for stack in stacks if stack.picture == picture]
        busy = median(one.get("user", 0.0) + one.get("system", 0.0) for one in own)
        queued = median(one.get("waiting for a CPU", 0.0) for one in own)
        parts.append(f"{picture}: {percent(busy)} on a CPU, {percent(queued)} waiting for one")
    text = f"Medians over protocols. {'; '.join(parts)}."
    system = max(stacks, key=lambda stack: stack.parts.get("system", 0.0))
    part = system.parts.get("system", 0.0)
    if part > 0.3:
        text += f" The kernel's share is largest in {system.row} with {system.picture} ({percent(part)})."
    return text


def phases_chart(group: Group) -> Chart | None:
    """Return seconds by phase for 1000 images with the fewest workers; None where no phase was recorded."""
    phases = [(cell, parts) for cell in group.every if (parts := phases_of(cell))]
    if not phases:
        return None
    names = list(dict.fromkeys(name for _, parts in phases for name in parts))
    found: dict[str, dict[str, float]] = {}
    for cell, parts in phases:
        found.setdefault(cell.protocol, parts)
    totals = {protocol: sum(parts.values()) for protocol, parts in found.items()}
    middle = median(totals.values())
    rows = [
        (cell.protocol, cell.workers, sum(parts.values()), *map(parts.get, names)) for cell, parts in phases
    ]
    fewest = counted(group.workers[0], "worker")
    title = f"{sentence(group.variant.title)}: seconds of work for 1000 images, by phase"
    columns = (*left("protocol"), *right("workers", "sum, s", *(f"{name}, s" for name in names)))
    note = "Workers' time added up: with N workers the wall clock shows an Nth."
    biggest: dict[str, list[str]] = defaultdict(list)
    for protocol, parts in found.items():
        biggest[max(parts, key=parts.__getitem__)].append(protocol)
    ordered = sorted(biggest.items(), key=lambda item: -len(item[1]))
    largest = "; ".join(f"{phase} in {listed(protocols, 4)}" for phase, protocols in ordered)
    text, stacks = f"With {fewest}. The largest phase is {largest}.", []
    for protocol, took in totals.items():
        if took <= _FAR * middle:
            parts = {name: found[protocol].get(name, 0.0) for name in names}
            stacks.append(Stack(protocol, parts, end=f"{plain(took)} s"))
        else:
            text += (
                f" {protocol} takes {plain(took)} s, {times(took / middle)} the median, "
                "and is left out of the picture; the table has it."
            )
    drawn = stacked_rows(stacks, names, title=f"seconds for 1000 images, {fewest}")
    table = Table(title, columns, rows, (note,))
    return Chart(f"phases-{group.variant.id}", title, text, drawn, table)


def phases_of(cell: CellResult) -> dict[str, float]:
    """Return the workers' seconds by phase for 1000 images, over all samples that count."""
    sums: Counter[str] = Counter()
    for sample in cell.counting:
        for worker in sample.workers:
            sums.update(worker.phases_ns)
    images = sum(sample.images for sample in cell.counting)
    return {name: spent / images / 1e6 for name, spent in sums.items()}
