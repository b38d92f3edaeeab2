"""Files in memory or out of it, and the proof: what warm and cold loads need."""

import ctypes
import mmap
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ...engine.counters import read_counters

__all__ = ["drop", "fetched", "fill", "resident", "why_not_cold"]

_DROPPED = 0.01
_FILLED = 0.99
_CHUNK = 1 << 20
_FETCHED = 0.95
_CACHESTAT = 451  # the number of cachestat(2), Linux 6.5 and later
_PROBE_BYTES = 4 << 20
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = (
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_long,
)
_libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
_libc.mincore.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p)


class _Range(ctypes.Structure):
    _fields_ = (("offset", ctypes.c_uint64), ("length", ctypes.c_uint64))


class _Stat(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_uint64) for name in ("cached", "dirty", "writeback", "evicted", "recently_evicted")
    )


def drop(paths: Iterable[Path]) -> str | None:
    """Flush files and drop them from the page cache (posix_fadvise(2)); return why they are still there."""
    for path in paths:
        with _opened(path) as descriptor:
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
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
    """Return the share of a file's pages that are in the page cache, by cachestat(2), else mincore(2)."""
    size = path.stat().st_size
    if size == 0:
        return 0.0
    pages = -(-size // mmap.PAGESIZE)
    with _opened(path) as descriptor:
        span, stat = _Range(0, size), _Stat()
        if _libc.syscall(_CACHESTAT, descriptor, ctypes.byref(span), ctypes.byref(stat), 0) == 0:
            return float(stat.cached) / pages
        address = _libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0)
        if address in (None, ctypes.c_void_p(-1).value):
            return None
        states = ctypes.create_string_buffer(pages)
        try:
            if _libc.mincore(address, size, states) != 0:
                return None
        finally:
            _libc.munmap(address, size)
        return sum(state & 1 for state in states.raw) / pages


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
        problem = drop([path])
        if problem is not None:
            return problem
        before = read_counters()
        path.read_bytes()
        return fetched((read_counters() - before).read_bytes, _PROBE_BYTES)
    except OSError as error:
        return str(error.strerror or error)
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
