"""What the machine did while a region ran: steal, throttling, waits for storage, by the kernel's counters."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .measured import MachineUse

__all__ = ["Machine", "read_machine", "use_between"]

_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine's counters at one time; None where there is none."""

    time_ns: int
    steal_ns: int | None
    throttled_ns: int | None
    io_stalled_ns: int | None
    device_busy_ns: int | None


def read_machine(folder: str) -> Machine:
    """Read the counters; the device is the one that holds the folder."""
    return Machine(
        time_ns=time.perf_counter_ns(),
        steal_ns=_told(_steal),
        throttled_ns=_told(_throttled),
        io_stalled_ns=_told(_io_stalled),
        device_busy_ns=_told(lambda: _device_busy(folder)),
    )


def use_between(before: Machine, after: Machine) -> MachineUse:
    """Return what lies between two readings."""
    return MachineUse(
        wall_ns=after.time_ns - before.time_ns,
        steal_ns=_difference(before.steal_ns, after.steal_ns),
        throttled_ns=_difference(before.throttled_ns, after.throttled_ns),
        io_stalled_ns=_difference(before.io_stalled_ns, after.io_stalled_ns),
        device_busy_ns=_difference(before.device_busy_ns, after.device_busy_ns),
    )


def _told(read: Callable[[], int | None]) -> int | None:
    try:
        return read()
    except (OSError, ValueError, IndexError):
        return None


def _steal() -> int:
    """Sum the CPUs' time in involuntary wait, proc(5) `stat`, over those that this process may use."""
    wanted = {f"cpu{number}".encode() for number in os.sched_getaffinity(0)}
    lines = [line.split() for line in Path("/proc/stat").read_bytes().splitlines() if line.startswith(b"cpu")]
    return sum(int(line[8]) for line in lines if line[0] in wanted) * _TICK_NS


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
    found = []
    for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            mounts = [_CGROUPS, _CGROUPS / "unified"]
        elif "cpu" in controllers.split(","):
            mounts = [_CGROUPS / controllers, _CGROUPS / "cpu"]
        else:
            continue
        for mount in mounts:
            group = mount / path.lstrip("/")
            for folder in (group, *group.parents):
                if (folder / "cpu.stat").is_file():
                    found.append((folder / "cpu.stat").resolve())
                if folder == mount:
                    break
    return tuple(dict.fromkeys(found))


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
