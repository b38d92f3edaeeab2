"""Files in memory or out of it, and the proof: what warm and cold loads need."""

import ctypes
import mmap
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ...engine.machine.counters import read_counters

_DROPPED = 0.01
_FILLED = 0.99
_CHUNK = 1 << 20
_FETCHED = 0.95
_PROBE_BYTES = 4 << 20
_mincore = ctypes.CDLL(None).mincore
_mincore.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p)


def drop(paths: Iterable[Path]) -> str | None:
    """Flush files and drop them from the page cache (posix_fadvise(2)); return why they are still there."""
    for path in paths:
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        share = resident(path)
        if share is None:
            return "the kernel does not tell what is in memory"
        if share > _DROPPED:
            return f"{share:.0%} of {path.name} stayed in memory"
    return None


def fill(paths: Iterable[Path]) -> str | None:
    """Read files that are not in the page cache; return why one still is not. Unknown counts as there."""
    for path in paths:
        if _lacks(path):
            with path.open("rb", buffering=0) as file:
                while file.read(_CHUNK):
                    pass
            if _lacks(path):
                return f"warm was not warm: {resident(path):.0%} of {path.name} stayed in memory"
    return None


def _lacks(path: Path) -> bool:
    share = resident(path)
    return share is not None and path.stat().st_size > 0 and share < _FILLED


def resident(path: Path) -> float | None:
    """Return the share of a file's pages in the page cache, by mincore(2), or None where that fails."""
    size = path.stat().st_size
    if size == 0:
        return 0.0
    with path.open("rb") as file, mmap.mmap(file.fileno(), size, prot=mmap.PROT_READ) as mapped:
        states = ctypes.create_string_buffer(-(-size // mmap.PAGESIZE))
        failed = _mincore(np.frombuffer(mapped, np.uint8).ctypes.data, size, states)
    return None if failed else sum(state & 1 for state in states.raw) / len(states)


def fetched(read_bytes: int | None, file_bytes: int) -> str | None:
    """Return why a load was not cold, by the bytes that came from storage; None where it was."""
    if read_bytes is None:
        return "the kernel does not count what comes from storage"
    if read_bytes < _FETCHED * file_bytes:
        return f"{read_bytes} of {file_bytes} bytes came from storage: cold was not cold"
    return None


def why_not_cold(folder: Path) -> str | None:
    """Try with a small file whether this folder's files can be read cold; return why they cannot."""
    path = folder / "cold-probe"
    try:
        path.write_bytes(os.urandom(_PROBE_BYTES))
        if problem := drop([path]):
            return problem
        before = read_counters()
        path.read_bytes()
        return fetched((read_counters() - before).read_bytes, _PROBE_BYTES)
    except OSError as error:
        return str(error.strerror or error)
    finally:
        path.unlink(missing_ok=True)
