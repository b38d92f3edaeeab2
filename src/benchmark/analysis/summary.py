"""Sums up the samples of every cell and ceiling."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict

from ...errors import MissingLibraryError
from ..cells import CEILING
from ..ledger import Gathered, Ledger
from ..result.cell import Cell
from ..result.findings import UNITS, Ceiling, CeilingSample
from ..result.measured import CellResult, Memory, Sample, Size, Stats, TimeSplit, Verify, round_times
from ..result.stats import median, over, total
from .statistics import holds_interval, median_interval
from .warnings import cell_warnings

_STEADY = 0.02  # half the width of an interval, relative, at which a cell needs no further round


def cell_results(ledger: Ledger, usable: float) -> tuple[CellResult, ...]:
    """Sum up every cell that has a sample; `usable` are the CPUs that this process may use."""
    return tuple(_result(cell, entry, usable) for cell, entry in ledger.measured() if cell.op != CEILING)


def ceilings_of(ledger: Ledger) -> tuple[Ceiling, ...]:
    """Sum up what the machine can do at most."""
    return tuple(_ceiling(cell, entry) for cell, entry in ledger.measured() if cell.op == CEILING)


def steady(entry: Gathered) -> bool:
    """Return whether a cell's interval is tight enough to need no further round."""
    with suppress(MissingLibraryError):
        return not entry.wrong and holds_interval(list(round_times(entry.samples).values()), _STEADY)
    return False


def _result(cell: Cell, entry: Gathered, usable: float) -> CellResult:
    good = [sample for sample in entry.samples if sample.counts]
    valid = bool(good) and not entry.wrong
    problem = entry.first or (None if good else entry.samples[-1].problem)
    pixels = sum(sample.pixel_bytes for sample in good)
    files = sum(sample.file_bytes for sample in good)
    images = sum(sample.images for sample in good)
    stats = _stats(good) if valid else None
    peaks = [sample.peak_pss_bytes for sample in good if sample.peak_pss_bytes is not None]
    return CellResult(
        **asdict(cell),
        valid=valid,
        warnings=cell_warnings(cell, entry.samples, good, wrong=entry.wrong, usable=usable),
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
        split=time_split(good) if valid else None,
        stopped_early=entry.stopped,
    )


def _stats(good: Sequence[Sample]) -> Stats:
    times, rounds = [sample.ns_per_image for sample in good], list(round_times(good).values())
    middle, (low, high, coverage) = median(rounds), median_interval(rounds) or (None, None, None)
    pixel_bytes = median([sample.pixel_bytes / sample.images for sample in good])
    return Stats(
        samples=len(times),
        median_ns=middle,
        min_ns=min(times),
        max_ns=max(times),
        low_ns=low,
        high_ns=high,
        images_per_s=1e9 / middle,
        pixel_bytes_per_s=pixel_bytes * 1e9 / middle,
        cores_busy=median([sample.cores_busy for sample in good]),
        read_bytes_per_image=_storage(good, "read_bytes"),
        write_bytes_per_image=_storage(good, "write_bytes"),
        coverage=coverage,
    )


def time_split(samples: Sequence[Sample]) -> TimeSplit | None:
    """Return where the workers' time went; None where nothing is known of them."""
    workers = [worker for sample in samples for worker in sample.workers]
    user, system = sum(worker.user_ns for worker in workers), sum(worker.system_ns for worker in workers)
    waits = [
        total([getattr(worker, name) for worker in workers]) for name in ("run_wait_ns", "block_wait_ns")
    ]
    known = user + system + sum(wait or 0 for wait in waits)
    wall = max(sum(worker.wall_ns for worker in workers), known)  # counters are read one after the other
    if not wall:
        return None
    run_wait, block_wait = (over(wait, wall) for wait in waits)
    return TimeSplit(user / wall, system / wall, run_wait, block_wait, other=(wall - known) / wall)


def _ceiling(cell: Cell, entry: Gathered) -> Ceiling:
    good = [sample for sample in entry.samples if sample.counts]
    rates = [sample.images * 1e9 / sample.wall_ns for sample in good]
    costs = [sample.cores_busy * sample.wall_ns / sample.images for sample in good]
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
        samples=tuple(map(CeilingSample.of, entry.samples)),
    )


def _storage(samples: Sequence[Sample], name: str) -> float | None:
    sums = [total([getattr(worker, name) for worker in sample.workers]) for sample in samples]
    found = [spent / one.images for spent, one in zip(sums, samples, strict=True) if spent is not None]
    return median(found) if len(found) == len(samples) else None
