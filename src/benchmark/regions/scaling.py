"""The scaling table: every protocol and operation over numbers of workers."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from ...engine.convert import convert
from ...engine.machine.cpus import default_workers
from ...engine.protocols.registry import get_serializer
from ...engine.workers import pool
from ...errors import BrineryError, NoProcessesError, WorkerError
from ..calibrate import Costs
from ..cells import (
    CEILING,
    MOST_CROWDED,
    Slice,
    Work,
    ceiling_cells,
    chunk_images,
    convert_work,
    in_blocks,
    scaling_cells,
    slices_of,
    work_of,
)
from ..result.cell import Cell
from ..result.findings import Place, Startup
from ..worker.ceilings import CEILINGS, COLD, WRITING
from ..worker.machine import drain
from ..worker.shards import Part
from ..worker.tasks import Task, run_stage, run_warm_up
from .ceilings import CeilingRegion
from .convert import ConvertRegion
from .dispatched import run_dispatched
from .region import Region
from .session import Round, Session, inline, pooled

_OVERHEAD_NS = 60_000_000  # of a region with a pool: preparing, meeting, memory, comparing, deleting
_EACH_OVERHEAD_NS = 12_000_000  # more for each worker
_SPAWN_NS = 500_000_000  # of a worker process, imports included
_MAP_NS_PER_BYTE = 0.2
_MAP_NS = 15_000.0
_SHARD_PIXEL_BYTES = 32 << 20
_WRITERS = ("convert", "dump", *WRITING)


class Sweep:
    """The cells of the scaling table and how to run them."""

    name = "scaling"

    def __init__(self, session: Session, costs: Costs) -> None:
        options, corpus = session.options, session.corpus
        self._session = session
        self._costs = costs
        self._protocols = tuple(costs.protocols)
        maps = {label: get_serializer(label).maps for label in self._protocols}
        self.cells = scaling_cells(maps, options)
        names = (*CEILINGS, COLD) if "cold" in options.caches else CEILINGS
        self.ceilings = ceiling_cells(() if options.one_of_two else names, options.cores)
        self._ceilings, self._convert = CeilingRegion(session), ConvertRegion(session)
        self._slices = max(8, *options.cores)
        crowd = max(options.cores) / session.usable
        region_ns = options.region_ns / min(max(crowd, 1.0), MOST_CROWDED)
        self._chunks = {
            label: chunk_images(cost, region_ns, len(corpus.images), corpus.pixel_bytes, self._slices)
            for label, cost in costs.protocols.items()
        }
        self._pids: frozenset[int] = frozenset()
        self.startups: list[Startup] = []
        for cell in self.cells:
            session.ledger.expect(cell, self._work(cell).images)
        for cell in self.ceilings:
            session.ledger.expect(cell, 0)

    def regions(self, number: int) -> int:
        """Return how many regions a round has."""
        return len(self._due(number))

    def round_ns(self, number: int) -> float:
        """Return how long a round is expected to take."""
        due = self._due(number)
        found = _SPAWN_NS * sum({cell.workers for cell in due}) / self._session.usable
        for cell in due:
            if cell.op == CEILING:
                found += self._ceilings.expected_ns(cell)
            else:
                work = self._work(cell)
                found += self._expected_ns(cell, work.images * work.passes * self._price(cell))
                found += _OVERHEAD_NS + _EACH_OVERHEAD_NS * cell.workers
        return found

    def _due(self, number: int) -> list[Cell]:
        """Return a round's cells: those with more workers than CPUs, which no curve takes, every second time.

        Where the rounds are given, or there are no other cells, each round has all.
        """
        cells = [*self.cells, *self.ceilings]
        fitted = [cell for cell in cells if cell.workers <= max(1.0, self._session.usable)]
        return fitted if number % 2 and fitted and self._session.options.rounds is None else cells

    @property
    def stage_ns(self) -> float:
        """How long the files to load are expected to take, and the first round's comparisons."""
        protocols = self._costs.protocols.items()
        found = sum(self._slices * self._chunks[label] * cost.dump for label, cost in protocols)
        found /= self._session.usable
        for cell in self.cells:
            if cell.op in ("convert", "dump"):
                work = self._work(cell)
                images = work.images * (work.passes if cell.op == "convert" else 1)
                found += self._expected_ns(cell, images * self._costs.protocols[cell.protocol].load)
        return found

    def _expected_ns(self, cell: Cell, work_ns: float) -> float:
        """Return how long a cell's workers take that each have so much to do."""
        return work_ns * max(1.0, cell.workers / self._session.usable)

    def _price(self, cell: Cell) -> float:
        """Return what an image costs one process in this operation, in ns."""
        cost = self._costs.protocols[cell.protocol]
        if cell.op == "map":
            return _MAP_NS + _MAP_NS_PER_BYTE * self._session.corpus.pixel_bytes
        if cell.op == "convert":
            return cost.dump + self._costs.decode_ns
        return cost.dump if cell.op == "dump" else cost.load

    def _work(self, cell: Cell) -> Work:
        images, price = len(self._session.corpus.images), self._price(cell)
        region_ns = self._session.options.region_ns / max(1.0, cell.workers / self._session.usable)
        if cell.op == "convert":
            return convert_work(price, region_ns, images)
        chunk = max(1, images // self._slices) if cell.op == "map" else self._chunks[cell.protocol]
        return work_of(chunk, price, region_ns)

    def stage(self) -> None:
        """Write the shards that loads read, the datasets that are mapped, the ceilings' file."""
        session, workers = self._session, default_workers()
        self._ceilings.stage()
        parts: list[Part] = []
        for label in self._protocols if {"load", "load_lazy"} & set(session.options.ops) else ():
            folder, chunk = str(session.scratch.folder(f"shards-{label}")), self._chunks[label]
            part = Part(label, "dump", corpus=session.corpus.index, files=folder)
            starts = range(0, self._slices * chunk, chunk)
            parts += [replace(part, slices=(Slice(start, chunk),)) for start in starts]
        list(pool.run(run_stage, parts, workers=workers))
        for label in sorted({cell.protocol for cell in self.cells if cell.op == "map"}):
            convert(
                session.corpus.folder,
                session.scratch.path / f"dataset-{label}",
                protocol=label,
                workers=workers,
                shard_size=_SHARD_PIXEL_BYTES,
                fsync=False,
            )

    def run_round(self, number: int, visit: Callable[[Place, int], None]) -> None:
        """Measure every cell once, one block for each number of workers; `visit` as in the seed's table."""
        session, workers = self._session, 0
        taking = Round(session, number, self._due(number))
        blocks = in_blocks(taking.cells, session.options.seed, number)
        if session.options.one_of_two:  # most of its rounds' time would be starting workers
            blocks.sort(key=lambda block: block[0].workers != len(self._pids))
        for block in blocks:
            first, workers = workers == 0, block[0].workers
            self._warm_up(workers)
            if first:
                visit("open", workers)
            for cell in block:
                again = partial(self._warm_up, cell.workers)
                taking.take(cell, partial(self._attempt, cell, check=number == 0), again)
        if workers:
            visit("close", workers)

    def _attempt(self, cell: Cell, *, check: bool) -> Region:
        scratch, pids = self._session.scratch, self._pids
        if cell.op in _WRITERS or cell.protocol in _WRITERS or cell.cache == "cold":
            drain(str(scratch.path))
        try:
            if cell.op == "convert":
                return self._convert.run(cell, self._work(cell), pids, check=check)
            if cell.op == CEILING:
                return self._ceilings.run(cell, pids)
            if cell.dispatch == "engine":
                return run_dispatched(scratch, self._whole(cell, check=check), cell.workers, pids)
            tasks = self._tasks(cell, check=check)
            return inline(tasks[0]) if cell.pool == "none" else pooled(tasks, pids)
        except WorkerError as error:
            return Region(passes=0, problem=str(error))

    def _tasks(self, cell: Cell, *, check: bool) -> list[Task]:
        session, work = self._session, self._work(cell)
        meeting = session.scratch.meeting(cell.workers) if cell.pool == "loky" else None
        tasks = []
        for worker in range(cell.workers):
            numbers = slices_of(work, worker, cell.workers, self._slices)
            passes = len(numbers) if cell.cache == "cold" else work.passes  # no file is cold twice
            part = self._part(cell, numbers, passes, f"new-{worker}", check=check)
            tasks.append(Task(worker, meeting, part))
        return tasks

    def _whole(self, cell: Cell, *, check: bool) -> Part:
        """Return what all workers do together, to be handed out pass by pass."""
        work = self._work(cell)
        each = [slices_of(work, worker, cell.workers, self._slices) for worker in range(cell.workers)]
        numbers = sorted({number for one in each for number in one})
        return self._part(cell, numbers, work.passes * cell.workers, "", check=check)

    def _part(self, cell: Cell, numbers: list[int], passes: int, scratch: str, *, check: bool) -> Part:
        scratch_folder, images = self._session.scratch, self._work(cell).images
        new = scratch and cell.op == "dump"
        return Part(
            cell.protocol,
            cell.op,
            slices=tuple(Slice(number * images, images) for number in numbers),
            passes=passes,
            corpus=self._session.corpus.index,
            files=str(scratch_folder.path / f"{'dataset' if cell.op == 'map' else 'shards'}-{cell.protocol}"),
            scratch=str(scratch_folder.new_folder(scratch)) if new else "",
            check=check,
            cache=cell.cache,
            durability=cell.durability,
        )

    def _warm_up(self, workers: int) -> None:
        """Start the workers, have each import every library, and note who they are; else BrineryError."""
        scratch = self._session.scratch
        for _ in range(3):
            meeting = scratch.meeting(workers)
            folders = [str(scratch.folder(f"new-{worker}")) for worker in range(workers)]
            parts = [Part("", "", corpus=self._session.corpus.index, scratch=folder) for folder in folders]
            tasks = [Task(worker, meeting, part, self._protocols) for worker, part in enumerate(parts)]
            begin = time.perf_counter_ns()
            try:
                reports = list(pool.run(run_warm_up, tasks, workers=workers, or_threads=False))
            except NoProcessesError:
                raise
            except WorkerError:
                continue
            pids = frozenset(report.sample.pid for report in reports)
            if any(report.problem for report in reports) or len(pids) != workers:
                continue
            fresh = [report for report in reports if report.sample.pid not in self._pids]
            if fresh:
                spawn = max(report.sample.begin_ns for report in fresh) - begin
                importing = max(report.import_ns or 0 for report in fresh)
                self.startups.append(Startup(len(fresh), spawn, importing))
            self._pids = pids
            return
        raise BrineryError(f"a pool of {workers} workers could not be warmed up: try fewer with --cores")
