"""Keeps a run going when workers die or hang: finds the member that caused it and leaves it out.

A dying worker takes its pool with it and names no member. Claims say which member each worker was handling;
these suspects are tried alone, and one that kills again is quarantined: recorded as a failure and not touched
again in this run. Then the units that were under way are done again in a fresh pool.
"""

import shutil
import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ...errors import NoProcessesError, WorkerError
from ..choices import Backend
from ..records import Failure, Job, Numbered, Source, Unit, UnitResult
from ..workers import pool
from .claims import read_claims
from .watchdog import Watchdog
from .worker import convert_unit, probe_member

__all__ = ["Supervisor"]

_TOO_LONG = "decoding it takes more CPU time than an image of its size may; --timeout S gives it S seconds"
_AHEAD = 2  # units drawn and queued per worker
_PULSE_SECONDS = 0.5  # after which whoever waits for results is told that there is none yet
_GATHER_SECONDS = 0.1  # units that end within it are recorded together: a transaction costs the parent 1 ms
_FRUITLESS_BEFORE_ISOLATION = 2  # crashes that no suspect repeats alone
_STRIKES = 2


class Supervisor:
    """Runs units in the pool, through crashes and hangs of its worker processes.

    Args:
        job: what the units share; `job.claims` is the folder of claims, None for threads.
        workers: processes or threads.
        backend: "loky" or "threading"; a crash or hang of a thread is one of this process.
        timeout: seconds that one member may take; None for no limit.
        warn: called with a message when a worker dies, and when threads replace processes that cannot start.
        done: called with each unit whose result has come.
        ready: returns whether another unit may be drawn while some are under way.

    Attributes:
        backend: "loky" or "threading", whichever is in use.
        died: worker processes that ended in the middle of their work, by themselves or because they hung.
    """

    def __init__(
        self,
        job: Job,
        *,
        workers: int,
        backend: Backend,
        timeout: float | None,
        warn: Callable[[str], None] | None = None,
        done: Callable[[Unit], None] | None = None,
        ready: Callable[[], bool] | None = None,
    ) -> None:
        self._job = job
        self._workers = workers
        self.backend = backend
        self._timeout = timeout
        self._warn = warn
        self._done = done
        self._ready = ready
        self._quarantined: dict[int, Failure] = {}
        self._strikes: Counter[int] = Counter()
        self._fruitless = 0
        self._feed: _Feed | None = None
        self.died = 0

    @property
    def ending(self) -> bool:
        """Whether all units are handed out and every worker is on its last one."""
        feed = self._feed
        return feed is not None and feed.exhausted and feed.under_way <= self._workers

    def results(self, units: Iterator[Unit]) -> Generator[list[UnitResult], None, None]:
        """Yield lists of results, one for every unit, in the order they finish; empty ones while none comes.

        Raises:
            WorkerError: workers die, and no member is the cause.
        """
        feed = self._feed = _Feed(units)
        while True:
            try:
                yield from self._run(feed.drawing(), feed, workers=self._workers, ahead=_AHEAD)
            except NoProcessesError as error:
                self._use_threads(error, feed)
            except WorkerError:
                if self._job.claims is None:
                    raise
                self._tell_death()
                yield from self._recover(feed)
            else:
                return

    def _tell_death(self) -> None:
        """Say at once that a worker died, and count it."""
        self.died += 1
        if self._warn is not None:
            hung = "was ended, since one image took too long" if self._watchdog.killed else "died"
            self._warn(f"a worker process {hung}: the images under way are done again, to find the one")

    def _use_threads(self, error: NoProcessesError, feed: "_Feed") -> None:
        """Go on with threads if no process can start, unless something was asked that threads cannot do."""
        if self._timeout is not None or self._quarantined or self.backend != "loky":
            raise error
        pool.say_threads(error, self._warn)
        self.backend = "threading"
        self._job = replace(self._job, claims=None, memory=None)
        self._put_back(feed.take_back(), feed)

    def _run(
        self, units: Iterator[Unit], feed: "_Feed", *, workers: int, ahead: int
    ) -> Iterator[list[UnitResult]]:
        """Yield results until the units end or a worker dies."""
        self._forget_claims()
        task = partial(convert_unit, self._job)
        with Watchdog(self._job.claims, self._timeout) as self._watchdog:
            batches = pool.run_batches(
                task,
                units,
                workers=workers,
                backend=self.backend,
                or_threads=False,
                pace=pool.Pace(ahead, _GATHER_SECONDS, self._ready, _PULSE_SECONDS),
            )
            try:
                for results in batches:
                    for result in results:
                        unit = feed.done(result.number)
                        if unit is not None and self._done is not None:
                            self._done(unit)
                    yield results
            finally:
                batches.close()

    def _recover(self, feed: "_Feed") -> Iterator[list[UnitResult]]:
        """Find the members that caused it, and return the units that were under way to the feed."""
        under_way = feed.take_back()
        tried = [
            # CPU time is spent by the member itself, whatever else the machine does: one proof is enough.
            suspect if suspect.hung and self._timeout is None else self._try_alone(suspect.numbered)
            for suspect in self._suspects(under_way)
        ]
        found = [guilty for guilty in tried if guilty is not None]
        for guilty in found:
            self._quarantine(guilty)
        self._put_back(under_way, feed)
        self._fruitless = 0 if found else self._fruitless + 1
        if self._fruitless >= _FRUITLESS_BEFORE_ISOLATION:
            yield from self._isolate(feed)
            self._fruitless = 0

    def _isolate(self, feed: "_Feed") -> Iterator[list[UnitResult]]:
        """Do the returned units one at a time, and quarantine a member that a worker dies of twice."""
        while True:
            try:
                yield from self._run(feed.drawing(only_returned=True), feed, workers=1, ahead=1)
            except NoProcessesError:
                raise
            except WorkerError:
                self._tell_death()
                under_way = feed.take_back()
                suspects = self._suspects(under_way)
                if not suspects:
                    raise  # it died while it handled no member
                for suspect in suspects:
                    self._strikes[suspect.numbered.ordinal] += 1
                    if self._strikes[suspect.numbered.ordinal] >= _STRIKES:
                        self._quarantine(suspect)
                self._put_back(under_way, feed)
            else:
                return

    def _put_back(self, under_way: dict[int, Unit], feed: "_Feed") -> None:
        for unit in under_way.values():
            known = [self._quarantined[m.ordinal] for m in unit.members if m.ordinal in self._quarantined]
            feed.put_back(replace(unit, quarantined=tuple(known)))

    def _suspects(self, under_way: dict[int, Unit]) -> list["_Suspect"]:
        """Return the members that workers were handling."""
        assert self._job.claims is not None
        suspects = []
        for claim in read_claims(Path(self._job.claims)):
            unit = under_way.get(claim.unit)
            hung = claim.pid in self._watchdog.killed
            suspects += [
                _Suspect(numbered, hung)
                for numbered in (unit.members if unit else ())
                if numbered.ordinal == claim.ordinal and claim.ordinal not in self._quarantined
            ]
        return suspects

    def _try_alone(self, numbered: Numbered) -> "_Suspect | None":
        """Decode a member in a pool of its own; return it as a suspect if the worker dies."""
        self._forget_claims()
        with Watchdog(self._job.claims, self._timeout) as watchdog:
            try:
                list(pool.run(partial(probe_member, self._job), [numbered], workers=1, or_threads=False))
            except NoProcessesError:
                raise
            except WorkerError:
                return _Suspect(numbered, hung=bool(watchdog.killed))
        return None

    def _quarantine(self, suspect: "_Suspect") -> None:
        member = suspect.numbered.member
        error, message = "WorkerDied", "the worker process that decodes it dies (a crash, or out of memory)"
        if suspect.hung:
            error, message = "Timeout", _TOO_LONG
            if self._timeout is not None:
                message = f"it took longer than the timeout of {self._timeout:g} s"
        source = Source(member.size, member.mtime_ns)
        failure = Failure(member.key, suspect.numbered.ordinal, "decode", error, message, source)
        self._quarantined[suspect.numbered.ordinal] = failure
        if self._warn is not None:
            self._warn(f"{member.key} has failed: {message}")

    def _forget_claims(self) -> None:
        if self._job.claims is not None:
            shutil.rmtree(self._job.claims, ignore_errors=True)
            Path(self._job.claims).mkdir(parents=True)


@dataclass(frozen=True, slots=True)
class _Suspect:
    """A member that a worker was handling when the pool died.

    Attributes:
        numbered: the member.
        hung: the watchdog killed the worker.
    """

    numbered: Numbered
    hung: bool


class _Feed:
    """The units still to do, returned ones before new ones, and the units under way.

    Attributes:
        exhausted: no new units are left.
    """

    def __init__(self, units: Iterator[Unit]) -> None:
        self._units = units
        self._lock = threading.Lock()
        self._returned: deque[Unit] = deque()
        self._under_way: dict[int, Unit] = {}
        self._drawing = 0
        self.exhausted = False

    @property
    def under_way(self) -> int:
        """The number of units that were drawn and are not done."""
        return len(self._under_way)

    def drawing(self, *, only_returned: bool = False) -> Iterator[Unit]:
        """Yield units to a pool; a later call ends this one, whose pool is dead."""
        with self._lock:
            self._drawing += 1
            mine = self._drawing
        while True:
            with self._lock:
                if mine != self._drawing:
                    return
                unit = self._returned.popleft() if self._returned else None
                if unit is None and not only_returned:
                    unit = next(self._units, None)
                    self.exhausted = unit is None
                if unit is None:
                    return
                self._under_way[unit.number] = unit
            yield unit

    def done(self, number: int) -> Unit | None:
        """Forget a unit whose result has come, and return it."""
        with self._lock:
            return self._under_way.pop(number, None)

    def take_back(self) -> dict[int, Unit]:
        """Return the units under way, in order, and end the drawing that took them."""
        with self._lock:
            self._drawing += 1
            taken, self._under_way = self._under_way, {}
            return dict(sorted(taken.items()))

    def put_back(self, unit: Unit) -> None:
        """Return a unit, to be drawn before new ones."""
        with self._lock:
            self._returned.append(unit)
