"""The worker pool: runs tasks on joblib's backends and hands back results as they come.

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
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, lru_cache
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from joblib.executor import get_memmapping_executor
from joblib.externals.loky import get_reusable_executor, reusable_executor
from joblib.externals.loky.backend.reduction import dumps as loky_dumps
from joblib.externals.loky.process_executor import TerminatedWorkerError
from joblib.parallel import BACKENDS, Parallel, delayed

from ..errors import UsageError, WorkerError
from .literals import BACKEND_NAMES, Backend

__all__ = ["check_workers", "run", "run_batches", "shutdown"]

Task = TypeVar("Task")
Result = TypeVar("Result")

_IDLE_SECONDS = 300
# Thread pools that joblib does not hold to `inner_max_num_threads`: Blosc, Rayon, Arrow, OpenCV, Polars.
_ONE_THREAD = dict.fromkeys(
    (
        "BLOSC_NTHREADS",
        "RAYON_NUM_THREADS",
        "ARROW_IO_THREADS",
        "OMP_THREAD_LIMIT",
        "OPENCV_FOR_THREADS_NUM",
        "POLARS_MAX_THREADS",
    ),
    "1",
)
_PARENT_CHECK_SECONDS = 0.5
_SENDING_SECONDS = 0.003
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
    a free worker to feed. Processes stay warm for the next call with as many workers. Closing the
    generator, or any exception in the consumer, kills the processes at once; threads end with their
    current task.

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
    """Do as `run` does, and yield all results together that came while the consumer was busy.

    Results of processes wait for each other too, `gather` seconds behind the first, while tasks are left.
    """
    check_workers(workers, backend)
    source = _Drawn(tasks, pause_after=workers if backend == "loky" else None)
    processes = _processes() if backend == "loky" else None
    parallel = Parallel(
        n_jobs=workers,
        backend=processes or backend,
        return_as="generator_unordered",
        pre_dispatch=max(ahead * workers, 1),
        batch_size=1,
        max_nbytes=None,
    )
    if processes is not None:
        packed = bytes(loky_dumps(function))
        calls = (delayed(_call_packed)(packed, pickle.dumps(task)) for task in source)
    else:
        calls = (delayed(function)(task) for task in source)
    with _deaths_are_errors():
        results = parallel(calls)  # hands out the first tasks
    received = 0

    def come(seconds: float | None) -> bool:
        """Wait for a result, for ever or so long; whether there is one."""
        if processes is None or not processes.started or source.all_given(received):
            return seconds is None
        with suppress(Empty):
            processes.finished.get(timeout=seconds)
            return True
        return False

    def take() -> Any:
        nonlocal received
        with _deaths_are_errors():
            result = next(results)
        received += 1
        return pickle.loads(result) if processes is not None else result

    try:
        while True:
            come(None)
            try:
                batch = [take()]
            except StopIteration:
                break
            until = time.monotonic() + gather
            failed: Exception | None = None
            try:
                while come(0 if source.exhausted else max(0, until - time.monotonic())):
                    batch.append(take())
            except Exception as error:  # noqa: BLE001 - raised below, behind the results that came before it
                failed = error
            yield batch
            if failed is not None:
                raise failed
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # joblib counts what an early end leaves undone
            results.close()
    if source.error is not None:
        raise source.error


@contextmanager
def _deaths_are_errors() -> Iterator[None]:
    """Say what the death of a worker means."""
    try:
        yield
    except TerminatedWorkerError as error:
        raise WorkerError(
            "a worker process died (killed, out of memory, or crashed in a native library); "
            "run the same command again to go on from what is committed"
        ) from error


def shutdown() -> None:
    """End the warm worker processes, if there are any."""
    get_reusable_executor().shutdown(wait=True, kill_workers=True)


def _call_packed(function: bytes, task: bytes) -> bytes:
    """Call a function in a worker; packed here, objects cost a third of what loky's own pickler takes."""
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


class _Drawn(Iterator[Any]):
    """Keeps a task iterator's exception for the consumer: joblib draws tasks in threads that lose it.

    Once every worker has a task, drawing pauses: the thread that sends them needs the interpreter too.
    """

    def __init__(self, tasks: Iterable[Any], pause_after: int | None) -> None:
        self._tasks = iter(tasks)
        self._pause_after = pause_after
        self._count = 0
        self.exhausted = False
        self.error: BaseException | None = None

    def __next__(self) -> Any:
        if self.exhausted:
            raise StopIteration
        if self._count == self._pause_after:
            time.sleep(_SENDING_SECONDS)
        try:
            task = next(self._tasks)
        except StopIteration:
            self.exhausted = True
            raise
        except BaseException as error:
            if threading.current_thread() is threading.main_thread() and not isinstance(error, Exception):
                raise
            self.error = error
            self.exhausted = True
            raise StopIteration from None
        self._count += 1
        return task

    def all_given(self, results: int) -> bool:
        """Whether no task is left and so many results are all there will be."""
        return self.exhausted and results >= self._count


_LokyBackend: Any = BACKENDS["loky"]


class _Loky(_LokyBackend):  # type: ignore[misc]  # joblib has no types
    """joblib's loky with a real process also for one worker, and a signal for every result.

    joblib itself looks for results every 10 ms.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.finished: SimpleQueue[None] = SimpleQueue()
        self.started = False

    def configure(self, n_jobs: int = 1, parallel: Any = None, **options: Any) -> int:
        if multiprocessing.current_process().daemon:
            workers: int = super().configure(n_jobs, parallel, **options)  # it runs in the caller
            return workers
        env = self._prepare_worker_env(n_jobs=n_jobs)
        self._workers = _executor(n_jobs, env, {**self.backend_kwargs, **options})
        self.parallel = parallel
        self.started = True
        return max(n_jobs, 2)  # joblib runs in the caller whenever a backend reports one job

    def submit(self, func: Any, callback: Any = None) -> Any:
        def registered(future: Any) -> None:
            try:
                callback(future)
            finally:
                self.finished.put(None)

        return super().submit(func, registered)


_kept: list[Any] = []  # the last executor and what it was asked for
_keeping = threading.Lock()


def _executor(workers: int, env: dict[str, str], options: dict[str, Any]) -> Any:
    """Return warm processes, or new ones; joblib would leave two folders behind whenever it is asked."""
    with _keeping:
        if _kept:
            executor, *asked = _kept
            ended = executor._flags.broken or executor._flags.shutdown  # noqa: SLF001 - no public name
            if asked == [workers, env, options] and executor is reusable_executor._executor and not ended:  # noqa: SLF001
                return executor
        executor = get_memmapping_executor(workers, timeout=_IDLE_SECONDS, env=env, **options)
        _kept[:] = [executor, workers, env, options]
        return executor


def _processes() -> _Loky:
    in_main = threading.current_thread() is threading.main_thread()
    return _Loky(inner_max_num_threads=1, initializer=_start_worker, initargs=(os.getpid(), in_main))


def _start_worker(parent: int, from_main: bool) -> None:
    """Prepare a worker process: one thread in its libraries, the parent answers Ctrl-C, none outlives it.

    The kernel's own signal also ends a worker that is in native code and never gives its thread a turn. It
    comes when the thread ends that started the worker, so only the main thread's workers can ask for it.
    """
    os.environ.update(_ONE_THREAD)
    if from_main:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with, args=(parent,), name="parent-watch", daemon=True).start()


def _leave_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_PARENT_CHECK_SECONDS)
    os._exit(1)
