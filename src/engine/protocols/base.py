"""What a protocol is: the classes that every serialization format implements."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from types import TracebackType
from typing import Any, BinaryIO, ClassVar, NamedTuple, Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Abilities",
    "Array",
    "Compression",
    "OutputFile",
    "Placement",
    "Serializer",
    "ShardReader",
    "ShardWriter",
    "SourceWriter",
    "Spec",
]

Array: TypeAlias = NDArray[Any]


class OutputFile(Protocol):
    """The binary file that a writer fills: seekable, readable back, every write complete."""

    def write(self, data: Any, /) -> int:
        """Write all bytes of any object with a contiguous buffer; return how many."""
        ...

    def read(self, size: int = -1, /) -> bytes:
        """Read up to size bytes; all that follow where size is negative."""
        ...

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer; return how many bytes there were."""
        ...

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move the position and return it."""
        ...

    def tell(self) -> int:
        """Return the position, in bytes from the start."""
        ...

    def truncate(self, size: int | None = None, /) -> int:
        """Cut or extend the file, by default at the position."""
        ...

    def flush(self) -> None:
        """Hand gathered bytes to the operating system."""
        ...


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a protocol can do; the conformance suite holds each to its word.

    Attributes:
        raw_payload: without compression, arrays stand in the file as raw C-order bytes at a known offset.
        safe_load: the format's own library runs no code from a file.
        portable: readable outside Python.
        compressions: names of the compressions it takes, native ones first.
        ragged: one shard may hold arrays of different shapes and dtypes.
        one_stack: its own library shows one shape and dtype of a shard only, so that without compression a
            convert fills a shard for each.
        keeps_source: its files hold encoded images as they were, and reading decodes. `add` and `dump` take
            an image's bytes as an array of uint8, (N,); a placement names exactly these bytes; `load`,
            `load_shard` and readers give the first frame as it is stored.
        lossy: those of the compressions that give back other values than they got; dtype and shape stay.
    """

    raw_payload: bool
    safe_load: bool
    portable: bool
    compressions: tuple[str, ...] = ()
    ragged: bool = True
    one_stack: bool = False
    keeps_source: bool = False
    lossy: tuple[str, ...] = ()

    def loses(self, label: str) -> bool:
        """Return whether a label of this protocol has a lossy compression."""
        return label.partition("+")[2].partition(":")[0] in self.lossy


@dataclass(frozen=True, slots=True)
class Compression:
    """A compression as it follows the plus sign: `zstd:3` is name "zstd", level 3."""

    name: str
    level: int | None = None

    def __str__(self) -> str:
        return self.name if self.level is None else f"{self.name}:{self.level}"


@dataclass(frozen=True, slots=True)
class Spec:
    """What the manifest says an array is; a reader must return exactly this.

    Attributes:
        dtype: native byte order, kind b, u, i, f or c.
        shape: all of its dimensions, in elements.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Size of the raw C-order bytes."""
        size = self.dtype.itemsize
        for length in self.shape:
            size *= length
        return size


class Placement(NamedTuple):
    """Where a record lies in its file.

    Attributes:
        start: first byte of the record, in bytes from the file's start; in stacked containers (hdf5,
            hickle) the array's row in its stack instead.
        length: bytes of the record; 0 in stacked containers.
        payload: first byte of the array's raw C-order bytes, or None where they don't stand in the file.
    """

    start: int
    length: int
    payload: int | None


class ShardWriter(ABC):
    """Fills one shard file with samples, in order."""

    @abstractmethod
    def add(self, key: str, array: Array) -> None:
        """Append a sample.

        Args:
            key: any Unicode string without lone surrogates.
            array: C-contiguous, native byte order, kind b, u, i, f or c; may be reused by the caller
                as soon as this returns.
        """

    def given_back(self) -> Array | None:
        """Return what reading will give of the sample that was added last; None if it is what was added.

        Asked for where the serializer is lossy: the manifest's checksum is of that.
        """
        return None

    @abstractmethod
    def finish(self) -> list[Placement]:
        """Complete the file's contents and return the placement of each record, in order of `add`.

        The caller flushes and closes the file.
        """


class SourceWriter(ShardWriter):
    """Fills a shard with encoded images: what `writer` returns where `keeps_source` is True."""

    @abstractmethod
    def repeat(self) -> None:
        """Have the image that was added last stand for one more sample, a later frame of it."""


class ShardReader(ABC):
    """Reads single records from an open file by the safe path: runs no code, trusts no length."""

    @abstractmethod
    def read(self, placement: Placement, spec: Spec) -> Array:
        """Return the array, owned or read-only.

        Raises:
            CorruptError: the record is damaged, out of bounds or not of this spec.
        """

    def close(self) -> None:
        """Release what the reader holds beside the file, which its opener closes."""
        return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Serializer(ABC):
    """A serialization format and version, with the compression it was asked to use.

    Two shapes of file: a shard holds many samples with their keys (`writer`, `load_shard`), a single
    file holds one array alone (`dump`, `load`). Two ways to read: `load` and `load_shard` are the
    format's own library, for files one has written oneself; `shard_reader` and `single_reader` are the
    safe path, by which datasets are opened.
    """

    name: ClassVar[str]
    suffix: ClassVar[str]
    abilities: ClassVar[Abilities]

    def __init__(self, compression: Compression | None = None) -> None:
        self.compression = compression

    @property
    def label(self) -> str:
        """The name as users write it: `npy`, `hdf5+gzip:4`."""
        return self.name if self.compression is None else f"{self.name}+{self.compression}"

    @property
    def file_suffix(self) -> str:
        """What file names end with: `suffix`, and that of the compression where frames wrap the records."""
        return self.suffix

    @property
    def single_suffix(self) -> str:
        """What names of files of one array end with, behind the key."""
        return self.file_suffix

    @property
    def maps(self) -> bool:
        """Whether every array this serializer writes can be mapped from its file."""
        return self.abilities.raw_payload and self.compression is None

    @property
    def lossy(self) -> bool:
        """Whether some arrays come back with other values, of the same dtype and shape."""
        return self.abilities.loses(self.label)

    @property
    def stacks_apart(self) -> bool:
        """Whether arrays of different shapes or dtypes go to different shards."""
        return not self.abilities.ragged or (self.abilities.one_stack and self.compression is None)

    @abstractmethod
    def writer(self, file: OutputFile) -> ShardWriter:
        """Start a shard in an empty file."""

    @abstractmethod
    def dump(self, array: Array, file: OutputFile) -> Placement:
        """Write one array alone into an empty file."""

    @abstractmethod
    def load(self, path: str | PathLike[str]) -> Array:
        """Load a file of one array through the format's own library."""

    @abstractmethod
    def load_shard(self, path: str | PathLike[str]) -> Iterator[tuple[str | None, Array]]:
        """Load a shard through the format's own library.

        Yields key and array of every sample, owned or views of owned stacks: loading reads every byte.
        Formats that hold no keys (npy) give None and the order of the records; stacked containers come
        stack by stack, so order is theirs where shapes differ.
        """

    def lines(self, file: str, *, single: bool) -> str:  # noqa: ARG002 - a format without lines of its own
        """Return Python that reads a file by the format's own library, without brinery.

        Of a shard it sets `samples`, a dict of arrays by key, or `arrays`, a sequence, if the file holds no
        keys. Of a file of one array it sets `array`.

        Args:
            file: the file's path, as it stands between quotes.
            single: it holds one array alone.

        Returns:
            Whole lines; nothing by default.
        """
        return ""

    @abstractmethod
    def shard_reader(self, file: BinaryIO) -> ShardReader:
        """Open a shard for the safe path."""

    @abstractmethod
    def single_reader(self, file: BinaryIO) -> ShardReader:
        """Open a file of one array for the safe path."""
