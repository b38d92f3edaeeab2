"""Which rounds of two results belong together, and what one independent value of a cell is.

Two processes of the same code differ by more than the rounds of one: each keeps its luck, with where its
memory lies for one. So a pair of processes gives one value, however many rounds it has.
"""

from collections.abc import Mapping

import numpy as np

from ..analysis.statistics import paired_ratio
from ..result.cell import Cell
from ..result.estimates import Ratio
from ..result.measured import CellResult, Sample, WorkerSample, foreign_ns, median_by_round, round_times
from ..result.result import BenchResult


def are_pair(a: BenchResult, b: BenchResult) -> bool:
    """Return whether both results are the two sides of one measurement in turns."""
    one, other = a.in_turns, b.in_turns
    if one is None or other is None or one.side == other.side:
        return False
    return (one.id, one.rounds_each) == (other.id, other.rounds_each)


def ratio_in_pairs(a: Mapping[int, float], b: Mapping[int, float], rounds_each: int) -> Ratio | None:
    """Return b / a of two versions in turns; None if they have no round in common.

    Each has one positive value by round; the consecutive rounds of a pair of processes count once.
    """
    common = a.keys() & b.keys()
    in_a, in_b = (by_process({one: values[one] for one in common}, rounds_each) for values in (a, b))
    return paired_ratio(list(in_a.values()), list(in_b.values())) if common else None


def by_process(times: Mapping[int, float], rounds_each: int, quantile: float = 0.25) -> dict[int, float]:
    """Return a quantile over each process's rounds, by the number of its pair; without another the lower one.

    What disturbs a round makes it longer, so the lower ones tell more of the version than the middle does.
    """
    found: dict[int, list[float]] = {}
    for number, value in sorted(times.items()):
        found.setdefault(number // rounds_each, []).append(value)
    return {number: float(np.quantile(own, quantile)) for number, own in found.items()}


def independent_times(cell: CellResult, result: BenchResult) -> dict[int, float]:
    """Return the time an image in ns of each independent unit: a round, or a process of several rounds."""
    times = round_times(cell.samples)
    return times if result.in_turns is None else by_process(times, result.in_turns.rounds_each, 0.5)


def calm_times(cell: CellResult, usable: float) -> dict[int, float]:
    """Return the time an image in ns by round, without the wait for CPUs that other programs held.

    What no other program accounts for stays in, and so does every wait of more workers than there are CPUs:
    that may be the version's own doing. A partitioned region lasts as long as its slowest worker; of work
    that is handed out, only what every worker waited is left out. No time is below the CPU time spent in it.
    """
    if cell.workers > max(1.0, usable):
        return round_times(cell.samples)
    return median_by_round((one.round, _calm_ns(one, cell) / one.images) for one in cell.counting)


def _calm_ns(sample: Sample, cell: Cell) -> float:
    if not sample.workers:
        return sample.wall_ns
    others = foreign_ns(sample) or 0
    waits = [min(worker.run_wait_ns or 0, others) for worker in sample.workers]
    if cell.dispatch == "engine":
        return max(sample.wall_ns - min(waits), *map(_spent_ns, sample.workers))
    return max(
        max(worker.wall_ns - wait, _spent_ns(worker))
        for worker, wait in zip(sample.workers, waits, strict=True)
    )


def _spent_ns(worker: WorkerSample) -> int:
    """Return the CPU time, which waits and clocks that differ a little cannot undercut."""
    spent = worker.cpu_ns if worker.process_cpu_ns is None else worker.process_cpu_ns
    return max(1, min(worker.wall_ns, spent))
