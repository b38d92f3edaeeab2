"""How many CPUs this process may really use."""

import math
import os
from pathlib import Path

__all__ = ["default_workers", "usable_cpus"]

_CGROUP_ROOT = Path("/sys/fs/cgroup")
_CGROUPS_OF_SELF = Path("/proc/self/cgroup")


def usable_cpus() -> float:
    """Return the smallest of the CPU affinity and every enclosing cgroup's quota, in CPUs, fraction kept."""
    cpus = float(len(os.sched_getaffinity(0)))
    return min([cpus, *_cgroup_quotas(_CGROUPS_OF_SELF, _CGROUP_ROOT)])


def default_workers() -> int:
    """Return one worker for every whole usable CPU, at least one."""
    return max(1, math.floor(usable_cpus()))


def _cgroup_quotas(membership: Path, root: Path) -> list[float]:
    """Read the quotas, in CPUs, of every group above this process, in cgroup v1 and v2.

    Source: the kernel's Documentation/admin-guide/cgroup-v2.rst (`cpu.max`) and sched-bwc.rst (v1).
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return []
    quotas = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            mounts = [root, root / "unified"]
        elif "cpu" in controllers.split(","):
            mounts = [root / controllers, root / "cpu"]
        else:
            continue
        for mount in mounts:
            group = mount / path.lstrip("/")
            for folder in (group, *group.parents):
                quotas.append(_quota(folder))
                if folder == mount:
                    break
    return [quota for quota in quotas if quota is not None]


def _quota(folder: Path) -> float | None:
    try:
        limit, period = (folder / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            limit = (folder / "cpu.cfs_quota_us").read_text().strip()
            period = (folder / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    if limit in ("max", "-1"):
        return None
    return int(limit) / int(period)
