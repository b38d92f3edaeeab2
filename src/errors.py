"""The errors that brinery raises, each with the exit code its command ends with.

BrineryError                    4
 ├── UsageError                 2   the call itself is wrong
 │    ├── UnknownProtocolError      no protocol of that name
 │    └── DestinationError          the destination holds something else
 ├── MissingLibraryError        4   an optional library or a plug-in cannot be imported
 ├── ArchiveError               4   an archive that cannot be listed, or holds no image
 ├── StorageError               4   the destination cannot be written: no space, read-only, I/O error
 ├── DatasetError               4   a dataset that cannot be read, or is closed
 │    └── CorruptError              stored bytes that are not what the manifest says
 ├── WorkerError                4   the worker pool broke
 │    └── NoProcessesError          no worker process can be started in this place
 ├── FailureLimitError          4   more members failed than --max-failures allows
 └── MemberError                3   one member failed; the run goes on and records it
      ├── ReadError                 its bytes cannot be read
      └── DecodeError               its bytes are no image that brinery can decode

Example:
    try:
        brinery.convert("missing.tar", "missing.brine")
    except brinery.errors.BrineryError as error:
        print(error, error.exit_code)
"""

from typing import ClassVar

__all__ = [
    "ArchiveError",
    "BrineryError",
    "BrineryWarning",
    "CorruptError",
    "DatasetError",
    "DecodeError",
    "DestinationError",
    "FailureLimitError",
    "MemberError",
    "MissingLibraryError",
    "NoProcessesError",
    "ReadError",
    "StorageError",
    "UnknownProtocolError",
    "UsageError",
    "WorkerError",
]


class BrineryError(Exception):
    """The base of every error that brinery raises on purpose; its text says what to do."""

    exit_code: ClassVar[int] = 4


class UsageError(BrineryError):
    """The call is wrong: an option's value, a missing source, a combination that makes no sense."""

    exit_code: ClassVar[int] = 2


class UnknownProtocolError(UsageError):
    """No protocol or compression of that name; the message lists the known ones."""


class DestinationError(UsageError):
    """The destination is not empty, or is a dataset made with other settings."""


class MissingLibraryError(BrineryError):
    """An optional library or a plug-in is not installed or cannot be imported; the message says why."""


class ArchiveError(BrineryError):
    """An archive cannot be listed (damaged, not what its name says, empty)."""


class StorageError(BrineryError):
    """The destination cannot be written: no space left, read-only, an I/O error."""


class DatasetError(BrineryError):
    """A dataset cannot be opened or read, or was used after close."""


class CorruptError(DatasetError):
    """Stored bytes are not what the manifest says: out of bounds, wrong shape, wrong checksum."""


class WorkerError(BrineryError):
    """The worker pool broke down and the run cannot go on."""


class NoProcessesError(WorkerError):
    """No worker process can be started in this place; the message says why.

    Attributes:
        reason: the part of the message that says why.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"no worker process can be started: {self.reason}"


class FailureLimitError(BrineryError):
    """More members failed than `max_failures` allows; the run stopped, what it committed stays."""


class MemberError(BrineryError):
    """One member failed; a run records it and goes on."""

    exit_code: ClassVar[int] = 3


class ReadError(MemberError):
    """A member's bytes cannot be read from its archive."""


class DecodeError(MemberError):
    """A member's bytes are not an image that brinery can decode faithfully."""


class BrineryWarning(UserWarning):
    """Something a caller should know, although the work goes on; commands print it on stderr."""
