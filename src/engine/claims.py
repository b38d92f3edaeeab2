"""Which member each worker process is at, written where it outlives the worker."""

import mmap
import os
import struct
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Claim", "ClaimWriter", "claim_writer", "read_claims"]

_RECORD = struct.Struct("<qqq")
_NOTHING = -1


@dataclass(frozen=True, slots=True)
class Claim:
    """A member that a worker was at when its claims were read.

    Attributes:
        pid: the worker process.
        unit: number of the unit.
        ordinal: the member's.
        since_ns: `time.perf_counter_ns` when it began.
    """

    pid: int
    unit: int
    ordinal: int
    since_ns: int


class ClaimWriter:
    """A worker's own file of claims, mapped: a claim costs no system call and survives a kill."""

    def __init__(self, folder: str) -> None:
        path = Path(folder) / str(os.getpid())
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        try:
            os.posix_fallocate(descriptor, 0, _RECORD.size)  # a hole would be a bus error on a full disk
            self._file = mmap.mmap(descriptor, _RECORD.size)
        finally:
            os.close(descriptor)
        self.release()

    def claim(self, unit: int, ordinal: int) -> None:
        """Say that this process begins with a member."""
        _RECORD.pack_into(self._file, 0, unit, ordinal, time.perf_counter_ns())

    def release(self) -> None:
        """Say that it is at none."""
        _RECORD.pack_into(self._file, 0, _NOTHING, _NOTHING, 0)


_writers: dict[str, ClaimWriter] = {}


def claim_writer(folder: str) -> ClaimWriter:
    """Return this process's writer for a run's folder of claims, made anew for each folder."""
    writer = _writers.get(folder)
    if writer is None:
        _writers.clear()
        writer = _writers[folder] = ClaimWriter(folder)
    return writer


def read_claims(folder: Path) -> list[Claim]:
    """Return what the workers are at, or were when they ended."""
    claims = []
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        if len(data) == _RECORD.size:
            unit, ordinal, since = _RECORD.unpack(data)
            if unit != _NOTHING:
                claims.append(Claim(int(path.name), unit, ordinal, since))
    return claims
