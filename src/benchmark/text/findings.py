"""Ceilings, growth and limits, noise and recommendations as tables. Measures nothing."""

from collections.abc import Sequence

from ..analysis.recommend import describe
from ..result.estimates import Estimate, ScalingFit
from ..result.findings import Scaling, Startup, Verdict
from ..result.result import BenchResult
from ..result.stats import median
from .table import NONE, Table, digits

__all__ = [
    "ceiling_table",
    "growth_table",
    "limited_by",
    "noise_table",
    "recommendation_table",
    "startup_table",
]

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
    found = {(one.name, one.workers): one for one in result.ceilings}
    rows = []
    for name in dict.fromkeys(one.name for one in result.ceilings):
        values = []
        for workers in counts:
            one = found.get((name, workers))
            scale = 1e6 if one is not None and one.unit in ("bytes", "loops") else 1.0
            values.append(NONE if one is None else "void" if one.per_s is None else digits(one.per_s / scale))
        rows.append((_CEILING_TITLES.get(name, name), *values))
    many = [f"{workers}{'*' if workers > result.host.usable_cpus else ''}" for workers in counts]
    return Table(
        "Ceilings: what so many workers can do at most on this machine, no protocol involved",
        ("ceiling", *many),
        tuple(rows),
        ("Medians over the rounds of this run. The column `of ceiling` above refers to them.",),
    )


def growth_table(scaling: Sequence[Scaling], usable_cpus: float) -> Table | None:
    """Return a line for each protocol: curve, ceiling, and what limits it; None where there is nothing."""
    if not scaling:
        return None
    rows = tuple(
        (
            one.protocol,
            *(_curve(one.fit) if one.fit is not None else (NONE, NONE, NONE)),
            limited_by(one.verdicts, usable_cpus),
        )
        for one in scaling
    )
    few = all(one.fit is None or one.fit.model is None for one in scaling)
    note = (
        "Growth with fewer than three numbers of workers within the usable CPUs: ratios and the serial share "
        "that they show (Karp-Flatt), no curve."
        if few
        else "Curve: the best by AICc; alpha is the serial share, beta the cost of each pair of workers. "
        "Ceiling: the curve's highest throughput, where the data reach that far."
    )
    return Table(
        "Growth and limits",
        ("protocol", "growth", "parameters", "ceiling", "limited by (workers)"),
        rows,
        (note, "Brackets: 95 % intervals. The evidence of each limit stands in result.json."),
    )


def _curve(fit: ScalingFit) -> tuple[str, str, str]:
    if fit.model is None:
        pairs = [
            point
            for point in fit.points
            if point.workers > 1 and point.speedup is not None and not point.oversubscribed
        ]
        gains = ", ".join(f"x{_estimate(point.speedup)} at {point.workers}" for point in pairs)
        serial = ", ".join(f"{_estimate(point.karp_flatt)}" for point in pairs)
        return gains or NONE, f"serial {serial}" if serial else NONE, NONE
    name = _MODELS[fit.model] + (" (low confidence)" if fit.low_confidence else "")
    name += ", faster than linear" if fit.superlinear else ""
    parameters = ", ".join(
        f"{one.name} {_estimate(one.estimate)}" for one in fit.parameters if one.name != "gamma"
    )
    peak = fit.peak
    if peak is None or peak.beyond_data or peak.workers is None:
        return name, parameters, "beyond data"
    return name, parameters, f"{_estimate(peak.throughput)} images/s at {_estimate(peak.workers)}"


def limited_by(verdicts: Sequence[Verdict], usable_cpus: float) -> str:
    """Return limits by number of workers, such as "cpu (1, 2), oversubscribed (4*)"."""
    groups: dict[str, list[str]] = {}
    for one in verdicts:
        mark = "*" if one.workers > usable_cpus else ""
        groups.setdefault(one.limit, []).append(f"{one.workers}{mark}")
    return ", ".join(f"{limit} ({', '.join(workers)})" for limit, workers in groups.items()) or NONE


def noise_table(result: BenchResult) -> Table:
    """Return what disturbed the run, and how large a difference must be to mean anything."""
    noise, sampler = result.noise, result.sampler
    drift = noise.drift.over_run if noise.drift is not None else None
    effect = noise.sampler_effect
    span = NONE if effect is None else _percent_range(effect.low, effect.high, 1.0)
    cpu = None if sampler.cpu_ns is None or not sampler.wall_ns else sampler.cpu_ns / sampler.wall_ns
    rows = (
        ("noise floor: the same work under two names", _percent(noise.floor), NONE),
        (
            "drift: that work, last round against first",
            _percent(None if drift is None else drift.value, sign=True),
            NONE if drift is None else _percent_range(drift.low, drift.high, 0.0),
        ),
        (
            "sampler's effect on that work",
            _percent(None if effect is None else effect.value - 1, sign=True),
            span,
        ),
        ("sampler's own CPU time over wall time", _percent(cpu), NONE),
        ("CPUs taken by other programs", _percent(noise.foreign_cpu), NONE),
        ("CPU time taken by the hypervisor", _percent(noise.steal), NONE),
        ("time held back by a quota", _percent(noise.throttled), NONE),
    )
    return Table(
        "Noise",
        ("what", "value", "95 % interval"),
        rows,
        ("Differences below the noise floor mean nothing. - is not known, or fewer than five rounds.",),
    )


def startup_table(result: BenchResult) -> Table | None:
    """Return how long worker processes took to be ready; None where none were started."""
    by_count: dict[int, list[Startup]] = {}
    for one in result.startups:
        by_count.setdefault(one.workers, []).append(one)
    if not by_count:
        return None
    rows = tuple(
        (
            str(workers),
            digits(median([one.spawn_ns for one in found]) / 1e9),
            digits(median([one.import_ns for one in found]) / 1e9),
        )
        for workers, found in sorted(by_count.items())
    )
    return Table(
        "Start-up: part of no region above",
        ("processes started together", "until they work, s", "importing every library, s"),
        rows,
        ("Medians; of several processes the last. A convert pays this once.",),
    )


def recommendation_table(result: BenchResult) -> Table | None:
    """Return a line for each objective; None where there is none."""
    if not result.recommendations:
        return None
    rows = tuple((describe(one),) for one in result.recommendations)
    return Table("Recommendations", ("by objective",), rows)


def _percent(value: float | None, *, sign: bool = False) -> str:
    if value is None:
        return NONE
    return f"{value:+.1%}" if sign else f"{value:.1%}"


def _percent_range(low: float | None, high: float | None, base: float) -> str:
    return NONE if low is None or high is None else f"{low - base:+.1%}..{high - base:+.1%}"


def _estimate(estimate: Estimate | None) -> str:
    if estimate is None:
        return NONE
    if estimate.low is None:
        return digits(estimate.value)
    high = "" if estimate.high is None else digits(estimate.high)
    return f"{digits(estimate.value)} [{digits(estimate.low)}..{high}]"
