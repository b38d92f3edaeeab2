"""How much the machine itself changed between two runs, by the ceilings: no version changes those."""

from collections.abc import Iterable, Sequence

from ..analysis.statistics import unpaired_ratio
from ..result.cell import Cell
from ..result.findings import CeilingSample
from ..result.result import BenchResult
from ..result.stats import median

_OF_LOADS = ("spin", "memcpy", "raw-read")
_OF_DUMPS = ("spin", "memcpy", "raw-write", "raw-files", "create")


class MachineChange:
    """The machine's own change between two runs, as far as their rounds can tell.

    Between runs more changes than between the rounds of one: where memory lies, what other machines on the
    same host do. So a change of a cell counts only beyond what the ceilings may have changed, which measure
    the machine in the same rounds; without them, beyond that of the sentinel.
    """

    def __init__(self, a: BenchResult, b: BenchResult) -> None:
        others = {(one.name, one.workers): one.samples for one in b.ceilings}
        self._changes: dict[str, dict[int, float]] = {}
        for one in a.ceilings:
            change = _farthest(_times(one.samples), _times(others.get((one.name, one.workers), ())))
            if change is not None:
                self._changes.setdefault(one.name, {})[one.workers] = change
        self._sentinel = _farthest(_sentinel_times(a), _sentinel_times(b))

    def of(self, cell: Cell) -> float | None:
        """Return the relative change, such as 0.04, that such a cell may show though its code is the same.

        None for fewer than five rounds.
        """
        names: Sequence[str] = _OF_LOADS
        if cell.op in ("convert", "dump"):
            names = (*_OF_DUMPS, "raw-write-fsync") if cell.durability == "fsync" else _OF_DUMPS
        elif cell.cache == "cold":
            names = ("spin", "memcpy", "raw-read-cold")
        found = []
        for own in (self._changes[name] for name in names if name in self._changes):
            nearest = max((workers for workers in own if workers <= cell.workers), default=min(own))
            found.append(own[nearest])
        return max(found) if found else self._sentinel


def _farthest(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Return the farther end of the interval of a ratio, as a relative change either way."""
    return unpaired_ratio(a, b).farthest if a and b else None


def _times(samples: Iterable[CeilingSample]) -> list[float]:
    """Return the time of a unit by round."""
    return [one.wall_ns / one.amount for one in samples if one.valid and one.amount and one.wall_ns]


def _sentinel_times(result: BenchResult) -> list[float]:
    """Return the median time of the sentinel by round; without the sampler's pauses."""
    rounds: dict[tuple[str, int], list[float]] = {}
    for one in result.noise.sentinel:
        if one.name != "unsampled":
            rounds.setdefault((one.part, one.round), []).append(one.wall_ns)
    return [median(times) for times in rounds.values()]
