"""What the machine does beside this process: steal, throttling, waits for storage, other programs."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import psutil

from .counters import difference
from .cpus import enclosing_groups, usable_cpus

__all__ = [
    "UNWATCHED",
    "MachineCounters",
    "Surroundings",
    "children_of",
    "cpu_of_others",
    "dirty_bytes",
    "read_machine",
    "surroundings",
]

_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


class MachineCounters(NamedTuple):
    """Counters of the machine; the difference of two readings is what happened between them.

    A counter that the kernel does not keep is None.

    Attributes:
        time_ns: `time.perf_counter_ns`.
        busy_ns: time that the CPUs this process may use worked for anybody, in ticks of 10 ms.
        steal_ns: time of those CPUs that the hypervisor gave to others, in ticks of 10 ms.
        throttled_ns: time that a cgroup's quota held threads back.
        io_stalled_ns: time that some task of the machine waited for storage (pressure stall information).
        device_busy_ns: time that the folder's device had requests.
    """

    time_ns: int
    busy_ns: int | None
    steal_ns: int | None
    throttled_ns: int | None
    io_stalled_ns: int | None
    device_busy_ns: int | None

    def __sub__(self, earlier: "MachineCounters") -> "MachineCounters":
        return MachineCounters._make(map(difference, self, earlier))


def read_machine(folder: str | os.PathLike[str]) -> MachineCounters:
    """Read the counters; the device is the one that holds the folder."""
    return MachineCounters(
        time.perf_counter_ns(),
        *_cpu_times(),
        _told(_throttled),
        _told(_io_stalled),
        _told(lambda: _device_busy(folder)),
    )


def cpu_of_others() -> int | None:
    """Return a counter of the CPU time, in ns, that all but this process and its children took.

    It counts the CPUs that this process may use; None where the system does not tell.
    """
    busy, _ = _cpu_times()
    return difference(busy, _own_cpu())


def _own_cpu() -> int:
    """Return the CPU time of this process and its children, ended ones too, in ns: proc(5), `pid/stat`."""
    ticks, waiting = 0, [os.getpid()]
    while waiting:
        pid = waiting.pop()
        with suppress(OSError, ValueError):
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
            ticks += sum(map(int, fields[11:15]))  # utime, stime, cutime, cstime
            waiting += children_of(pid)
    return ticks * _TICK_NS


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the machine did around a run, in ns; None for what the system does not tell.

    Attributes:
        cpu_ns: CPU time that there was, on all CPUs that the process may use.
        usable_cpu_ns: the part of it that affinity and quotas let the process use.
        others_cpu_ns: CPU time that other programs took there.
        steal_ns: CPU time that the hypervisor gave to others.
        throttled_ns: time that a cgroup's quota held threads back.
        io_stalled_ns: time that some task of the machine waited for storage.
        device_busy_ns: time that the device of the run's folder had requests.
    """

    cpu_ns: int | None = None
    usable_cpu_ns: int | None = None
    others_cpu_ns: int | None = None
    steal_ns: int | None = None
    throttled_ns: int | None = None
    io_stalled_ns: int | None = None
    device_busy_ns: int | None = None


UNWATCHED = Surroundings()


def surroundings(folder: str | os.PathLike[str]) -> Callable[[], Surroundings]:
    """Watch the machine from now on; the function returned tells what it did up to its call."""
    begin, own = read_machine(folder), _own_cpu()

    def so_far() -> Surroundings:
        spent = read_machine(folder) - begin
        others = difference(spent.busy_ns, _own_cpu() - own)
        counts = (
            *(spent.time_ns * len(os.sched_getaffinity(0)), round(spent.time_ns * usable_cpus())),
            *(others, spent.steal_ns, spent.throttled_ns, spent.io_stalled_ns, spent.device_busy_ns),
        )
        # The kernel's counters of a virtual machine may go back a little.
        return Surroundings(*(None if count is None else max(0, count) for count in counts))

    return so_far


def children_of(pid: int) -> list[int]:
    """Return the processes that this one started; psutil would look through all of the machine's."""
    try:
        tasks = Path(f"/proc/{pid}/task").iterdir()
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        with suppress(psutil.Error, OSError):
            return [child.pid for child in psutil.Process(pid).children()]
        return []


def dirty_bytes() -> int | None:
    """Return the bytes of all files that wait to be written to storage: proc(5), `meminfo`."""
    return _told(_dirty_bytes)


def _told(read: Callable[[], int | None]) -> int | None:
    try:
        return read()
    except (OSError, ValueError, IndexError):
        return None


def _dirty_bytes() -> int:
    lines = Path("/proc/meminfo").read_bytes().splitlines()
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith((b"Dirty:", b"Writeback:")))


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


def _device_busy(folder: str | os.PathLike[str]) -> int:
    """Return the time in which the device had requests (Documentation/block/stat.rst, io_ticks)."""
    number = Path(folder).stat().st_dev
    path = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}/stat")
    return int(path.read_text(encoding="ascii").split()[9]) * 1_000_000
