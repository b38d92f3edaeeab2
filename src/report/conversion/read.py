"""What a dataset's manifest tells of its last run, as plain values. Reads, and measures nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import msgspec

from ...benchmark.analysis.bottleneck import Facts, find_limit
from ...benchmark.result.findings import Verdict
from ...benchmark.result.stats import over, total
from ...benchmark.text.numbers import counted
from ...engine.datasets.failures import FailureKind, each_failure, failure_kinds
from ...engine.datasets.info import describe
from ...engine.manifest.reader import Catalog
from ...engine.paths import PathLike
from ...engine.sizes import format_type
from ...engine.summary import RunSummary
from ...errors import CorruptError
from ..html.usage import Counted, Usage, points_of, usage_of

PHASES = ("read", "decode", "hash", "dump", "write", "fsync")
_KEYS = 12
_MOST_REASONS = 24
_MOST_SHAPES = 10
_MOST_READINGS = 1 << 20  # of one run: the sampler keeps two thousand of each process
_LATE_NS = 60_000_000_000  # that a reading may come after the end of its run
_SHARD = ("name", "unit", "file_bytes", "pixel_bytes", "samples")
_READING = (
    *("t_ns", "pid", "role", "cpu_user_ns", "cpu_system_ns", "rss_bytes", "pss_bytes"),
    *("read_bytes", "write_bytes", "write_chars"),
)


@dataclass(frozen=True, slots=True)
class Shard:
    """One file; sizes in bytes."""

    name: str
    file_bytes: int
    pixel_bytes: int
    samples: int


@dataclass(frozen=True, slots=True)
class RunUse:
    """A run of a convert in numbers; shares are None if unknown."""

    started: str  # ISO 8601
    outcome: str  # "finished", "interrupted" ..
    workers: int  # how many
    backend: str  # "loky" or "threading"
    settings: dict[str, Any]  # as asked for
    summary: RunSummary  # what it used
    user_share: float | None  # part of the workers' CPU time in user mode; None is not known
    command: str = "convert"  # or "export"

    @property
    def wall_s(self) -> float:
        """How long it took."""
        return self.summary.wall_ns / 1e9

    @property
    def worker_s(self) -> float:
        """Seconds that all workers had together."""
        return self.workers * self.wall_s

    @property
    def phases_s(self) -> dict[str, float]:
        """Seconds of the workers by phase."""
        return {name: getattr(self.summary.phases, f"{name}_ns") / 1e9 for name in PHASES}

    @property
    def idle_s(self) -> float:
        """Seconds in which workers were in no phase: starting, waiting for the next unit, or done."""
        return max(0.0, self.worker_s - sum(self.phases_s.values()))

    @property
    def parts_s(self) -> dict[str, float]:
        """Seconds of the workers by phase, and in none."""
        return {**self.phases_s, "no phase": self.idle_s}

    @property
    def on_cpu(self) -> float:
        """Share of the workers' time on a CPU."""
        return self.share(self.summary.worker_cpu_ns) or 0.0

    def share(self, spent_ns: int | None) -> float | None:
        """Return a time as a share of the workers' time."""
        return None if spent_ns is None else min(1.0, spent_ns / 1e9 / self.worker_s)

    @property
    def foreign(self) -> float | None:
        """Share of the CPUs' time that other programs took."""
        return over(self.summary.around.others_cpu_ns, self.summary.around.cpu_ns)

    @property
    def stolen(self) -> float | None:
        """Share of the CPU time that the process may use, which the hypervisor took."""
        return over(self.summary.around.steal_ns, self.summary.around.usable_cpu_ns)

    @property
    def throttled(self) -> float | None:
        """Share of the time in which a quota held threads back."""
        return over(self.summary.around.throttled_ns, self.summary.wall_ns)

    @property
    def waiting(self) -> float | None:
        """Share of the workers' time in phases, neither on a CPU nor ready for one."""
        ready = self.share(self.summary.run_wait_ns)
        phases = sum(self.phases_s.values()) / self.worker_s
        return None if ready is None else max(0.0, phases - self.on_cpu - ready)

    @property
    def parent_busy(self) -> float:
        """CPU time of the parent over wall time."""
        return self.summary.parent_cpu_ns / self.summary.wall_ns

    @property
    def peak(self) -> tuple[int, str]:
        """Highest memory of all processes in bytes, and which kind."""
        shared = self.summary.peak_pss_bytes
        return (self.summary.peak_rss_bytes, "RSS") if shared is None else (shared, "PSS")


@dataclass(frozen=True, slots=True)
class Conversion:
    """A dataset and the last of its runs that wrote anything; `run` and `usage` are None without one."""

    path: str
    protocol: str
    complete: bool
    settings: dict[str, str]
    samples: int
    file_bytes: int
    pixel_bytes: int
    shapes: tuple[tuple[str, int], ...]
    shards: tuple[Shard, ...]
    failed: int
    failures: tuple[FailureKind, ...]
    skipped: tuple[tuple[str, int], ...]
    runs: tuple[tuple[str, str, int, float | None], ...]
    run: RunUse | None
    usage: Usage | None

    @property
    def verdict(self) -> Verdict | None:
        """What limited the run; None where that was not measured."""
        return verdict_of(self.run) if self.run is not None else None


def read_conversion(path: PathLike) -> Conversion:
    """Read a dataset's manifest.

    Raises:
        DatasetError: it is no dataset, or its manifest is damaged.
    """
    found = describe(path)
    catalog = Catalog(Path(path))
    try:
        shards = tuple(
            Shard(f"unit {unit}" if name is None else name, *sizes)
            for batch in catalog.table("shards", _SHARD, "WHERE samples > 0 ORDER BY id")
            for name, unit, *sizes in batch
        )
        kinds = _kinds(catalog)
        used = [run for run in found["runs"] if run["summary"]]
        last = next((run for run in reversed(used) if run["summary"]["samples"]), used[-1] if used else None)
        rows = _readings(catalog, last) if last else []
    finally:
        catalog.close()
    run = usage = None
    if last is not None:
        asked = ("command", "started", "outcome", "workers", "backend", "settings")
        known = {name: last[name] for name in asked}
        summary = msgspec.convert(last["summary"], RunSummary, strict=False)  # keys of units are text there
        run = RunUse(**known, summary=summary, user_share=_user_share(rows))
        points = [*points_of(_READING, rows)]
        if not any(point.role == "worker" for point in points):  # threads of the parent do its work
            points = [replace(point, role="worker") for point in points]
        own = Counted(**{field.name: getattr(summary, field.name) for field in fields(Counted)})
        crew = counted(run.workers, "worker")
        usage = usage_of(points, cores=run.workers, cores_name=crew, counted=own)
    same = ("path", "protocol", "complete", "settings", "samples", "file_bytes", "pixel_bytes", "failed")
    return Conversion(
        **{name: found[name] for name in same},
        shapes=tuple(
            (f"{' x '.join(map(str, one['shape'])) or 'scalar'}, {format_type(one['dtype'])}", one["samples"])
            for one in found["shapes"][:_MOST_SHAPES]
        ),
        shards=shards,
        failures=kinds,
        skipped=tuple(found["skipped_reasons"].items()),
        runs=tuple((r["started"], r["outcome"], r["workers"], r["wall_ns"]) for r in found["runs"]),
        run=run,
        usage=usage,
    )


def _readings(catalog: Catalog, run: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return what the sampler saw of a run, in order of time."""
    rows: list[tuple[Any, ...]] = []
    for batch in catalog.table("timeline", _READING, "WHERE run = ? ORDER BY t_ns", run["id"], at_once=4096):
        rows += batch
        if len(rows) > _MOST_READINGS:
            raise CorruptError(f"{catalog.path}: no run has more than {_MOST_READINGS:,} readings")
    if any(row[0] > run["summary"]["wall_ns"] + _LATE_NS for row in rows[-1:]):
        raise CorruptError(f"{catalog.path}: the timeline of run {run['id']} goes on after the run's end")
    return rows


def _kinds(catalog: Catalog) -> tuple[FailureKind, ...]:
    """Return failures by kind; the rarest together, if there are many kinds."""
    found = failure_kinds(each_failure(catalog), _KEYS)
    if rest := found[_MOST_REASONS:]:
        examples, members = tuple(one.examples[0] for one in rest[:_KEYS]), sum(one.members for one in rest)
        other = counted(len(rest), "other reason")
        found[_MOST_REASONS:] = [FailureKind("any stage", other, "one each", members, examples)]
    return tuple(found)


def _user_share(rows: Sequence[tuple[Any, ...]]) -> float | None:
    """Return the user part of what the workers' CPU time grew by; of the parent's with threads."""
    workers = [row for row in rows if row[2] == "worker"] or rows
    last, first = {row[1]: row for row in workers}, {row[1]: row for row in reversed(workers)}
    user, system = (sum(last[pid][at] - first[pid][at] for pid in last) for at in (3, 4))
    return user / (user + system) if min(user, system) >= 0 < user + system else None


def verdict_of(run: RunUse) -> Verdict | None:
    """Return what limited a run, by the counters that a convert keeps; None where nothing was measured."""
    summary, seconds = run.summary, run.wall_s
    if seconds <= 0:
        return None
    user, around = run.user_share if run.user_share is not None else 1.0, summary.around
    traffic = total([summary.read_bytes, summary.write_bytes])
    run_wait, block_wait = run.share(summary.run_wait_ns), run.share(summary.block_wait_ns)
    return find_limit(
        Facts(
            workers=run.workers,
            user=run.on_cpu * user,
            system=run.on_cpu * (1 - user),
            run_wait=run_wait,
            block_wait=block_wait,
            other=max(0.0, 1 - run.on_cpu - (run_wait or 0.0) - (block_wait or 0.0)),
            switches_per_s=summary.switches_voluntary / run.worker_s,
            storage_bytes_per_s=None if traffic is None else traffic / seconds,
            parent_busy=run.parent_busy,
            steal=run.stolen,
            throttled=run.throttled,
            io_pressure=over(around.io_stalled_ns, summary.wall_ns),
            device_busy=over(around.device_busy_ns, summary.wall_ns),
            usable=over(around.usable_cpu_ns, summary.wall_ns),
            foreign=run.foreign,
        )
    )
