"""The shards of a dataset in order: which of them holds a sample."""

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from functools import partial
from itertools import accumulate
from operator import index as whole
from pathlib import Path
from typing import Any

from ...errors import CorruptError

__all__ = ["Shards"]

_MOST_A_TASK = 64
_TASKS_A_WORKER = 16


class Shards:
    """The shards that hold samples, in two integers each. Those that were filled side by side count as one.

    Attributes:
        ids: ids in order; of those that were filled side by side, the first one's.
        starts: index of the first sample of each, and behind the last of them the number of all samples.
        files: number of shards, each counted.
        holding: returns the number of the shard that holds the sample of a position.

    Args:
        path: of the manifest.
        rows: id, samples and, if the manifest has it, `beside` of each shard with samples, by id.
        most_samples: more than this is damage.

    Raises:
        CorruptError: a row makes no sense.
    """

    def __init__(self, path: Path, rows: Sequence[Any], most_samples: int) -> None:
        self._path = path
        self._last: dict[int, int] = {}  # id of the last shard beside a first one
        ids: Sequence[int]
        counts: Sequence[int]
        ids, counts, *beside = zip(*rows, strict=True) if rows else ((), ())
        if not {*map(type, ids), *map(type, counts)} <= {int} or any(shard < 0 for shard in ids[:1]):
            raise self._senseless()
        self._total: int = sum(counts)
        if self._total > most_samples:
            raise CorruptError(f"{path}: it is too small for {self._total} samples")
        self.files = len(ids)
        if beside and beside[0].count(None) < self.files:
            ids, counts = self._gathered(ids, counts, beside[0])
        self.ids: Sequence[int] = array("q", ids)
        ends = array("q", accumulate(counts))
        self.starts: Sequence[int] = array("q", (0,)) + ends
        self.holding = partial(bisect_right, ends)

    def _gathered(
        self, ids: Sequence[int], counts: Sequence[int], firsts: Sequence[Any]
    ) -> tuple[Sequence[int], Sequence[int]]:
        """Return ids and numbers of samples, those that were filled side by side as one."""
        gathered: list[int] = []
        sums: list[int] = []
        for shard, count, first in zip(ids, counts, firsts, strict=True):
            if first is None:
                gathered.append(shard)
                sums.append(count)
                continue
            before = self._last.get(gathered[-1], gathered[-1]) if gathered else -1
            if gathered and gathered[-1] == first:
                sums[-1] += count
            elif type(first) is int and before < first < shard:  # the first one has no samples any more
                gathered.append(first)
                sums.append(count)
            else:
                raise self._senseless()
            self._last[first] = shard
        return gathered, sums

    def _senseless(self) -> CorruptError:
        return CorruptError(f"{self._path}: a shard's row makes no sense")

    @property
    def samples(self) -> int:
        """The number of samples in all shards."""
        return self._total

    def position(self, index: int) -> int:
        """Return an index counted from the start.

        Raises:
            IndexError: the dataset has no such sample.
        """
        total = self._total
        position = whole(index)
        if position < 0:
            position += total
        if not 0 <= position < total:
            raise IndexError(f"index {index} is out of range: the dataset has {total} samples")
        return position

    def number_of(self, shard: int) -> int:
        """Return a shard's number by its id.

        Raises:
            CorruptError: there is no such shard.
        """
        number = bisect_right(self.ids, shard) - 1
        if number < 0 or shard > self.last(self.ids[number]):
            raise CorruptError(f"{self._path}: samples of a shard {shard} that is not there")
        return number

    def last(self, shard: int) -> int:
        """Return the id of the last shard that was filled beside one; its own if it is alone."""
        return self._last.get(shard, shard)

    def tasks(self, workers: int) -> list[Sequence[int]]:
        """Return the ids of all shards, divided into tasks that each open the dataset once."""
        each = max(1, min(_MOST_A_TASK, len(self.ids) // (_TASKS_A_WORKER * workers)))
        return [self.ids[first : first + each] for first in range(0, len(self.ids), each)]
