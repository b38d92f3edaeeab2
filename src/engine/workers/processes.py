"""Warm worker processes of joblib's loky. joblib is imported here and nowhere else."""

import ctypes
import gc
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Collection
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from typing import Any

from joblib.externals.loky import ProcessPoolExecutor
from joblib.externals.loky.backend import resource_tracker as loky_tracker
from joblib.externals.loky.backend.reduction import dumps as loky_dumps

from ...errors import NoProcessesError, WorkerError
from .process_limits import reason_of

__all__ = ["Processes", "shutdown", "warm"]

_IDLE_SECONDS = 300
_ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OMP_THREAD_LIMIT",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "BLIS_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "NUMBA_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "BLOSC_NTHREADS",
        "RAYON_NUM_THREADS",
        "ARROW_IO_THREADS",
        "OPENCV_FOR_THREADS_NUM",
        "POLARS_MAX_THREADS",
    ),
    "1",
)
_SAFE_PATH = "PYTHONSAFEPATH"
_PARENT_CHECK_SECONDS = 0.5
_QUEUEING_SECONDS = 0.1
_THREADS_SECONDS = 1.0
_PR_SET_PDEATHSIG = 1  # prctl(2)
_FIRST = 100  # priority among multiprocessing's finalizers


@dataclass(frozen=True, slots=True)
class _Pool:
    """Processes and what started them.

    Attributes:
        executor: loky's executor.
        size: number of processes it starts.
        origin: the id of the starting process, whether its main thread did it, and its import path.
    """

    executor: Any
    size: int
    origin: tuple[int, bool, tuple[str, ...]]

    def end(self) -> None:
        """Kill the processes, even in the middle of a task."""
        with suppress(RuntimeError):  # its thread could not be started
            self.executor.shutdown(wait=True, kill_workers=True)


class Processes:
    """Worker processes for one function. Pickling here takes a third of the time of loky's own pickler.

    Args:
        function: importable by name.
        size: processes that are needed; those of the last call are used again if they are `size` to `most`.
        most: processes that are allowed.

    Raises:
        NoProcessesError: no process can start. The first `submit` raises it too, before any task begins.
    """

    def __init__(self, function: Any, size: int, most: int) -> None:
        self._function = bytes(loky_dumps(function))
        self._size = size
        self._last: Future[Any] | None = None
        kept = _idle.take(size, most)
        self._warm = kept is not None
        self._pool = kept or _new_pool(size)

    @property
    def size(self) -> int:
        """The number of processes."""
        return self._pool.size

    def pack(self, task: Any, /) -> bytes:
        """Pickle a task."""
        return pickle.dumps(task)

    def submit(self, packed: Any, /) -> Future[Any]:
        """Queue a packed task."""
        if self._last is None:
            self._last = self._submit_first(packed)
        else:
            try:
                self._last = self._pool.executor.submit(_call_packed, self._function, packed)
            except (OSError, RuntimeError) as error:
                if isinstance(error, BrokenProcessPool):
                    raise
                raise WorkerError(f"no worker process can be started: {reason_of(error)}") from error
        return self._last

    def received(self, future: Future[Any], /) -> tuple[Any, int]:
        """Return the result and its size as a pickle, in bytes; raise what the task raised."""
        try:
            packed = future.result()
        except BrokenProcessPool as error:
            if error.__cause__ is not None:  # what the worker met
                last = str(error.__cause__).rstrip('"\n ').rpartition("\n")[2]
                raise WorkerError(f"a worker process cannot work: {last}") from error
            raise WorkerError(
                "a worker process died (killed, out of memory, or crashed in a native library); "
                "run the same command again to go on from what is committed"
            ) from error
        return pickle.loads(packed), len(packed)

    def close(self, *, kill: bool) -> None:
        """Keep the processes warm for the next call; with `kill`, end them in the middle of their tasks."""
        if kill:
            self._wait_for_the_last()
            self._pool.end()
        else:
            _idle.keep(self._pool)

    def _submit_first(self, packed: bytes) -> Future[Any]:
        """Submit a task to processes that may have to start, or may have ended while they were idle."""
        others, threads = multiprocessing.active_children(), set(threading.enumerate())
        # Processes inherit it: one that starts could meet Ctrl-C before it can ignore it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            future: Future[Any] = self._pool.executor.submit(_call_packed, self._function, packed)
            if not self._warm:
                _check_threads(threads)
        except BrokenProcessPool:
            if not self._warm:
                raise
            self._pool.end()
            self._warm = False
            self._pool = _new_pool(self._size)
            return self._submit_first(packed)
        except Exception as error:
            self._pool.end()
            _kill_all_but(others)
            raise NoProcessesError(reason_of(error)) from error
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return future

    def _wait_for_the_last(self) -> None:
        """Let loky's thread queue what was submitted: killed before that, it would print a KeyError."""
        until = time.monotonic() + _QUEUEING_SECONDS
        last = self._last
        while last is not None and not (last.running() or last.done()) and time.monotonic() < until:
            time.sleep(0.001)


class _Idle:
    """The processes of the last call, warm for the next one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: _Pool | None = None
        self._watches_exit = self._leaving = False

    def take(self, size: int, most: int) -> _Pool | None:
        """Return the processes if they suit; otherwise end them."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is None or (pool.origin == _origin() and size <= pool.size <= most):
            return pool
        pool.end()
        return None

    def keep(self, pool: _Pool) -> None:
        """Keep processes in place of those kept before; end them if this process is about to exit."""
        with self._lock:
            if self._leaving:
                other: _Pool | None = pool
            else:
                other, self._pool = self._pool, pool
        if other is not None:
            other.end()

    def end(self) -> None:
        """End the processes, if there are any."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.end()

    def holds(self) -> bool:
        """Return whether there are processes."""
        return self._pool is not None

    def end_with_this_process(self) -> None:
        """Have multiprocessing end the processes: a process that it started would wait for them first."""
        with self._lock:
            if self._watches_exit:
                return
            self._watches_exit = True
        Finalize(None, self._leave, exitpriority=_FIRST)

    def _leave(self) -> None:
        self._leaving = True
        self.end()


_idle = _Idle()
_inherited: list[_Idle] = []


def _forked() -> None:
    """Leave the parent's processes to the parent, without freeing the objects that stand for them."""
    global _idle  # noqa: PLW0603 - one for each process
    _inherited.append(_idle)
    _idle = _Idle()


os.register_at_fork(after_in_child=_forked)


def warm() -> bool:
    """Return whether processes of an earlier call wait for work."""
    return _idle.holds()


def shutdown() -> None:
    """End the warm worker processes, if there are any."""
    _idle.end()


def _origin() -> tuple[int, bool, tuple[str, ...]]:
    in_main = threading.current_thread() is threading.main_thread()
    return os.getpid(), in_main, tuple(sys.path)


def _new_pool(size: int) -> _Pool:
    """Return a pool whose processes the first task starts."""
    origin = _origin()
    try:
        # Started with -c and -m, trackers and workers would import from the current folder first.
        hides_folder = _SAFE_PATH not in os.environ and not {"", os.getcwd()}.intersection(sys.path)  # noqa: PTH109 - as loky
        _start_trackers(hides_folder=hides_folder)
        executor = ProcessPoolExecutor(
            size,
            timeout=_IDLE_SECONDS,
            initializer=_start_worker,
            initargs=(*origin[:2], hides_folder),
            env=_ONE_THREAD | ({_SAFE_PATH: "1"} if hides_folder else {}),
        )
    except (OSError, RuntimeError) as error:
        raise NoProcessesError(reason_of(error)) from error
    _idle.end_with_this_process()
    return _Pool(executor, size, origin)


def _start_trackers(*, hides_folder: bool) -> None:
    """Start the processes that clean up after killed ones, before a submit that holds signals back."""
    if hides_folder:
        os.environ[_SAFE_PATH] = "1"
    try:
        resource_tracker.ensure_running()
        loky_tracker.ensure_running()
    finally:
        if hides_folder:
            del os.environ[_SAFE_PATH]


def _check_threads(before: Collection[threading.Thread]) -> None:
    """Wait a moment for loky's two threads: the first starts the second, and dies if it cannot.

    Raises:
        RuntimeError: the first thread died, so no result would ever come.
    """
    until = time.monotonic() + _THREADS_SECONDS
    while (new := sum(thread not in before for thread in threading.enumerate())) < 2:
        if not new:
            raise RuntimeError("no thread can be started")
        if time.monotonic() > until:
            return
        time.sleep(0.0005)


def _kill_all_but(others: Collection[BaseProcess]) -> None:
    """Kill the workers of an executor that could not start all of them, since it forgets the others."""
    for process in multiprocessing.active_children():
        if process not in others and process.name.startswith("Loky") and process.pid is not None:
            os.kill(process.pid, signal.SIGKILL)
            process.join()


def _call_packed(function: bytes, task: bytes) -> bytes:
    """Call a function in a worker."""
    result = pickle.dumps(_unpacked(function)(pickle.loads(task)))
    _freeze_once()
    return result


@lru_cache(maxsize=2)
def _unpacked(function: bytes) -> Any:
    """Unpickle a run's function, once for all tasks."""
    return pickle.loads(function)


@cache
def _freeze_once() -> None:
    """Exclude what the first call imported from garbage collections."""
    gc.freeze()


def _start_worker(parent: int, from_main: bool, hides_folder: bool) -> None:
    """Prepare a worker process: the parent answers Ctrl-C, and no worker outlives it.

    A thread watches the parent. The kernel's signal also ends a worker whose native code never lets that
    thread run. It comes when the thread that started the worker ends, so only workers of the main thread ask
    for it.
    """
    if hides_folder:
        os.environ.pop(_SAFE_PATH, None)  # it is not for processes that a user's own code starts
    if from_main:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watch = threading.Thread(target=_leave_with, args=(parent,), name="parent-watch", daemon=True)
    with suppress(RuntimeError):  # no thread can start: the worker leaves after its time of idleness
        watch.start()


def _leave_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_PARENT_CHECK_SECONDS)
    os._exit(1)
