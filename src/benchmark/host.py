"""The machine, the storage and the software that a bench ran on."""

import os
import platform
import time
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from ..engine.machine.activity import cpu_of_others
from ..engine.machine.counters import difference
from ..engine.machine.cpus import usable_cpus
from ..engine.machine.memory import machine_memory, usable_memory
from ..engine.protocols.registry import LIBRARIES
from .result.result import Host, Software, Storage, Timer

_LIBRARIES = LIBRARIES | {"joblib", "numpy", "pillow", "psutil", "simplejpeg", "xxhash"}


def host() -> Host:
    """Describe the machine."""
    lines = (_text(Path("/proc/cpuinfo")) or "").splitlines()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return Host(
        cpu=next(models, None),
        architecture=platform.machine(),
        cpus_online=os.cpu_count(),
        usable_cpus=usable_cpus(),
        memory_bytes=machine_memory(),
        kernel=f"{platform.system()} {platform.release()}",
        governor=_text(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        cgroups=tuple((_text(Path("/proc/self/cgroup")) or "").splitlines()),
        usable_memory_bytes=usable_memory(),
    )


def storage(folder: Path) -> Storage:
    """Describe the file system that holds a folder."""
    where = folder.resolve()
    mounts = [part for part in psutil.disk_partitions(all=True) if where.is_relative_to(part.mountpoint)]
    nearest = max(mounts, key=lambda part: len(part.mountpoint), default=None)
    return Storage(
        path=str(where),
        filesystem=nearest.fstype if nearest else None,
        device=nearest.device if nearest else None,
        free_bytes=psutil.disk_usage(str(where)).free,
    )


def software() -> Software:
    """Name the versions that matter."""
    libraries = {}
    for name in sorted(_LIBRARIES):
        with suppress(PackageNotFoundError):
            libraries[name] = version(name)
    return Software(f"{platform.python_implementation()} {platform.python_version()}", libraries)


def timer() -> Timer:
    """Describe the clock."""
    info = time.get_clock_info("perf_counter")
    return Timer(f"perf_counter_ns ({info.implementation})", max(1, round(info.resolution * 1e9)))


def commit() -> str | None:
    """Return the commit of the checkout that brinery runs from, or None outside a checkout."""
    git = Path(__file__).resolve().parents[2] / ".git"
    head = _text(git / "HEAD") or ""
    return _text(git / head.removeprefix("ref: ")) if head.startswith("ref: ") else head or None


class CpuUse:
    """How busy other programs keep the CPUs of this process, from its creation on."""

    def __init__(self) -> None:
        self._others, self._begin = cpu_of_others(), time.monotonic_ns()

    def foreign(self) -> float | None:
        """Return their CPU time over the time those CPUs had; None where it cannot be told."""
        others = difference(cpu_of_others(), self._others)
        offered = (time.monotonic_ns() - self._begin) * len(os.sched_getaffinity(0))
        return None if others is None or not offered else max(0.0, others / offered)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None
