"""Paths as callers give them."""

import os
from pathlib import Path
from typing import TypeAlias

from ..errors import UsageError

__all__ = ["PathLike", "absolute"]

PathLike: TypeAlias = str | os.PathLike[str]


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
