"""What a piece of work cost the thread that did it, by the kernel's own counters."""

import os
import resource
import threading
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

__all__ = ["Counters", "difference", "read_counters"]

_BLOCK = 512


class Counters(NamedTuple):
    """Counters of the calling thread; the difference of two readings is what was spent between them.

    A counter that the kernel does not keep is None.

    Attributes:
        time_ns: `time.perf_counter_ns`, comparable between the processes of a machine.
        user_ns: CPU time in user mode.
        system_ns: CPU time in the kernel.
        switches_voluntary: times it gave up the CPU to wait.
        switches_involuntary: times the CPU was taken from it.
        read_bytes: bytes fetched from storage.
        write_bytes: bytes sent to storage.
        run_wait_ns: time it was ready to run and waited for a CPU.
        block_wait_ns: time it waited for storage, in ticks of 10 ms; usually None.
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
        return Counters._make(map(difference, self, earlier))

    @property
    def cpu_ns(self) -> int:
        """CPU time, user and system."""
        return self.user_ns + self.system_ns


def read_counters() -> Counters:
    """Read the calling thread's counters.

    Sources: getrusage(2) with RUSAGE_THREAD, whose blocks of 512 bytes are the bytes that proc(5) has in
    `io`; the kernel's Documentation/scheduler/sched-stats.rst for `schedstat`, whose second field is the wait
    for a CPU; proc(5) `stat` for the wait for storage.
    """
    usage = resource.getrusage(resource.RUSAGE_THREAD)
    counts_storage = _accounts_storage()
    return Counters(
        time.perf_counter_ns(),
        round(usage.ru_utime * 1e9),
        round(usage.ru_stime * 1e9),
        usage.ru_nvcsw,
        usage.ru_nivcsw,
        usage.ru_inblock * _BLOCK if counts_storage else None,
        usage.ru_oublock * _BLOCK if counts_storage else None,
        _run_wait_ns(),
        _block_wait_ns() if _accounts_block_waits() else None,
    )


class _Schedstat:
    """A thread's `schedstat`, kept open: opening it costs ten times as much as reading."""

    def __init__(self) -> None:
        self._close = os.close
        self._descriptor = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self) -> None:
        with suppress(AttributeError):  # it could not be opened
            self._close(self._descriptor)

    def read(self) -> bytes:
        """Return its present contents."""
        return os.pread(self._descriptor, 100, 0)


_kept = threading.local()  # `schedstat` of each thread


def _run_wait_ns() -> int | None:
    try:
        if not hasattr(_kept, "schedstat"):
            _kept.schedstat = _Schedstat()
        return int(_kept.schedstat.read().split()[1])
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
def _accounts_storage() -> bool:
    """Return whether the kernel counts bytes of storage: if not, getrusage says 0 all the same."""
    return Path("/proc/self/io").exists()


@cache
def _accounts_block_waits() -> bool:
    """Return whether the kernel counts waits for storage: if not, `stat` says 0 all the same."""
    try:
        return Path("/proc/sys/kernel/task_delayacct").read_text(encoding="ascii").strip() == "1"
    except OSError:
        return False


def difference(later: int | None, earlier: int | None) -> int | None:
    """Return what a counter gained; None where one of the readings is."""
    return None if later is None or earlier is None else later - earlier
