"""Paths as callers give them."""

from pathlib import Path

from ..errors import UsageError
from .converting.options import PathLike

__all__ = ["absolute"]


def absolute(path: PathLike) -> Path:
    """Return a path that keeps its meaning when the current folder changes.

    Raises:
        UsageError: `path` is relative, and the current folder no longer exists.
    """
    try:
        return Path(path).absolute()
    except FileNotFoundError as error:
        raise UsageError(
            f"{path} is relative, and the current folder does not exist any more: give an absolute path"
        ) from error
