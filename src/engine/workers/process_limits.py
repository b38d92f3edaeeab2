"""Says why no worker process can start in this place."""

import errno
import multiprocessing
import os
from pathlib import Path

__all__ = ["has_proc", "reason_of", "why_no_processes"]

_LOCKS = "/dev/shm"  # noqa: S108 - where sem_open(3) of glibc puts semaphores
_LIMITS = {
    errno.EAGAIN: "the limit of processes and threads is reached (`ulimit -u`, or pids.max of a container)",
    errno.ENOMEM: "memory is short",
    errno.EMFILE: "the limit of open files is reached (`ulimit -n`)",
    errno.ENFILE: "the system's limit of open files is reached",
}


def why_no_processes() -> str | None:
    """Return why no worker process can start from here; None if nothing is known to prevent it."""
    if multiprocessing.current_process().daemon:
        return "a daemonic process of multiprocessing may not start others"
    try:
        multiprocessing.get_context("fork").Lock()  # a semaphore, as the workers' queues need
    except ImportError as error:
        return str(error)
    except OSError as error:
        return reason_of(error)
    if not has_proc():
        return "/proc is not mounted, or not all of it, and processes are looked after by what it says"
    try:
        os.getcwd()  # noqa: PTH109 - as loky does
    except OSError:
        return "the current folder does not exist any more"
    return None


def has_proc() -> bool:
    """Return whether /proc describes processes and the machine: without, psutil and so loky fail."""
    return Path("/proc/stat").exists() and Path(f"/proc/{os.getpid()}/stat").exists()


def reason_of(error: Exception) -> str:
    """Return in words what kept a process from starting."""
    if isinstance(error.__context__, OSError) and not isinstance(error, OSError):
        error = error.__context__  # loky's own clean-up failed after it
    if not isinstance(error, OSError):
        return _LIMITS[errno.EAGAIN] if "thread" in str(error) else str(error)
    limit = _LIMITS.get(error.errno or 0)
    return limit or f"{_LOCKS}, where their locks lie, cannot be written ({error.strerror or error})"
