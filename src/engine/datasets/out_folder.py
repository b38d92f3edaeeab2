"""The folder that files from a dataset are written into."""

from pathlib import Path

from ...errors import DestinationError, StorageError
from ..paths import PathLike, absolute

__all__ = ["make_out_folder"]


def make_out_folder(out: PathLike, dataset: PathLike) -> Path:
    """Make a folder for files from a dataset, and return its absolute path.

    Raises:
        DestinationError: it is not empty, or lies inside the dataset.
        StorageError: it cannot be made.
    """
    target = absolute(out)
    try:
        if target.resolve().is_relative_to(absolute(dataset).resolve()):
            raise DestinationError(f"{target} lies inside the dataset {dataset}: give a folder outside of it")
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise DestinationError(f"{target} is not empty: give a new or empty folder")
        target.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a name with NUL
        raise StorageError(f"cannot make {target}: {getattr(error, 'strerror', None) or error}") from error
    return target
