"""Measures what a run uses: a thread reads psutil over the process tree, at a bounded cost."""

import os
import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import psutil

from .activity import children_of

__all__ = ["Peak", "Reading", "Sampler"]

_INTERVAL_NS = 100_000_000
# Reading shares of memory costs milliseconds per process, so it happens every second. Pauses of 260 times
# what a reading cost keep counters and shares each below a 260th of a CPU, both together below a hundredth.
_SHARES_INTERVAL_NS = 1_000_000_000
_REST = 260
_MAX_TICKS = 2000
_HELPER = "helper"  # trackers of joblib and multiprocessing: their memory counts, timelines leave them out


@dataclass(frozen=True, slots=True)
class Reading:
    """One process at one time. What the system does not report is None.

    Attributes:
        t_ns: time since the sampler began.
        pid: the process.
        role: "parent" or "worker".
        cpu_user_ns: CPU time in user mode since the process began.
        cpu_system_ns: CPU time in the kernel since the process began.
        rss_bytes: resident memory, shared pages included.
        uss_bytes: memory of this process alone.
        pss_bytes: its share of all the pages it maps; these add up over processes.
        read_bytes: bytes fetched from storage since the process began.
        write_bytes: bytes sent to storage since the process began.
        read_chars: bytes that system calls read, from the page cache too.
        write_chars: bytes that system calls wrote.
        switches_voluntary: times it gave up the CPU.
        switches_involuntary: times the CPU was taken from it.
    """

    t_ns: int
    pid: int
    role: str
    cpu_user_ns: int
    cpu_system_ns: int
    rss_bytes: int
    uss_bytes: int | None
    pss_bytes: int | None
    read_bytes: int | None
    write_bytes: int | None
    read_chars: int | None
    write_chars: int | None
    switches_voluntary: int | None
    switches_involuntary: int | None

    @property
    def row(self) -> tuple[int | str | None, ...]:
        """The values in order, as the manifest's timeline takes them."""
        return tuple(getattr(self, name) for name in self.__slots__)


@dataclass(frozen=True, slots=True)
class Peak:
    """Highest sums over the process tree, in bytes; None if the system does not report them."""

    rss_bytes: int
    pss_bytes: int | None


class Sampler:
    """Samples this process and its descendants while it is entered.

    Counters are read every 100 ms, shares of memory about every second and in a short run once at the end;
    both less often if many processes would make them cost more than a hundredth of a CPU. After 2000 ticks
    every other one is dropped and the interval doubles, so that a run of days stays small. Without
    /proc there are no readings.

    Attributes:
        cpu_ns: the sampler's own CPU time, once left.
    """

    def __init__(self) -> None:
        self._ticks: list[list[Reading]] = []
        self._peak_rss = 0
        self._peak_pss: int | None = None
        self._interval_ns = _INTERVAL_NS
        self._processes: dict[int, tuple[psutil.Process, str]] = {}
        self._wake = threading.Event()
        self._stopping = self._hurried = False
        self._reading = threading.Lock()
        self._thread = threading.Thread(target=self._watch, name="sampler", daemon=True)
        self._parent = _this_process()
        self._begin_ns = 0
        self.cpu_ns = 0

    def __enter__(self) -> Self:
        begin_cpu = time.thread_time_ns()
        self._begin_ns = time.perf_counter_ns()
        if self._parent is None:
            return self
        self._processes[self._parent.pid] = (self._parent, "parent")
        self._tick(0, shares=False)
        self.cpu_ns = time.thread_time_ns() - begin_cpu
        with suppress(RuntimeError):  # no thread can start: there is only this reading and a last one
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()
        if self._thread.is_alive():
            self._thread.join()
        elif self._thread.ident is None:
            self._tick(time.perf_counter_ns() - self._begin_ns, shares=True)

    def finish(self) -> None:
        """Start the last reading and return at once; leaving the context waits for it."""
        self._stopping = True
        self._wake.set()

    def before_the_end(self) -> None:
        """Measure shares of memory now if that has not happened yet: the last work is under way."""
        if self._peak_pss is None and not self._hurried:
            self._hurried = True
            self._wake.set()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Take no readings inside the context."""
        with self._reading:
            yield

    @property
    def begin_ns(self) -> int:
        """`time.perf_counter_ns` when the sampler began."""
        return self._begin_ns

    @property
    def timeline(self) -> list[Reading]:
        """All readings kept, in order of time."""
        return [reading for tick in self._ticks for reading in tick]

    @property
    def children(self) -> list[int]:
        """The processes below this one, by their ids, that the last reading found."""
        return [pid for pid in self._processes if pid != os.getpid()]

    @property
    def peak(self) -> Peak:
        """The highest sums seen; without /proc, the highest resident memory of this process."""
        if self._parent is None:
            return Peak(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10, None)
        return Peak(self._peak_rss, self._peak_pss)

    def _watch(self) -> None:
        begin_cpu = time.thread_time_ns()
        shares_due = _SHARES_INTERVAL_NS
        self._wake.wait(self._interval_ns / 1e9)
        while True:
            with self._reading:
                now = time.perf_counter_ns() - self._begin_ns
                before = time.thread_time_ns()
                ending = self._stopping
                self._find()
                shares = now >= shares_due or self._hurried or (ending and self._peak_pss is None)
                self._tick(now, shares)
                cost = time.thread_time_ns() - before
            if ending:
                break
            if shares:
                shares_due = now + max(_SHARES_INTERVAL_NS, self._interval_ns, _REST * cost)
                self._hurried = False
                cost = 0
            self._wake.wait(max(self._interval_ns, _REST * cost) / 1e9)
            if not self._stopping:
                self._wake.clear()
        self.cpu_ns += time.thread_time_ns() - begin_cpu

    def _find(self) -> None:
        """Look for new workers: joblib starts them from this process."""
        assert self._parent is not None
        for pid in children_of(self._parent.pid):
            if pid in self._processes:
                continue
            with suppress(psutil.Error, OSError):
                process = psutil.Process(pid)
                worker = "popen_loky" in " ".join(process.cmdline())
                self._processes[pid] = (process, "worker" if worker else _HELPER)

    def _tick(self, now: int, shares: bool) -> None:
        tick = []
        for pid, (process, role) in list(self._processes.items()):
            read = _read_helper if role == _HELPER else _read
            try:
                tick.append(read(process, role, now, shares))
            except (psutil.Error, OSError):
                del self._processes[pid]
                _helpers.pop(process, None)
        self._peak_rss = max(self._peak_rss, sum(reading.rss_bytes for reading in tick))
        known = [reading.pss_bytes for reading in tick if reading.pss_bytes is not None]
        if known and shares:
            self._peak_pss = max(self._peak_pss or 0, sum(known))
        self._ticks.append([reading for reading in tick if reading.role != _HELPER])
        if len(self._ticks) > _MAX_TICKS:
            self._ticks = self._ticks[::2]
            self._interval_ns *= 2


def _this_process() -> psutil.Process | None:
    try:
        return psutil.Process()
    except (psutil.Error, OSError):
        return None


_helpers: dict[psutil.Process, Reading] = {}  # they do next to nothing: once is enough for all runs


def _read_helper(process: psutil.Process, role: str, now: int, shares: bool) -> Reading:
    known = _helpers.get(process)
    if known is None or (shares and known.pss_bytes is None):
        known = _helpers[process] = _read(process, role, now, shares)
    return known


def _read(process: psutil.Process, role: str, now: int, shares: bool) -> Reading:
    with process.oneshot():
        cpu = process.cpu_times()
        memory = process.memory_info()
        switches = _told(process, "num_ctx_switches")
        io = _told(process, "io_counters")
        uss = pss = None
        if shares:
            full = _told(process, "memory_full_info")
            uss, pss = getattr(full, "uss", None), getattr(full, "pss", None)
    return Reading(
        t_ns=now,
        pid=process.pid,
        role=role,
        cpu_user_ns=round(cpu.user * 1e9),
        cpu_system_ns=round(cpu.system * 1e9),
        rss_bytes=memory.rss,
        uss_bytes=uss,
        pss_bytes=pss,
        read_bytes=io.read_bytes if io else None,
        write_bytes=io.write_bytes if io else None,
        read_chars=getattr(io, "read_chars", None),
        write_chars=getattr(io, "write_chars", None),
        switches_voluntary=getattr(switches, "voluntary", None),
        switches_involuntary=getattr(switches, "involuntary", None),
    )


def _told(process: psutil.Process, counters: str) -> Any:
    """Return counters of a process; None if the system has none or does not show them."""
    try:
        return getattr(process, counters)()
    except psutil.NoSuchProcess:
        raise
    except (psutil.Error, OSError, AttributeError, NotImplementedError):
        return None
