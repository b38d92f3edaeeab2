"""What verify, restore and export ask of a dataset: samples by rows of its manifest, none of them mapped."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from ..manifest.kept import kept_in, kept_of
from ..manifest.reader import Catalog, Entry
from ..protocols.base import Array, Placement, Serializer
from ..records import Sample
from .member_records import MemberRecord, records_of
from .open_shard import OpenedShard, Stored
from .shard_files import ShardFiles, file_of

if TYPE_CHECKING:
    from .encoded import EncodedSamples

__all__ = ["StoredRows"]


class StoredRows(ABC):
    """The part of a dataset that reads by rows; a failing disk is an error of the sample, and no signal."""

    _catalog: Catalog
    _files: ShardFiles
    _serializer: Serializer
    _encoded: "EncodedSamples | None"
    _verify: bool

    @abstractmethod
    def _shard(self, number: int) -> OpenedShard:
        """Return a shard by its number."""

    @abstractmethod
    def _file_of(self, shard: OpenedShard, file: int) -> OpenedShard:
        """Return what reads the file of a shard, by its id, that is this one or was filled beside it."""

    @abstractmethod
    def _read(self, shard: OpenedShard, entry: Entry, *, mapped: bool = True) -> Array:
        """Read a sample."""

    def each_in_shard(self, shard: int) -> Iterator[Stored]:
        """Yield the samples of a shard by its id; each is read when its array is asked for."""
        self._files.check_open()
        opened = self._shard(self._catalog.shards.number_of(shard))
        colours = self._catalog.colours(opened.info)
        encoded, suffix, image = self._encoded, self._serializer.single_suffix, None
        images = kept_in(self._catalog, opened.info) if encoded is not None else {}
        for entry in self._catalog.entries(opened.info):
            held, own = self._file_of(opened, entry.shard), entry.key
            read = partial(self._read, opened, entry, mapped=False)
            if encoded is not None:
                kept = images[entry.shard, entry.record]
                own = kept.member
                read = partial(encoded.read, held, entry, kept, verify=self._verify)
                image = partial(encoded.source, held, entry, kept, verify=self._verify)
                image = None if kept.frame else image
            yield Stored(
                entry.key, read, file_of(held.info, f"{own}{suffix}"), colours.get(entry.record), image
            )

    def members(self, unit: int) -> list[MemberRecord]:
        """Return what became of the members of a unit, by its number in the manifest."""
        self._files.check_open()
        return records_of(self._catalog, unit)

    def stored(self, sample: Sample) -> Array:
        """Read a sample by its row in the manifest; nothing is mapped, as for `each_in_shard`.

        Raises:
            CorruptError: it is damaged.
        """
        self._files.check_open()
        shard = self._shard(self._catalog.shards.number_of(sample.shard))
        return self._read(shard, self._entry_of(sample), mapped=False)

    def stored_image(self, sample: Sample) -> bytes:
        """Read the image of a sample by its row, if the dataset keeps images, and compare its checksum.

        Raises:
            CorruptError: it is damaged.
        """
        self._files.check_open()
        assert self._encoded is not None
        shard, entry = self._shard(self._catalog.shards.number_of(sample.shard)), self._entry_of(sample)
        kept = kept_of(self._catalog, entry)
        return self._encoded.source(self._file_of(shard, entry.shard), entry, kept, verify=True)

    def _entry_of(self, sample: Sample) -> Entry:
        spec = self._catalog.spec(sample.dtype, sample.shape)
        place = Placement(sample.start, sample.length, sample.payload)
        return Entry(sample.key, sample.record, place, spec, sample.xxh3, sample.shard)

    def shard_file(self, shard: int) -> str:
        """Return the path of a shard's file below the dataset's folder, by its id in the manifest."""
        return file_of(self._catalog.shard(self._catalog.shards.number_of(shard)))
