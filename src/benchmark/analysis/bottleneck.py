"""What limits a protocol at a number of workers, with the evidence. Measures nothing.

A limit is named when everything that speaks for it holds; otherwise the answer is "undetermined". A counter
that the system does not give is missing: it neither holds nor fails, and the limit that needs it is not
named. The thresholds were tuned on workloads whose limit is known; the tests keep them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from ..result.findings import Limit, Verdict

_TRAFFIC = 10e3  # bytes/s to or from storage
_FOREIGN = 0.05
_OWN = "part of that wait that these workers alone would have"
_LIKELY = 0.6  # of its evidence that a runner-up has at least
_PERCENT, _FACTOR, _NUMBER = "{:.0%}", "{:.2f}", "{:.0f}"
_RATE = "{:.2f} MB/s"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about a cell; shares are of the workers' wall time, None if unknown."""

    workers: int  # how many
    user: float  # on a CPU in user mode
    system: float  # on a CPU in the kernel
    run_wait: float | None  # ready, waiting for a CPU
    block_wait: float | None  # waiting for storage, where the kernel counts it; else part of `other`
    other: float  # the rest
    switches_per_s: float  # times a worker gave up the CPU, a second
    storage_bytes_per_s: float | None  # of all workers to and from storage, as the kernel counts it
    gain: float | None = None  # throughput over that of one worker
    spin_gain: float | None = None  # the same of the spin ceiling
    cpu_growth: float | None = None  # CPU time an image over that of one worker
    spin_growth: float | None = None  # the same of a loop of the spin ceiling
    memcpy_share: float | None = None  # bytes moved in memory over those of the memcpy ceiling
    disk_share: float | None = None  # bytes written or read over those of the raw ceiling
    create_share: float | None = None  # files made a second over those of the create ceiling
    parent_busy: float | None = None  # the parent's CPU time over wall time; None where it had nothing to do
    steal: float | None = None  # share of CPU time that the hypervisor took
    throttled: float | None = None  # share of wall time that a quota held threads back
    io_pressure: float | None = None  # share of wall time in which some task waited for storage
    device_busy: float | None = None  # share of wall time in which the device had requests
    usable: float | None = None  # CPUs that the process may use
    foreign: float | None = None  # share of the CPUs' time that other programs took

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


@dataclass(frozen=True, slots=True)
class _Test:
    """A value that must reach a threshold, or stay below it."""

    what: str  # the value's name
    read: Callable[[Facts], float | None]  # the value; None where it is not known
    bound: float  # the threshold
    show: str = _PERCENT  # how both are written
    below: bool = False  # the value must be less
    optional: bool = False  # does not count where it is not known

    def on(self, facts: Facts) -> _Condition | None:
        value = self.read(facts)
        wanted = f"{'below' if self.below else 'at least'} {self._shown(self.bound)}"
        if value is None:
            unknown = _Condition(f"{self.what} ({wanted}, not known)", None, 0.0, (self.what,))
            return None if self.optional else unknown
        text = f"{self.what} {self._shown(value)} ({wanted})"
        holds = value < self.bound if self.below else value >= self.bound
        part = self.bound / max(value, 1e-9) if self.below else value / self.bound
        return _Condition(text, holds, max(0.0, min(1.0, part)))

    def _shown(self, value: float) -> str:
        return self.show.format(value / 1e6 if self.show == _RATE else value)


def _speedup(facts: Facts) -> float | None:
    """Return how many times one worker's throughput that of all is, over the same of a spin loop."""
    return facts.gain / facts.spin_gain if facts.gain is not None and facts.spin_gain else None


def _wanted(facts: Facts) -> float:
    """Return the share of time on a CPU, or kept from one."""
    return min(1.0, facts.on_cpu + sum(one or 0.0 for one in (facts.run_wait, facts.steal, facts.throttled)))


def _own_wait(facts: Facts) -> float | None:
    """Return the part of the wait for a CPU that workers and parent alone would have had."""
    if facts.usable is None or not facts.run_wait:
        return None
    wanting = facts.workers + (facts.parent_busy or 0.0)
    return max(0.0, 1 - facts.usable / wanting) / facts.run_wait


def _alone(facts: Facts) -> bool:
    """Return whether no other program took the CPUs."""
    return facts.foreign is not None and facts.foreign < _FOREIGN


# The first limit of which everything holds is named; of a tuple one is enough.
_RULES: dict[Limit, list[_Test | tuple[_Test, ...]]] = {
    "throttled": [
        (
            _Test("throttled by a quota", lambda facts: facts.throttled, 0.05, optional=True),
            _Test("stolen", lambda facts: facts.steal, 0.05, optional=True),
        ),
        _Test("on a CPU, or kept from one", _wanted, 0.5),
    ],
    "other-programs": [
        _Test("CPU time taken by other programs", lambda facts: facts.foreign, _FOREIGN, optional=True),
        _Test("waiting for a CPU", lambda facts: facts.run_wait, 0.1),
        _Test(_OWN, _own_wait, 0.5, below=True),
    ],
    "oversubscribed": [
        _Test("waiting for a CPU", lambda facts: facts.run_wait, 0.1),
        # Where nobody else took the CPUs, the wait is their own whatever their number: libraries run threads.
        _Test(_OWN, lambda facts: None if _alone(facts) else _own_wait(facts), 0.5, optional=True),
    ],
    "dispatch": [
        _Test("parent on a CPU", lambda facts: facts.parent_busy or 0.0, 0.9),
        _Test("workers waiting", lambda facts: facts.waiting, 0.3),
    ],
    "file-creation": [
        _Test("files made, of the ceiling", lambda facts: facts.create_share, 0.7),
        _Test("system time", lambda facts: facts.system, 0.5),
    ],
    "disk": [
        _Test("waiting", lambda facts: facts.waiting, 0.3),
        _Test("storage traffic", lambda facts: facts.storage_bytes_per_s, _TRAFFIC, _RATE),
        (
            _Test("share of the raw ceiling", lambda facts: facts.disk_share, 0.8),
            _Test("device busy", lambda facts: facts.device_busy, 0.9),
            _Test("I/O pressure", lambda facts: facts.io_pressure, 0.2),
        ),
    ],
    "memory-bandwidth": [
        _Test("on a CPU", lambda facts: facts.on_cpu, 0.85),
        _Test("CPU time an image, times that of one worker", lambda facts: facts.cpu_growth, 1.15, _FACTOR),
        _Test(
            "CPU time of a spin loop, times that of one worker",
            lambda facts: facts.spin_growth,
            1.15,
            _FACTOR,
            below=True,
        ),
        _Test("bytes moved, of memcpy", lambda facts: facts.memcpy_share, 0.7),
        # What comes as near to a spin loop's speed-up is held back by nothing.
        _Test("speed-up, of that of spinning", _speedup, 0.95, _FACTOR, below=True),
    ],
    "lock": [
        _Test("waiting, not for a CPU or storage", lambda facts: facts.other, 0.3),
        # Python's threads hand over every 5 ms.
        _Test("voluntary switches a second", lambda facts: facts.switches_per_s, 50.0, _NUMBER),
        # Somebody who holds the lock runs.
        _Test("CPUs busy", lambda facts: facts.on_cpu * facts.workers, 0.5, _FACTOR),
        _Test("storage traffic", lambda facts: facts.storage_bytes_per_s, _TRAFFIC, _RATE, below=True),
    ],
    "cpu": [
        _Test("on a CPU", lambda facts: facts.on_cpu, 0.85),
        _Test(
            "speed-up, of that of spinning",
            lambda facts: None if facts.workers == 1 else _speedup(facts),
            0.85,
            optional=True,
        ),
    ],
}


def find_limit(facts: Facts) -> Verdict:
    """Return what limits a cell."""
    found = {limit: _conditions(rule, facts) for limit, rule in _RULES.items()}
    named = next((limit for limit, rule in found.items() if all(one.holds for one in rule)), None)
    nearness = {limit: fmean(one.near for one in rule) for limit, rule in found.items() if limit != named}
    second = max(nearness, key=nearness.__getitem__)
    likely = nearness[second] >= _LIKELY
    open_rules = [rule for rule in found.values() if all(one.holds is not False for one in rule)]
    missing = dict.fromkeys(name for rule in open_rules for one in rule for name in one.missing)
    return Verdict(
        workers=facts.workers,
        limit=named or "undetermined",
        evidence=tuple(one.text for one in found[named]) if named else (_split(facts),),
        runner_up=second if likely else None,
        lacking=tuple(one.text for one in found[second] if not one.holds) if likely else (),
        missing=tuple(missing),
    )


def _conditions(rule: Sequence[_Test | tuple[_Test, ...]], facts: Facts) -> list[_Condition]:
    found = (_any_of(one, facts) if isinstance(one, tuple) else one.on(facts) for one in rule)
    return list(filter(None, found))


def _any_of(tests: Sequence[_Test], facts: Facts) -> _Condition:
    """Return the condition that at least one holds; only those that do are told."""
    found = _conditions(tests, facts)
    if not found:
        return _Condition(f"{' or '.join(test.what for test in tests)} (not known)", None, 0.0)
    if holding := [one.text for one in found if one.holds]:
        return _Condition(", ".join(holding), True, 1.0)
    missing = tuple(name for one in found for name in one.missing)
    text = " or ".join(one.text for one in found)
    return _Condition(text, None if missing else False, max(one.near for one in found), missing)


def _split(facts: Facts) -> str:
    shares = {
        "user": facts.user,
        "system": facts.system,
        "waiting for a CPU": facts.run_wait,
        "waiting for storage": facts.block_wait,
        "other": facts.other,
    }
    return ", ".join(f"{name} {share:.0%}" for name, share in shares.items() if share is not None)
