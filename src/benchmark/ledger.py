"""Gathers the samples of every cell and sums them up."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from zlib import crc32

from .matrix import Cell
from .result import CellResult, Memory, Sample, Size, Stats, Verify, WorkerSample
from .stats import interval_of_median, median
from .tasks import Report

__all__ = ["Ledger", "combine"]

_SHORT_NS = 100_000_000
_FEW_ROUNDS = 5
_SPREAD = 0.10
_SKEW = 0.05
_TAIL = 0.25


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

    def results(self) -> tuple[CellResult, ...]:
        """Return what there is, for every cell that has a sample."""
        return tuple(self._result(cell, entry) for cell, entry in self._entries.items() if entry.samples)

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
            warnings=tuple(self._warnings(cell, entry, good)),
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
        )

    def _stats(self, cell: Cell, good: Sequence[Sample]) -> Stats:
        times = [sample.wall_ns / sample.images for sample in good]
        seed = crc32(f"{self._seed}/{cell}".encode())
        middle, interval = median(times), interval_of_median(times, seed)
        pixel_bytes = median([sample.pixel_bytes / sample.images for sample in good])
        return Stats(
            samples=len(times),
            median_ns=middle,
            min_ns=min(times),
            max_ns=max(times),
            low_ns=interval[0] if interval else None,
            high_ns=interval[1] if interval else None,
            bootstrap_seed=seed,
            images_per_s=1e9 / middle,
            pixel_bytes_per_s=pixel_bytes * 1e9 / middle,
            cores_busy=median([_cores_busy(sample) for sample in good]),
            read_bytes_per_image=_storage(good, "read_bytes"),
            write_bytes_per_image=_storage(good, "write_bytes"),
        )

    def _warnings(self, cell: Cell, entry: _Entry, good: Sequence[Sample]) -> list[str]:
        found = []
        if entry.wrong:
            found.append("wrong-arrays")
        if any(not sample.valid for sample in entry.samples):
            found.append("void-samples")
        if cell.pool == "loky" and cell.workers > self._usable:
            found.append("oversubscribed")
        if not good:
            return found
        if min(sample.wall_ns for sample in good) < _SHORT_NS:
            found.append("short-region")
        if len(good) < _FEW_ROUNDS:
            found.append("few-rounds")
        times = [sample.wall_ns / sample.images for sample in good]
        if (max(times) - min(times)) / median(times) > _SPREAD:
            found.append("spread")
        if cell.pool == "loky" and cell.workers <= self._usable:
            if median([sample.skew_ns / sample.wall_ns for sample in good]) > _SKEW:
                found.append("start-skew")
            if median([sample.tail_ns / sample.wall_ns for sample in good]) > _TAIL:
                found.append("tail")
        return found


def void(sample: Sample, problem: str) -> Sample:
    """Return the sample, not counting."""
    return replace(sample, valid=False, problem=problem)


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
