"""What disturbs a measurement, and what to do about it."""

from collections.abc import Sequence

from ..result.cell import BASELINES, Cell
from ..result.estimates import Drift, Ratio
from ..result.measured import BACKLOG_BYTES, DISTURBED, MachineUse, Sample, disturbed_share, share_of_time
from ..result.result import BenchResult, Noise
from ..result.stats import median, over
from .noise import unsteadiness

_QUOTA = "raise it, or use fewer workers"
REMEDIES = {
    "wrong-arrays": "what came back was not what was stored: the cell is void; report it as a bug",
    "void-samples": "some regions did not count, see `problem` in result.json; measure again",
    "worker-restarted": "a worker was replaced: give more memory, or fewer workers with --cores",
    "worker-died": "a worker was killed, perhaps for memory: give more, or fewer workers with --cores",
    "swapped": "memory ran out: give more, or fewer workers with --cores, or a smaller --limit",
    "not-cold": "files came from memory: stop what reads them, or choose another --scratch",
    "not-warm": "files did not stay in memory: give more, or a smaller --limit",
    "oversubscribed": "more workers than usable CPUs: behaviour under load, not scaling",
    "short-region": "a region below 100 ms: give more images with --limit, or leave out --quick",
    "disturbed": "other programs held the CPUs in its regions: close them and measure again",
    "few-rounds": "fewer than five rounds: raise --budget, or set --rounds 7",
    "spread": "slowest and fastest round differ by more than 10 %: stop other programs, raise --rounds",
    "start-skew": "workers began more than 5 % of the region apart: other programs hold the CPUs",
    "tail": "the last worker ended more than 25 % of the region after the first: uneven images or busy CPUs",
    "hidden-threads": "the protocol's library ran threads of its own: one worker is more than one CPU here",
    "dirty-backlog": "files waited to be written as it began: stop what writes, or choose a faster --scratch",
    "throttled": f"a cgroup's quota held the workers back: {_QUOTA}",
    "steal": "the hypervisor took more than 1 % of the CPU time: use a dedicated machine",
}

FOREIGN = 0.05
_HELD = 0.25  # of the CPUs
_UNSTEADY = 0.5  # from the sentinel's fastest round to its slowest
_SHORT_NS = 100_000_000
_FEW_ROUNDS = 5
_SPREAD = 0.10
_SKEW = 0.05
_TAIL = 0.25
_TAKEN = 0.01
_LEAST_STEAL_NS = 30_000_000  # it is counted in ticks of 10 ms
_SAMPLER = 0.01
_GAP_NS = 2_000_000_000
_MEMORY_FILESYSTEMS = ("tmpfs", "ramfs")
_HIDDEN = 0.05
_UNEVEN = 0.1
_PROBLEMS = {
    "restarted": "worker-restarted",
    "worker process died": "worker-died",
    "swapped": "swapped",
    "cold was not cold": "not-cold",
    "warm was not warm": "not-warm",
}
_DISAGREEMENT = 0.05
_LEAST_CPU_NS = 2_000_000_000  # less says little: the sampler sees ticks of 10 ms


def cell_warnings(
    cell: Cell, samples: Sequence[Sample], good: Sequence[Sample], *, wrong: int, usable: float
) -> tuple[str, ...]:
    """Return the codes of a cell's warnings, by all samples, the good ones and how many arrays were wrong."""
    void = [one for one in samples if not one.valid and "disturbed: " not in (one.problem or "")]
    texts = " ".join(sample.problem or "" for sample in void)
    crowded = cell.pool == "loky" and cell.workers > usable
    holds = {"wrong-arrays": bool(wrong), "void-samples": bool(void)}
    holds |= {code: text in texts for text, code in _PROBLEMS.items()}
    holds["oversubscribed"] = crowded
    if good:
        times = [sample.ns_per_image for sample in good]
        uses = [sample.machine for sample in good if sample.machine is not None]
        waiting = [use.dirty_bytes for use in uses if use.dirty_bytes is not None]
        apart = cell.pool == "loky" and not crowded
        writes = cell.op != "load" or cell.cache == "cold"
        holds |= {
            "short-region": min(sample.wall_ns for sample in good) < _SHORT_NS,
            "disturbed": median([disturbed_share(sample, usable) for sample in good]) > DISTURBED,
            "few-rounds": len({sample.round for sample in good}) < _FEW_ROUNDS,
            "spread": (max(times) - min(times)) / median(times) > _SPREAD,
            "start-skew": apart and median([one.skew_ns / one.wall_ns for one in good]) > _SKEW,
            "tail": apart and median([one.tail_ns / one.wall_ns for one in good]) > _TAIL,
            "hidden-threads": median([_hidden_share(sample) for sample in good]) > _HIDDEN,
            "dirty-backlog": writes and bool(waiting) and median(waiting) > BACKLOG_BYTES,
            "throttled": (share_of_time(uses, "throttled_ns") or 0.0) > _TAKEN,
            "steal": (steal_share(uses, usable) or 0.0) > _TAKEN,
        }
    return tuple(code for code, held in holds.items() if held)


def _hidden_share(sample: Sample) -> float:
    """Return the CPU time of threads that the libraries ran beside the worker's own, over its wall time."""
    known = [one for one in sample.workers if one.process_cpu_ns is not None]
    hidden = sum((one.process_cpu_ns or 0) - one.cpu_ns for one in known)
    return over(hidden, sum(one.wall_ns for one in known)) or 0.0


def steal_share(uses: Sequence[MachineUse], usable: float) -> float | None:
    """Return the CPU time that the hypervisor took over the CPU time that there was, or None if unknown.

    Fewer than three ticks are 0: one tick of 10 ms is more than 1 % of a short region.
    """
    share = share_of_time(uses, "steal_ns")
    steal = sum(use.steal_ns or 0 for use in uses)
    return share and (share / usable if steal >= _LEAST_STEAL_NS else 0.0)


def disturbances(noise: Noise) -> list[str]:
    """Return what else ran on the machine and how it changed, each with its remedy."""
    shares = (
        (noise.foreign_cpu, FOREIGN, "other programs took {:.0%} of the CPUs: close them and measure again"),
        (noise.steal, _TAKEN, "the hypervisor took {:.1%} of the CPU time: use a dedicated machine"),
        (noise.throttled, _TAKEN, "a cgroup's quota held threads back for {:.1%} of the time: " + _QUOTA),
    )
    found = [text.format(share) for share, most, text in shares if share is not None and share > most]
    return found + _drifted(noise.drift)


def trouble_of(result: BenchResult) -> str | None:
    """Return why no time of a run decides anything, such as "other programs held the CPUs (61 %)"; else None.

    CPU time that others took is trouble only where workers missed it, or the same work took other times.
    """
    noise, usable = result.noise, result.host.usable_cpus
    splits = [cell.split for cell in result.cells if cell.split and cell.workers <= max(1.0, usable)]
    waits = [split.run_wait for split in splits if split.run_wait is not None]
    changed = unsteadiness(noise)
    missed = changed > _UNSTEADY or not waits or median(waits) > DISTURBED
    if missed and (noise.foreign_cpu or 0.0) > _HELD:
        return f"other programs held the CPUs ({noise.foreign_cpu:.0%})"
    if (noise.steal or 0.0) > _HELD:
        return f"the hypervisor held the CPUs ({noise.steal:.0%})"
    if (noise.throttled or 0.0) > _HELD:
        return f"a quota held threads back ({noise.throttled:.0%} of the time)"
    return f"the same work changed by {changed:.0%} as it ran" if changed > _UNSTEADY else None


def run_warnings(result: BenchResult) -> list[str]:
    """Return what speaks against the run as a whole, each with its remedy."""
    found, filesystem = disturbances(result.noise), result.storage.filesystem
    if filesystem in _MEMORY_FILESYSTEMS:
        found.append(f"the scratch files lie in memory ({filesystem}): choose a --scratch on a disk")
    found += [*_sampler(result, result.noise.sampler_effect), *_uneven(result)]
    if result.run.quick:
        found.append("quick: short regions and few rounds, good for a first look only")
    return found


def _uneven(result: BenchResult) -> list[str]:
    """Say where regions that are held against one another had images of other sizes."""
    pixels: dict[str, list[float]] = {}
    for cell in result.cells:
        if cell.protocol not in BASELINES and cell.valid:
            pixels.setdefault(cell.op, []).append(cell.size.pixel_bytes_per_image)
    spans = [
        f"{op} {min(own) / 1000:,.0f} to {max(own) / 1000:,.0f} kB"
        for op, own in pixels.items()
        if max(own) > (1 + _UNEVEN) * min(own)
    ]
    what = "images of several sizes: a region handles those that its time allows, of "
    remedy = "of pixels an image: compare MB/s rather than times, or give images of one size"
    return [f"{what}{'; '.join(spans)} {remedy}"] if spans else []


def _drifted(drift: Drift | None) -> list[str]:
    if drift is None or not drift.significant:
        return []
    change = drift.over_run
    span = "" if change.low is None or change.high is None else f" ({change.low:+.1%} to {change.high:+.1%})"
    more = "longer" if change.value > 0 else "less time"
    text = f"drift: the same work took {abs(change.value):.1%} {more}{span} at the end than at the start"
    return [f"{text}: let the machine settle, then measure again"]


def _sampler(result: BenchResult, effect: Ratio | None) -> list[str]:
    sampler, floor, found = result.sampler, result.noise.floor or 0.0, []
    if sampler.cpu_ns is not None and sampler.wall_ns and sampler.cpu_ns > _SAMPLER * sampler.wall_ns:
        found.append(
            f"the sampler took {sampler.cpu_ns / sampler.wall_ns:.1%} of one CPU: "
            "use fewer workers, or read its effect beside the noise floor"
        )
    if effect is not None and (effect.low or 0.0) > 1 + _SAMPLER and effect.value > 1 + floor:
        found.append(
            f"the sampler slows the work by {effect.value - 1:.1%}: read small differences with care"
        )
    own, seen = sampler.workers_cpu_ns, sampler.workers_seen_cpu_ns
    off = seen / own - 1 if own and seen is not None and own > _LEAST_CPU_NS else 0.0
    if abs(off) > _DISAGREEMENT:
        found.append(
            f"the sampler saw {off:+.1%} of the CPU time that the workers counted themselves: "
            "trust the tables, not the timeline"
        )
    gap = sampler.longest_gap_ns or 0
    if gap > _GAP_NS:
        found.append(
            f"the timeline has a gap of {gap / 1e9:.1f} s, when the CPUs were busy or many processes ran: "
            "use fewer workers; the tables are not touched"
        )
    return found
