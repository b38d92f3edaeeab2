"""What a run used, in numbers."""

from dataclasses import asdict, dataclass, field
from typing import Any

from .machine.activity import UNWATCHED, Surroundings
from .records import Phases

__all__ = ["RunSummary"]


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run in numbers; times in ns, sizes in bytes.

    Attributes:
        wall_ns: from the first member listed to the last row recorded.
        members: members that workers handled.
        samples: arrays written.
        failures: members that failed.
        skipped: entries that are no image.
        source_bytes: encoded bytes read; of an export the bytes of its arrays.
        pixel_bytes: bytes of the arrays.
        file_bytes: bytes of the files.
        phases: the workers' time by phase.
        worker_cpu_ns: CPU time of the units, by the workers' own counters.
        parent_cpu_ns: CPU time of the parent process over the run.
        lifetime_cpu_ns: CPU time of parent and workers since each of them started, with start-up and imports.
        sampler_cpu_ns: the part of `parent_cpu_ns` that the sampler took.
        read_bytes: bytes the units fetched from storage; None if the kernel does not count them.
        write_bytes: bytes the units sent to storage; None if the kernel does not count them.
        switches_voluntary: times a unit waited.
        switches_involuntary: times a unit lost the CPU.
        peak_rss_bytes: highest sum of resident memory over the process tree.
        peak_pss_bytes: the same with shared pages counted once; None if the system does not report it.
        units_by_worker: how many units each process did.
        run_wait_ns: time that units were ready to run and waited for a CPU; None where it is not counted.
        block_wait_ns: time that units waited for storage; None if the kernel does not count it, as usual.
        around: what the machine did meanwhile.
        workers_died: worker processes that ended in the middle of their work; 0 in early summaries.
    """

    wall_ns: int
    members: int
    samples: int
    failures: int
    skipped: int
    source_bytes: int
    pixel_bytes: int
    file_bytes: int
    phases: Phases
    worker_cpu_ns: int
    parent_cpu_ns: int
    sampler_cpu_ns: int
    read_bytes: int | None
    write_bytes: int | None
    switches_voluntary: int
    switches_involuntary: int
    peak_rss_bytes: int
    peak_pss_bytes: int | None
    units_by_worker: dict[int, int] = field(default_factory=dict)
    lifetime_cpu_ns: int = 0
    run_wait_ns: int | None = None
    block_wait_ns: int | None = None
    around: Surroundings = UNWATCHED
    workers_died: int = 0

    @property
    def images_per_second(self) -> float:
        """Arrays written a second of wall time."""
        return self.samples / (self.wall_ns / 1e9) if self.wall_ns else 0.0

    @property
    def pixel_bytes_per_second(self) -> float:
        """Bytes of arrays a second of wall time."""
        return self.pixel_bytes / (self.wall_ns / 1e9) if self.wall_ns else 0.0

    @property
    def traffic(self) -> tuple[float, str]:
        """Bytes a second of wall time, and of what: pixels, or encoded images if none was decoded."""
        if self.samples and not self.pixel_bytes and self.wall_ns:
            return self.source_bytes / (self.wall_ns / 1e9), "encoded images"
        return self.pixel_bytes_per_second, "pixels"

    @property
    def cores_busy(self) -> float:
        """CPU time of workers and parent over wall time."""
        return (self.worker_cpu_ns + self.parent_cpu_ns) / self.wall_ns if self.wall_ns else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, the rates with them."""
        return asdict(self) | {
            "images_per_second": round(self.images_per_second, 3),
            "pixel_bytes_per_second": round(self.pixel_bytes_per_second),
            "cores_busy": round(self.cores_busy, 3),
        }
