"""What the machine did around a region, and no pending writes from before it."""

import ctypes
import os

from ...engine.machine.activity import dirty_bytes, read_machine
from ..result.measured import BACKLOG_BYTES, MachineUse


class Watch:
    """The machine from now on; its device is the one that holds the folder."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder, self._dirty = folder, dirty_bytes()
        self._begin = read_machine(folder)

    def use(self) -> MachineUse:
        """Return what happened so far."""
        spent = (read_machine(self._folder) - self._begin)._asdict()
        cpus = len(os.sched_getaffinity(0))
        return MachineUse(wall_ns=spent.pop("time_ns"), dirty_bytes=self._dirty, cpus=cpus, **spent)


def drain(folder: str) -> None:
    """Flush this file system, since pending writes would fall into a later region."""
    if (dirty_bytes() or 0) <= BACKLOG_BYTES:
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        ctypes.CDLL(None).syncfs(descriptor)
    finally:
        os.close(descriptor)
