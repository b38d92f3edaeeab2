"""What a listing yields: members, which are tuples since there are millions, and whatever else it meets."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from .blocks import Passing

__all__ = ["NEVER", "Entry", "Link", "Member", "Method", "NotImage", "Unreadable", "storable_time"]

_LATEST: Final = (1 << 63) - 1

NEVER: Final = 1 << 100
"""A time in ns since the epoch that no file has."""

Method: TypeAlias = Literal["stored", "deflate", "bzip2", "lzma", "xz", "zstd", "dataset"]


class Member(NamedTuple):
    """One encoded image in an archive, by where its bytes are.

    Attributes:
        key: path inside the archive, `/`-separated, valid Unicode.
        path: the file that holds the bytes: the image itself in a folder, else the archive.
            Undecodable bytes of a file name stand as surrogates (`os.fsencode` gives them back).
        offset: first byte in that file.
        stored: number of bytes there.
        size: number of bytes once unpacked; equals `stored` where the method is "stored".
        mtime_ns: when the source says it was last changed, in ns since the epoch; 0 if it does not say. Held
            within 64 bits by `storable_time`.
        method: how the bytes are packed; all but "stored" occur in zip files only. "dataset" stands for the
            arrays of an image in the dataset `path`: `stored` is their bytes, and `size` the image's;
            `identity` is the unit and the ordinal there.
        crc: CRC-32 of the unpacked bytes where the archive gives one.
        data: the bytes themselves, where only the parent can read them (compressed tar streams): Passing
            until they are read; their beginning where it tells that the rest is not wanted.
        local_header: at `offset` stands a zip's local header, whose length only the reader learns; the
            `stored` bytes follow it.
        identity: device and inode of the file, where a link led to it, or the whole state of an archive in a
            folder: the reader takes no other.
        doubted: its file was changed since the dataset took it in: an equal size and time prove nothing.
    """

    key: str
    path: str
    offset: int
    stored: int
    size: int
    mtime_ns: int
    method: Method = "stored"
    crc: int | None = None
    data: "bytes | Passing | None" = None
    local_header: bool = False
    identity: tuple[int, ...] | None = None
    doubted: bool = False


@dataclass(frozen=True, slots=True)
class NotImage:
    """An entry known to be no image without reading it: an archive in a folder, a device, a link."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An entry that should be a member and cannot be read: encrypted, cut off, of an unknown method."""

    key: str
    error: str
    message: str


@dataclass(frozen=True, slots=True)
class Link:
    """An entry that stands for another one of its archive, which only the whole listing tells.

    Attributes:
        key: its own.
        target: what it leads to, as the archive has it: from the archive's top where it is a hard link, else
            from the link's own folder.
        hard: it is a hard link: another name for what an earlier entry brought.
        within: what the keys of its archive begin with.
    """

    key: str
    target: str
    hard: bool
    within: str


Entry: TypeAlias = Member | NotImage | Unreadable | Link


def storable_time(mtime_ns: int) -> int:
    """Hold a time within the 64 bits of a manifest's column: from the year 1677 to 2262."""
    return mtime_ns if -_LATEST <= mtime_ns <= _LATEST else max(-_LATEST, min(mtime_ns, _LATEST))
