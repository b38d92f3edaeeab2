"""What a piece of work cost the thread that did it, by the kernel's own counters."""

import os
import resource
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["Counters", "read_counters"]


@dataclass(frozen=True, slots=True)
class Counters:
    """Counters of the calling thread; differences of two readings are what lies between them.

    Attributes:
        time_ns: `time.perf_counter_ns`, comparable between the processes of a machine.
        user_ns: CPU time in user mode.
        system_ns: CPU time in the kernel.
        switches_voluntary: times it gave up the CPU to wait.
        switches_involuntary: times the CPU was taken from it.
        read_bytes: bytes fetched from storage, None where the kernel does not count them.
        write_bytes: bytes sent towards storage, None likewise.
        run_wait_ns: time it was ready and waited for a CPU, None likewise.
        block_wait_ns: time it waited for storage, in ticks of 10 ms; None likewise, which is usual.
    """

    time_ns: int
    user_ns: int
    system_ns: int
    switches_voluntary: int
    switches_involuntary: int
    read_bytes: int | None
    write_bytes: int | None
    run_wait_ns: int | None = None
    block_wait_ns: int | None = None

    def __sub__(self, earlier: "Counters") -> "Counters":
        return Counters(
            self.time_ns - earlier.time_ns,
            self.user_ns - earlier.user_ns,
            self.system_ns - earlier.system_ns,
            self.switches_voluntary - earlier.switches_voluntary,
            self.switches_involuntary - earlier.switches_involuntary,
            _difference(self.read_bytes, earlier.read_bytes),
            _difference(self.write_bytes, earlier.write_bytes),
            _difference(self.run_wait_ns, earlier.run_wait_ns),
            _difference(self.block_wait_ns, earlier.block_wait_ns),
        )

    @property
    def cpu_ns(self) -> int:
        """CPU time, user and system."""
        return self.user_ns + self.system_ns


def read_counters() -> Counters:
    """Read the calling thread's counters.

    Sources: getrusage(2) with RUSAGE_THREAD; proc(5) `io`, and `stat` for the wait for storage; the kernel's
    Documentation/scheduler/sched-stats.rst for `schedstat`, whose second field is the wait for a CPU.
    """
    usage = resource.getrusage(resource.RUSAGE_THREAD)
    read_bytes, write_bytes = _storage_bytes()
    return Counters(
        time_ns=time.perf_counter_ns(),
        user_ns=round(usage.ru_utime * 1e9),
        system_ns=round(usage.ru_stime * 1e9),
        switches_voluntary=usage.ru_nvcsw,
        switches_involuntary=usage.ru_nivcsw,
        read_bytes=read_bytes,
        write_bytes=write_bytes,
        run_wait_ns=_run_wait_ns(),
        block_wait_ns=_block_wait_ns() if _accounts_block_waits() else None,
    )


def _storage_bytes() -> tuple[int | None, int | None]:
    try:
        with open("/proc/thread-self/io", "rb") as file:  # noqa: PTH123 - a hot path of small cost
            values = dict(line.split(b": ") for line in file.read().splitlines())
        return int(values[b"read_bytes"]), int(values[b"write_bytes"])
    except (OSError, KeyError, ValueError):
        return None, None


def _run_wait_ns() -> int | None:
    try:
        with open("/proc/thread-self/schedstat", "rb") as file:  # noqa: PTH123 - as above
            return int(file.read().split()[1])
    except (OSError, IndexError, ValueError):
        return None


def _block_wait_ns() -> int | None:
    try:
        with open("/proc/thread-self/stat", "rb") as file:  # noqa: PTH123 - as above
            ticks = int(file.read().rpartition(b")")[2].split()[39])
    except (OSError, IndexError, ValueError):
        return None
    return ticks * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


@cache
def _accounts_block_waits() -> bool:
    """Tell whether the kernel counts waits for storage: it says 0 as well where it does not."""
    try:
        return Path("/proc/sys/kernel/task_delayacct").read_text(encoding="ascii").strip() == "1"
    except OSError:
        return False


def _difference(later: int | None, earlier: int | None) -> int | None:
    return None if later is None or earlier is None else later - earlier
