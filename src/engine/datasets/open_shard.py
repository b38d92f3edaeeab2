"""The open parts of a dataset: shards that are mapped or read, and samples that wait to be read."""

import mmap
import os
import resource
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from ..machine.inside import Descriptor
from ..manifest.kept import Sources
from ..manifest.reader import Places, ShardInfo
from ..protocols.base import Array, ShardReader

__all__ = ["DESCRIPTORS", "OpenedShard", "Stored", "map_file"]

# From Python 3.13 a mapping needs no descriptor of its own.
_MMAP_OPTIONS: dict[str, Any] = {"trackfd": False} if sys.version_info >= (3, 13) else {}
DESCRIPTORS: int = sys.maxsize if _MMAP_OPTIONS else resource.getrlimit(resource.RLIMIT_NOFILE)[0]
"""How many mappings the process may have, as far as descriptors limit them."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A sample that is not read yet.

    Attributes:
        key: the sample's key.
        array: reads and returns the array; raises CorruptError if it is damaged.
        file: the file that holds it, as a path below the dataset's folder.
        colours: what the channels are if their number does not tell: "CMYK", "LAB", "RGBX" ...
        image: where images are kept, reads and returns the bytes of the sample's; None for later frames.
            Raises as `array` does.
    """

    key: str
    array: Callable[[], Array]
    file: str
    colours: str | None = None
    image: Callable[[], bytes] | None = None


@dataclass(slots=True)
class OpenedShard:
    """A shard that was asked for: the places of its samples, its mapping and its reader, as far as needed.

    Attributes:
        info: what the manifest says of it.
        first: index of its first sample in the dataset.
        lookups: how often a sample was looked up in the manifest.
        irregular: the places of its samples cannot be remembered together.
        places: where all of its samples lie.
        sources: where all of its images lie, if the dataset keeps images.
        buffer: its mapped file.
        descriptor: its open file, to be read by ranges.
        file: its open file, to be read by the protocol.
        reader: the protocol's.
        beside: if others were filled beside it, the files of all of them by shard id; it has none of its own.
    """

    info: ShardInfo
    first: int = field(init=False)
    lookups: int = 0
    irregular: bool = False
    places: Places | None = None
    sources: Sources | None = None
    buffer: mmap.mmap | bytes | None = None
    descriptor: Descriptor | None = None
    file: BinaryIO | None = None
    reader: ShardReader | None = None
    beside: "dict[int, OpenedShard]" = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.first = self.info.first

    def close(self) -> None:
        """Close files and reader; arrays that were handed out keep their mapping."""
        if self.reader is not None:
            self.reader.close()
        if self.file is not None:
            self.file.close()
        self.buffer = self.descriptor = self.reader = self.file = None


def map_file(file: Descriptor) -> mmap.mmap | bytes:
    """Map a file for reading; return empty bytes for an empty file, which cannot be mapped."""
    if os.fstat(file.number).st_size == 0:
        return b""
    return mmap.mmap(file.number, 0, access=mmap.ACCESS_READ, **_MMAP_OPTIONS)
