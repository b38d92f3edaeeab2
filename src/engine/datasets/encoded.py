"""Samples of a dataset that keeps the images as they were: read, and decoded as its settings say."""

import os
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import CorruptError, DecodeError
from ...parser.decode import decode, decode_first
from ...parser.images.pixels import Decoded, LostFrames
from ..checksums import array_checksum, bytes_checksum
from ..manifest.kept import Kept, Sources, is_unknown
from ..manifest.reader import Entry
from ..protocols.base import Array, Spec
from ..protocols.checks import conform
from ..protocols.encoded import limited
from .decoding import decoding_of
from .open_shard import OpenedShard
from .shard_files import ShardFiles, read_only

if TYPE_CHECKING:
    from ...parser.options import DecodeOptions

__all__ = ["EncodedSamples"]


class EncodedSamples:
    """Reads images and decodes them to what the manifest says; for any number of threads.

    Frames of one image that are read one after the other are decoded in one go.

    Args:
        path: the dataset's folder.
        settings: the table `dataset`.
        files: the dataset's.

    Raises:
        DatasetError: the settings make no sense.
    """

    def __init__(self, path: Path, settings: Mapping[str, str], files: ShardFiles) -> None:
        self._files = files
        first = decoding_of(path, settings)
        self._all = first
        self._first = replace(first, frames="first")
        self._limited: tuple[Spec | None, DecodeOptions] = (None, self._first)
        self._going: _Frames | None = None
        _readers.add(self)

    def let_go(self) -> None:
        """Give up the image whose frames are being decoded: a fork would lack its decoder's threads."""
        self._going = None

    def at(self, shard: OpenedShard, sources: Sources, place: int) -> Array:
        """Return a sample by its place in its shard, without another look at the manifest.

        Raises:
            CorruptError: its image is damaged, or not what the manifest says.
        """
        data = self._files.ranged(shard, sources.starts[place], sources.lengths[place])
        spec = sources.specs[place]
        try:
            if sources.whole[place]:
                found = self._only(data, spec)
            else:
                where = shard.info.id, sources.starts[place]
                found = self._frame(data, where, sources.frames[place])
        except DecodeError as error:
            raise CorruptError(str(error)) from error
        return read_only(_checked(found, spec, salvaged=bool(sources.salvaged[place])))

    def read(self, shard: OpenedShard, entry: Entry, kept: Kept, *, verify: bool) -> Array:
        """Return the sample of a row of the manifest.

        Args:
            shard: that of the row.
            entry: the row.
            kept: what the row says of the image.
            verify: compare the image's bytes and the pixels with their checksums.

        Raises:
            CorruptError: its image is damaged, or not what the manifest says.
        """
        data = self.source(shard, entry, kept, verify=verify)
        try:
            if kept.frames <= 1:
                found = self._only(data, entry.spec)
            else:
                found = self._frame(data, (shard.info.id, entry.placement.start), kept.frame)
            array = _checked(found, entry.spec, salvaged=kept.salvaged)
        except (DecodeError, CorruptError) as error:
            raise CorruptError(f"{entry.key!r}: {error}") from error
        # What a decoder makes of damage need not be the same each time.
        comparable = not (kept.salvaged or is_unknown(entry.spec))
        if verify and comparable and array_checksum(array) != entry.xxh3:
            raise CorruptError(
                f"{entry.key!r}: its image is as it was and decodes to other pixels: the decoder has changed"
            )
        return read_only(array)

    def source(self, shard: OpenedShard, entry: Entry, kept: Kept, *, verify: bool) -> bytes:
        """Return the bytes of a sample's image.

        Raises:
            CorruptError: they are not there, or do not give their checksum.
        """
        start, length, _ = entry.placement
        own = kept.member if shard.info.name is None else None
        try:
            data = self._files.ranged(shard, start, length, own)
        except OSError as error:
            raise CorruptError(f"{entry.key!r}: cannot be read: {error.strerror or error}") from error
        except CorruptError as error:
            raise CorruptError(f"{entry.key!r}: {error}") from error
        if verify and kept.xxh3 is not None and bytes_checksum(data) != kept.xxh3:
            raise CorruptError(f"{entry.key!r}: its bytes do not give the checksum that was recorded")
        return data

    def _only(self, data: bytes, spec: Spec) -> Decoded:
        """Decode an image's first frame."""
        last, options = self._limited
        if last is not spec:
            options = self._first if is_unknown(spec) else limited(self._first, spec)
            self._limited = spec, options
        return decode_first(data, options)

    def _frame(self, data: bytes, where: tuple[int, int], frame: int) -> Decoded:
        """Decode one of several frames; where possible, go on behind the one that was decoded last."""
        going, self._going = self._going, None  # no two threads have it
        if going is None or going.where != where or going.next > frame or going.data != data:
            going = _Frames(data, where, iter(decode(data, self._all)))
        found = going.until(frame)
        self._going = going
        return found


class _Frames:
    """An image whose frames are decoded one after the other.

    Attributes:
        data: its bytes.
        where: the shard, and the first byte of the image.
        next: number of the frame that comes next.
    """

    def __init__(self, data: bytes, where: tuple[int, int], frames: Iterator[Decoded | LostFrames]) -> None:
        self.data = data
        self.where = where
        self.next = 0
        self._frames = frames

    def until(self, frame: int) -> Decoded:
        """Return a frame.

        Raises:
            DecodeError: it is lost, or there is none of this number.
        """
        for one in self._frames:
            if isinstance(one, LostFrames):
                self.next = one.last + 1
                if one.first <= frame <= one.last:
                    raise DecodeError(str(one.error))
                continue
            self.next = one.frame + 1
            if one.frame == frame:
                return one
        raise DecodeError(f"it has no frame {frame}")


def _checked(found: Decoded, spec: Spec, *, salvaged: bool) -> Array:
    """Return the array of a frame that is what the manifest says.

    Raises:
        CorruptError: it is not.
    """
    if found.salvaged and not salvaged:
        raise CorruptError("its image is damaged, and was not when it was converted")
    return found.array if is_unknown(spec) else conform(found.array, spec)


_readers: "weakref.WeakSet[EncodedSamples]" = weakref.WeakSet()


def _before_fork() -> None:
    for reader in list(_readers):
        reader.let_go()


os.register_at_fork(before=_before_fork)
