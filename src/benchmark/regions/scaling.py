"""The scaling table: every protocol and operation over numbers of workers."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from ...engine import pool
from ...engine.convert import convert
from ...engine.cpus import default_workers
from ...engine.protocols.registry import get_serializer
from ...errors import BrineryError, NoProcessesError, WorkerError
from ..calibrate import Costs
from ..cells import (
    CEILING,
    Convert,
    Slice,
    Work,
    ceiling_cells,
    chunk_images,
    convert_work,
    expected_ns,
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

__all__ = ["Sweep"]

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
        self.cells = scaling_cells(
            maps,
            options.cores,
            options.ops,
            caches=options.caches,
            durabilities=options.durabilities,
            dispatches=options.dispatches,
        )
        self._ceilings = CeilingRegion(session)
        names = (*CEILINGS, COLD) if "cold" in options.caches else CEILINGS
        names = () if options.one_of_two else names
        self.ceilings = ceiling_cells(names, options.cores)
        self._slices = max(8, *options.cores)
        self._region_ns = float(options.region_ns)
        self._chunks = {
            label: chunk_images(
                cost,
                self._region_ns,
                len(corpus.images),
                corpus.pixel_bytes,
                self._slices,
                max(options.cores) / session.usable,
            )
            for label, cost in costs.protocols.items()
        }
        self._map_images = max(1, len(corpus.images) // self._slices)
        self._pids: frozenset[int] = frozenset()
        self.startups: list[Startup] = []
        self._convert = ConvertRegion(session)
        for cell in self.cells:
            session.ledger.expect(
                cell,
                self._convert_work(cell).unit_images if cell.op == "convert" else self._work(cell).images,
            )
        for cell in self.ceilings:
            session.ledger.expect(cell, 0)

    def regions(self, number: int) -> int:
        """How many regions a round has."""
        return len(self._due(number))

    def round_ns(self, number: int) -> float:
        """How long a round is expected to take."""
        due = self._due(number)
        total = 0.0
        for cell in due:
            if cell.op == CEILING:
                total += self._ceilings.expected_ns(cell)
            else:
                total += self._cell_ns(cell) + _OVERHEAD_NS + _EACH_OVERHEAD_NS * cell.workers
        return total + _SPAWN_NS * sum({cell.workers for cell in due}) / self._session.usable

    def _due(self, number: int) -> list[Cell]:
        """Return a round's cells: those with more workers than CPUs, which no curve takes, every second time.

        Where the rounds are given, or there are no other cells, each round has all.
        """
        cells = [*self.cells, *self.ceilings]
        fitted = [cell for cell in cells if cell.workers <= max(1.0, self._session.usable)]
        if self._session.options.rounds is not None or number % 2 == 0 or not fitted:
            return cells
        return fitted

    @property
    def stage_ns(self) -> float:
        """How long the files to load are expected to take, and the first round's comparisons."""
        total = 0.0
        for label, cost in self._costs.protocols.items():
            total += self._slices * self._chunks[label] * cost.dump / self._session.usable
        for cell in self.cells:
            cost = self._costs.protocols[cell.protocol]
            if cell.op == "dump":
                total += expected_ns(self._work(cell).images * cost.load, cell.workers, self._session.usable)
            elif cell.op == "convert":
                work = self._convert_work(cell)
                total += work.units * work.unit_images * cost.load / min(cell.workers, self._session.usable)
        return total

    def _cell_ns(self, cell: Cell) -> float:
        usable = self._session.usable
        if cell.op == "convert":
            work = self._convert_work(cell)
            each = work.units * work.unit_images / cell.workers
            return expected_ns(each * self._price(cell), cell.workers, usable)
        todo = self._work(cell)
        return expected_ns(todo.images * todo.passes * self._price(cell), cell.workers, usable)

    def _price(self, cell: Cell) -> float:
        """What an image costs one process in this operation, in ns."""
        cost = self._costs.protocols[cell.protocol]
        if cell.op == "map":
            return _MAP_NS + _MAP_NS_PER_BYTE * self._session.corpus.pixel_bytes
        prices = {
            "convert": cost.dump + self._costs.decode_ns,
            "dump": cost.dump,
            "load": cost.load,
            "load_lazy": cost.load,
        }
        return prices[cell.op]

    def _work(self, cell: Cell) -> Work:
        chunk = self._map_images if cell.op == "map" else self._chunks[cell.protocol]
        return work_of(cell, chunk, self._price(cell), self._region_ns, self._session.usable)

    def _convert_work(self, cell: Cell) -> Convert:
        return convert_work(
            self._price(cell),
            self._region_ns,
            cell.workers,
            self._session.usable,
            len(self._session.corpus.images),
        )

    def stage(self) -> None:
        """Write the shards that loads read, the datasets that are mapped, the ceilings' file."""
        session = self._session
        self._ceilings.stage()
        parts: list[Part] = []
        if {"load", "load_lazy"} & set(session.options.ops):
            for label in self._protocols:
                folder, chunk = str(session.scratch.folder(f"shards-{label}")), self._chunks[label]
                parts += [
                    Part(
                        protocol=label,
                        op="dump",
                        layout="shards",
                        slices=(Slice(number * chunk, chunk),),
                        passes=1,
                        corpus=session.corpus.index,
                        files=folder,
                        scratch=folder,
                        check=False,
                    )
                    for number in range(self._slices)
                ]
        workers = default_workers()
        for _ in pool.run(run_stage, parts, workers=workers):
            pass
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
        """Measure every cell once, one block for each number of workers.

        Args:
            number: of the round, from 0.
            visit: called as it opens and closes, with the size of the pool that is there.
        """
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
                return self._convert.run(cell, self._convert_work(cell), pids, check=check)
            if cell.op == CEILING:
                return self._ceilings.run(cell, pids)
            if cell.dispatch == "engine":
                return run_dispatched(scratch, self._whole(cell, check=check), cell.workers, pids)
            tasks = self._tasks(cell, check=check)
            return inline(tasks[0]) if cell.pool == "none" else pooled(tasks, pids)
        except WorkerError as error:
            return Region(passes=0, problem=str(error))

    def _tasks(self, cell: Cell, *, check: bool) -> list[Task]:
        """Return a task for each worker."""
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
        session, images = self._session, self._work(cell).images
        files = f"dataset-{cell.protocol}" if cell.op == "map" else f"shards-{cell.protocol}"
        return Part(
            protocol=cell.protocol,
            op=cell.op,
            layout="shards",
            slices=tuple(Slice(number * images, images) for number in numbers),
            passes=passes,
            corpus=session.corpus.index,
            files=str(session.scratch.path / files),
            scratch=str(session.scratch.new_folder(scratch)) if scratch and cell.op == "dump" else "",
            check=check,
            cache=cell.cache,
            durability=cell.durability,
        )

    def _warm_up(self, workers: int) -> None:
        """Start the workers, have each import every library, and note who they are.

        Raises:
            BrineryError: the pool does not come up.
        """
        session = self._session
        part = Part("", "", "shards", (), 0, session.corpus.index, "", "", check=False)
        for _ in range(3):
            meeting = session.scratch.meeting(workers)
            tasks = [
                Task(
                    worker,
                    meeting,
                    replace(part, scratch=str(session.scratch.folder(f"new-{worker}"))),
                    self._protocols,
                )
                for worker in range(workers)
            ]
            begin = time.perf_counter_ns()
            try:
                reports = list(pool.run(run_warm_up, tasks, workers=workers, or_threads=False))
            except NoProcessesError:
                raise
            except WorkerError:
                continue
            pids = frozenset(report.sample.pid for report in reports)
            problem = next((report.problem for report in reports if report.problem), None)
            if problem is None and len(pids) == workers:
                fresh = [report for report in reports if report.sample.pid not in self._pids]
                if fresh:
                    self.startups.append(
                        Startup(
                            workers=len(fresh),
                            spawn_ns=max(report.sample.begin_ns for report in fresh) - begin,
                            import_ns=max(report.import_ns or 0 for report in fresh),
                        )
                    )
                self._pids = pids
                return
        raise BrineryError(f"a pool of {workers} workers could not be warmed up: try fewer with --cores")
