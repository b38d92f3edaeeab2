"""Recognises the sources of a run among those of its dataset, and gives them the prefixes of their keys.

A dataset keeps a record of every source. Each has a prefix for life, so that keys stay the same when sources
come, move or are left out of a run, and the start of a key tells its source.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, takewhile
from typing import TypeAlias

from ...errors import ArchiveError, DestinationError
from ...parser.archives.listing import Quota, Source, list_sources
from ...parser.archives.members import NEVER, Unreadable, storable_time
from ...parser.archives.names import shown_path
from ...parser.archives.prefixes import prefixes
from ...parser.options import ReadBudget
from ..datasets.member_records import DATASET, MemberRecord
from .dataset_sources import list_dataset, manifest_of
from .planner import Listed

__all__ = ["Named", "Recorded", "Scope", "SourceState", "list_named", "recognise"]

SourceState: TypeAlias = tuple[int | None, int | None, int | None, int]
"""Bytes, time of change and of change of status in ns (None for a folder), and inode."""

_INODES = (1 << 63) - 1  # sqlite's integers have a sign
_SHOWN = 3
_TICK_NS = 20_000_000  # the clocks of file systems tick every 10 ms or less
_COARSE_NS = 2_000_000_000  # some store whole seconds, or even ones only


@dataclass(frozen=True, slots=True)
class Recorded:
    """A source as the manifest has it.

    Attributes:
        path: absolute, as it was last given; undecodable bytes are escaped.
        kind: as in `Source`; "" if it is not known.
        prefix: put before the keys of its members.
        encoding: of its names, as in `Source`.
        state: its state when it was last listed to its end; None if that is not known.
        listed_ns: when that listing began, in ns since the epoch; 0 if it was in another state since.
    """

    path: str
    kind: str
    prefix: str
    encoding: str | None
    state: SourceState | None
    listed_ns: int


@dataclass(frozen=True, slots=True)
class Named:
    """A source that a run names.

    Attributes:
        source: the source, with its prefix for life.
        state: its state now.
        clock_ns: how far the times of its file system may lag behind, in ns.
        record: what the dataset knows of it; None if it is new.
    """

    source: Source
    state: SourceState
    clock_ns: int
    record: Recorded | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """The keys of the sources that a run names, recognised by their prefixes.

    Attributes:
        named: prefixes of these sources.
        others: prefixes of the dataset's other sources.
    """

    named: tuple[str, ...]
    others: tuple[str, ...] = ()

    @classmethod
    def of(cls, named: Sequence[Named], recorded: Sequence[Recorded]) -> "Scope":
        """Return the scope of these sources in a dataset of the recorded ones."""
        mine = tuple(one.source.prefix for one in named)
        return cls(mine, tuple(one.prefix for one in recorded if one.prefix not in mine))

    @property
    def whole(self) -> bool:
        """Whether the run names all of the dataset's sources."""
        return not self.others

    def holds(self, key: str) -> bool:
        """Return whether a key belongs to a source of the run."""
        if self.whole:
            return True
        if "" in self.named:  # no source's prefix begins with another, except with this one
            return not key.startswith(self.others)
        return key.startswith(self.named)


def _seen(source: Source) -> Named:
    """Return a source in its present state.

    Raises:
        ArchiveError: it is gone.
    """
    try:
        path = manifest_of(source) if source.kind == DATASET else source.path
        status = os.stat(path)  # noqa: PTH116 - paths of sources are text
    except OSError as error:
        raise ArchiveError(f"{source.shown} cannot be read: {error.strerror or error}") from error
    inode = status.st_ino & _INODES
    times = storable_time(status.st_mtime_ns), storable_time(status.st_ctime_ns)
    state: SourceState = (
        (None, None, None, inode) if source.kind == "folder" else (status.st_size, *times, inode)
    )
    return Named(source, state, _COARSE_NS if status.st_ctime_ns % 1_000_000_000 == 0 else _TICK_NS)


def recognise(
    sources: Sequence[Source],
    recorded: Sequence[Recorded],
    *,
    add: bool,
    taken: Callable[[str], bool],
    dataset: str,
) -> list[Named]:
    """Match the sources of a run with recorded ones, and give them their prefixes; new ones get their own.

    A source is the recorded one of its path, with or without its links resolved. If a recorded path is gone,
    it is the source of the same name and kind elsewhere, or the same file under another name. If sources may
    be added, a source elsewhere must be the same folder, or an archive of the same length and time.

    Args:
        sources: sources of the run, with the prefixes that they would have in a new dataset.
        recorded: sources of the dataset.
        add: accept sources that are not recorded.
        taken: returns whether the dataset has keys with a prefix.
        dataset: its name in messages.

    Raises:
        DestinationError: a source is not recorded, or its names were read in another encoding.
        UsageError: the keys of a new source could not be distinguished from those of others.
    """
    seen = [_seen(source) for source in sources]
    if not recorded:
        return seen
    found = _recognised(seen, recorded, surely=add)
    new = [source for place, source in enumerate(sources) if place not in found]
    if new and not add:
        raise DestinationError(_refusal(new, sources, recorded, dataset))
    before = [one.prefix for one in recorded]

    def nested(prefix: str) -> bool:
        return taken(prefix) or any(
            one and (one.startswith(prefix) or prefix.startswith(one)) for one in before
        )

    fresh = iter(prefixes([one.given for one in new], [one.path for one in recorded], nested))
    named = []
    for place, one in enumerate(seen):
        record = found.get(place)
        if record is None:
            named.append(replace(one, source=replace(one.source, prefix=next(fresh))))
        else:
            source = _as_recorded(one, record, dataset)
            named.append(replace(one, source=source, record=record))
    return named


def list_named(
    named: Sequence[Named],
    scope: Scope,
    budget: ReadBudget,
    *,
    link: bool,
    quota: Quota,
    watch: Callable[[Source, Iterator[Listed]], Iterator[Listed]],
    is_recorded: Callable[[MemberRecord, str], bool],
) -> Iterator[Listed]:
    """List the sources of a run; a key with the prefix of another source is a failure.

    Args:
        named: the sources.
        scope: their keys.
        budget: of what is unpacked while they are listed.
        link: as `list_sources` takes it.
        quota: of entries.
        watch: returns the entries of a source after wrapping them, to follow how far the listing is.
        is_recorded: as `list_dataset` takes it.
    """
    reserved = tuple(prefix for prefix in (*scope.named, *scope.others) if prefix)

    def listed(one: Named) -> Iterator[Listed]:
        found: Iterator[Listed]
        if one.source.kind == DATASET:
            found = quota.taken(list_dataset(one.source, is_recorded))
        else:
            found = list_sources([one.source], budget, link=link, quota=quota)
        entries = watch(one.source, found)
        return (
            entries if one.source.prefix or not reserved else (_apart(entry, reserved) for entry in entries)
        )

    return chain.from_iterable(map(listed, named))


def _apart(entry: Listed, reserved: tuple[str, ...]) -> Listed:
    if not entry.key.startswith(reserved):
        return entry
    message = "its key begins like those of another source of the dataset: rename its folder"
    return Unreadable(entry.key, "DuplicateKey", message)


def _as_recorded(seen: Named, record: Recorded, dataset: str) -> Source:
    """Return a source with its recorded prefix, and the time from which its members are doubted."""
    source, state = seen.source, seen.state
    encoding = record.encoding
    if source.encoding not in {None, encoding}:
        raise DestinationError(
            f"{dataset}: names in {source.shown} were read as {encoding or 'UTF-8'}, not {source.encoding}:"
            " give the same encoding, name other sources only, or --overwrite"
        )
    if record.state == state:
        doubt_from = record.listed_ns if source.kind == "folder" else NEVER
    else:
        doubt_from = record.listed_ns if record.state is None else 0
    return replace(source, prefix=record.prefix, encoding=encoding, doubt_from=doubt_from)


def _refusal(
    new: Sequence[Source], sources: Sequence[Source], recorded: Sequence[Recorded], dataset: str
) -> str:
    known = ", ".join(one.path for one in recorded[:_SHOWN])
    if len(recorded) > _SHOWN:
        known += f" and {len(recorded) - _SHOWN} more"
    are = (
        f"{new[0].shown} is another source"
        if len(new) == 1
        else f"{len(new)} of {len(sources)} sources are others"
    )
    return f"{dataset} was made from {known}; {are}: --add takes it in, or choose another destination"


def _recognised(seen: Sequence[Named], recorded: Sequence[Recorded], *, surely: bool) -> dict[int, Recorded]:
    """Return the record of each source that has one, by the source's place."""
    found: dict[int, Recorded] = {}
    free = list(recorded)
    sources = [one.source for one in seen]
    for place, source in enumerate(sources):
        for record in free:
            if shown_path(source.given) == record.path or source.path == os.path.realpath(record.path):
                found[place] = record
                free.remove(record)
                break
    gone = [record for record in free if not os.path.exists(record.path)]  # noqa: PTH110 - of any text
    missing = [place for place in range(len(sources)) if place not in found]
    moved = [
        (_shared_names(shown_path(sources[place].given), record.path), place, record)
        for place in missing
        for record in gone
        if record.kind in {"", sources[place].kind}
        and (not surely or _is_alike(seen[place].state, record.state))
    ]
    found |= _unequivocal([pair for pair in moved if pair[0]])
    renamed = [
        (1, place, record)
        for place in missing
        for record in gone
        if place not in found and record not in found.values() and _same_file(seen[place].state, record.state)
    ]
    return found | _unequivocal(renamed)


def _shared_names(one: str, other: str) -> int:
    """Return how many names at the ends of two paths agree."""
    names = zip(reversed(one.split("/")), reversed(other.split("/")), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], names))


def _is_alike(state: SourceState, recorded: SourceState | None) -> bool:
    """Return whether an archive has the recorded length and time, or a folder is the recorded one."""
    if recorded is None:
        return False
    return state[3] == recorded[3] if state[0] is None else state[:2] == recorded[:2]


def _same_file(state: SourceState, recorded: SourceState | None) -> bool:
    """Return whether an archive is the recorded one renamed, which changes only its time of status change."""
    return (
        recorded is not None
        and state[0] is not None
        and (*state[:2], state[3]) == (*recorded[:2], recorded[3])
    )


def _unequivocal(pairs: list[tuple[int, int, Recorded]]) -> dict[int, Recorded]:
    """Pair places with records, best matches first; if two match equally well, neither is taken."""
    found: dict[int, Recorded] = {}
    while pairs:
        most = max(shared for shared, *_ in pairs)
        best = [(place, record) for shared, place, record in pairs if shared == most]
        places, records = Counter(place for place, _ in best), Counter(record.prefix for _, record in best)
        sure = [(place, record) for place, record in best if places[place] == records[record.prefix] == 1]
        if not sure:
            break
        found |= dict(sure)
        pairs = [pair for pair in pairs if pair[1] not in found and pair[2] not in found.values()]
    return found
