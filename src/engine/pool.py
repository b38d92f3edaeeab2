"""The worker pool: runs tasks in joblib's processes or in threads, and hands back results as they come.

joblib is imported here and nowhere else.
"""

import ctypes
import gc
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, lru_cache
from typing import Any, TypeVar

from joblib.executor import get_memmapping_executor
from joblib.externals.loky import get_reusable_executor, reusable_executor
from joblib.externals.loky.backend.reduction import dumps as loky_dumps
from joblib.externals.loky.process_executor import TerminatedWorkerError

from ..errors import UsageError, WorkerError
from .dispatch import Calls, Crew
from .literals import BACKEND_NAMES, Backend

__all__ = ["check_workers", "run", "run_batches", "shutdown"]

Task = TypeVar("Task")
Result = TypeVar("Result")

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
_PARENT_CHECK_SECONDS = 0.5
_SENDING_SECONDS = 0.003
_QUEUEING_SECONDS = 0.1
_PR_SET_PDEATHSIG = 1  # prctl(2)


def check_workers(workers: int, backend: str) -> None:
    """Raise UsageError unless this many workers of this backend can be asked for."""
    if workers < 1:
        raise UsageError(f"the number of workers must be 1 or more, not {workers}")
    if backend not in BACKEND_NAMES:
        raise UsageError(f"unknown backend {backend!r}: choose one of {', '.join(BACKEND_NAMES)}")


def run(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    *,
    workers: int,
    backend: Backend = "loky",
    ahead: int = 2,
) -> Generator[Result, None, None]:
    """Call the function on every task in the workers and yield results in the order they finish.

    Tasks are drawn lazily, at most `ahead` a worker before they are needed, from whichever thread has
    a free worker to feed, and no faster than results are taken. Processes stay warm for the next call with
    as many workers. Closing the generator, or any exception in the consumer, kills the processes at once;
    threads end with their current task.

    Args:
        function: importable by name; with loky, tasks and results travel as pickles.
        tasks: an iterator that may be slow; its exceptions are raised here once the tasks drawn before
            have given their results.
        workers: processes (or threads) that work; also for 1 a process of its own.
        backend: "loky" for processes, "threading" for threads of this process.
        ahead: how many tasks a worker are drawn and queued.

    Raises:
        WorkerError: a worker process died.
    """
    batches = run_batches(function, tasks, workers=workers, backend=backend, ahead=ahead)
    try:
        for batch in batches:
            yield from batch
    finally:
        batches.close()


def run_batches(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    *,
    workers: int,
    backend: Backend = "loky",
    ahead: int = 2,
    gather: float = 0,
) -> Generator[list[Result], None, None]:
    """Do as `run` does, and yield results of processes together that came while the consumer was busy.

    They wait for each other too, `gather` seconds behind the first, while tasks are left. Those of threads
    come one by one.
    """
    check_workers(workers, backend)
    in_processes = backend == "loky" and not multiprocessing.current_process().daemon
    crew: Crew = _Processes(function, workers) if in_processes else _Threads(function, workers)
    calls: Calls[Result] = Calls(crew, tasks)
    finished = False
    try:
        calls.feed(workers)
        if in_processes and not calls.exhausted:
            time.sleep(_SENDING_SECONDS)  # the thread that sends them needs the interpreter too
        calls.feed(max(ahead, 1) * workers)
        yield from calls.batches(gather if in_processes else None)
        finished = True
    finally:
        calls.stop()
        crew.close(kill=not finished)
    if calls.error is not None:
        raise calls.error


class _Threads:
    """Threads of this process, which end with their current task."""

    def __init__(self, function: Callable[[Any], Any], workers: int) -> None:
        self._function = function
        self._executor = ThreadPoolExecutor(workers)

    def pack(self, task: Any, /) -> Any:
        return task

    def submit(self, packed: Any, /) -> Future[Any]:
        return self._executor.submit(self._function, packed)

    def received(self, future: Future[Any], /) -> tuple[Any, int]:
        return future.result(), 0

    def close(self, *, kill: bool) -> None:
        self._executor.shutdown(cancel_futures=kill)


class _Processes:
    """joblib's warm processes; packed here, objects cost a third of what its own pickler takes."""

    def __init__(self, function: Callable[[Any], Any], workers: int) -> None:
        self._executor = _executor(workers)
        self._function = bytes(loky_dumps(function))
        self._last: Future[Any] | None = None

    def pack(self, task: Any, /) -> bytes:
        return pickle.dumps(task)

    def submit(self, packed: Any, /) -> Future[Any]:
        self._last = self._executor.submit(_call_packed, self._function, packed)
        return self._last

    def received(self, future: Future[Any], /) -> tuple[Any, int]:
        try:
            packed = future.result()
        except TerminatedWorkerError as error:
            raise WorkerError(
                "a worker process died (killed, out of memory, or crashed in a native library); "
                "run the same command again to go on from what is committed"
            ) from error
        return pickle.loads(packed), len(packed)

    def close(self, *, kill: bool) -> None:
        if kill:
            self._wait_for_the_last()
            self._executor.terminate(kill_workers=True)

    def _wait_for_the_last(self) -> None:
        """Let loky's thread queue what was submitted: killed in between, it would print a KeyError."""
        until = time.monotonic() + _QUEUEING_SECONDS
        last = self._last
        while last is not None and not (last.running() or last.done()) and time.monotonic() < until:
            time.sleep(0.001)


def shutdown() -> None:
    """End the warm worker processes, if there are any."""
    get_reusable_executor().shutdown(wait=True, kill_workers=True)


def _call_packed(function: bytes, task: bytes) -> bytes:
    """Call a function in a worker."""
    result = pickle.dumps(_unpacked(function)(pickle.loads(task)))
    _freeze_once()
    return result


@lru_cache(maxsize=2)
def _unpacked(function: bytes) -> Any:
    """Unpack a run's function once, and not for every task."""
    return pickle.loads(function)


@cache
def _freeze_once() -> None:
    """Leave what the first call imported out of garbage collections."""
    gc.freeze()


_kept: list[Any] = []  # the last executor and what it was asked for
_keeping = threading.Lock()


def _executor(workers: int) -> Any:
    """Return warm processes, or new ones; joblib would leave two folders behind whenever it is asked."""
    in_main = threading.current_thread() is threading.main_thread()
    initargs = (os.getpid(), in_main)
    with _keeping:
        if _kept:
            executor, *asked = _kept
            ended = executor._flags.broken or executor._flags.shutdown  # noqa: SLF001 - no public name
            if asked == [workers, initargs] and executor is reusable_executor._executor and not ended:  # noqa: SLF001
                return executor
        executor = get_memmapping_executor(
            workers,
            timeout=_IDLE_SECONDS,
            initializer=_start_worker,
            initargs=initargs,
            env=_ONE_THREAD,
            max_nbytes=None,
        )
        _kept[:] = [executor, workers, initargs]
        return executor


def _start_worker(parent: int, from_main: bool) -> None:
    """Prepare a worker process: the parent answers Ctrl-C, and none outlives it.

    The kernel's own signal also ends a worker that is in native code and never gives its thread a turn. It
    comes when the thread ends that started the worker, so only the main thread's workers can ask for it.
    """
    if from_main:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with, args=(parent,), name="parent-watch", daemon=True).start()


def _leave_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_PARENT_CHECK_SECONDS)
    os._exit(1)
