"""Kills worker processes that take too long for one member, since native code cannot be interrupted."""

import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from ...errors import NoProcessesError
from .claims import Claim, read_claims

__all__ = ["Watchdog", "allowed_seconds"]

_CHECK_SECONDS = 0.2
_SELDOM_SECONDS = 0.5  # between looks if there is only the budget of CPU time
_SLOW_SECONDS = 1.0  # after which a member's CPU time is looked at
_BASE_SECONDS = 5.0
_READING_SECONDS = 0.3  # for each MB: reading, unpacking and hashing
_DECODING_SECONDS = 30.0  # for each MB, and
_PIXEL_SECONDS = 1.0  # for each million pixels: the less of the two


def allowed_seconds(size: int, pixels: int) -> float:
    """Return the CPU time that reading and decoding a member may take, in seconds.

    It grows with the pixels that the image declares and with its bytes: a small file that declares much gets
    little.

    Args:
        size: bytes of the encoded image.
        pixels: pixels of all frames so far.
    """
    megabytes = size / 1e6
    decoding = min(_DECODING_SECONDS * megabytes, _PIXEL_SECONDS * pixels / 1e6)
    return _BASE_SECONDS + _READING_SECONDS * megabytes + decoding


class Watchdog:
    """Watches the claims of worker processes while it is entered.

    Args:
        claims: the folder of claims; None if there is nothing to watch.
        timeout: seconds that one member may take; None for the CPU time of `allowed_seconds`.

    Attributes:
        killed: ids of the killed processes.
    """

    def __init__(self, claims: str | None, timeout: float | None) -> None:
        self.killed: set[int] = set()
        self._claims = claims
        self._timeout = timeout
        self._begun: dict[int, tuple[Claim, float]] = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def __enter__(self) -> Self:
        if self._claims is not None:
            try:
                self._thread.start()
            except RuntimeError as error:
                if self._timeout is not None:
                    raise NoProcessesError(f"none could be held to the timeout: {error}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        assert self._claims is not None
        period = _SELDOM_SECONDS if self._timeout is None else min(_CHECK_SECONDS, self._timeout / 4)
        while not self._end.wait(period):
            for claim in read_claims(Path(self._claims)):
                if claim.pid not in self.killed and self._is_too_long(claim):
                    self.killed.add(claim.pid)
                    with suppress(ProcessLookupError):
                        os.kill(claim.pid, signal.SIGKILL)

    def _is_too_long(self, claim: Claim) -> bool:
        age = (time.perf_counter_ns() - claim.since_ns) / 1e9
        if self._timeout is not None:
            return age > self._timeout
        if claim.pixels is None or age < _SLOW_SECONDS:
            return False
        try:
            spent = psutil.Process(claim.pid).cpu_times()
        except psutil.Error:
            return False
        cpu = spent.user + spent.system
        begun, before = self._begun.get(claim.pid, (None, 0.0))
        if begun is None or begun.since_ns != claim.since_ns:
            self._begun[claim.pid] = claim, cpu
            return False
        return cpu - before + _SLOW_SECONDS > allowed_seconds(claim.size, claim.pixels)
