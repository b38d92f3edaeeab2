"""The convert cells: the engine's own worker through the engine's pool, from image files to shards."""

import shutil
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from ..engine import pool
from ..engine.output import PARTIAL_FOLDER
from ..engine.protocols.registry import get_serializer
from ..engine.records import Job, Numbered, Unit, UnitResult, Usage
from ..engine.shards import SHARDS_FOLDER
from ..engine.worker import convert_unit
from ..parser.archives import list_archives
from ..parser.members import Member
from ..parser.options import DecodeOptions
from .corpus import digest, load_corpus
from .disturbance import read_machine, use_between
from .ledger import peak_pss
from .matrix import Cell, Convert
from .result import Sample, WorkerSample
from .session import Session, own_pss
from .tasks import Report, Task, reset_peak, run_memory

__all__ = ["ConvertRegion"]


@dataclass(frozen=True, slots=True)
class _Shard:
    """A shard to compare: the keys of its images in order."""

    protocol: str
    corpus: str
    path: str
    keys: tuple[str, ...]


class ConvertRegion:
    """Runs convert regions: units of the corpus folder, a shard each, without fsync."""

    def __init__(self, session: Session) -> None:
        self._session = session
        entries = list_archives([session.corpus.folder])
        self._members = tuple(entry for entry in entries if isinstance(entry, Member))

    def run(
        self, cell: Cell, work: Convert, pids: frozenset[int], *, round_number: int, order: int
    ) -> tuple[Sample, list[Report]]:
        """Run one region, and compare its shards in the first round.

        Raises:
            WorkerError: a worker died.
        """
        session, workers = self._session, cell.workers
        folder = session.folder("converted")
        for name in (SHARDS_FOLDER, PARTIAL_FOLDER):
            (folder / name).mkdir(exist_ok=True)
        try:
            around = read_machine(str(session.scratch))
            parent_cpu, begin = time.process_time_ns(), time.perf_counter_ns()
            convert = partial(convert_unit, self._job(folder, cell.protocol))
            results = list(pool.run(convert, self._units(work), workers=workers))
            parent_wall = time.perf_counter_ns() - begin
            parent_cpu = time.process_time_ns() - parent_cpu
            machine = use_between(around, read_machine(str(session.scratch)))
            memory = {report.sample.pid: report.sample for report in self._memory(workers)}
            checks = self._compare(cell, folder, results) if round_number == 0 else []
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        usages = [result.usage for result in results if result.usage is not None]
        by_worker = [
            _worker_sample([usage for usage in usages if usage.pid == pid], memory.get(pid))
            for pid in sorted({usage.pid for usage in usages})
        ]
        problem = _problem(results) or next((one.problem for one in checks if one.problem), None)
        if problem is None and set(memory) != set(pids):
            problem = "a worker was restarted"
        if problem is None and any(worker.swap_bytes for worker in by_worker):
            problem = "swapped: part of a worker's memory lay in swap"
        begins = [worker.begin_ns for worker in by_worker] or [0]
        ends = [worker.begin_ns + worker.wall_ns for worker in by_worker] or [0]
        idle = [one for pid, one in memory.items() if pid not in {usage.pid for usage in usages}]
        sample = Sample(
            round=round_number,
            order=order,
            valid=problem is None,
            problem=problem,
            images=sum(len(result.samples) for result in results),
            passes=1,
            pixel_bytes=sum(usage.pixel_bytes for usage in usages),
            file_bytes=sum(usage.file_bytes for usage in usages),
            wall_ns=max(ends) - min(begins),
            skew_ns=max(begins) - min(begins),
            tail_ns=max(ends) - min(ends),
            parent_wall_ns=parent_wall,
            parent_cpu_ns=parent_cpu,
            peak_pss_bytes=peak_pss([*by_worker, *idle], own_pss()),
            workers=tuple(by_worker),
            machine=machine,
        )
        return sample, checks

    def _memory(self, workers: int) -> list[Report]:
        """Ask every worker for its memory since it reported last."""
        meeting = self._session.meeting(workers)
        return list(
            pool.run(run_memory, [Task(worker, meeting) for worker in range(workers)], workers=workers)
        )

    def _job(self, folder: Path, protocol: str) -> Job:
        return Job(
            destination=str(folder.absolute()),
            protocol=protocol,
            layout="shards",
            shard_size=1 << 40,
            fsync=False,
            decode=DecodeOptions(),
            token="bench",  # noqa: S106 - names the run, no secret
        )

    def _units(self, work: Convert) -> list[Unit]:
        members = self._members
        units = []
        for number in range(work.units):
            places = range(number * work.unit_images, (number + 1) * work.unit_images)
            numbered = tuple(Numbered(place, members[place % len(members)]) for place in places)
            units.append(Unit(number, numbered))
        return units

    def _compare(self, cell: Cell, folder: Path, results: Sequence[UnitResult]) -> list[Report]:
        shards = [
            _Shard(
                cell.protocol,
                self._session.corpus.index,
                str(folder / SHARDS_FOLDER / shard.name),
                tuple(one.key for one in result.samples if one.part == shard.part),
            )
            for result in results
            for shard in result.shards
            if shard.name is not None
        ]
        return list(pool.run(_compare_shard, shards, workers=cell.workers))


def _compare_shard(shard: _Shard) -> Report:
    """Load a shard and compare every array with the corpus."""
    images = {image.key: image for image in load_corpus(shard.corpus).images}
    wrong = count = 0
    problem = None
    try:
        for key, array in get_serializer(shard.protocol).load_shard(shard.path):
            image = images[shard.keys[count] if key is None else key]
            count += 1
            if (array.dtype.str, array.shape, digest(array)) != (image.dtype, image.shape, image.xxh3):
                wrong += 1
                problem = problem or f"image {image.key}: what was loaded is not what was stored"
    except Exception as error:  # noqa: BLE001 - a protocol's own library may raise anything
        wrong += 1
        problem = f"what was stored does not load: {type(error).__name__}: {error}"
    if count != len(shard.keys) and problem is None:
        wrong += 1
        problem = f"{count} of {len(shard.keys)} images came back"
    reset_peak()
    return Report(
        WorkerSample(0, 0, 0, 0, 0, 0, 0, None, None, {}), checked=count, wrong=wrong, problem=problem
    )


def _problem(results: Sequence[UnitResult]) -> str | None:
    for result in results:
        if result.fatal is not None:
            return result.fatal
        if result.failures:
            failure = result.failures[0]
            return f"{failure.key}: {failure.error}: {failure.message}"
    return None


def _worker_sample(usages: Sequence[Usage], memory: WorkerSample | None) -> WorkerSample:
    """Add up a worker's units; its wall time is from its first unit's start to its last one's end."""
    begin = min(usage.begin_ns for usage in usages)
    end = max(usage.begin_ns + usage.spent.time_ns for usage in usages)
    phases: Counter[str] = Counter()
    for usage in usages:
        phases.update({name.removesuffix("_ns"): spent for name, spent in asdict(usage.phases).items()})
    user = sum(usage.spent.user_ns for usage in usages)
    system = sum(usage.spent.system_ns for usage in usages)
    run_wait = _sum([usage.spent.run_wait_ns for usage in usages])
    block_wait = _sum([usage.spent.block_wait_ns for usage in usages])
    return WorkerSample(
        pid=usages[0].pid,
        begin_ns=begin,
        wall_ns=end - begin,
        user_ns=user,
        system_ns=system,
        switches_voluntary=sum(usage.spent.switches_voluntary for usage in usages),
        switches_involuntary=sum(usage.spent.switches_involuntary for usage in usages),
        read_bytes=_sum([usage.spent.read_bytes for usage in usages]),
        write_bytes=_sum([usage.spent.write_bytes for usage in usages]),
        phases_ns=dict(phases),
        peak_rss_bytes=memory.peak_rss_bytes if memory else None,
        rss_bytes=memory.rss_bytes if memory else None,
        pss_bytes=memory.pss_bytes if memory else None,
        run_wait_ns=run_wait,
        block_wait_ns=block_wait,
        other_ns=max(0, end - begin - user - system - (run_wait or 0) - (block_wait or 0)),
        swap_bytes=memory.swap_bytes if memory else None,
    )


def _sum(values: Sequence[int | None]) -> int | None:
    return None if None in values else sum(value for value in values if value is not None)
