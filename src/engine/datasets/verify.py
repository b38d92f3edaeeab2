"""Re-read every sample of a dataset and compare its checksum."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ...errors import DatasetError
from ..choices import Backend
from ..manifest.reader import Catalog
from ..paths import PathLike, absolute
from .damage import Damage, damage_of, repair_command, strangers
from .dataset import Dataset
from .stretches import BadSample, Outcome, Stretch, read_dataset, reason_of

__all__ = ["BadSample", "Damage", "VerifyResult", "verify"]


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """What verifying a dataset found.

    Attributes:
        path: the dataset's folder.
        samples: how many were read.
        nbytes: bytes of their arrays.
        bad: those that are not intact.
        damage: what is wrong, file by file.
        strangers: files among the shards that the dataset does not know, as paths below its folder.
        repair: the command that repairs it from its sources, for a shell; "" if every sample is intact.
    """

    path: Path
    samples: int
    nbytes: int
    bad: tuple[BadSample, ...]
    damage: tuple[Damage, ...] = ()
    strangers: tuple[str, ...] = ()
    repair: str = ""

    @property
    def exit_code(self) -> int:
        """0 if every sample is intact, else 3."""
        return 3 if self.damage else 0


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
    folder = absolute(path)
    task = partial(verify_stretch, folder)
    found = read_dataset(task, folder, workers=workers, backend=backend, progress=progress)
    bad = tuple(one for one in found.bad if one.key)
    catalog = Catalog(folder)
    try:
        damage = damage_of(catalog, found.bad)
        repair = repair_command(catalog, os.fspath(path)) if damage else ""
        return VerifyResult(folder, found.samples, found.nbytes, bad, damage, strangers(catalog), repair)
    finally:
        catalog.close()


def verify_stretch(path: Path, stretch: Stretch) -> Outcome:
    """Verify the samples of a stretch."""
    samples = nbytes = 0
    bad = []
    with Dataset(path, verify=True) as dataset:
        for read in stretch.samples(dataset):
            if isinstance(read, BadSample):
                bad.append(read)
                continue
            samples += 1
            try:
                nbytes += read.array().nbytes
            except DatasetError as error:
                bad.append(BadSample(read.key, reason_of(error, read.key), read.file))
    return Outcome(samples, nbytes, tuple(bad))
