"""What a run used, added up: from the workers' own counters and the sampler's peaks."""

import os
import time
from collections import Counter

from ..machine.activity import UNWATCHED, Surroundings
from ..machine.sampler import Sampler
from ..records import Phases, UnitResult, Usage
from ..summary import RunSummary

__all__ = ["Tally"]

_MAY_BE_UNKNOWN = ("read_bytes", "write_bytes", "run_wait_ns", "block_wait_ns")


class Tally:
    """Adds up the results of a run's units as they come."""

    def __init__(self) -> None:
        self.members = self.samples = self.failures = self.skipped = 0
        self._usage: list[int] = [0] * 6
        self._phases = [0] * len(Phases.__slots__)
        self._known: list[int | None] = [0] * len(_MAY_BE_UNKNOWN)
        self._units: Counter[int] = Counter()
        self._lifetimes = {os.getpid(): 0}

    def add(self, result: UnitResult) -> None:
        """Count a finished unit."""
        self.members += result.members
        self.samples += len(result.rows)
        self.failures += len(result.failures)
        self.skipped += len(result.skipped)
        if result.usage is not None:
            self._add_usage(result.usage)

    @property
    def source_bytes(self) -> int:
        """Encoded bytes read so far."""
        return self._usage[0]

    @property
    def cpu_ns(self) -> int:
        """CPU time of the units so far."""
        return self._usage[3]

    def _add_usage(self, usage: Usage) -> None:
        spent = usage.spent
        values = (
            usage.source_bytes,
            usage.pixel_bytes,
            usage.file_bytes,
            spent.cpu_ns,
            spent.switches_voluntary,
            spent.switches_involuntary,
        )
        self._usage = [total + value for total, value in zip(self._usage, values, strict=True)]
        self._phases = [
            total + getattr(usage.phases, name)
            for total, name in zip(self._phases, Phases.__slots__, strict=True)
        ]
        self._known = [
            None if total is None or value is None else total + value
            for total, value in zip(
                self._known, (getattr(spent, name) for name in _MAY_BE_UNKNOWN), strict=True
            )
        ]
        self._units[usage.pid] += 1
        self._lifetimes[usage.pid] = max(self._lifetimes.get(usage.pid, 0), usage.lifetime_cpu_ns)

    def summary(
        self,
        *,
        wall_ns: int,
        parent_cpu_ns: int,
        sampler: Sampler,
        around: Surroundings = UNWATCHED,
        workers_died: int = 0,
    ) -> RunSummary:
        """Return the sums.

        Args:
            wall_ns: time the run took.
            parent_cpu_ns: CPU time of this process over the run; with threads, without their units.
            sampler: the one that watched the run, left already.
            around: what the machine did meanwhile.
            workers_died: worker processes that ended in the middle of their work.
        """
        source_bytes, pixel_bytes, file_bytes, cpu_ns, voluntary, involuntary = self._usage
        read_bytes, write_bytes, run_wait, block_wait = self._known
        peak = sampler.peak
        self._lifetimes[os.getpid()] = time.process_time_ns()
        return RunSummary(
            wall_ns=wall_ns,
            members=self.members,
            samples=self.samples,
            failures=self.failures,
            skipped=self.skipped,
            source_bytes=source_bytes,
            pixel_bytes=pixel_bytes,
            file_bytes=file_bytes,
            phases=Phases(*self._phases),
            worker_cpu_ns=cpu_ns,
            parent_cpu_ns=parent_cpu_ns,
            sampler_cpu_ns=sampler.cpu_ns,
            read_bytes=read_bytes,
            write_bytes=write_bytes,
            switches_voluntary=voluntary,
            switches_involuntary=involuntary,
            peak_rss_bytes=peak.rss_bytes,
            peak_pss_bytes=peak.pss_bytes,
            units_by_worker=dict(self._units),
            lifetime_cpu_ns=sum(self._lifetimes.values()),
            run_wait_ns=run_wait,
            block_wait_ns=block_wait,
            around=around,
            workers_died=workers_died,
        )
