"""The article's table: one process, one file an image, every protocol beside two plain baselines."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from ...engine import pool
from ...engine.cpus import default_workers
from ..calibrate import Costs
from ..cells import Cost, Slice, Work, seed_cells, shuffled, single_work
from ..result.cell import BASELINES, Cell
from ..result.measured import Sample
from ..worker.machine import drain
from ..worker.shards import Part, single_name
from ..worker.single_files import make_action
from ..worker.tasks import Report, Task, run_stage
from .session import Session

__all__ = ["SeedTable"]

_OVERHEAD_NS = 50_000_000  # of a region: preparing, comparing, deleting


class SeedTable:
    """The cells of the seed's table and how to run them."""

    def __init__(self, session: Session, costs: Costs) -> None:
        self._session = session
        self._costs = {**costs.protocols, **costs.baselines}
        self.cells = seed_cells(costs.protocols, baselines=not session.options.one_of_two)
        self._work = {cell: self._work_of(cell, self._costs[cell.protocol]) for cell in self.cells}
        for cell in self.cells:
            session.ledger.expect(cell, self._work[cell].images)

    def _work_of(self, cell: Cell, cost: Cost) -> Work:
        price = cost.dump_single if cell.op == "dump" else cost.load_single
        corpus = self._session.corpus
        return single_work(price, self._session.options.region_ns, len(corpus.images), corpus.pixel_bytes)

    def regions(self, _round: int) -> int:
        """How many regions a round has."""
        return len(self.cells)

    def round_ns(self, _round: int) -> float:
        """How long a round is expected to take."""
        total = 0.0
        for cell, work in self._work.items():
            cost = self._costs[cell.protocol]
            price = cost.dump_single if cell.op == "dump" else cost.load_single
            total += work.images * work.passes * price + _OVERHEAD_NS
        return total

    @property
    def stage_ns(self) -> float:
        """How long the files to load are expected to take, and the comparison of those dumped."""
        total = 0.0
        for cell, work in self._work.items():
            cost = self._costs[cell.protocol]
            if cell.op == "load":
                total += work.images * cost.dump_single
            else:
                total += work.images * work.passes * cost.load_single
        return total

    def stage(self) -> None:
        """Write the files that loads read."""
        parts = []
        for cell, work in self._work.items():
            if cell.op != "load" or cell.protocol == BASELINES[2]:
                continue
            part = self._part(cell, work, check=False)
            if cell.protocol in BASELINES:
                self._stage_article(part)
            else:
                parts.append(part)
        for _ in pool.run(run_stage, parts, workers=default_workers()):
            pass

    def run_round(self, number: int) -> None:
        """Measure every cell once."""
        session, workers = self._session, default_workers()
        session.allow_retakes(len(self.cells))
        session.sentinel("seed", number, "open", workers)
        left = session.to_do(self.cells)
        for order, cell in enumerate(shuffled(left, session.options.seed, number)):
            if cell.op == "dump":
                drain(str(session.scratch))
            sample, reports = session.calmly(cell, partial(self._attempt, cell, number, order))
            session.record(cell, sample, reports)
            session.tick(cell)
        session.sentinel("seed", number, "close", workers)

    def _attempt(self, cell: Cell, number: int, order: int) -> tuple[Sample, list[Report]]:
        task = Task(0, None, self._part(cell, self._work[cell], check=number == 0))
        return self._session.inline(task, round_number=number, order=order)

    def _part(self, cell: Cell, work: Work, *, check: bool) -> Part:
        session = self._session
        return Part(
            protocol=cell.protocol,
            op=cell.op,
            layout="single",
            slices=(Slice(0, work.images),),
            passes=work.passes,
            corpus=session.corpus.index,
            files=str(session.folder(f"single-{cell.protocol}")),
            scratch=str(session.new_folder("singles")),
            check=check,
        )

    def _stage_article(self, part: Part) -> None:
        make_action(replace(part, op="dump", passes=1)).run()
        for number in part.slices[0].indices(len(self._session.corpus.images)):
            made = Path(part.scratch) / f"0-{single_name(number, '.pickle')}"
            made.rename(Path(part.files) / single_name(number, ".pickle"))
