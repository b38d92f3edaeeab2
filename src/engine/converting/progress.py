"""Counts what a convert lists, hands out and gets done, and tells how far it is."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ...parser.archives.blocks import Passing
from ...parser.archives.listing import Source
from ...parser.archives.members import Member
from ..datasets.member_records import DATASET
from ..records import Phases, Unit, UnitResult
from .estimate import Cost, Estimator, Seen, Whole
from .listing_memory import SourceSize
from .outcome import ConvertProgress
from .planner import Listed, PlanCounts
from .tally import Tally

__all__ = ["Progress", "cost_of"]

_EVERY_SECONDS = 0.4
_LOOK = 128  # entries between two looks at the clock
_ZIP_ENTRY = 128  # bytes that a zip's headers take for a member of a short name
_MEASURE_AFTER_SECONDS = 0.5  # a run that ends sooner starts no thread that looks at all files
_SECOND = 1e9


class Progress:
    """What a run has listed, handed out and done so far.

    It is told of everything by whichever thread does it, and calls back from the thread that made it.

    Args:
        tell: called with the progress, every so often.
        tally: what the finished units add up to.
        size: adds up the bytes of all sources.
        workers: how many work at most.
        before: what members cost in an earlier run; None if that is not known.
    """

    def __init__(
        self,
        tell: Callable[[ConvertProgress], None],
        tally: Tally,
        size: SourceSize,
        workers: int,
        before: Cost | None = None,
    ) -> None:
        self._tell = tell
        self._tally = tally
        self._size = size
        self._estimator = Estimator(workers, before)
        self._thread = threading.get_ident()
        self._begin = self._last = time.monotonic()
        self._known = 0
        self._counts = PlanCounts()
        self._entries = self._passed = 0
        self._base = self._position = 0  # bytes of sources passed, and of the one that is being listed
        self._stored = 0  # bytes of their members
        self._planned = self._planned_bytes = self._compared = self._compared_bytes = 0
        self._done = self._done_bytes = 0
        self._busy_ns = 0

    def begin_pass(self, counts: PlanCounts, known: int) -> None:
        """Begin a listing.

        Args:
            counts: what the planner counts of it.
            known: entries that the dataset has already and need not be done again.
        """
        self._counts, self._known = counts, known
        self._passed, self._stored, self._base, self._position = self._entries, 0, 0, 0
        self._estimator.follow(self._seen())
        self.look(now=True)

    def verifying(self, done: int, samples: int) -> None:
        """Tell how far the verification before a repair is."""
        if self._due():
            self._tell(self._now(None, verified=done, to_verify=samples))

    def listed(self, source: Source, entries: Iterator[Listed]) -> Iterator[Listed]:
        """Yield the entries of a source, and count them and the bytes that they take."""
        self._base += self._position
        self._position = 0
        if source.kind in {"folder", DATASET}:
            yield from self._listed_files(entries)
            return
        in_order, packed = source.kind == "tar", source.kind != "zip"
        for entry in entries:
            self._entries += 1
            if isinstance(entry, Member):
                self._stored += entry.stored
                if in_order:
                    if entry.path == source.path:
                        self._position = max(self._position, entry.offset + entry.stored)
                elif packed:
                    if isinstance(entry.data, Passing):
                        self._position = entry.data.packed() or self._position
                else:
                    self._position += entry.stored + _ZIP_ENTRY
            if not self._entries % _LOOK:
                self.look()
            yield entry

    def _listed_files(self, entries: Iterator[Listed]) -> Iterator[Listed]:
        """Do as `listed` does where nothing is between members, and count them in blocks."""
        count = nbytes = 0
        try:
            for entry in entries:
                count += 1
                if isinstance(entry, Member):
                    nbytes += entry.stored
                yield entry
                if count == _LOOK:
                    self._count_files(count, nbytes)
                    count = nbytes = 0
                    self.look()
        finally:
            self._count_files(count, nbytes)

    def _count_files(self, count: int, nbytes: int) -> None:
        self._entries += count
        self._stored += nbytes
        self._position += nbytes

    def handed_out(self, units: Iterator[Unit]) -> Iterator[Unit]:
        """Yield units, and count their members and bytes as under way."""
        for unit in units:
            members, nbytes = len(unit.members), _bytes_of(unit)
            self._planned += members
            self._planned_bytes += nbytes
            if unit.recorded:
                self._compared += members
                self._compared_bytes += nbytes
            yield unit

    def done(self, unit: Unit) -> None:
        """Count a unit's members and bytes as done."""
        self._done += len(unit.members)
        self._done_bytes += _bytes_of(unit)

    def took(self, results: Sequence[UnitResult]) -> None:
        """Add what units took their workers."""
        for result in results:
            if result.usage is not None:
                phases = result.usage.phases
                self._busy_ns += sum(getattr(phases, name) for name in Phases.__slots__)

    def look(self, *, now: bool = False) -> None:
        """Tell how far the run is, if this is the thread to tell it and some time has gone by.

        Args:
            now: whatever the time.
        """
        if threading.get_ident() != self._thread or not (self._due() or now):
            return
        if time.monotonic() - self._begin > _MEASURE_AFTER_SECONDS:
            self._size.start()
        self._estimator.update(self._seen())
        whole = self._whole()
        self._tell(self._now(None if whole is None else self._estimator.left(whole)))

    def left_bytes(self) -> float | None:
        """Return the bytes of members that are still to be done; None if that is not known yet."""
        whole = self._whole()
        return None if whole is None else self._estimator.left_bytes(whole)

    def _due(self) -> bool:
        now = time.monotonic()
        if now - self._last < _EVERY_SECONDS:
            return False
        self._last = now
        return True

    def _whole(self) -> Whole | None:
        return None if self._size.total is None else Whole(self._size.total, self._known)

    def _seen(self) -> Seen:
        counts, listed_bytes = self._counts, self._base + self._position
        share = listed_bytes / self._stored if self._stored else 1.0  # headers; packing of the whole
        return Seen(
            seconds=time.monotonic() - self._begin,
            entries=self._entries - self._passed,
            listed_bytes=listed_bytes,
            known=counts.unchanged,
            known_bytes=round(counts.unchanged_bytes * share),
            planned=self._planned,
            planned_bytes=self._planned_bytes,
            compared=self._compared,
            compared_bytes=self._compared_bytes,
            done=self._done,
            done_bytes=self._done_bytes,
            busy_seconds=self._busy_ns / _SECOND,
        )

    def _now(self, seconds_left: float | None, verified: int = 0, to_verify: int = 0) -> ConvertProgress:
        tally = self._tally
        return ConvertProgress(
            members=tally.members,
            failures=tally.failures,
            source_bytes=tally.source_bytes,
            total_bytes=self._size.total,
            images=tally.samples,
            skipped=tally.skipped,
            entries=self._entries - self._passed,
            seconds=time.monotonic() - self._begin,
            seconds_left=seconds_left,
            verified=verified,
            to_verify=to_verify,
        )


def cost_of(summary: Mapping[str, Any]) -> Cost | None:
    """Return what a byte of a member cost in a run, by its summary; None if that does not say."""
    phases, nbytes = summary.get("phases"), summary.get("source_bytes")
    spent = [*phases.values()] if isinstance(phases, dict) else []
    if not spent or {type(number) for number in (*spent, nbytes)} != {int} or not nbytes:
        return None
    return Cost(0.0, max(0, sum(spent)) / _SECOND / abs(nbytes))


def _bytes_of(unit: Unit) -> int:
    return sum([numbered.member.size for numbered in unit.members])
