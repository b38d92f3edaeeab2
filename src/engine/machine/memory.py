"""The memory that a worker may use."""

import os
import resource
from functools import cache
from pathlib import Path

from .cpus import enclosing_groups

__all__ = ["limit_memory", "machine_memory", "usable_memory", "worker_memory"]

_AT_LEAST = 4 << 30  # the largest image within the budgets fits
_AT_MOST = 0.9  # of all memory


def machine_memory() -> int:
    """Return the machine's memory in bytes. It needs no /proc."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@cache
def usable_memory() -> int:
    """Return the machine's memory or the smallest limit of an enclosing cgroup, in bytes; read once."""
    limits = [_limit(group) for group in enclosing_groups("memory")]
    return min([machine_memory(), *(limit for limit in limits if limit is not None)])


def worker_memory(workers: int) -> int:
    """Return the bytes that each worker may use: an equal share, but at least 4 GiB if there is that much."""
    usable = usable_memory()
    return int(min(max(usable / workers, _AT_LEAST), _AT_MOST * usable))


def limit_memory(nbytes: int) -> None:
    """Limit this process to `nbytes` of private memory; allocating more raises MemoryError.

    Mapped files do not count: RLIMIT_DATA of Linux 4.7 and later (getrlimit(2)).
    """
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (nbytes if hard == -1 else min(nbytes, hard), hard))


def _limit(group: Path) -> int | None:
    for name in ("memory.max", "memory.limit_in_bytes"):
        try:
            text = (group / name).read_text().strip()
        except OSError:
            continue
        return int(text) if text.isdigit() else None
    return None
