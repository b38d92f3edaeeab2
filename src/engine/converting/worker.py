"""What a worker does with a unit: reads, decodes, writes its own files, and reports in small records."""

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from time import perf_counter_ns as _now
from time import process_time_ns
from typing import Any

from ...errors import ArchiveError, DecodeError, MemberError, ReadError, StorageError
from ...parser.archives.members import Member
from ...parser.archives.reading import NO_DESCRIPTORS, MemberReader
from ...parser.decode import decode, recognise
from ...parser.images.pixels import LostFrames, declare_pixels_to
from ...parser.images.scratch import Scratch
from ...parser.images.signature import NotAnImage
from ..checksums import bytes_checksum
from ..choices import Stage
from ..machine.counters import read_counters
from ..machine.memory import limit_memory
from ..protocols.base import Placement
from ..protocols.registry import get_serializer
from ..records import (
    Failure,
    Job,
    Numbered,
    Phases,
    Skipped,
    Source,
    Unit,
    UnitResult,
    Usage,
    sample_rows,
    shard_id,
)
from .claims import ClaimWriter, claim_writer
from .comparing import Comparison
from .unit_files import UnitFiles, open_unit_files

__all__ = [
    "Attempt",
    "Spent",
    "convert_unit",
    "failure_of",
    "forget_stop",
    "key_of",
    "probe_member",
    "refused_sample",
    "stop",
]

_NO_UNIT = -2
_stopped: set[str] = set()


def stop(token: str) -> None:
    """Have the threads of this process stop the units of a run."""
    _stopped.add(token)


def forget_stop(token: str) -> None:
    """Forget a run that has ended."""
    _stopped.discard(token)


def convert_unit(job: Job, unit: Unit) -> UnitResult:
    """Turn a unit's members into files, or compare them, and return what became of each.

    Everything that can be foreseen is part of the result, and nothing is raised for it.
    """
    if job.memory is not None:
        limit_memory(job.memory)
    refused = {failure.ordinal: failure for failure in unit.quarantined if failure.ordinal is not None}
    while True:
        try:
            if unit.recorded:
                return Comparison(job, unit, lambda: job.token in _stopped).run()
            return _attempt(job, unit, refused).run()
        except _RefusedSampleError as refusal:
            refused[refusal.ordinal] = refusal.failure
        except ArchiveError as error:
            return UnitResult(unit.number, len(unit.members), changed=str(error))
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            reason = f"cannot write into {job.destination}: {error.strerror or error}{where}"
            if error.errno in NO_DESCRIPTORS:
                reason = f"{error.strerror}{where}: raise `ulimit -n`, or give fewer --workers"
            return UnitResult(unit.number, len(unit.members), fatal=reason)
        except Exception as error:  # noqa: BLE001 - an exception that does not unpickle breaks the pool
            reason = f"{job.protocol} cannot write unit {unit.number}: {type(error).__name__}: {error}"
            return UnitResult(unit.number, len(unit.members), fatal=reason)


def _attempt(job: Job, unit: Unit, refused: dict[int, Failure]) -> "Attempt":
    """Return what does a unit's members: images of archives, or arrays of datasets."""
    if not any(numbered.member.method == "dataset" for numbered in unit.members[:1]):  # all are alike
        return Attempt(job, unit, refused)
    from .exporting import Export  # noqa: PLC0415 - it builds on this file

    return Export(job, unit, refused)


def probe_member(job: Job, numbered: Numbered) -> None:
    """Read and decode one member, to see whether it kills its worker.

    Raises:
        StorageError: the claim of the member cannot be written.
    """
    if job.memory is not None:
        limit_memory(job.memory)
    try:
        claims = claim_writer(job.claims) if job.claims is not None else None
    except OSError as error:
        raise StorageError(f"cannot write into {job.destination}: {error.strerror or error}") from error
    if claims is not None:
        claims.claim(_NO_UNIT, numbered.ordinal, numbered.member.size)
        declare_pixels_to(claims.declare)
    if numbered.member.method == "dataset":
        from .exporting import probe_arrays  # noqa: PLC0415 - as above

        probe_arrays(numbered.member, claims)
    else:
        with MemberReader(job.budget) as reader, suppress(NotAnImage, MemberError):
            for _ in decode(reader.read(numbered.member), job.decode):
                pass
    if claims is not None:
        claims.release()


class _RefusedSampleError(Exception):
    """A sample that its protocol cannot write; the unit is done again without its member."""

    def __init__(self, ordinal: int, failure: Failure) -> None:
        super().__init__(failure.message)
        self.ordinal = ordinal
        self.failure = failure


@dataclass(slots=True)
class Spent:
    """Where a worker's time went, in ns by phase, and the bytes it read: of encoded images, or of arrays."""

    read: int
    decode: int
    hash: int
    dump: int
    source_bytes: int


class Attempt:
    """One pass over a unit's members.

    Args:
        job: what the units share.
        unit: the members.
        refused: failures of members that are not to be touched, by ordinal.
    """

    def __init__(self, job: Job, unit: Unit, refused: dict[int, Failure]) -> None:
        self._job = job
        self._unit = unit
        self._refused = refused
        self._written: list[tuple[Numbered, tuple[Any, ...], tuple[str, str], str, str | None]] = []
        self._failures: list[Failure] = []
        self._skipped: list[Skipped] = []

    def run(self) -> UnitResult:
        """Return what became of the members.

        Raises:
            ArchiveError: an archive is not the one that was listed any more.
            OSError: the destination cannot be written.
        """
        unit, job = self._unit, self._job
        before = read_counters()
        files = open_unit_files(job, unit.number, get_serializer(job.protocol))
        try:
            claims = claim_writer(job.claims) if job.claims is not None else None
            declare_pixels_to(None if claims is None else claims.declare)
            spent = self._write(files, claims)
            if spent is None:
                return UnitResult(unit.number, len(unit.members), stopped=True)
            begin = _now()
            files.close()
            if claims is not None:
                claims.release()
            spent.dump += _now() - begin
        finally:
            files.discard()
        phases = Phases(
            read_ns=spent.read,
            decode_ns=spent.decode,
            hash_ns=spent.hash,
            dump_ns=spent.dump - files.write_ns - files.fsync_ns,
            write_ns=files.write_ns,
            fsync_ns=files.fsync_ns,
        )
        usage = Usage(
            pid=os.getpid(),
            begin_ns=before.time_ns,
            spent=read_counters() - before,
            source_bytes=spent.source_bytes,
            pixel_bytes=sum(shard.pixel_bytes for shard in files.shards),
            file_bytes=sum(shard.file_bytes for shard in files.shards),
            phases=phases,
            lifetime_cpu_ns=process_time_ns(),
        )
        return UnitResult(
            unit.number,
            len(unit.members),
            tuple(files.shards),
            self._rows(files.placed),
            tuple(self._failures),
            tuple(self._skipped),
            usage,
        )

    def _is_stopped(self) -> bool:
        return self._job.token in _stopped

    def _write(self, files: UnitFiles, claims: ClaimWriter | None) -> Spent | None:
        """Write every member's samples; return None if the run was stopped."""
        with MemberReader(self._job.budget, self._job.archives) as reader:
            spent = self._convert(reader, files, claims)
            if claims is not None:
                claims.decoded()
            if spent is not None:
                reader.check()
            return spent

    def _convert(self, reader: MemberReader, files: UnitFiles, claims: ClaimWriter | None) -> Spent | None:
        """Read, decode and write every member; return None if the run was stopped."""
        job, number, refused = self._job, self._unit.number, self._refused
        read, add, scratch, written = reader.read, files.add, Scratch(), self._written
        decoder, keep = decode if job.check else recognise, files.keeper()
        reading = decoding = hashing = dumping = source_bytes = 0
        last_spec, spec_text = None, ("", "")
        every = job.decode.frames == "all"
        done = _now()  # the time around a member counts as reading
        for numbered in self._unit.members:
            ordinal, member = numbered
            if job.token in _stopped:
                return None
            if claims is not None:
                claims.claim(number, ordinal, member.size)
            if ordinal in refused:
                self._failures.append(refused[ordinal])
                continue
            xxh3 = None
            try:
                data = read(member)
                have = _now()
                source_bytes += len(data)
                xxh3 = bytes_checksum(data)
                hashed = _now()
                images = decoder(data, job.decode, scratch)
            except NotAnImage as reason:
                source = Source(member.size, member.mtime_ns, xxh3)
                self._skipped.append(Skipped(member.key, ordinal, str(reason), source))
                continue
            except (ReadError, DecodeError) as error:
                stage: Stage = "read" if isinstance(error, ReadError) else "decode"
                source = Source(member.size, member.mtime_ns, xxh3)
                self._failures.append(failure_of(numbered, stage, error, source))
                continue
            reading += have - done
            hashing += hashed - have
            done = hashed
            if claims is not None:
                claims.decoded()
            if keep is not None:
                keep(member.key, data)
            for image in images:
                decoded = _now()
                decoding += decoded - done
                if isinstance(image, LostFrames):
                    self._failures.append(_lost(numbered, image, xxh3))
                    done = decoded
                    continue
                if every and claims is not None:
                    claims.decoded()
                array = image.array
                checksum = bytes_checksum(array.data)
                hashed = _now()
                hashing += hashed - decoded
                try:
                    back = add(key_of(member, image.frame), array)
                    if back is not None:
                        checksum = bytes_checksum(back.data)
                except OSError:
                    raise
                except Exception as error:
                    raise refused_sample(numbered, error, xxh3) from error
                spec = array.dtype, array.shape
                if spec != last_spec:
                    last_spec, spec_text = spec, (array.dtype.str, str([*array.shape]))
                written.append((numbered, image[1:], spec_text, checksum, xxh3))
                done = _now()
                dumping += done - hashed
                if every and claims is not None:
                    claims.claim(number, ordinal, member.size)  # the next frame is decoded from here on
        return Spent(reading, decoding, hashing, dumping, source_bytes)

    def _rows(self, placed: list[tuple[int, int, Placement]]) -> tuple[tuple[Any, ...], ...]:
        """Return the manifest's row of each sample."""
        if not self._written:
            return ()
        numbered, about, specs, checksums, source_checksums = zip(*self._written, strict=True)
        ordinals, members = zip(*numbered, strict=True)
        frame, frames, orientation, salvaged, colours = zip(*about, strict=True)
        dtypes, shapes = zip(*specs, strict=True)
        parts, records, places = zip(*placed, strict=True)
        start, length, payload = zip(*places, strict=True)
        return sample_rows(
            shard=[shard_id(self._unit.number, part) for part in parts],
            record=records,
            ordinal=ordinals,
            key=list(map(key_of, members, frame)),
            member=[member.key if later else None for member, later in zip(members, frame, strict=True)],
            frame=frame,
            frames=frames,
            start=start,
            length=length,
            payload=payload,
            dtype=dtypes,
            shape=shapes,
            xxh3=checksums,
            orientation=orientation,
            salvaged=salvaged,
            source_size=[member.size for member in members],
            source_mtime_ns=[member.mtime_ns for member in members],
            source_xxh3=source_checksums,
            colours=colours,
            source_crc32=[member.crc for member in members],
        )


def key_of(member: Member, frame: int) -> str:
    """Return the key of a member's frame."""
    return f"{member.key}#{frame}" if frame else member.key


def refused_sample(numbered: Numbered, error: Exception, xxh3: str | None) -> _RefusedSampleError:
    """Return the error that has a unit done again without a member whose sample could not be written."""
    stage: Stage = "write" if isinstance(error, MemberError) else "dump"
    source = Source(numbered.member.size, numbered.member.mtime_ns, xxh3)
    return _RefusedSampleError(numbered.ordinal, failure_of(numbered, stage, error, source))


def _lost(numbered: Numbered, lost: LostFrames, xxh3: str) -> Failure:
    """Return the failure of lost frames whose image has others; its key is that of the first lost one."""
    source = Source(numbered.member.size, numbered.member.mtime_ns, xxh3)
    failure = failure_of(numbered, "decode", lost.error, source)
    which = f"frames {lost.first} to {lost.last}" if lost.last > lost.first else f"frame {lost.first}"
    message = f"{which}: {failure.message}"[:500]
    return replace(failure, key=key_of(numbered.member, lost.first), message=message)


def failure_of(numbered: Numbered, stage: Stage, error: Exception, source: Source) -> Failure:
    """Return the failure of a member by its error."""
    message = " ".join(str(error).split()) or type(error).__name__
    return Failure(numbered.member.key, numbered.ordinal, stage, type(error).__name__, message[:500], source)
