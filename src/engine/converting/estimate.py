"""How long a convert will go on, by what listing and working have cost so far. Pure.

What is left is what was handed out and is not done, and what the listing has yet to pass. Entries that the
dataset has already cost their listing only; of what is new, members and bytes cost what they cost lately:
of a member beside its bytes, and of a byte.
"""

from dataclasses import dataclass, fields

__all__ = ["Cost", "Estimator", "Seen", "Whole"]

_SHORTEST_MEMORY = 5.0  # seconds after which half of an observation is forgotten
_MEMORY = 0.25  # of the time that has gone by
_BYTES_AS_A_MEMBER = 4096  # bytes of a JPEG that cost as much as a member beside them, until it is measured
_TRUST = 0.02  # weight of that guess, as a share of what was measured


@dataclass(frozen=True, slots=True)
class Seen:
    """What a run has listed, handed out and done up to an instant.

    Attributes:
        seconds: since the run began.
        entries: that the listing has passed.
        listed_bytes: of the sources that it has passed.
        known: entries that the dataset had already.
        known_bytes: bytes of the sources that they take.
        planned: members handed out, to convert or to compare.
        planned_bytes: their bytes.
        compared: those of them that are only compared.
        compared_bytes: their bytes.
        done: members done.
        done_bytes: their bytes.
        busy_seconds: time that workers took for them, added up.
    """

    seconds: float = 0.0
    entries: int = 0
    listed_bytes: int = 0
    known: int = 0
    known_bytes: int = 0
    planned: int = 0
    planned_bytes: int = 0
    compared: int = 0
    compared_bytes: int = 0
    done: int = 0
    done_bytes: int = 0
    busy_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Whole:
    """What the sources hold.

    Attributes:
        bytes: of all sources.
        known: entries that the dataset has already and need not be done again.
    """

    bytes: int
    known: int = 0


@dataclass(frozen=True, slots=True)
class Cost:
    """What members cost a worker, in seconds.

    Attributes:
        member: of a member beside its bytes.
        byte: of one of its bytes.
    """

    member: float
    byte: float

    def of(self, members: float, nbytes: float) -> float:
        """Return what these cost together."""
        return self.member * members + self.byte * nbytes


class Estimator:
    """Learns from what a run has done, the latest most, how long the rest will take.

    Args:
        workers: how many work at most.
        before: what members cost in an earlier run; None if that is not known.
    """

    def __init__(self, workers: int, before: Cost | None = None) -> None:
        self._workers = workers
        self._before = before
        self._last = Seen()
        self._recent = dict.fromkeys((*_DIFFERENCES, *_SUMS), 0.0)

    def update(self, seen: Seen) -> None:
        """Take in what has been done; times must not go back."""
        last, recent = self._last, self._recent
        step = {name: getattr(seen, name) - getattr(last, name) for name in _DIFFERENCES}
        passed = step["seconds"]
        half_life = max(_SHORTEST_MEMORY, _MEMORY * seen.seconds)
        kept = 0.5 ** (passed / half_life)
        members, nbytes, busy = step["done"], step["done_bytes"], step["busy_seconds"]
        worked = last.planned > last.done or step["planned"] > 0
        step |= {
            "worked": passed if worked and last.done else 0.0,  # before that, workers were starting
            "work_members": members if last.done else 0,
            "work_bytes": nbytes if last.done else 0,
            "listed_alone": 0 if worked else step["known"],
            "alone": 0.0 if worked else passed,
            "members_members": members * members,
            "members_bytes": members * nbytes,
            "bytes_bytes": nbytes * nbytes,
            "members_busy": members * busy,
            "bytes_busy": nbytes * busy,
        }
        for name, value in step.items():
            recent[name] = recent[name] * kept + value
        self._last = seen

    def follow(self, seen: Seen) -> None:
        """Go on from another state, such as the beginning of a second listing."""
        self._last = seen

    def left(self, whole: Whole) -> float | None:
        """Return the seconds that are left; None if nothing tells yet."""
        cost, recent = self.cost(), self._recent
        if cost is None:
            return None
        speed = cost.of(recent["work_members"], recent["work_bytes"]) / (recent["worked"] or 1.0)
        alone = _ratio(recent["alone"], recent["listed_alone"])
        seen, ahead = self._last, self._ahead(whole)
        compared = ahead.known * _ratio(recent["compared"], recent["known"])
        compared_bytes = ahead.known_bytes * _ratio(recent["compared_bytes"], recent["known_bytes"])
        members = seen.planned - seen.done + ahead.members + compared
        nbytes = seen.planned_bytes - seen.done_bytes + ahead.bytes + compared_bytes
        return cost.of(members, nbytes) / (speed or self._workers) + ahead.known * alone

    def left_bytes(self, whole: Whole) -> float:
        """Return the bytes of members that are still to be converted."""
        seen = self._last
        converting = 1.0 - _ratio(seen.compared_bytes, seen.planned_bytes)
        return self._ahead(whole).bytes + converting * (seen.planned_bytes - seen.done_bytes)

    def cost(self) -> Cost | None:
        """Return what members cost lately; None if nothing tells yet."""
        recent = self._recent
        if not recent["busy_seconds"] or not (recent["done"] or recent["done_bytes"]):
            return self._before
        mm, mb, bb = recent["members_members"], recent["members_bytes"], recent["bytes_bytes"]
        mt, bt = recent["members_busy"], recent["bytes_busy"]
        # Ridge regression towards costs in a usual proportion: members and bytes often come in the same one.
        byte = recent["busy_seconds"] / (recent["done_bytes"] + _BYTES_AS_A_MEMBER * recent["done"])
        member = byte * _BYTES_AS_A_MEMBER
        trust_m, trust_b = _TRUST * (mm or 1.0), _TRUST * (bb or 1.0)
        mm, mt = mm + trust_m, mt + trust_m * member
        bb, bt = bb + trust_b, bt + trust_b * byte
        determinant = mm * bb - mb * mb
        found = Cost((mt * bb - bt * mb) / determinant, (bt * mm - mt * mb) / determinant)
        if found.member < 0:
            return Cost(0.0, bt / bb)
        return found if found.byte >= 0 else Cost(mt / mm, 0.0)

    def _ahead(self, whole: Whole) -> "_Ahead":
        """Return what the listing has yet to pass."""
        seen, recent = self._last, self._recent
        unlisted = max(0, whole.bytes - seen.listed_bytes)
        known = max(0, whole.known - seen.known)
        an_entry = _ratio(seen.known_bytes, seen.known) or _ratio(seen.listed_bytes, seen.entries)
        known_bytes = min(unlisted, known * an_entry)
        new_bytes = unlisted - known_bytes
        listed = recent["listed_bytes"] - recent["known_bytes"]
        members, nbytes = (
            recent["planned"] - recent["compared"],
            recent["planned_bytes"] - recent["compared_bytes"],
        )
        if listed > 0 and members > 0:
            return _Ahead(known, known_bytes, new_bytes * members / listed, new_bytes * nbytes / listed)
        return _Ahead(known, known_bytes, _ratio(new_bytes, an_entry), new_bytes)


@dataclass(frozen=True, slots=True)
class _Ahead:
    """Entries that the listing has yet to pass, and their bytes: those known, and members to convert."""

    known: float
    known_bytes: float
    members: float
    bytes: float


_DIFFERENCES = tuple(field.name for field in fields(Seen))
_SUMS = (
    *("worked", "work_members", "work_bytes", "listed_alone", "alone"),
    *("members_members", "members_bytes", "bytes_bytes", "members_busy", "bytes_busy"),
)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
