"""Records which member each worker process is handling, in files that outlive the worker."""

import fcntl
import mmap
import os
import struct
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Claim", "ClaimWriter", "claim_writer", "claimants", "read_claims"]

_RECORD = struct.Struct("<5q")
_PIXELS = struct.Struct("<q")
_PIXELS_AT = _RECORD.size - _PIXELS.size
_NOTHING = -1


@dataclass(frozen=True, slots=True)
class Claim:
    """A member that a worker was handling when its claim was read.

    Attributes:
        pid: the worker process.
        unit: number of the unit.
        ordinal: ordinal of the member.
        since_ns: `time.perf_counter_ns` when the worker began with it.
        size: bytes of the encoded image.
        pixels: pixels that its frames declared so far; None once they are decoded.
    """

    pid: int
    unit: int
    ordinal: int
    since_ns: int
    size: int
    pixels: int | None


class ClaimWriter:
    """A worker's own file for its claim, mapped, so that a claim costs no system call and survives a kill.

    The file stays locked while the process lives, which tells others that it does.
    """

    def __init__(self, folder: str) -> None:
        self._pixels = 0
        self._path = Path(folder) / str(os.getpid())
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        try:
            # A sparse file would end in a bus error on a full disk.
            os.posix_fallocate(self._descriptor, 0, _RECORD.size)
            self._file = mmap.mmap(self._descriptor, _RECORD.size)
            with suppress(OSError):  # a file system without locks
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.close(self._descriptor)
            raise
        self.release()

    @property
    def seen(self) -> bool:
        """Whether the file still exists: a run drops claims by deleting their files."""
        with suppress(OSError):
            return os.path.samestat(self._path.stat(), os.fstat(self._descriptor))
        return False

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        os.close(self._descriptor)

    def claim(self, unit: int, ordinal: int, size: int) -> None:
        """Record that this process begins with a member of `size` bytes."""
        self._pixels = 0
        _RECORD.pack_into(self._file, 0, unit, ordinal, time.perf_counter_ns(), size, 0)

    def declare(self, pixels: int) -> None:
        """Record how many pixels a frame of the member has, before they are decoded."""
        self._pixels += pixels
        _PIXELS.pack_into(self._file, _PIXELS_AT, self._pixels)

    def decoded(self) -> None:
        """Record that the member is decoded and only has to be written."""
        _PIXELS.pack_into(self._file, _PIXELS_AT, _NOTHING)

    def release(self) -> None:
        """Clear the claim."""
        _RECORD.pack_into(self._file, 0, _NOTHING, _NOTHING, 0, 0, _NOTHING)


_writers: dict[str, ClaimWriter] = {}


def claim_writer(folder: str) -> ClaimWriter:
    """Return this process's writer for a run's folder of claims; a new one if its file is gone."""
    writer = _writers.get(folder)
    if writer is None or not writer.seen:
        while _writers:
            _writers.popitem()[1].close()
        writer = _writers[folder] = ClaimWriter(folder)
    return writer


def claimants(folder: Path) -> list[str]:
    """Return the ids of processes that still hold the file of their claim: workers of a killed run."""
    alive = []
    own = folder.is_dir() and not folder.is_symlink() and not folder.parent.is_symlink()
    for path in _files(folder) if own else ():
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            alive.append(path.name)
        except OSError:  # a file system without locks
            if _is_worker(path.name):
                alive.append(path.name)
        finally:
            os.close(descriptor)
    return alive


def _files(folder: Path) -> list[Path]:
    """Return the files of claims; some file systems also list deleted files that are open, by other names."""
    return [path for path in folder.iterdir() if path.name.isdecimal()]


def _is_worker(pid: str) -> bool:
    """Return whether this is the id of a living process that is some run's worker."""
    try:
        return b"popen_loky" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def read_claims(folder: Path) -> list[Claim]:
    """Return the members that workers are handling, or were when they ended."""
    claims = []
    for path in sorted(_files(folder)):
        data = path.read_bytes()
        if len(data) == _RECORD.size:
            unit, ordinal, since, size, pixels = _RECORD.unpack(data)
            if unit != _NOTHING:
                told = None if pixels == _NOTHING else pixels
                claims.append(Claim(int(path.name), unit, ordinal, since, size, told))
    return claims
