"""Divides an archive's listing into units, leaving out what a dataset already holds.

It is pure: it looks things up through what it is given and reads nothing itself.

Units are cut by position in the listing, so an interrupted run that is started again cuts the same units
and fills the gaps with the same bytes. The first few are smaller, so that workers begin early, and the last
ones become smaller and smaller, so that workers end at about the same time.
The entries that one complete pass adds are a generation. While a generation is unfinished, its recorded
entries keep their places in the cut. If the archive changed in between, so that places no longer agree, the
planner begins a new generation for what is still missing.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter
from typing import NamedTuple, Protocol, TypeAlias

from ...parser.archives.members import Entry, Link, Member, NotImage, Unreadable
from ..checksums import bytes_checksum
from ..records import Failure, Numbered, Skipped, Source, Unit

__all__ = [
    "MAX_UNIT_MEMBERS",
    "Known",
    "Ledger",
    "Listed",
    "Note",
    "Pass",
    "PlanCounts",
    "PlanState",
    "Planner",
]

FIRST_COMPARISON = -10  # units that are compared count down from here
MAX_UNIT_MEMBERS = 4096
_LONGEST_KEY = 1 << 14  # characters; the manifest takes texts of 256 KiB, and some characters need four bytes
_SHOWN_OF_KEY = 1000
_HELD_UNITS = 1  # kept back, in case the listing ends
_FINEST = 4  # the smallest units are a quarter of the others
_QUICK = 2  # number of smallest units at the start

Note: TypeAlias = Failure | Skipped

Listed: TypeAlias = Entry | Note
"""What is planned: entries of archives, and what a dataset that is the source has recorded of its own."""


class Known(NamedTuple):
    """What the manifest holds for a key; a tuple, since there are millions.

    Attributes:
        kind: "sample", "failure" or "skipped".
        ordinal: its place in the dataset's order.
        unit: the unit that made it.
        size: bytes of its source then.
        mtime_ns: its source's time of change then.
        crc32: CRC-32 of its source's bytes, if the archive gives one.
    """

    kind: str
    ordinal: int
    unit: int
    size: int
    mtime_ns: int
    crc32: int | None = None


@dataclass(frozen=True, slots=True)
class PlanState:
    """Where a dataset stands before a run.

    Attributes:
        open_unit: first unit of the unfinished or new generation.
        open_ordinal: its first ordinal.
        next_unit: one past the highest unit recorded.
        next_ordinal: one past the highest ordinal recorded.
        done_units: first and last ordinal of each recorded unit of the unfinished generation.
        lost_units: number of members of each unit with a missing shard.
    """

    open_unit: int = 0
    open_ordinal: int = 0
    next_unit: int = 0
    next_ordinal: int = 0
    done_units: dict[int, tuple[int, int]] = field(default_factory=dict)
    lost_units: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class PlanCounts:
    """What the listing held so far; `unresolved` counts links and later entries of a key."""

    entries: int = 0
    planned: int = 0
    unchanged: int = 0
    unchanged_bytes: int = 0
    noted: int = 0
    unresolved: int = 0


_Place: TypeAlias = tuple[Numbered, int | None]
"""A place in the cut: a member, and the unit it is recorded under if it is done."""


class Ledger(Protocol):
    """What a planner asks a manifest for."""

    def known(self, key: str, /) -> Known | None:
        """Return what a worker made of a key; None if nothing is recorded."""

    def source_checksum(self, key: str, kind: str, /) -> str | None:
        """Return xxh3-64 of the source of what `known` found; None if its bytes were not read."""

    def begin_generation(self, unit: int, ordinal: int, /) -> None:
        """Remember where a new generation begins, before anything uses its units and ordinals."""


@dataclass(frozen=True, slots=True)
class Pass:
    """How one pass over a listing is planned.

    Attributes:
        unit_bytes: a unit ends with the member that brings its source bytes to this; the first ones of a
            generation at a quarter of it, the last ones at half of what is left, or at that quarter.
        linked: the listing resolves links, and each key stands for one member. If False, links and later
            entries of a key are only counted.
        retry_failed: plan recorded failures again.
        usable: returns whether the recorded sample of a member's key is still there and intact.
        twin: returns the earlier key that has the file which a key would have; None if no other key has it.
        differing: returns whether the source of a recorded entry, by its ordinal, has other bytes now. If it
            is None, members whose size and time prove nothing are handed out to be compared.
    """

    unit_bytes: int
    linked: bool = True
    retry_failed: bool = False
    usable: Callable[[str], bool] | None = None
    twin: Callable[[str], str | None] | None = None
    differing: Callable[[int], bool] | None = None


class Planner:
    """Turns entries into units and notes.

    Args:
        state: where the dataset stands.
        ledger: what it holds.
        listing: how this pass is planned.
        first_time: returns whether a key occurs for the first time in this listing.
        keep: called with the ordinal of every recorded entry that the archive still has.
        load: called with members to convert or compare that carry data, before the listing goes on, since the
            bytes may be passing by; returns it with bytes that stay, or None if they cannot be read.
        note: called, at every listing, with entries that need no worker: no image, unreadable, a key twice.
    """

    def __init__(
        self,
        state: PlanState,
        ledger: Ledger,
        listing: Pass,
        *,
        first_time: Callable[[str], bool],
        keep: Callable[[int], None],
        load: Callable[[Member], Member | None],
        note: Callable[[Note], None],
    ) -> None:
        self._state = state
        self._lookup = ledger.known
        self._checksum = ledger.source_checksum
        self._reopen = ledger.begin_generation
        self._unit_weight = listing.unit_bytes
        self._least_weight = -(-listing.unit_bytes // MAX_UNIT_MEMBERS)  # a unit of the most members is full
        self._linked = listing.linked
        self._retry_failed = listing.retry_failed
        self._usable = listing.usable
        self._twin = listing.twin
        self._differing = listing.differing
        self._first_time = first_time
        self._keep = keep
        self._load = load
        self._note = note
        self._doubted: list[tuple[Numbered, str]] = []
        self._doubted_weight = 0
        self._comparison = FIRST_COMPARISON
        self._done_spans = sorted(state.done_units.values())
        self._resuming = bool(state.done_units) or state.open_ordinal < state.next_ordinal
        self._unit = self._first_unit = state.open_unit
        self._ordinal = state.open_ordinal
        self._places: list[_Place] = []
        self._weight = 0
        self._held: deque[list[_Place]] = deque()
        self._lost: dict[int, list[Numbered]] = {}
        self.counts = PlanCounts()

    def units(self, entries: Iterable[Listed]) -> Iterator[Unit]:
        """Yield the units to convert and to compare as the listing goes on."""
        for entry in entries:
            self.counts.entries += 1
            if len(entry.key) > _LONGEST_KEY:
                entry = _too_long(entry.key)  # noqa: PLW2901 - its replacement goes the same way
            if not isinstance(entry, Member) or not self._first_time(entry.key):
                self._other(entry)
            elif self._twin is not None and (twin := self._twin(entry.key)) is not None:
                self._noted(_without_file(entry.key, twin))
            elif completed := self._member(entry):
                yield from completed
        while self._places or self._held:
            yield from self._cut_the_end()
        if self._doubted:
            yield self._to_compare()
        for number, members in sorted(self._lost.items()):
            yield self._planned(Unit(number, tuple(members)))

    def _member(self, member: Member) -> Iterable[Unit]:
        """Give a member its place, and return the units that it completes."""
        known = self._lookup(member.key)
        if known is None or self._is_stale(known, member):
            loaded = member if member.data is None else self._load(member)
            return () if loaded is None else self._place(loaded, None)
        self._keep(known.ordinal)
        units: list[Unit] = []
        if known.unit in self._state.lost_units:
            lost = self._lost.setdefault(known.unit, [])
            loaded = self._load(member)
            if loaded is not None:
                lost.append(Numbered(known.ordinal, loaded))
            if len(lost) == self._state.lost_units[known.unit]:
                units.append(self._planned(Unit(known.unit, tuple(self._lost.pop(known.unit)))))
        else:
            self.counts.unchanged += 1
            self.counts.unchanged_bytes += member.stored
            if member.doubted:
                units += self._compare(known, member)
        if self._resuming and known.ordinal >= self._state.open_ordinal:
            units += self._place(member, known)
        return units

    def _is_stale(self, known: Known, member: Member) -> bool:
        if (known.size, known.mtime_ns) != (member.size, member.mtime_ns):
            return True
        if known.crc32 != member.crc and None not in (known.crc32, member.crc):
            return True
        if self._differing is not None and self._differing(known.ordinal):
            return True
        # A dataset's member is doubted if what that records is not what stands here.
        if member.doubted and (member.method == "dataset" or self._held_against(known, member) is None):
            return True
        if known.kind == "failure":
            return self._retry_failed
        return known.kind == "sample" and self._usable is not None and not self._usable(member.key)

    def _held_against(self, known: Known, member: Member) -> str | None:
        """Return the checksum that tells whether a doubted member changed; "" if there is none."""
        if self._differing is not None or (member.crc is not None and known.crc32 is not None):
            return ""
        return self._checksum(member.key, known.kind)

    def _compare(self, known: Known, member: Member) -> Iterable[Unit]:
        """Add a doubted member to those to compare, and return them if they are enough for a unit."""
        recorded = self._held_against(known, member)
        loaded = self._load(member) if recorded else None
        if not recorded or loaded is None:
            return ()
        self._doubted.append((Numbered(known.ordinal, loaded), recorded))
        self._doubted_weight += self._weigh(loaded)
        return () if self._doubted_weight < self._unit_weight else (self._to_compare(),)

    def _to_compare(self) -> Unit:
        members, recorded = zip(*self._doubted, strict=True)
        unit = Unit(self._comparison, members, recorded=recorded)
        self._doubted, self._doubted_weight = [], 0
        self._comparison -= 1
        return unit

    def _place(self, member: Member, known: Known | None) -> Iterable[Unit]:
        """Give a member the next place in the cut; a member that is done must have it already."""
        if known is not None and known.ordinal != self._ordinal:
            return self._begin_again(self._take_held())
        self._places.append((Numbered(self._ordinal, member), None if known is None else known.unit))
        self._ordinal += 1
        self._weight += self._weigh(member)
        quick = self._unit - self._first_unit < _QUICK
        if self._weight * (_FINEST if quick else 1) < self._unit_weight:
            return ()
        self._held.append(self._places)
        self._places, self._weight = [], 0
        if not quick and len(self._held) <= _HELD_UNITS:
            return ()
        oldest = self._held.popleft()
        if self._agrees(oldest):
            return self._cut(oldest)
        return self._begin_again([*oldest, *self._take_held()])

    def _weigh(self, member: Member) -> int:
        """Return what a member adds to its unit: its bytes, but at least its share of the most members."""
        return max(member.size, self._least_weight)

    def _take_held(self) -> list[_Place]:
        """Return the places that are in no unit yet, and forget them."""
        places = [*chain.from_iterable(self._held), *self._places]
        self._held.clear()
        self._places, self._weight = [], 0
        return places

    def _cut_the_end(self) -> Iterator[Unit]:
        """Cut the rest of the listing into units, each half of what is left."""
        ahead = deque(self._take_held())
        left = sum(self._weigh(numbered.member) for numbered, _ in ahead)
        while ahead:
            enough = max(left / 2, self._unit_weight / _FINEST)
            unit: list[_Place] = []
            weight = 0
            while ahead and weight < enough:
                unit.append(ahead.popleft())
                weight += self._weigh(unit[-1][0].member)
            left -= weight
            if not self._agrees(unit):
                yield from self._begin_again([*unit, *ahead])
                return
            yield from self._cut(unit)

    def _cut(self, places: list[_Place]) -> list[Unit]:
        """Make a unit of these places, and return the part that has to be done, if any."""
        pending = tuple([numbered for numbered, done in places if done is None])
        number = self._unit
        self._unit += 1
        return [self._planned(Unit(number, pending))] if pending else []

    def _agrees(self, places: list[_Place]) -> bool:
        """Return whether the next unit, cut here, is recorded whole or not at all."""
        if not self._resuming:
            return True
        done = {unit for _, unit in places}
        return done == {self._unit} or (done == {None} and not self._is_taken(places))

    def _is_taken(self, places: list[_Place]) -> bool:
        """Return whether another unit is recorded under the next number or at one of these places."""
        if self._unit in self._state.done_units:
            return True
        first, last = places[0][0].ordinal, places[-1][0].ordinal
        nearest = bisect_left(self._done_spans, first, key=itemgetter(1))
        return nearest < len(self._done_spans) and self._done_spans[nearest][0] <= last

    def _begin_again(self, places: list[_Place]) -> Iterator[Unit]:
        """Begin a new generation: the archive changed since the unfinished one was cut."""
        self._resuming = False
        self._unit = self._first_unit = max(self._unit, self._state.next_unit)
        self._ordinal = max(self._ordinal, self._state.next_ordinal)
        self._reopen(self._unit, self._ordinal)
        for numbered, done in places:
            if done is None:
                yield from self._place(numbered.member, None)

    def _planned(self, unit: Unit) -> Unit:
        self.counts.planned += len(unit.members)
        return unit

    def _other(self, entry: Listed) -> None:
        """Note an entry that needs no worker, or count one that needs the whole listing."""
        waits = not self._linked and isinstance(entry, Member | Link)
        sure = self._linked or isinstance(entry, Note)
        if waits or not (sure or self._first_time(entry.key)):
            self.counts.unresolved += 1
        if not waits:
            self._noted(entry)

    def _noted(self, entry: Listed) -> None:
        """Note an entry that needs no worker."""
        self.counts.noted += 1
        unread = Source(0, 0)
        match entry:
            case NotImage(key, reason):
                self._note(Skipped(key, None, reason, unread))
            case Unreadable(key, error, message):
                self._note(Failure(key, None, "list", error, message, unread))
            case Member(key=key):
                message = "an earlier member has the same key; the first one is kept"
                self._note(Failure(key, None, "list", "DuplicateKey", message, unread))
            case Failure() | Skipped():
                self._note(entry)


def _without_file(key: str, twin: str) -> Unreadable:
    """Return the failure of a member whose file would be that of another."""
    message = f"the destination cannot tell its name from {twin}, which has the file: try the layout shards"
    return Unreadable(key, "NameTwin", message)


def _too_long(key: str) -> Unreadable:
    """Return the failure of an entry whose name is too long for a key; a checksum stands in its key."""
    shown = f"{key[:_SHOWN_OF_KEY]}... ({bytes_checksum(key.encode())})"
    message = f"its name has {len(key):,} characters, a key at most {_LONGEST_KEY:,}"
    return Unreadable(shown, "NameTooLong", message)
