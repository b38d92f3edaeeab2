"""Make a corpus of test images on all cores."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from ..errors import DestinationError, StorageError
from .choices import Backend
from .machine.cpus import default_workers
from .paths import absolute
from .photos import write_photos
from .workers import pool

__all__ = ["make_corpus"]

_IMAGES_A_TASK = 64


def make_corpus(
    folder: Path,
    *,
    count: int,
    size: tuple[int, int] = (320, 240),
    seed: int = 0,
    quality: int = 90,
    workers: int | None = None,
    backend: Backend = "loky",
    progress: Callable[[int], None] | None = None,
) -> int:
    """Write photo-like JPEG files, the same for the same seed, and return their bytes.

    Args:
        folder: new or empty.
        count: number of images.
        size: width and height in pixels.
        seed: which corpus.
        quality: of the JPEG files.
        workers: the most processes or threads that write; by default one for every usable CPU.
        backend: "loky" for processes, or for threads where none can be started; "threading" for threads.
        progress: called with the number of images made.

    Raises:
        DestinationError: the folder is not empty.
        StorageError: it cannot be written.
    """
    workers = default_workers() if workers is None else workers
    pool.check_workers(workers, backend)
    folder = absolute(folder)
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise DestinationError(f"{folder} is not empty: give a new or empty folder")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot make {folder}: {error.strerror}") from error
    tasks = [range(first, min(first + _IMAGES_A_TASK, count)) for first in range(0, count, _IMAGES_A_TASK)]
    done = written = 0
    for images, size_bytes in pool.run(
        partial(_write, folder, size, seed, quality), tasks, workers=workers, backend=backend
    ):
        done += images
        written += size_bytes
        if progress is not None:
            progress(done)
    return written


def _write(folder: Path, size: tuple[int, int], seed: int, quality: int, indices: range) -> tuple[int, int]:
    return len(indices), write_photos(folder, indices, *size, seed, quality)
