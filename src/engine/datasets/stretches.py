"""Reads a dataset's samples in workers; if one of them dies of a sample, all others are read nevertheless."""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

from ...errors import NoProcessesError, WorkerError
from ..choices import Backend
from ..manifest.reader import Catalog
from ..workers import pool
from .dataset import Dataset
from .open_shard import Stored

__all__ = ["DIED", "Stretch", "read_stretches"]

Result = TypeVar("Result")

DIED = "the process that read it died of it"
_MOST_LOST = 16  # samples that workers died of; finding each takes a dozen deaths


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive samples that one task reads.

    Attributes:
        shards: ids of whole shards, or of the one that holds the samples.
        start: place of the first sample in each shard.
        stop: one past the place of the last; None for all the rest.
        again: a worker died that may have been reading these.
    """

    shards: Sequence[int]
    start: int = 0
    stop: int | None = None
    again: bool = False

    def samples(self, dataset: Dataset) -> Iterator[Stored]:
        """Yield the samples; each is read when its array is asked for."""
        for shard in self.shards:
            yield from islice(dataset.each_in_shard(shard), self.start, self.stop)


def read_stretches(
    function: Callable[[Stretch], Result],
    path: Path,
    workers: int,
    backend: Backend,
    *,
    died: Callable[[str], Result],
) -> Generator[tuple[Stretch, Result], None, None]:
    """Read every sample of a dataset in workers, and yield what the function returns for each stretch.

    A stretch that a worker may have died of is tried again alone, then in halves.

    Args:
        function: importable by name; reads a stretch.
        path: the dataset's folder.
        workers: most processes or threads.
        backend: "loky" or "threading"; a sample that kills a thread kills this process.
        died: returns, for a key, the result of a sample that its worker died of.

    Yields:
        A stretch and its result, in the order they finish.

    Raises:
        DatasetError: `path` is no dataset, or its manifest is damaged.
        WorkerError: workers die again and again.
    """
    catalog = Catalog(path)
    try:
        waiting = deque(Stretch(shards) for shards in catalog.shards.tasks(workers))
        lost = 0
        while waiting:
            taken: list[Stretch] = []
            try:
                for stretch, result in pool.run(
                    partial(_read, function), _take(waiting, taken), workers=workers, backend=backend
                ):
                    taken.remove(stretch)
                    yield stretch, result
            except NoProcessesError:
                raise
            except WorkerError:
                suspects = deque(replace(stretch, again=True) for stretch in taken)
                while suspects:
                    stretch = suspects.popleft()
                    try:
                        results = list(pool.run(function, [stretch], workers=1, or_threads=False))
                    except NoProcessesError:
                        raise
                    except WorkerError:
                        halves = _halves(stretch, catalog)
                        suspects.extendleft(reversed(halves))
                        if not halves:
                            lost += 1
                            if lost > _MOST_LOST:
                                raise
                            yield stretch, died(_key(stretch, catalog))
                    else:
                        yield stretch, results[0]
    finally:
        catalog.close()


def _read(function: Callable[[Stretch], Result], stretch: Stretch) -> tuple[Stretch, Result]:
    return stretch, function(stretch)


def _take(waiting: deque[Stretch], taken: list[Stretch]) -> Iterator[Stretch]:
    while waiting:
        taken.append(waiting.popleft())
        yield taken[-1]


def _halves(stretch: Stretch, catalog: Catalog) -> list[Stretch]:
    """Return two stretches of the same samples; none if there is only one sample."""
    shards, middle = stretch.shards, len(stretch.shards) // 2
    if middle:
        return [replace(stretch, shards=part) for part in (shards[:middle], shards[middle:])]
    stop = stretch.stop
    if stop is None:
        stop = catalog.shard(catalog.shards.number_of(shards[0])).samples
    middle = (stretch.start + stop) // 2
    if middle == stretch.start:
        return []
    return [replace(stretch, stop=middle), replace(stretch, start=middle, stop=stop)]


def _key(stretch: Stretch, catalog: Catalog) -> str:
    return catalog.entry(catalog.shard(catalog.shards.number_of(stretch.shards[0])), stretch.start).key
