"""The plain script: joblib over the files, numpy.save into one npy file each."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from common import decode
from joblib import Parallel, delayed

TITLE = "joblib + numpy.save, a file an image"
PACKAGE = "joblib"
START = None


def convert(paths: list[str], out: str, workers: int) -> None:
    Path(out).mkdir()
    # joblib runs in the caller at n_jobs=1, which spares one worker the pool.
    Parallel(n_jobs=workers)(delayed(_save)(path, Path(out, f"{Path(path).stem}.npy")) for path in paths)


def _save(path: str, target: Path) -> None:
    np.save(target, decode(path))


def read(out: str) -> Iterator[np.ndarray]:
    for path in sorted(Path(out).iterdir()):
        yield np.load(path)


def read_at(out: str, order: list[int]) -> Iterator[np.ndarray]:
    paths = sorted(Path(out).iterdir())
    for index in order:
        yield np.load(paths[index])
