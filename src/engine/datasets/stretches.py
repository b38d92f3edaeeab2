"""Reads a dataset's samples in workers; if one of them dies of a sample, all others are read nevertheless."""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path

from ...errors import NoProcessesError, StorageError, WorkerError
from ..choices import Backend
from ..machine.cpus import default_workers
from ..manifest.reader import Catalog, IncompleteShardError
from ..workers import pool
from .dataset import Dataset
from .open_shard import Stored
from .shard_files import file_of

__all__ = ["BadSample", "Outcome", "Stretch", "read_dataset", "reason_of"]

_DIED = "the process that read it died of it"
_MOST_LOST = 16  # samples that workers died of; finding each takes a dozen deaths


@dataclass(frozen=True, slots=True)
class BadSample:
    """A sample that could not be read, or not become what was asked for.

    Attributes:
        key: the sample's key; "" for what concerns a whole file.
        reason: what is wrong.
        file: the file that holds it, as a path below the dataset's folder.
    """

    key: str
    reason: str
    file: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of reading some samples.

    Attributes:
        samples: how many were handled, bad ones included.
        nbytes: bytes of the arrays that were read.
        bad: those that something is wrong with.
        fatal: why the destination cannot be written; None if it can.
    """

    samples: int
    nbytes: int
    bad: tuple[BadSample, ...]
    fatal: str | None = None


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

    def samples(self, dataset: Dataset) -> Iterator[Stored | BadSample]:
        """Yield the samples; each is read when its array is asked for.

        In place of those of a shard that the manifest does not have complete, one without a key is yielded.
        """
        for shard in self.shards:
            try:
                yield from islice(dataset.each_in_shard(shard), self.start, self.stop)
            except IncompleteShardError as error:
                yield BadSample("", str(error), dataset.shard_file(shard))


def read_dataset(
    function: Callable[[Stretch], Outcome],
    path: Path,
    *,
    workers: int | None,
    backend: Backend,
    progress: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Read every sample of a dataset in workers, and return what the function found, in order.

    A stretch that a worker may have died of is tried again alone, then in halves.

    Args:
        function: importable by name; reads a stretch.
        path: the dataset's folder.
        workers: most processes or threads; None for one for every usable CPU.
        backend: "loky" or "threading"; a sample that kills a thread kills this process.
        progress: called with the number of samples handled and the number of all samples.

    Raises:
        DatasetError: `path` is no dataset, or its manifest is damaged.
        StorageError: a stretch came to an end that is fatal.
        UsageError: the number of workers or the backend makes no sense.
        WorkerError: workers die again and again.
    """
    workers = default_workers() if workers is None else workers
    pool.check_workers(workers, backend)
    found: dict[tuple[int, int], Outcome] = {}
    catalog = Catalog(path)
    try:
        samples, total = 0, len(catalog)
        with closing(_read_stretches(function, catalog, workers, backend)) as stretches:
            for stretch, outcome in stretches:
                if outcome.fatal is not None:
                    raise StorageError(outcome.fatal)
                found[stretch.shards[0], stretch.start] = outcome
                samples += outcome.samples
                if progress is not None:
                    progress(samples, total)
    finally:
        catalog.close()
    outcomes = [found[first] for first in sorted(found)]
    bad = chain.from_iterable(outcome.bad for outcome in outcomes)
    return Outcome(samples, sum(outcome.nbytes for outcome in outcomes), tuple(bad))


def _read_stretches(
    function: Callable[[Stretch], Outcome], catalog: Catalog, workers: int, backend: Backend
) -> Generator[tuple[Stretch, Outcome], None, None]:
    """Yield stretches and what the function found in each, in the order they finish."""
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
                        yield stretch, Outcome(1, 0, (_died(stretch, catalog),))
                else:
                    yield stretch, results[0]


def reason_of(error: Exception, key: str) -> str:
    """Return what an error says of a sample, without the sample's key, which stands beside it."""
    return str(error).removeprefix(f"{key!r}: ")


def _read(function: Callable[[Stretch], Outcome], stretch: Stretch) -> tuple[Stretch, Outcome]:
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


def _died(stretch: Stretch, catalog: Catalog) -> BadSample:
    shard = catalog.shard(catalog.shards.number_of(stretch.shards[0]))
    return BadSample(catalog.entry(shard, stretch.start).key, _DIED, file_of(shard))
