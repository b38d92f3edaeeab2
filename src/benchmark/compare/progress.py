"""How far a measurement of two versions in turns is, and how long the rest will take."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .turns import Player

_PLAN = re.compile(r"^plan +(\d+) cells, (\d+) ceilings, (\d+) rounds", re.MULTILINE)
_EXPECTED = re.compile(r"^expected +(\d+) s", re.MULTILINE)
_DOING = re.compile(r"^measured +(.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class TurnProgress:
    """How far it is."""

    fraction: float  # of the time that all pairs are expected to take
    left_s: float  # seconds that the rest is expected to take
    doing: str  # the pair, and what was measured last, as far as the version tells


def measured_line(doing: str) -> str:
    """Return the line by which a bench in turns tells what it measured."""
    return f"measured   {doing}"


class Pace:
    """Counts pairs and regions, by what the benches in turns write into their logs.

    It calls `say` once with how long all is expected to take, and `tell` after every region.
    """

    def __init__(self, pairs: int, say: Callable[[str], None], tell: Callable[[TurnProgress], None]) -> None:
        self._pairs, self._say, self._tell = pairs, say, tell
        self._seconds: list[float] = []  # of the pairs that are done
        self._begin = time.monotonic()
        self._prepared = 0.0  # seconds of this pair before its first region

    def step(self, players: Sequence[Player], last: Player) -> None:
        """Tell how far it is, after a turn of `last`."""
        logs = [player.said() for player in players if player.turns]
        plans = [match for log in logs if (match := _PLAN.search(log))]
        if len(plans) < len(players):
            return  # one is still preparing; an old version may tell no plan
        total = sum((int(plan[1]) + int(plan[2])) * int(plan[3]) for plan in plans)
        done, spent = sum(player.turns - 1 for player in players), time.monotonic() - self._begin
        if done <= 0:
            self._prepared = spent
            self._announce(logs, total)
            return
        pair = self._prepared + (spent - self._prepared) * max(1.0, total / done)
        over, number = sum(self._seconds), len(self._seconds) + 1
        whole, by_now = (over + pair) / number * self._pairs, over + spent
        doing = _DOING.findall(logs[players.index(last)])
        where = f"pair {number} of {self._pairs}"
        self._tell(TurnProgress(by_now / whole, whole - by_now, ", ".join([where, *doing[-1:]])))

    def end_pair(self) -> None:
        """Begin the next pair."""
        self._seconds.append(time.monotonic() - self._begin)
        self._begin += self._seconds[-1]

    def _announce(self, logs: Sequence[str], regions: int) -> None:
        expected = [int(match[1]) for log in logs if (match := _EXPECTED.search(log))]
        if not self._seconds and len(expected) == len(logs):
            seconds = sum(expected) * self._pairs
            about = f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
            self._say(f"expected   {regions * self._pairs} regions, about {about}; longer on a busy machine")
