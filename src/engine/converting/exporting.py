"""What a worker does with members of a dataset: reads their arrays, compares checksums, writes them anew."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import perf_counter_ns as _now
from types import TracebackType
from typing import Final, Self

from ...errors import ArchiveError, CorruptError, DatasetError
from ...parser.archives.members import Member
from ...parser.archives.names import shown_path
from ...parser.archives.reading import NO_DESCRIPTORS, ArchiveState, archive_state
from ..checksums import array_checksum
from ..datasets.dataset import Dataset
from ..datasets.member_records import MemberRecord
from ..manifest.kept import UNKNOWN_SHAPE
from ..manifest.schema import MANIFEST_NAME
from ..protocols.base import Array
from ..records import Failure, Numbered, Sample, Source
from .claims import ClaimWriter
from .dataset_sources import carried
from .unit_files import UnitFiles
from .worker import Attempt, Spent, failure_of, key_of, refused_sample

__all__ = ["Export", "probe_arrays"]

_MOST: Final = 1 << 60  # bytes that a claim can tell


class Export(Attempt):
    """One pass over a unit's members that a dataset records; what is no sample there is none here."""

    def _write(self, files: UnitFiles, claims: ClaimWriter | None) -> Spent | None:
        spent = Spent(0, 0, 0, 0, 0)
        with _Datasets(self._job.archives) as datasets:
            for numbered in self._unit.members:
                if self._is_stopped():
                    return None
                if numbered.ordinal in self._refused:
                    self._failures.append(self._refused[numbered.ordinal])
                    continue
                self._copy(numbered, datasets, files, claims, spent)
            datasets.check()
        return spent

    def _copy(
        self,
        numbered: Numbered,
        datasets: "_Datasets",
        files: UnitFiles,
        claims: ClaimWriter | None,
        spent: Spent,
    ) -> None:
        """Write the samples of a member, and add what else is recorded of it to the outcome."""
        member, begin = numbered.member, _now()
        if claims is not None:
            _claim(claims, self._unit.number, numbered)
        record = datasets.record(member)
        self._carry(record, numbered)
        keep = files.keeper()
        for sample in record.samples:
            if claims is not None:
                _claim(claims, self._unit.number, numbered)
            try:
                array = datasets.read(sample)
                image = None if keep is None else datasets.image(sample)
                have = _now()
                checksum = array_checksum(array)
                if datasets.is_comparable(sample) and checksum != sample.xxh3:
                    raise CorruptError("its bytes do not give the checksum that was recorded")
            except (DatasetError, MemoryError) as error:
                self._failures.append(_damaged(numbered, sample, error))
                continue
            hashed = _now()
            if claims is not None:
                claims.decoded()
            try:
                if keep is not None and image is not None:
                    keep(member.key, image)
                    keep = None  # later frames share it
                files.add(key_of(member, sample.frame), array)
            except OSError:
                raise
            except Exception as error:
                raise refused_sample(numbered, error, sample.source_xxh3) from error
            about = sample.frame, sample.frames, sample.orientation, bool(sample.salvaged), sample.colours
            spec = array.dtype.str, str([*array.shape])
            self._written.append((numbered, about, spec, checksum, sample.source_xxh3))
            spent.source_bytes += array.nbytes
            spent.read += have - begin
            spent.hash += hashed - have
            begin = _now()
            spent.dump += begin - hashed

    def _carry(self, record: MemberRecord, numbered: Numbered) -> None:
        ordinal, member = numbered
        prefix = member.key.removesuffix(record.key)
        for note in record.notes:
            one = carried(note, ordinal, prefix)
            if isinstance(one, Failure):
                self._failures.append(one)
            else:
                self._skipped.append(one)


class _Datasets:
    """Reads what datasets record of their members, a unit of one dataset at a time; not for several threads.

    Args:
        states: what their manifests were when they were listed, by their folders; others are not compared.
    """

    def __init__(self, states: dict[str, ArchiveState]) -> None:
        self._states = states
        self._dataset: Dataset | None = None
        self._path = ""
        self._unit = -1
        self._records: dict[int, MemberRecord] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._dataset is not None:
            self._dataset.close()

    def check(self) -> None:
        """See whether the dataset that is open is still the one that was listed.

        Raises:
            ArchiveError: something was written into it.
        """
        listed = self._states.get(self._path)
        with suppress(OSError):
            if listed in {None, archive_state((Path(self._path) / MANIFEST_NAME).stat())}:
                return
        raise ArchiveError(f"{shown_path(self._path)} was changed while it was being read")

    def record(self, member: Member) -> MemberRecord:
        """Return what is recorded of a member.

        Raises:
            ArchiveError: the dataset is not the one that was listed any more.
        """
        assert member.identity is not None
        unit, ordinal = member.identity
        try:
            if member.path != self._path or self._dataset is None:
                self._open(member.path)
            assert self._dataset is not None
            if unit != self._unit:
                self._records = {one.ordinal: one for one in self._dataset.members(unit)}
                self._unit = unit
        except DatasetError as error:
            raise ArchiveError(str(error)) from error
        record = self._records.get(ordinal)
        if record is None or not member.key.endswith(record.key):
            raise ArchiveError(f"{shown_path(self._path)} was changed while it was being read")
        return record

    def read(self, sample: Sample) -> Array:
        """Return the array of a sample of the member whose record was returned last.

        It is writable, as decoded ones are: pickle writes the bytes of others in another way.

        Raises:
            CorruptError: it is damaged.
            OSError: this process, or the system, has too many files open.
        """
        assert self._dataset is not None
        try:
            array = self._dataset.stored(sample)
        except CorruptError as error:
            cause = error.__cause__
            if isinstance(cause, OSError) and cause.errno in NO_DESCRIPTORS:
                raise cause from None
            raise
        try:
            array.flags.writeable = True
        except ValueError:  # a view of bytes
            array = array.copy()
        return array

    def image(self, sample: Sample) -> bytes:
        """Return the bytes of the image that a sample was made from, of a dataset that keeps them.

        Raises:
            CorruptError: they are damaged.
        """
        assert self._dataset is not None
        return self._dataset.stored_image(sample)

    def is_comparable(self, sample: Sample) -> bool:
        """Return whether the pixels have to give the checksum of the record.

        Not those of an image that was not decoded, nor what a decoder makes of a damaged one.
        """
        assert self._dataset is not None
        return not (self._dataset.keeps_images and (sample.salvaged or sample.shape == UNKNOWN_SHAPE))

    def _open(self, path: str) -> None:
        if self._dataset is not None:
            self.check()
            self._dataset.close()
        self._path, self._unit = path, -1
        self._dataset = Dataset(path)
        self.check()


def probe_arrays(member: Member, claims: ClaimWriter | None) -> None:
    """Read the arrays of a member, to see whether that kills the worker."""
    with _Datasets({}) as datasets, suppress(ArchiveError):
        for sample in datasets.record(member).samples:
            if claims is not None:
                claims.declare(min(member.stored, _MOST))
            with suppress(DatasetError, MemoryError):
                datasets.read(sample)


def _claim(claims: ClaimWriter, unit: int, numbered: Numbered) -> None:
    """Have the watchdog measure a member by the bytes of its arrays, as it does images by their pixels."""
    nbytes = min(numbered.member.stored, _MOST)
    claims.claim(unit, numbered.ordinal, nbytes)
    claims.declare(nbytes)


def _damaged(numbered: Numbered, sample: Sample, error: Exception) -> Failure:
    """Return the failure of a sample that cannot be read, by the key of its frame."""
    member = numbered.member
    if isinstance(error, CorruptError):
        error = CorruptError(str(error).removeprefix(f"{sample.key!r}: "))
    else:
        error = CorruptError("it does not fit into memory")
    source = Source(member.size, member.mtime_ns, sample.source_xxh3)
    failure = failure_of(numbered, "read", error, source)
    return replace(failure, key=key_of(member, sample.frame))
