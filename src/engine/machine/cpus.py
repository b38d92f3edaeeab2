"""The CPUs that this process may use."""

import math
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

__all__ = ["default_workers", "enclosing_groups", "usable_cpus"]

_CGROUP_ROOT = Path("/sys/fs/cgroup")
_CGROUPS_OF_SELF = Path("/proc/self/cgroup")


def usable_cpus() -> float:
    """Return the smallest of the CPU affinity and all enclosing cgroups' quotas, in CPUs, not rounded."""
    cpus = float(len(os.sched_getaffinity(0)))
    quotas = [_quota(group) for group in _groups_with_quotas()]
    return min([cpus, *(quota for quota in quotas if quota is not None)])


def default_workers() -> int:
    """Return the number of whole usable CPUs, at least 1."""
    return max(1, math.floor(usable_cpus()))


def enclosing_groups(
    controller: str, membership: Path = _CGROUPS_OF_SELF, root: Path = _CGROUP_ROOT
) -> Iterator[Path]:
    """Yield the folders of all cgroups, v1 and v2, that limit a resource of this process.

    Args:
        controller: "cpu" or "memory".
        membership: the file that names this process's groups.
        root: where groups are mounted.
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            mounts = [root, root / "unified"]
        elif controller in controllers.split(","):
            mounts = list(dict.fromkeys((root / controllers, root / controller)))
        else:
            continue
        for mount in mounts:
            group = mount / path.lstrip("/")
            for folder in (group, *group.parents):
                yield folder
                if folder == mount:
                    break


@cache
def _groups_with_quotas() -> tuple[Path, ...]:
    """Return the groups that have a quota's file; a process seldom moves to others."""
    names = ("cpu.max", "cpu.cfs_quota_us")
    groups = dict.fromkeys(enclosing_groups("cpu"))
    return tuple(group for group in groups if any((group / name).is_file() for name in names))


def _quota(folder: Path) -> float | None:
    """Read a group's quota, in CPUs: `cpu.max` (cgroup-v2.rst of the kernel) or v1's (sched-bwc.rst)."""
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
