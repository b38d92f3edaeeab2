"""Paths that callers give."""

from pathlib import Path

from ..errors import UsageError
from .options import PathLike

__all__ = ["absolute"]


def absolute(path: PathLike) -> Path:
    """Return a path that names the same place whichever folder becomes the current one.

    Raises:
        UsageError: it is relative, and the current folder does not exist any more.
    """
    try:
        return Path(path).absolute()
    except FileNotFoundError as error:
        raise UsageError(
            f"{path} is relative, and the current folder does not exist any more: give an absolute path"
        ) from error
