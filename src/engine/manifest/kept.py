"""What the manifest says of the images themselves, where a dataset keeps them."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ..protocols.base import Spec
from .reader import Catalog, Entry, IncompleteShardError, ShardInfo

__all__ = ["UNKNOWN_SHAPE", "Kept", "Sources", "is_unknown", "kept_in", "kept_of", "sources_in"]

_KEPT: Final = ("shard", "record", "key", "member", "frame", "frames", "salvaged", "source_xxh3")
_PLACED: Final = ("start", "length", "dtype", "shape", "frame", "frames", "salvaged")
_ONE: Final = "WHERE shard = ? AND record = ?"
_ALL: Final = "WHERE shard BETWEEN ? AND ? ORDER BY record"
_AT_ONCE: Final = 4096

UNKNOWN_SHAPE: Final = "[0]"
"""The shape of an image that was not decoded: no image is without pixels."""


class Kept(NamedTuple):
    """Which part of which image a sample is.

    Attributes:
        member: key of the image.
        frame: number of the frame, from 0.
        frames: how many the image has; 0 if it was not decoded.
        salvaged: the image is damaged, and the sample is what can be decoded of it.
        xxh3: xxh3-64 of the image's bytes; None if it is not known.
    """

    member: str
    frame: int
    frames: int
    salvaged: bool
    xxh3: str | None


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the images of one shard lie and what decoding gives, a column each, in order of the samples."""

    starts: "array[int]"
    lengths: "array[int]"
    specs: list[Spec]
    frames: "array[int]"
    whole: bytes  # 1 if the image has one frame, or only the first is asked for
    salvaged: bytes


def is_unknown(spec: Spec) -> bool:
    """Return whether a spec is that of an image that was not decoded."""
    return spec.shape == (0,)


def kept_of(catalog: Catalog, entry: Entry) -> Kept:
    """Return what a sample's row says of its image.

    Raises:
        CorruptError: a value makes no sense.
    """
    for found in _kept(catalog, _ONE, entry.shard, entry.record):
        return found[1]
    raise IncompleteShardError(f"{entry.key!r}: its row is gone")


def kept_in(catalog: Catalog, shard: ShardInfo) -> dict[tuple[int, int], Kept]:
    """Return the same of all samples of a shard, by shard and record."""
    return dict(_kept(catalog, _ALL, shard.id, shard.last))


def _kept(catalog: Catalog, rest: str, *values: int) -> Iterator[tuple[tuple[int, int], Kept]]:
    for batch in catalog.table("samples", _KEPT, rest, *values):
        for shard, record, key, member, frame, frames, salvaged, xxh3 in batch:
            yield (shard, record), Kept(member or key, frame, frames, bool(salvaged), xxh3)


def sources_in(catalog: Catalog, shard: ShardInfo) -> Sources:
    """Return where the images of a shard lie.

    Raises:
        CorruptError: the shard should have another number of samples, or a value makes no sense.
    """
    columns: list[list[Any]] = [[] for _ in _PLACED]
    for batch in catalog.table("samples", _PLACED, _ALL, shard.id, shard.last, at_once=_AT_ONCE):
        for number, values in enumerate(zip(*batch, strict=True)):
            columns[number] += values
    starts, lengths, dtypes, shapes, frame, frames, salvaged = columns
    if len(starts) != shard.samples:
        raise IncompleteShardError(
            f"shard {shard.id} of {catalog.folder} has {len(starts)} of {shard.samples} samples"
        )
    return Sources(
        array("q", starts),
        array("q", lengths),
        list(map(catalog.spec, dtypes, shapes)),
        array("q", frame),
        bytes(count <= 1 for count in frames),
        bytes(map(bool, salvaged)),
    )
