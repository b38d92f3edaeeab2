"""What the machine does beside this process: steal, throttling, waits for storage, other programs."""

import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
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
_LONGEST = 1 << 20  # bytes of a file of the kernel's


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


def _own_cpu(children: Iterable[int] | None = None) -> int:
    """Return the CPU time of this process and its children, ended ones too, in ns: proc(5), `pid/stat`.

    Args:
        children: the processes that this one started, if they are known.
    """
    own = os.getpid()
    waiting = [own, *(children_of(own) if children is None else children)]
    ticks = 0
    while waiting:
        pid = waiting.pop()
        with suppress(OSError, ValueError):
            fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
            ticks += sum(map(int, fields[11:15]))  # utime, stime, cutime, cstime
            if pid != own:
                waiting += _children_of_thread(pid, pid)
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


def surroundings(folder: str | os.PathLike[str]) -> Callable[[Iterable[int]], Surroundings]:
    """Watch the machine from now on.

    Returns:
        A function that tells what the machine did up to its call, given the processes that this one started.
    """
    begin, own = read_machine(folder), _own_cpu()

    def so_far(children: Iterable[int]) -> Surroundings:
        spent = read_machine(folder) - begin
        others = difference(spent.busy_ns, _own_cpu(children) - own)
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
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - as in `_read`
        return [child for thread in threads for child in _children_of_thread(pid, thread)]
    except OSError:
        with suppress(psutil.Error, OSError):
            return [child.pid for child in psutil.Process(pid).children()]
        return []


def _children_of_thread(pid: int, thread: int | str) -> list[int]:
    return [int(child) for child in _read(f"/proc/{pid}/task/{thread}/children").split()]


def _read(path: str) -> bytes:
    """Return the text of a short file of the kernel's; Path and its text layer cost more than the read."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _LONGEST)
    finally:
        os.close(descriptor)


def dirty_bytes() -> int | None:
    """Return the bytes of all files that wait to be written to storage: proc(5), `meminfo`."""
    return _told(_dirty_bytes)


def _told(read: Callable[[], int | None]) -> int | None:
    try:
        return read()
    except (OSError, ValueError, IndexError):
        return None


def _dirty_bytes() -> int:
    lines = _read("/proc/meminfo").splitlines()
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith((b"Dirty:", b"Writeback:")))


def _cpu_times() -> tuple[int | None, int | None]:
    """Return the time that the CPUs of this process were busy, and stolen, in ns: proc(5), `stat`."""
    wanted = {f"cpu{number}".encode() for number in os.sched_getaffinity(0)}
    busy = steal = 0
    try:
        for line in _read("/proc/stat").splitlines():
            name, *ticks = line.split(None, 9)
            if not name.startswith(b"cpu"):
                break
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
        values = dict(line.split() for line in _read(path).splitlines())
        if b"throttled_usec" in values:
            total = (total or 0) + int(values[b"throttled_usec"]) * 1000
        elif b"throttled_time" in values:
            total = (total or 0) + int(values[b"throttled_time"])
    return total


@cache
def _cpu_stats() -> tuple[str, ...]:
    """Return the `cpu.stat` of every cgroup above this process that tells of throttling."""
    files = [folder / "cpu.stat" for folder in enclosing_groups("cpu")]
    there = dict.fromkeys(file.resolve() for file in files if file.is_file())
    return tuple(str(file) for file in there if "throttled_" in file.read_text(encoding="ascii"))


def _io_stalled() -> int:
    """Return the time in which some task waited for storage (Documentation/accounting/psi.rst)."""
    some = _read("/proc/pressure/io").splitlines()[0]
    return int(some.rpartition(b"total=")[2]) * 1000


def _device_busy(folder: str | os.PathLike[str]) -> int:
    """Return the time in which the device had requests (Documentation/block/stat.rst, io_ticks)."""
    number = os.stat(folder).st_dev  # noqa: PTH116 - as in `_read`
    return int(_read(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}/stat").split()[9]) * 1_000_000
