"""Libraries that some protocols and compressions need, imported when first used."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ...errors import MissingLibraryError

__all__ = ["installed", "library", "missing"]

_EXTRAS = {
    "zstandard": "brinery[formats]",
    "lz4": "brinery[formats]",
    "pyarrow": "brinery[arrow]",
    "safetensors": "brinery[safetensors]",
    "msgpack": "brinery[msgpack]",
    "cbor2": "brinery[cbor]",
    "crc32c": "brinery[tfrecord]",
    "tfrecord": "brinery[tfrecord]",
    "zarr": "brinery[zarr]",
    "h5py": "h5py",
    "hickle": "hickle",
}


def installed(name: str) -> bool:
    """Return whether a top-level library can be imported, without importing it."""
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def missing(name: str) -> MissingLibraryError:
    """Return the error that says what to install for a library."""
    return MissingLibraryError(f"{name} is not installed: pip install '{_EXTRAS.get(name, name)}'")


def library(name: str) -> Any:
    """Import a library or one of its modules.

    Raises:
        MissingLibraryError: it is not installed, and the message names the extra; or it cannot be imported,
            and the message says what broke.
    """
    top = name.partition(".")[0]
    try:
        return import_module(name)
    except Exception as error:  # a library's own code may raise anything
        lacking = error.name if isinstance(error, ModuleNotFoundError) else None
        if lacking is not None and lacking.partition(".")[0] == top:
            raise missing(top) from error
        reason = f"{type(error).__name__}: {error}"
        raise MissingLibraryError(f"{top} is installed, but cannot be imported: {reason}") from error
