"""What limits each protocol, with its evidence, and each resource by utilisation, saturation and errors.

The three questions are Gregg's: "Thinking methodically about performance", Communications of the ACM 2013.
"""

from collections.abc import Callable
from functools import partial

from ...benchmark.result.findings import LIMITS, Limit
from ...benchmark.result.measured import CellResult, share_of_time
from ...benchmark.result.result import BenchResult
from ...benchmark.result.stats import over
from ...benchmark.text.findings import limit_title
from ...benchmark.text.numbers import DASH, counted, known, listed, percent, sentence, size
from ...benchmark.text.table import Column, Entry, Table, Value, left, right, share
from .groups import Group, within


def limits_table(group: Group) -> Table:
    """Return the verdicts of one operation."""
    rows = []
    for one in group.curves:
        for verdict in one.verdicts:
            kind = "best" if verdict.limit != "undetermined" else None
            lacking = f": lacks {'; '.join(verdict.lacking)}" if verdict.lacking else ""
            limit = Entry(limit_title(verdict.limit), kind=kind)
            second = f"{limit_title(verdict.runner_up or DASH)}{lacking}"
            told = ("; ".join(verdict.evidence), second, "; ".join(verdict.missing) or DASH)
            rows.append((one.protocol, group.marked(verdict.workers), limit, *told))
    columns = (
        *left("protocol"),
        *right("workers"),
        *left("limited by", "evidence, all of which holds", "next likely", "counters missing"),
    )
    return Table(f"{sentence(group.variant.title)}: what limits it", columns, rows)


def limits_lead(result: BenchResult) -> str:
    """Say what limits most, with the most workers that the CPUs allow, and what helps."""
    found: dict[Limit, list[str]] = {}
    for one in result.scaling:
        inside = [verdict for verdict in one.verdicts if verdict.workers <= max(1.0, result.host.usable_cpus)]
        if inside:
            last = max(inside, key=lambda verdict: verdict.workers)
            found.setdefault(last.limit, []).append(f"{one.op} {one.protocol}")
    if not found:
        return "Of every worker's time the kernel tells what it spent on a CPU, ready for one, or waiting."
    half, parts = sum(map(len, found.values())) / 2, []
    for limit, names in sorted(found.items(), key=lambda item: -len(item[1])):
        which = listed(names, 3) if len(names) < half else counted(len(names), "case")
        parts.append(f"{limit_title(limit)} in {which} ({LIMITS[limit]})")
    return f"With the most workers that the CPUs allow, the limit is {'; '.join(parts)}."


def resources_table(result: BenchResult, groups: list[Group]) -> Table | None:
    """Return utilisation, saturation and errors of each resource: the highest over cells within the CPUs."""
    usable, noise = result.host.usable_cpus, result.noise
    memory = result.host.usable_memory_bytes or result.host.memory_bytes
    cells = within([cell for group in groups for cell in group.every], usable)
    if not cells:
        return None
    counters = (("stolen", noise.steal), ("throttled", noise.throttled))
    taken = [f"{name} {percent(part, places=1)}" for name, part in counters if part is not None]
    busy = _highest(cells, lambda cell: cell.stats.cores_busy / usable if cell.stats else None)
    peak = _highest(cells, lambda cell: over(cell.memory.peak_pss_bytes, memory) if cell.memory else None)
    ready = _highest(cells, lambda cell: cell.split.run_wait if cell.split else None)
    device, stalled = (
        _highest(cells, partial(_machine, counter=name)) for name in ("device_busy_ns", "io_stalled_ns")
    )
    rows = [
        ("CPU", busy, ready, ", ".join(taken) or DASH),
        ("memory", peak, _swapped(cells), _errors(result, "swapped", "worker-restarted")),
        ("storage device", device, stalled, _errors(result, "not-cold")),
    ]
    columns = (
        *left("resource"),
        Column("utilisation: highest", numeric=False, hint="share of the resource that was in use"),
        Column("saturation: highest", numeric=False, hint="share of time that work waited for it"),
        *left("errors, or time taken away"),
    )
    note = (
        "CPU: cores busy over usable CPUs; time that workers were ready and waited for one. Memory: peak of "
        "all processes over the machine's; swap. Storage: time that the device had requests; time that some "
        "task of the machine waited for storage. Cells with no more workers than CPUs."
    )
    return Table("Utilisation, saturation, errors", columns, rows, (note,))


def _errors(result: BenchResult, *wanted: str) -> Value:
    number = sum(code in wanted for cell in result.cells for code in cell.warnings)
    return Entry(counted(number, "cell") if number else "none", kind="bad" if number else "good")


def _highest(cells: list[CellResult], read: Callable[[CellResult], float | None]) -> Value:
    found = [(value, cell) for cell in cells if known(value := read(cell)) and value is not None]
    if not found:
        return f"{DASH} not counted here"
    value, cell = max(found, key=lambda one: one[0])
    return share(value, str(cell.name))


def _machine(cell: CellResult, counter: str) -> float | None:
    return share_of_time([one.machine for one in cell.counting if one.machine is not None], counter)


def _swapped(cells: list[CellResult]) -> str:
    workers = [worker for cell in cells for sample in cell.samples for worker in sample.workers]
    most = max((worker.swap_bytes for worker in workers if worker.swap_bytes is not None), default=None)
    return f"{DASH} not counted here" if most is None else f"{size(most)} in swap" if most else "no swap used"
