"""Re-read every sample of a dataset and compare its checksum."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ...errors import DatasetError
from ..choices import Backend
from ..machine.cpus import default_workers
from ..manifest.reader import Catalog
from ..paths import PathLike, absolute
from ..workers import pool
from .dataset import Dataset
from .stretches import DIED, Stretch, read_stretches

__all__ = ["BadSample", "Verdict", "VerifyResult", "verify"]


@dataclass(frozen=True, slots=True)
class BadSample:
    """A sample that is not what was recorded.

    Attributes:
        key: the sample's key.
        reason: what is wrong with it.
    """

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verifying some shards found."""

    samples: int
    nbytes: int
    bad: tuple[BadSample, ...]


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """What verifying a dataset found.

    Attributes:
        path: the dataset's folder.
        samples: how many were read.
        nbytes: bytes of their arrays.
        bad: those that are not intact.
    """

    path: Path
    samples: int
    nbytes: int
    bad: tuple[BadSample, ...]

    @property
    def exit_code(self) -> int:
        """0 where every sample is intact, else 3."""
        return 3 if self.bad else 0


def verify(
    path: PathLike,
    *,
    workers: int | None = None,
    backend: Backend = "loky",
    progress: Callable[[int, int], None] | None = None,
) -> VerifyResult:
    """Read every sample of a dataset and compare it with its checksum.

    Args:
        path: the dataset's folder.
        workers: how many processes or threads read at most; by default one for every usable CPU.
        backend: "loky" for processes, or threads where no process can start; "threading" for threads.
        progress: called with the number of samples read and the number of all samples.

    Raises:
        DatasetError: `path` is no dataset, or its manifest is damaged.
        UsageError: the number of workers or the backend makes no sense.

    Example:
        result = brinery.verify("photos.brine")
        for sample in result.bad:
            print(sample.key, sample.reason)
    """
    workers = default_workers() if workers is None else workers
    pool.check_workers(workers, backend)
    folder = absolute(path)
    catalog = Catalog(folder)
    total = len(catalog)
    catalog.close()
    samples = nbytes = 0
    bad: dict[tuple[int, int], tuple[BadSample, ...]] = {}
    task = partial(verify_stretch, folder)
    for stretch, verdict in read_stretches(task, folder, workers, backend, died=_died):
        samples += verdict.samples
        nbytes += verdict.nbytes
        bad[stretch.shards[0], stretch.start] = verdict.bad
        if progress is not None:
            progress(samples, total)
    return VerifyResult(folder, samples, nbytes, tuple(one for first in sorted(bad) for one in bad[first]))


def _died(key: str) -> Verdict:
    return Verdict(1, 0, (BadSample(key, DIED),))


def verify_stretch(path: Path, stretch: Stretch) -> Verdict:
    """Verify the samples of a stretch."""
    samples = nbytes = 0
    bad = []
    with Dataset(path, verify=True) as dataset:
        for read in stretch.samples(dataset):
            samples += 1
            try:
                nbytes += read.array().nbytes
            except DatasetError as error:
                bad.append(BadSample(read.key, str(error)))
    return Verdict(samples, nbytes, tuple(bad))
