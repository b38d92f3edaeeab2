"""What the machine did while a region ran: steal, throttling, waits for storage, by the kernel's counters."""

import ctypes
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ...engine.machine.cpus import enclosing_groups
from ..result.measured import _TICK_NS, BACKLOG_BYTES, MachineUse


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine's counters at one time; None for those that the kernel does not keep."""

    time_ns: int
    busy_ns: int | None
    steal_ns: int | None
    throttled_ns: int | None
    io_stalled_ns: int | None
    device_busy_ns: int | None
    dirty_bytes: int | None = None


def read_machine(folder: str) -> Machine:
    """Read the counters; the device is the one that holds the folder."""
    busy, steal = _cpu_times()
    return Machine(
        time_ns=time.perf_counter_ns(),
        busy_ns=busy,
        steal_ns=steal,
        throttled_ns=_told(_throttled),
        io_stalled_ns=_told(_io_stalled),
        device_busy_ns=_told(lambda: _device_busy(folder)),
        dirty_bytes=_told(dirty_bytes),
    )


def use_between(before: Machine, after: Machine) -> MachineUse:
    """Return what lies between two readings."""
    return MachineUse(
        wall_ns=after.time_ns - before.time_ns,
        steal_ns=_difference(before.steal_ns, after.steal_ns),
        throttled_ns=_difference(before.throttled_ns, after.throttled_ns),
        io_stalled_ns=_difference(before.io_stalled_ns, after.io_stalled_ns),
        device_busy_ns=_difference(before.device_busy_ns, after.device_busy_ns),
        dirty_bytes=before.dirty_bytes,
        busy_ns=_difference(before.busy_ns, after.busy_ns),
    )


def dirty_bytes() -> int:
    """Return the bytes of the machine's files that wait to be written to storage (proc(5), `meminfo`)."""
    lines = Path("/proc/meminfo").read_bytes().splitlines()
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith((b"Dirty:", b"Writeback:")))


def drain(folder: str) -> None:
    """Flush this file system, since pending writes would fall into a later region."""
    waiting = _told(dirty_bytes)
    if waiting is None or waiting <= BACKLOG_BYTES:
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        ctypes.CDLL(None).syncfs(descriptor)
    finally:
        os.close(descriptor)


def _told(read: Callable[[], int | None]) -> int | None:
    try:
        return read()
    except (OSError, ValueError, IndexError):
        return None


def _cpu_times() -> tuple[int | None, int | None]:
    """Return the time that the CPUs of this process were busy, and stolen, in ns: proc(5), `stat`."""
    wanted = {f"cpu{number}".encode() for number in os.sched_getaffinity(0)}
    busy = steal = 0
    try:
        for line in Path("/proc/stat").read_bytes().splitlines():
            name, *ticks = line.split()
            if name in wanted:
                user, nice, system, _idle, _iowait, irq, softirq, stolen = map(int, ticks[:8])
                busy += user + nice + system + irq + softirq
                steal += stolen
    except (OSError, ValueError):
        return None, None
    return busy * _TICK_NS, steal * _TICK_NS


def _throttled() -> int | None:
    """Sum the time that this process's cgroups were held back: cgroup-v2.rst, sched-bwc.rst, `cpu.stat`."""
    total = None
    for path in _cpu_stats():
        values = dict(line.split() for line in path.read_text(encoding="ascii").splitlines())
        if "throttled_usec" in values:
            total = (total or 0) + int(values["throttled_usec"]) * 1000
        elif "throttled_time" in values:
            total = (total or 0) + int(values["throttled_time"])
    return total


@cache
def _cpu_stats() -> tuple[Path, ...]:
    """Return the `cpu.stat` of every cgroup above this process."""
    files = [folder / "cpu.stat" for folder in enclosing_groups("cpu")]
    return tuple(dict.fromkeys(file.resolve() for file in files if file.is_file()))


def _io_stalled() -> int:
    """Return the time in which some task waited for storage (Documentation/accounting/psi.rst)."""
    some = Path("/proc/pressure/io").read_text(encoding="ascii").splitlines()[0]
    return int(some.rpartition("total=")[2]) * 1000


def _device_busy(folder: str) -> int:
    """Return the time in which the device had requests (Documentation/block/stat.rst, io_ticks)."""
    number = Path(folder).stat().st_dev
    path = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}/stat")
    return int(path.read_text(encoding="ascii").split()[9]) * 1_000_000


def _difference(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before
