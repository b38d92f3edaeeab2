"""Hands tasks to workers, a bounded number at a time and no faster than their results are taken."""

import threading
import time
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

from ...errors import NoProcessesError

__all__ = ["Calls", "Crew"]

Result = TypeVar("Result")

_DRAWING_SECONDS = 1.0
_TOGETHER_BYTES = 1 << 20  # of packed results; unpacked they take several times as much


class Crew(Protocol):
    """Workers for one function."""

    def pack(self, task: Any, /) -> Any:
        """Return a task in the form that travels to a worker."""

    def submit(self, packed: Any, /) -> Future[Any]:
        """Have a packed task done."""

    def received(self, future: Future[Any], /) -> tuple[Any, int]:
        """Return a result and the bytes it travelled as, 0 if it did not; raise what the task raised."""

    def close(self, *, kill: bool) -> None:
        """Let the workers go; with `kill`, in the middle of their tasks."""


class Calls(Generic[Result]):
    """Hands tasks to a crew, a bounded number at a time, and holds results until they are taken.

    The thread that brings a result draws the next task. While as many results wait as tasks may be under
    way, no task is drawn until a result is taken.

    Args:
        crew: does the tasks.
        tasks: drawn one by one.
        ready: returns whether another task may be drawn while some are under way.

    Attributes:
        exhausted: no task is left to draw.
        error: what drawing a task raised, which ends the tasks.
    """

    def __init__(self, crew: Crew, tasks: Iterable[Any], ready: Callable[[], bool] | None = None) -> None:
        self._crew = crew
        self._ready = ready
        self._tasks = iter(tasks)
        self._owner = threading.get_ident()
        self._drawing = threading.Lock()
        self._counting = threading.Lock()
        self._under_way = self._drawn = self._come = self._taken = 0
        self._results: SimpleQueue[Future[Any] | None] = SimpleQueue()  # None: the tasks have ended
        self.exhausted = False
        self.error: BaseException | None = None

    def feed(self, under_way: int | None = None) -> None:
        """Submit tasks until `under_way` are outstanding; do nothing if another thread is submitting them.

        Args:
            under_way: the new bound; None keeps the present one.
        """
        if under_way is not None:
            self._under_way = under_way
        while self._wants() and self._drawing.acquire(blocking=False):
            try:
                while self._wants():
                    self._draw()
            finally:
                self._drawing.release()

    def stop(self) -> None:
        """Draw no more tasks, and wait a moment for one that is being drawn."""
        self.exhausted = True
        self._drawing.acquire(timeout=_DRAWING_SECONDS)  # for good; Ctrl-C may have kept it locked

    def batches(
        self, gather: float | None, pulse: float | None = None
    ) -> Generator[list[Result], None, None]:
        """Yield batches of results until there are no more.

        If a task failed, what it raised is raised after the results that came before it.

        Args:
            gather: seconds to wait for further results of a batch; None for batches of one.
            pulse: seconds after which an empty batch is yielded if no result has come; None for never.
        """
        while not self._over:
            future = self._take(pulse)
            if future is None:
                if pulse is not None and not self._over:
                    yield []
                continue
            until = time.monotonic() + (gather or 0)
            batch: list[Result] = []
            size = 0
            failed: Exception | None = None
            try:
                while future is not None:
                    result, packed_bytes = self._crew.received(future)
                    batch.append(result)
                    size += packed_bytes
                    wait = 0 if self.exhausted else max(0, until - time.monotonic())
                    more = gather is not None and size < _TOGETHER_BYTES
                    future = self._take(wait) if more else None
            except Exception as error:  # noqa: BLE001 - raised below, behind the results that came before it
                failed = error
            if batch:
                yield batch
            del batch
            if failed is not None:
                raise failed

    def _wants(self) -> bool:
        under_way = self._drawn - self._come
        if under_way and self._ready is not None and not self._ready():
            return False
        free = under_way < self._under_way
        return free and not self.exhausted and self._drawn - self._taken < 2 * self._under_way

    def _draw(self) -> None:
        """Give the crew one task."""
        try:
            task = self._crew.pack(next(self._tasks))
        except StopIteration:
            self._end()
            return
        except BaseException as error:
            if threading.get_ident() == self._owner and not isinstance(error, Exception):
                raise  # Ctrl-C
            self.error = error
            self._end()
            return
        self._drawn += 1
        try:
            future = self._crew.submit(task)
        except NoProcessesError:
            raise  # there is no crew
        except Exception as error:  # noqa: BLE001 - a worker died: raised where its result is taken
            future = Future()
            future.set_exception(error)
        future.add_done_callback(self._has_come)

    def _end(self) -> None:
        self.exhausted = True
        self._results.put(None)

    def _has_come(self, future: Future[Any]) -> None:
        with self._counting:
            self._come += 1
        self._results.put(future)
        self.feed()

    @property
    def _over(self) -> bool:
        """Whether every result was taken and no more will come."""
        return self.exhausted and self._taken == self._drawn

    def _take(self, seconds: float | None) -> Future[Any] | None:
        """Return the next result, waiting `seconds` or (None) for ever; None if none came or none is left."""
        while not self._over:
            try:
                future = self._results.get(timeout=seconds)
            except Empty:
                return None
            if future is not None:
                self._taken += 1
                self.feed()
                return future
        return None
