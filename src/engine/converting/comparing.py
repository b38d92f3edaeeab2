"""What a worker does with a unit that is compared: it reads members whose size and time prove nothing."""

import os
from collections.abc import Callable
from contextlib import suppress
from time import perf_counter_ns as _now
from time import process_time_ns

from ...errors import MemberError
from ...parser.archives.reading import MemberReader
from ...parser.images.signature import NotAnImage
from ..checksums import bytes_checksum
from ..machine.counters import read_counters
from ..records import Job, Phases, Unit, UnitResult, Usage
from .claims import claim_writer

__all__ = ["Comparison"]


class Comparison:
    """One pass over a unit's members that finds those whose bytes differ from the recorded ones.

    Args:
        job: what the units share.
        unit: the members, with the checksums of their bytes as they were.
        stopped: whether the run was told to stop.
    """

    def __init__(self, job: Job, unit: Unit, stopped: Callable[[], bool]) -> None:
        self._job = job
        self._unit = unit
        self._stopped = stopped

    def run(self) -> UnitResult:
        """Return what differs, and what it took to find out.

        Raises:
            ArchiveError: an archive is not the one that was listed any more.
            OSError: the destination cannot be written.
        """
        job, unit = self._job, self._unit
        untouched = {failure.ordinal for failure in unit.quarantined}
        claims = claim_writer(job.claims) if job.claims is not None else None
        before, differing = read_counters(), []
        reading = hashing = source_bytes = 0
        with MemberReader(job.budget, job.archives) as reader:
            for (ordinal, member), recorded in zip(unit.members, unit.recorded, strict=True):
                if self._stopped():
                    return UnitResult(unit.number, len(unit.members), stopped=True)
                if claims is not None:
                    claims.claim(unit.number, ordinal, member.size)
                begin, data = _now(), None
                if ordinal not in untouched:
                    with suppress(NotAnImage, MemberError):
                        data = reader.read(member)
                have = _now()
                if data is None or bytes_checksum(data) != recorded:
                    differing.append(ordinal)
                reading += have - begin
                hashing += _now() - have
                source_bytes += 0 if data is None else len(data)
            reader.check()
        if claims is not None:
            claims.release()
        usage = Usage(
            pid=os.getpid(),
            begin_ns=before.time_ns,
            spent=read_counters() - before,
            source_bytes=source_bytes,
            pixel_bytes=0,
            file_bytes=0,
            phases=Phases(read_ns=reading, hash_ns=hashing),
            lifetime_cpu_ns=process_time_ns(),
        )
        return UnitResult(unit.number, len(unit.members), usage=usage, differing=tuple(differing))
