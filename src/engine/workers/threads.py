"""Threads of this process as workers."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

__all__ = ["Threads"]


class Threads:
    """Threads of this process, which end with their current task.

    Fewer than `workers` may start. If none does, because of a limit or because the interpreter is shutting
    down, `submit` does the task itself.

    Args:
        function: does a task.
        workers: most threads.
    """

    def __init__(self, function: Callable[[Any], Any], workers: int) -> None:
        self._function = function
        self._tasks: SimpleQueue[tuple[Future[Any], Any] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        with suppress(RuntimeError):
            for number in range(workers):
                thread = threading.Thread(target=self._work, name=f"worker-{number}", daemon=True)
                thread.start()
                self._threads.append(thread)

    def pack(self, task: Any, /) -> Any:
        """Return the task as it is."""
        return task

    def submit(self, packed: Any, /) -> Future[Any]:
        """Queue a packed task."""
        future: Future[Any] = Future()
        if self._threads:
            self._tasks.put((future, packed))
        else:
            self._do(future, packed)
        return future

    def received(self, future: Future[Any], /) -> tuple[Any, int]:
        """Return the result and 0, since it did not travel; raise what the task raised."""
        return future.result(), 0

    def close(self, *, kill: bool) -> None:
        """End the threads; with `kill`, drop the tasks that wait."""
        if kill:
            with suppress(Empty):
                while True:
                    self._tasks.get_nowait()
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (given := self._tasks.get()) is not None:
            self._do(*given)
            del given  # keep no array alive while waiting for the next task

    def _do(self, future: Future[Any], task: Any) -> None:
        try:
            result = self._function(task)
        except BaseException as error:  # noqa: BLE001 - raised where the result is taken
            future.set_exception(error)
        else:
            future.set_result(result)
