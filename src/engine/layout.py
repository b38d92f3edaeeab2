"""Where the files of a dataset lie, and which names they can have."""

import errno
import os
from pathlib import PurePosixPath

from ..errors import MemberError

__all__ = ["FILES_FOLDER", "SHARDS_FOLDER", "refusal", "single_path"]

SHARDS_FOLDER = "shards"
FILES_FOLDER = "files"

# What the name of one file can cause; every other error means that the destination cannot be written.
_NAME_ERRORS = {errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.EINVAL, errno.EILSEQ}


def single_path(key: str, suffix: str) -> PurePosixPath:
    """Return the path, relative to the folder of files, of a key's own file.

    Raises:
        MemberError: the key would lead outside the folder or cannot be a path.
    """
    parts = key.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\0" in key:
        raise MemberError("its name cannot be a path inside the destination")
    return PurePosixPath(*parts[:-1], parts[-1] + suffix)


def refusal(error: OSError) -> Exception:
    """Return a MemberError for what one file's name can cause, any other error as it is."""
    if error.errno == errno.ELOOP:
        return MemberError(f"it cannot be a file in the destination: {error.strerror}")
    if error.errno in _NAME_ERRORS:
        return MemberError(f"its name cannot be a file in the destination: {os.strerror(error.errno or 0)}")
    return error
