"""The worker pool: runs tasks in processes or in threads, and hands back results as they come."""

import sys
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from ...errors import BrineryWarning, NoProcessesError, UsageError
from ..choices import BACKEND_NAMES, Backend
from .dispatch import Calls, Crew
from .process_limits import why_no_processes
from .threads import Threads

__all__ = ["Pace", "check_processes", "check_workers", "run", "run_batches", "say_threads", "shutdown"]

Task = TypeVar("Task")
Result = TypeVar("Result")

_SENDING_SECONDS = 0.003
_LOOKING_SECONDS = 0.1  # less than it takes a process to start


def check_workers(workers: int, backend: str) -> None:
    """Raise UsageError if the number of workers or the backend makes no sense."""
    if workers < 1:
        raise UsageError(f"the number of workers must be 1 or more, not {workers}")
    if backend not in BACKEND_NAMES:
        raise UsageError(f"unknown backend {backend!r}: choose one of {', '.join(BACKEND_NAMES)}")


def check_processes() -> None:
    """Raise NoProcessesError if something is known to keep worker processes from starting.

    Warm ones prove that nothing does.
    """
    processes = sys.modules.get(f"{__package__}.processes")
    reason = None if processes is not None and processes.warm() else why_no_processes()
    if reason is not None:
        raise NoProcessesError(reason)


@dataclass(frozen=True, slots=True)
class Pace:
    """How tasks are drawn and results are handed over.

    Attributes:
        ahead: tasks drawn and queued per worker.
        gather: seconds that a list waits for further results after its first, while tasks are left.
        ready: returns whether another task may be drawn while some are under way.
        pulse: seconds after which an empty list is yielded if no result has come; None for never.
    """

    ahead: int = 2
    gather: float = 0
    ready: Callable[[], bool] | None = None
    pulse: float | None = None


def run(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    *,
    workers: int,
    backend: Backend = "loky",
    ahead: int = 2,
    or_threads: bool = True,
) -> Generator[Result, None, None]:
    """Call the function on every task in the workers and yield results in the order they finish.

    Tasks are drawn lazily, at most `ahead` per worker before they are needed, by whichever thread has a free
    worker to feed, and no faster than results are taken. Processes stay warm for the next call with as many
    workers. Closing the generator, or any exception in the consumer, kills the processes at once; threads
    finish their current task.

    No more workers start than there are tasks, unless the first tasks are slow to come.

    Args:
        function: importable by name; with loky, tasks and results travel as pickles.
        tasks: an iterator that may be slow; its exceptions are raised here after the results of the tasks
            drawn before.
        workers: most processes or threads; a single one is a process of its own too.
        backend: "loky" for processes, "threading" for threads of this process.
        ahead: tasks drawn and queued per worker.
        or_threads: if no process can start, let threads work, and say why in a BrineryWarning.

    Raises:
        WorkerError: a worker process died.
        NoProcessesError: no process can start, and `or_threads` is False.
    """
    batches = run_batches(
        function, tasks, workers=workers, backend=backend, or_threads=or_threads, pace=Pace(ahead)
    )
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
    or_threads: bool = True,
    pace: Pace = Pace(),
) -> Generator[list[Result], None, None]:
    """Do as `run` does, but yield lists of the results that came while the consumer was busy.

    Results of threads come in lists of one.

    Args:
        function: as for `run`.
        tasks: as for `run`.
        workers: as for `run`.
        backend: as for `run`.
        or_threads: as for `run`.
        pace: how tasks are drawn and results are handed over.
    """
    check_workers(workers, backend)
    first, rest, all_drawn = _look_ahead(iter(tasks), workers, pace.ready)
    if not first:
        next(rest, None)  # raises the error of the listing
        return
    head, size = first[0], len(first) if all_drawn else workers  # no more workers than there is work for
    if backend == "loky":
        try:
            crew = _processes(function, size, workers)
            tasks = _in_turn(first, rest)
            yield from _batches(crew, tasks, size, pace, gather=pace.gather)
        except NoProcessesError as error:
            if not or_threads:
                raise
            if not first or first[0] is not head:
                first.appendleft(head)
            say_threads(error)
        else:
            return
    crew = Threads(function, size)
    tasks = _in_turn(first, rest)
    yield from _batches(crew, tasks, size, pace, gather=None)


def _batches(
    crew: Crew,
    tasks: Iterator[Any],
    size: int,
    pace: Pace,
    *,
    gather: float | None,
) -> Generator[list[Any], None, None]:
    """Give a crew its tasks and yield its results; those of threads, one by one, are not gathered."""
    calls: Calls[Any] = Calls(crew, tasks, pace.ready)
    finished = False
    try:
        calls.feed(size)
        if gather is not None and not calls.exhausted:
            time.sleep(_SENDING_SECONDS)  # the thread that sends them needs the interpreter too
        calls.feed(max(pace.ahead, 1) * size)
        yield from calls.batches(gather, pace.pulse)
        finished = True
    finally:
        calls.stop()
        crew.close(kill=not finished)
    if calls.error is not None:
        raise calls.error


def _look_ahead(
    tasks: Iterator[Any], count: int, ready: Callable[[], bool] | None
) -> tuple[deque[Any], Iterator[Any], bool]:
    """Draw up to `count` tasks, but not for long; return them, the rest, and whether there is no rest."""
    first: deque[Any] = deque()
    until: float | None = None
    while len(first) < count and (until is None or time.monotonic() < until):
        try:
            first.append(next(tasks))
        except StopIteration:
            return first, iter(()), True
        except Exception as error:  # noqa: BLE001 - raised behind the results of the tasks before it
            return first, _raising(error), True
        until = until or time.monotonic() + _LOOKING_SECONDS
        if ready is not None and not ready():
            break
    return first, tasks, False


def _in_turn(first: deque[Any], rest: Iterator[Any]) -> Iterator[Any]:
    """Yield all tasks without keeping a reference to any."""
    while first:
        yield first.popleft()
    yield from rest


def _raising(error: Exception) -> Iterator[Any]:
    raise error
    yield


def _processes(function: Callable[[Any], Any], size: int, most: int) -> Crew:
    check_processes()
    try:
        from .processes import Processes  # noqa: PLC0415 - joblib takes a tenth of a second
    except RuntimeError as error:  # the interpreter is shutting down
        raise NoProcessesError(str(error)) from error
    return Processes(function, size, most)


def say_threads(error: NoProcessesError, warn: Callable[[str], None] | None = None) -> None:
    """Warn that threads work in place of processes."""
    text = f"{error}; threads of this process work instead"
    if warn is not None:
        warn(text)
    else:
        warnings.warn(text, BrineryWarning, stacklevel=2)


def shutdown() -> None:
    """End the warm worker processes, if there are any."""
    processes = sys.modules.get(f"{__package__}.processes")
    if processes is not None:
        processes.shutdown()
