"""What a bench found beside its cells, in tables and sentences: ceilings, growth, limits, noise."""

from collections.abc import Sequence
from dataclasses import replace

from ..result.cell import Variant
from ..result.estimates import Estimate, ScalingFit
from ..result.findings import LIMITS, Startup, Verdict
from ..result.result import BenchResult
from ..result.stats import median, over
from .numbers import is_noise, percent, plain, sentence
from .table import Table, Value, left, right, share

_CEILING_TITLES = {
    "spin": "spin: adding in registers, million loops/s",
    "memcpy": "memcpy: copying in memory, MB/s",
    "raw-write": "raw-write: new files in the page cache, MB/s",
    "raw-write-fsync": "raw-write-fsync: the same, flushed, MB/s",
    "raw-files": "raw-files: new files as large as an array, MB/s",
    "raw-read": "raw-read: from the page cache, MB/s",
    "raw-read-cold": "raw-read-cold: from storage, MB/s",
    "create": "create: files of 64 bytes, files/s",
    "no-op": "no-op: empty tasks through the pool, tasks/s",
    "decode": "decode: encoded bytes in memory to pixels, images/s",
}
_MODELS = {"linear": "linear", "amdahl": "Amdahl", "usl": "USL", "saturating": "saturating"}


def ceiling_table(result: BenchResult) -> Table:
    """Return what the machine can do at most, by number of workers."""
    counts = sorted({one.workers for one in result.ceilings})
    found: dict[str, dict[int, Value]] = {}
    for one in result.ceilings:
        scale = 1e6 if one.unit in ("bytes", "loops") else 1.0
        found.setdefault(one.name, {})[one.workers] = "void" if one.per_s is None else one.per_s / scale
    rows = [(_CEILING_TITLES.get(name, name), *map(own.get, counts)) for name, own in found.items()]
    return Table(
        "Ceilings: the most that a number of workers can do on this machine, no protocol involved",
        (*left("ceiling"), *right(*(_marked(workers, result) for workers in counts))),
        rows,
        ("Medians over the rounds of this run. The column `of ceiling` above refers to them.",),
    )


def growth_table(result: BenchResult, variant: Variant) -> Table | None:
    """Return a line for each protocol: curve, ceiling, and what limits it; None where there is nothing."""
    found = [one for one in result.scaling if Variant.of(one) == variant]
    if not found:
        return None
    rows = [(one.protocol, *_curve(one.fit), _limited_by(one.verdicts, result)) for one in found]
    few = all(one.fit is None or one.fit.model is None for one in found)
    note = (
        "Growth with fewer than three numbers of workers within the usable CPUs: ratios and the serial share "
        "that they show (Karp-Flatt), no curve."
        if few
        else "Curve: the best by AICc; alpha is the serial share, beta the cost of each pair of workers. "
        "Ceiling: the curve's highest throughput, where the data reach that far."
    )
    paired = "Growth is taken within rounds; the speed-up in the table of times is that of their medians."
    notes = (note, paired, "Brackets: 95 % intervals. The evidence of each limit stands in result.json.")
    growth, parameters, ceiling, limits = left("growth", "parameters", "ceiling", "limited by (workers)")
    columns = (*left("protocol"), growth, replace(parameters, spare=2), replace(ceiling, spare=1), limits)
    return Table(f"Growth and limits: {variant.title}", columns, rows, notes)


def _curve(fit: ScalingFit | None) -> tuple[Value, Value, Value]:
    if fit is None:
        return None, None, None
    if fit.model is None:
        several = [one for one in fit.points if one.workers > 1 and one.speedup and not one.oversubscribed]
        gains = ", ".join(f"x{_estimate(point.speedup)} at {point.workers}" for point in several)
        serial = ", ".join(_serial(point.karp_flatt) for point in several)
        return gains or None, f"serial {serial}" if serial else None, None
    name = _MODELS[fit.model] + (" (low confidence)" if fit.low_confidence else "")
    name += ", faster than linear" if fit.superlinear else ""
    parameters = ", ".join(
        f"{one.name} {_estimate(one.estimate)}" for one in fit.parameters if one.name != "gamma"
    )
    peak = fit.peak
    if peak is None or peak.beyond_data or peak.workers is None:
        return name, parameters, "beyond data"
    return name, parameters, f"{_estimate(peak.throughput)} images/s at {_estimate(peak.workers)}"


def _serial(estimate: Estimate | None) -> str:
    """Return a serial share with its interval; what is clearly no share is marked."""
    noise = estimate is not None and (is_noise(estimate.value) or is_noise(1 - estimate.value))
    return f"{_estimate(estimate)}{' (noise)' if noise else ''}"


def _limited_by(verdicts: Sequence[Verdict], result: BenchResult) -> Value:
    """Return limits by number of workers, such as "cpu (1, 2), oversubscribed (4*)"."""
    groups: dict[str, list[str]] = {}
    for one in verdicts:
        groups.setdefault(one.limit, []).append(_marked(one.workers, result))
    return ", ".join(f"{limit} ({', '.join(workers)})" for limit, workers in groups.items()) or None


def _marked(workers: int, result: BenchResult) -> str:
    return f"{workers}{'*' if workers > result.host.usable_cpus else ''}"


def limit_title(limit: str) -> str:
    """Return a limit in words, such as "file creation" or "CPU"."""
    return "CPU" if limit == "cpu" else limit.replace("-", " ")


def verdict_lines(verdict: Verdict) -> list[str]:
    """Return what limits a cell or a run, with the evidence, in sentences."""
    lines = [
        f"{sentence(limit_title(verdict.limit))}: {LIMITS[verdict.limit]}.",
        f"Evidence: {'; '.join(verdict.evidence)}.",
    ]
    if verdict.runner_up:
        lacking = "; ".join(verdict.lacking)
        rest = f"which lacks: {lacking}" if lacking else "whose evidence holds too"
        lines.append(f"Next likely is {limit_title(verdict.runner_up)}, {rest}.")
    if verdict.missing:
        lines.append(f"Not counted here: {'; '.join(verdict.missing)}.")
    return lines


def noise_table(result: BenchResult) -> Table:
    """Return what disturbed the run, and how large a difference must be to mean anything."""
    noise, sampler, effect = result.noise, result.sampler, result.noise.sampler_effect
    ends = [None if one is None else one - 1 for one in (effect.low, effect.high)] if effect else []
    cpu = over(sampler.cpu_ns, sampler.wall_ns)
    drift = noise.drift.over_run if noise.drift else None
    rows = (
        ("noise floor: the most that the same work changed", share(noise.floor, places=1), None),
        ("drift: that work, last round against first", *_change(drift)),
        ("sampler's effect on that work", *_change(Estimate(effect.value - 1, *ends) if effect else None)),
        ("sampler's own CPU time over wall time", share(cpu, places=1), None),
        ("CPUs taken by other programs", share(noise.foreign_cpu, places=1), None),
        ("CPU time taken by the hypervisor", share(noise.steal, places=1), None),
        ("time held back by a quota", share(noise.throttled, places=1), None),
    )
    return Table(
        "Noise",
        (*left("what"), *right("value", "95 % interval")),
        rows,
        ("Differences below the noise floor mean nothing. - is not known, or fewer than five rounds.",),
    )


def _change(estimate: Estimate | None) -> tuple[Value, Value]:
    if estimate is None:
        return None, None
    ends = [percent(end, sign=True, places=1) for end in (estimate.low, estimate.high) if end is not None]
    return share(estimate.value, sign=True, places=1), " to ".join(ends) if len(ends) == 2 else None


def startup_table(result: BenchResult) -> Table | None:
    """Return how long worker processes took to be ready; None where none were started."""
    by_count: dict[int, list[Startup]] = {}
    for one in result.startups:
        by_count.setdefault(one.workers, []).append(one)
    if not by_count:
        return None
    rows = [
        (
            workers,
            *(median([getattr(one, name) for one in found]) / 1e9 for name in ("spawn_ns", "import_ns")),
        )
        for workers, found in sorted(by_count.items())
    ]
    return Table(
        "Start-up: part of no region above",
        (*left("processes started together"), *right("until they work, s", "importing every library, s")),
        rows,
        ("Medians; of several processes the last. A convert pays this once.",),
    )


def _estimate(estimate: Estimate | None) -> str:
    if estimate is None:
        return "not known"
    if estimate.low is None:
        return plain(estimate.value)
    high = "or more" if estimate.high is None else f"to {plain(estimate.high)}"
    return f"{plain(estimate.value)} [{plain(estimate.low)} {high}]"
