"""Gathers the samples of every cell and sums them up."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from zlib import crc32

import numpy as np

from ...errors import MissingLibraryError
from ..cells import CEILING, Cell
from ..result.findings import Ceiling, CeilingSample
from ..result.measured import CellResult, Memory, Sample, Size, Stats, TimeSplit, Verify, WorkerSample
from ..result.stats import median, total
from ..worker.ceilings import UNITS
from ..worker.tasks import Report
from .statistics import holds_interval, median_interval
from .warnings import cell_warnings

__all__ = ["Ledger", "combine", "peak_pss", "time_split", "void"]

_STEADY = 0.02  # half the width of an interval, relative, at which a cell needs no further round


def combine(
    reports: Sequence[Report],
    *,
    round_number: int,
    order: int,
    passes: int,
    pids: frozenset[int],
    parent_pss: int | None,
) -> Sample:
    """Make one sample of what the workers of a region report.

    Args:
        reports: one of each worker.
        round_number: from 0.
        order: of the region in its round.
        passes: of each worker.
        pids: of the workers that were warmed; empty where there is no pool.
        parent_pss: the parent's memory, in bytes, to be added; 0 where it is the one worker.
    """
    failed = next((report.problem for report in reports if report.problem and not report.checked), None)
    wrong = sum(report.wrong for report in reports)
    problem = failed
    if wrong and problem is None:
        problem = next(report.problem for report in reports if report.problem)
    seen = {report.sample.pid for report in reports}
    if problem is None and len(seen) != len(reports):
        problem = "two parts fell to one worker"
    if problem is None and pids and seen != pids:
        problem = "a worker was restarted"
    if problem is None:
        problem = next((report.void for report in reports if report.void), None)
    workers = tuple(report.sample for report in reports)
    first = min(worker.begin_ns for worker in workers)
    ends = [worker.begin_ns + worker.wall_ns for worker in workers]
    return Sample(
        round=round_number,
        order=order,
        valid=problem is None,
        problem=problem,
        images=sum(report.images for report in reports),
        passes=passes,
        pixel_bytes=sum(report.pixel_bytes for report in reports),
        file_bytes=sum(report.file_bytes for report in reports),
        wall_ns=max(ends) - first,
        skew_ns=max(worker.begin_ns for worker in workers) - first,
        tail_ns=max(ends) - min(ends),
        parent_wall_ns=None,
        parent_cpu_ns=None,
        peak_pss_bytes=peak_pss(workers, parent_pss),
        workers=workers,
        machine=next((report.machine for report in reports if report.machine), None),
    )


def peak_pss(workers: Sequence[WorkerSample], parent_pss: int | None) -> int | None:
    """Return the sum of the workers' peaks and the parent's memory, in bytes.

    What a process had above its resident memory at the end was its own, so it counts whole.
    """
    total = parent_pss
    for worker in workers:
        if (
            total is None
            or worker.pss_bytes is None
            or worker.rss_bytes is None
            or worker.peak_rss_bytes is None
        ):
            return None
        total += worker.pss_bytes + max(0, worker.peak_rss_bytes - worker.rss_bytes)
    return total


@dataclass(slots=True)
class _Entry:
    images: int
    samples: list[Sample] = field(default_factory=list)
    checked: int = 0
    wrong: int = 0
    first: str | None = None
    stopped: bool = False


class Ledger:
    """All samples so far, by cell.

    Args:
        seed: of the bootstrap.
        usable: CPUs that this process may use.
    """

    def __init__(self, seed: int, usable: float) -> None:
        self._seed = seed
        self._usable = usable
        self._entries: dict[Cell, _Entry] = {}

    def expect(self, cell: Cell, images: int) -> None:
        """Name a cell and how many distinct images one pass of a worker has; cells keep this order."""
        self._entries[cell] = _Entry(images)

    def add(self, cell: Cell, sample: Sample, checked: int, wrong: int) -> None:
        """Record a region."""
        entry = self._entries[cell]
        entry.samples.append(sample)
        entry.checked += checked
        entry.wrong += wrong
        if wrong and entry.first is None:
            entry.first = sample.problem

    def still_open(self, cells: Sequence[Cell]) -> list[Cell]:
        """Return the cells that need another round: not those whose interval is tight; they are marked."""
        for cell in cells:
            entry = self._entries[cell]
            entry.stopped = entry.stopped or _steady(entry)
        return [cell for cell in cells if not self._entries[cell].stopped]

    def results(self) -> tuple[CellResult, ...]:
        """Return what there is, for every cell that has a sample."""
        return tuple(
            self._result(cell, entry)
            for cell, entry in self._entries.items()
            if entry.samples and cell.op != CEILING
        )

    def ceilings(self) -> tuple[Ceiling, ...]:
        """Return what the machine can do at most, likewise."""
        return tuple(
            _ceiling(cell, entry)
            for cell, entry in self._entries.items()
            if entry.samples and cell.op == CEILING
        )

    def _result(self, cell: Cell, entry: _Entry) -> CellResult:
        good = [sample for sample in entry.samples if sample.valid and sample.images]
        valid = bool(good) and not entry.wrong
        problem = entry.first or (None if good else entry.samples[-1].problem)
        pixels = sum(sample.pixel_bytes for sample in good)
        files = sum(sample.file_bytes for sample in good)
        images = sum(sample.images for sample in good)
        stats = self._stats(cell, good) if valid else None
        peaks = [sample.peak_pss_bytes for sample in good if sample.peak_pss_bytes is not None]
        return CellResult(
            protocol=cell.protocol,
            op=cell.op,
            workers=cell.workers,
            layout=cell.layout,
            pool=cell.pool,
            valid=valid,
            warnings=cell_warnings(cell, entry.samples, good, wrong=entry.wrong, usable=self._usable),
            problem=problem,
            size=Size(
                images=entry.images,
                file_bytes_per_image=files / images if images and files else None,
                pixel_bytes_per_image=pixels / images if images else 0.0,
            ),
            samples=tuple(entry.samples),
            stats=stats,
            memory=Memory(median(peaks) if peaks else None) if valid else None,
            verify=Verify(entry.checked, entry.wrong, entry.first),
            cache=cell.cache,
            durability=cell.durability,
            dispatch=cell.dispatch,
            split=time_split(good) if valid else None,
            stopped_early=entry.stopped,
        )

    def _stats(self, cell: Cell, good: Sequence[Sample]) -> Stats:
        times = [sample.wall_ns / sample.images for sample in good]
        seed = crc32(f"{self._seed}/{cell}".encode())
        middle, low, high = _median(good, seed)
        pixel_bytes = median([sample.pixel_bytes / sample.images for sample in good])
        return Stats(
            samples=len(times),
            median_ns=middle,
            min_ns=min(times),
            max_ns=max(times),
            low_ns=low,
            high_ns=high,
            bootstrap_seed=seed,
            images_per_s=1e9 / middle,
            pixel_bytes_per_s=pixel_bytes * 1e9 / middle,
            cores_busy=median([_cores_busy(sample) for sample in good]),
            read_bytes_per_image=_storage(good, "read_bytes"),
            write_bytes_per_image=_storage(good, "write_bytes"),
        )


def void(sample: Sample, problem: str) -> Sample:
    """Return the sample, not counting."""
    return replace(sample, valid=False, problem=problem)


def time_split(samples: Sequence[Sample]) -> TimeSplit | None:
    """Return where the workers' time went; None where nothing is known of them."""
    workers = [worker for sample in samples for worker in sample.workers]
    user, system = sum(worker.user_ns for worker in workers), sum(worker.system_ns for worker in workers)
    run_wait = total([worker.run_wait_ns for worker in workers])
    block_wait = total([worker.block_wait_ns for worker in workers])
    known = user + system + (run_wait or 0) + (block_wait or 0)
    wall = max(sum(worker.wall_ns for worker in workers), known)  # counters are read one after the other
    if not wall:
        return None
    return TimeSplit(
        user=user / wall,
        system=system / wall,
        run_wait=None if run_wait is None else run_wait / wall,
        block_wait=None if block_wait is None else block_wait / wall,
        other=(wall - known) / wall,
    )


def _by_round(samples: Sequence[Sample]) -> list[list[float]]:
    """Return the times an image of each round's samples that count, in ns."""
    rounds: dict[int, list[float]] = {}
    for sample in samples:
        if sample.valid and sample.images:
            rounds.setdefault(sample.round, []).append(sample.wall_ns / sample.images)
    return list(rounds.values())


def _median(samples: Sequence[Sample], seed: int) -> tuple[float, float | None, float | None]:
    """Return the median of round medians and its interval, if rounds and scipy are there for one."""
    rounds = _by_round(samples)
    try:
        found = median_interval(rounds, np.random.default_rng(seed))
    except MissingLibraryError:
        return median([median(times) for times in rounds]), None, None
    return found.value, found.low, found.high


def _steady(entry: _Entry) -> bool:
    rounds = [median(times) for times in _by_round(entry.samples)]
    try:
        return not entry.wrong and holds_interval(rounds, _STEADY)
    except MissingLibraryError:
        return False


def _ceiling(cell: Cell, entry: _Entry) -> Ceiling:
    good = [sample for sample in entry.samples if sample.valid and sample.images and sample.wall_ns]
    rates = [sample.images * 1e9 / sample.wall_ns for sample in good]
    costs = [_cores_busy(sample) * sample.wall_ns / sample.images for sample in good]
    return Ceiling(
        name=cell.protocol,
        unit=UNITS[cell.protocol],
        workers=cell.workers,
        valid=bool(good),
        problem=None if good else entry.samples[-1].problem,
        per_s=median(rates) if good else None,
        min_per_s=min(rates, default=None),
        max_per_s=max(rates, default=None),
        cpu_ns_per_unit=median(costs) if good else None,
        samples=tuple(
            CeilingSample(
                round=sample.round,
                order=sample.order,
                valid=sample.valid,
                problem=sample.problem,
                amount=sample.images,
                wall_ns=sample.wall_ns,
                parent_cpu_ns=sample.parent_cpu_ns,
                workers=sample.workers,
            )
            for sample in entry.samples
        ),
    )


def _cores_busy(sample: Sample) -> float:
    cpu = sum(worker.user_ns + worker.system_ns for worker in sample.workers) + (sample.parent_cpu_ns or 0)
    return cpu / sample.wall_ns


def _storage(samples: Sequence[Sample], name: str) -> float | None:
    found = []
    for sample in samples:
        values = [getattr(worker, name) for worker in sample.workers]
        if None in values:
            return None
        found.append(sum(values) / sample.images)
    return median(found)
