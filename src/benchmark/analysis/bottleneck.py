"""What limits a protocol at a number of workers, with the evidence. Measures nothing.

A limit is named when everything that speaks for it holds; otherwise the answer is "undetermined". A counter
that the system does not give is missing: it neither holds nor fails, and the limit that needs it is not
named. The thresholds were tuned on workloads whose limit is known; the tests keep them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..result.findings import Limit, Verdict

__all__ = ["Facts", "find_limit"]


_ON_CPU = 0.85
_PARENT = 0.9
_FOLLOWS = 0.85
_HELD_BACK = 0.95  # of a spin loop's speed-up: what comes as near to it is held back by nothing
_RUN_WAIT = 0.1
_TAKEN = 0.05  # time taken by a quota or the hypervisor; from 1 % on the run warns
_GROWTH = 1.15
_MEMCPY = 0.7
_WAITING = 0.3
_RAW_DISK = 0.8
_DEVICE = 0.9
_PRESSURE = 0.2
_CREATE = 0.7
_MOSTLY = 0.5
_SWITCHES = 50.0  # a second and worker; Python's threads hand over every 5 ms
_BUSY = 0.5  # CPUs: somebody who holds the lock is at work
_TRAFFIC = 10e3  # bytes/s to or from storage
_LIKELY = 0.5  # a runner-up has at least half its evidence


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about a cell; shares are of the workers' wall time, None is not known.

    Attributes:
        workers: how many.
        user: on a CPU in user mode.
        system: on a CPU in the kernel.
        run_wait: ready, waiting for a CPU.
        block_wait: waiting for storage, where the kernel counts it; else part of `other`.
        other: the rest.
        switches_per_s: times a worker gave up the CPU, a second.
        storage_bytes_per_s: of all workers to and from storage, as the kernel counts it.
        gain: throughput over that of one worker.
        spin_gain: the same of the spin ceiling.
        cpu_growth: CPU time an image over that of one worker.
        spin_growth: the same of a loop of the spin ceiling.
        memcpy_share: bytes moved in memory over those of the memcpy ceiling.
        disk_share: bytes written or read over those of the raw ceiling.
        create_share: files made a second over those of the create ceiling.
        parent_busy: the parent's CPU time over wall time; None where it had nothing to do.
        steal: share of CPU time that the hypervisor took.
        throttled: share of wall time that a quota held threads back.
        io_pressure: share of wall time in which some task of the machine waited for storage.
        device_busy: share of wall time in which the device had requests.
    """

    workers: int
    user: float
    system: float
    run_wait: float | None
    block_wait: float | None
    other: float
    switches_per_s: float
    storage_bytes_per_s: float | None
    gain: float | None = None
    spin_gain: float | None = None
    cpu_growth: float | None = None
    spin_growth: float | None = None
    memcpy_share: float | None = None
    disk_share: float | None = None
    create_share: float | None = None
    parent_busy: float | None = None
    steal: float | None = None
    throttled: float | None = None
    io_pressure: float | None = None
    device_busy: float | None = None

    @property
    def on_cpu(self) -> float:
        """Share of time on a CPU."""
        return self.user + self.system

    @property
    def waiting(self) -> float:
        """Share of time neither on a CPU nor ready for one."""
        return self.other + (self.block_wait or 0.0)


@dataclass(frozen=True, slots=True)
class _Condition:
    """A piece of evidence: whether it holds (None: counter missing) and how near it is, 0 to 1."""

    text: str
    holds: bool | None
    near: float
    missing: tuple[str, ...] = ()


def find_limit(facts: Facts) -> Verdict:
    """Return what limits a cell."""
    found = {limit: rule(facts) for limit, rule in _RULES.items()}
    named = next((limit for limit, rule in found.items() if all(one.holds for one in rule)), None)
    others = {
        limit: sum(one.near for one in rule) / len(rule) for limit, rule in found.items() if limit != named
    }
    second = max(others, key=lambda limit: others[limit])
    likely = others[second] >= _LIKELY
    return Verdict(
        workers=facts.workers,
        limit=named or "undetermined",
        evidence=tuple(one.text for one in found[named]) if named else (_split(facts),),
        runner_up=second if likely else None,
        lacking=tuple(one.text for one in found[second] if not one.holds) if likely else (),
        missing=_missing(found.values()),
    )


def _missing(rules: Iterable[list[_Condition]]) -> tuple[str, ...]:
    """Return the counters without which a limit could not be told: all that is known of it holds."""
    names: dict[str, None] = {}
    for rule in rules:
        if all(one.holds is not False for one in rule):
            names.update(dict.fromkeys(name for one in rule for name in one.missing))
    return tuple(names)


def _at_least(
    what: str, value: float | None, least: float, show: Callable[[float], str] | None = None
) -> _Condition:
    """Return the condition that a value reaches a threshold."""
    show = show or _percent
    if value is None:
        return _Condition(f"{what} not known", None, 0.0, (what,))
    text = f"{what} {show(value)} (at least {show(least)})"
    return _Condition(text, value >= least, max(0.0, min(1.0, value / least)))


def _below(what: str, value: float | None, most: float) -> _Condition:
    """Return the condition that a value stays below a bound."""
    if value is None:
        return _Condition(f"{what} not known", None, 0.0, (what,))
    return _Condition(
        f"{what} {_factor(value)} (below {_factor(most)})", value < most, min(1.0, most / max(value, 1e-9))
    )


def _any_of(*conditions: _Condition) -> _Condition:
    """Return the condition that at least one holds; only those that do are told."""
    holding = [one for one in conditions if one.holds]
    if holding:
        return _Condition(", ".join(one.text for one in holding), True, 1.0)
    missing = tuple(name for one in conditions for name in one.missing)
    text = ", ".join(one.text for one in conditions)
    return _Condition(text, None if missing else False, max(one.near for one in conditions), missing)


def _oversubscribed(facts: Facts) -> list[_Condition]:
    return [_at_least("waiting for a CPU", facts.run_wait, _RUN_WAIT)]


def _throttled(facts: Facts) -> list[_Condition]:
    taken = [
        _at_least(what, value, _TAKEN)
        for what, value in (("throttled by a quota", facts.throttled), ("stolen", facts.steal))
        if value is not None
    ]
    if not taken:
        return [_Condition("quota and steal not known", None, 0.0)]
    wanted = facts.on_cpu + sum(share or 0.0 for share in (facts.run_wait, facts.steal, facts.throttled))
    return [_any_of(*taken), _at_least("on a CPU, or kept from one", min(1.0, wanted), _MOSTLY)]


def _dispatch(facts: Facts) -> list[_Condition]:
    return [
        _at_least("parent on a CPU", facts.parent_busy or 0.0, _PARENT),
        _at_least("workers waiting", facts.waiting, _WAITING),
    ]


def _file_creation(facts: Facts) -> list[_Condition]:
    return [
        _at_least("files made, of the ceiling", facts.create_share, _CREATE),
        _at_least("system time", facts.system, _MOSTLY),
    ]


def _disk(facts: Facts) -> list[_Condition]:
    return [
        _at_least("waiting", facts.waiting, _WAITING),
        _at_least("storage traffic", facts.storage_bytes_per_s, _TRAFFIC, _rate),
        _any_of(
            _at_least("of the raw ceiling", facts.disk_share, _RAW_DISK),
            _at_least("device busy", facts.device_busy, _DEVICE),
            _at_least("I/O pressure", facts.io_pressure, _PRESSURE),
        ),
    ]


def _memory(facts: Facts) -> list[_Condition]:
    return [
        _at_least("on a CPU", facts.on_cpu, _ON_CPU),
        _at_least("CPU time an image, times that of one worker", facts.cpu_growth, _GROWTH, _factor),
        _below("CPU time of a spin loop, times that of one worker", facts.spin_growth, _GROWTH),
        _at_least("bytes moved, of memcpy", facts.memcpy_share, _MEMCPY),
        _below("speed-up, of that of spinning", _speedup(facts), _HELD_BACK),
    ]


def _lock(facts: Facts) -> list[_Condition]:
    quiet = facts.storage_bytes_per_s
    return [
        _at_least("waiting, not for a CPU or storage", facts.other, _WAITING),
        _at_least("voluntary switches a second", facts.switches_per_s, _SWITCHES, _number),
        _at_least("CPUs busy", facts.on_cpu * facts.workers, _BUSY, _factor),
        _Condition("storage traffic not known", None, 0.0, ("storage traffic",))
        if quiet is None
        else _Condition(f"storage traffic {_rate(quiet)}", quiet < _TRAFFIC, float(quiet < _TRAFFIC)),
    ]


def _cpu(facts: Facts) -> list[_Condition]:
    on_cpu = _at_least("on a CPU", facts.on_cpu, _ON_CPU)
    speedup = _speedup(facts)
    if facts.workers == 1 or speedup is None:
        return [on_cpu]
    return [on_cpu, _at_least("speed-up, of that of spinning", speedup, _FOLLOWS)]


def _speedup(facts: Facts) -> float | None:
    """Return how many times one worker's throughput that of all is, over the same of a spin loop."""
    return facts.gain / facts.spin_gain if facts.gain is not None and facts.spin_gain else None


_RULES: dict[Limit, Callable[[Facts], list[_Condition]]] = {  # the first that holds is named
    "throttled": _throttled,
    "oversubscribed": _oversubscribed,
    "dispatch": _dispatch,
    "file-creation": _file_creation,
    "disk": _disk,
    "memory-bandwidth": _memory,
    "lock": _lock,
    "cpu": _cpu,
}


def _split(facts: Facts) -> str:
    """Return the split of time in words."""
    shares = {
        "user": facts.user,
        "system": facts.system,
        "waiting for a CPU": facts.run_wait,
        "waiting for storage": facts.block_wait,
        "other": facts.other,
    }
    return ", ".join(f"{name} {_percent(share)}" for name, share in shares.items() if share is not None)


def _percent(value: float) -> str:
    return f"{value:.0%}"


def _factor(value: float) -> str:
    return f"{value:.2f}"


def _number(value: float) -> str:
    return f"{value:.0f}"


def _rate(value: float) -> str:
    return f"{value / 1e6:.2f} MB/s"
