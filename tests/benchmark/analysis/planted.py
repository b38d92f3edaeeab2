"""Workloads whose limit is known, run in workers and counted as the bench counts."""

import os
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from brinery.benchmark.analysis.bottleneck import find_limit
from brinery.benchmark.analysis.ceilings import Ceilings, facts_of
from brinery.benchmark.analysis.summary import ceilings_of, cell_results
from brinery.benchmark.ledger import Ledger
from brinery.benchmark.regions.ceilings import CeilingRegion
from brinery.benchmark.regions.region import of_reports
from brinery.benchmark.result.cell import Cell
from brinery.benchmark.worker.machine import Watch
from brinery.benchmark.worker.shards import empty
from brinery.benchmark.worker.tasks import Meeting, Report, worker_sample
from brinery.engine.machine.counters import read_counters
from brinery.engine.workers import pool

USABLE = float(len(os.sched_getaffinity(0)))
ROUNDS = 3
CEILINGS = ("spin", "memcpy", "raw-write-fsync", "create")
SECONDS = 0.1  # as long as the ceiling of file creation


def spin(_folder, _number):
    return sum(range(20_000)) * 0


def copy(_folder, _number, arrays=[]):  # noqa: B006 - kept from call to call
    if not arrays:
        arrays += [np.ones(32 << 20, np.uint8), np.ones(32 << 20, np.uint8)]
    np.copyto(arrays[1], arrays[0])
    return 2 * (32 << 20)  # a copy moves its bytes twice


def flush(folder, _number):
    descriptor = os.open(folder / "flushed", os.O_WRONLY | os.O_CREAT)
    os.pwrite(descriptor, os.urandom(4096) * 16, 0)
    os.fsync(descriptor)
    os.close(descriptor)
    return 16 * 4096


def make_file(folder, number):
    descriptor = os.open(f"{folder}/{number}", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    os.write(descriptor, b"x")
    os.close(descriptor)
    return 1


def sleep(_folder, _number):
    time.sleep(0.002)
    return 0


WORK = {"spin": spin, "copy": copy, "flush": flush, "make": make_file, "sleep": sleep}
OPS = {"spin": "load", "copy": "map", "flush": "dump", "make": "dump", "sleep": "load"}


@dataclass
class Planted:
    work: str
    worker: int
    meeting: Meeting
    folder: str


def perform(task):
    do, folder = WORK[task.work], Path(tempfile.mkdtemp(prefix="planted-", dir=task.folder))
    do(folder, -1)
    watch = Watch(task.folder) if task.worker == 0 else None
    time.sleep(max(0, task.meeting.gather(task.worker) - time.perf_counter_ns()) / 1e9)
    before = read_counters()
    count = moved = 0
    while time.perf_counter_ns() < before.time_ns + SECONDS * 1e9:
        moved += do(folder, count)
        count += 1
    after = read_counters()
    machine = watch.use() if watch else None
    empty(folder)
    written = OPS[task.work] == "dump"
    return Report(
        worker_sample(before.time_ns, after - before, {}),
        images=count,
        pixel_bytes=0 if written else moved,
        file_bytes=moved if written else 0,
        machine=machine,
    )


def measure(session, work, workers, backend="loky", rounds=ROUNDS):
    """Return the verdict on a planted workload and its facts, from a few rounds of everything."""
    ledger, region = Ledger(), CeilingRegion(session)
    region.stage()
    durability = "fsync" if work == "flush" else "buffered"
    for count in sorted({1, workers}):
        cell = Cell("planted", OPS[work], count, "shards", "loky", durability=durability)
        ceilings = [Cell(name, "ceiling", count, "shards", "loky") for name in CEILINGS]
        for one in (cell, *ceilings):
            ledger.expect(one, 1)
        for number in range(rounds):
            for ceiling in ceilings:
                ledger.add(ceiling, region.run(ceiling, frozenset()).sample(number, 0))
            ledger.add(cell, perform_all(session, work, count, backend).sample(number, 0))
    found = {cell.workers: cell for cell in cell_results(ledger, USABLE)}
    facts = facts_of(found[workers], found[1], Ceilings(ceilings_of(ledger)), USABLE)
    return find_limit(facts), facts


def perform_all(session, work, workers, backend):
    meeting = Meeting.make(session.scratch.path / f"planted-meeting-{workers}", workers)
    tasks = [Planted(work, worker, meeting, str(session.scratch.path)) for worker in range(workers)]
    reports = list(pool.run(perform, tasks, workers=workers, backend=backend))
    if backend == "threading":
        reports = [_apart(report, thread) for thread, report in enumerate(reports)]
    return of_reports(reports)


def _apart(report, number):
    """As if each thread were a process of its own."""
    return replace(report, sample=replace(report.sample, pid=number))
