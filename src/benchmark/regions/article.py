"""The article's table: one process, one file an image, every protocol beside two plain baselines."""

from collections.abc import Callable
from functools import partial

from ...engine.machine.cpus import default_workers
from ...engine.workers import pool
from ..calibrate import Costs
from ..cells import Slice, Work, seed_cells, shuffled, single_work
from ..result.cell import BASELINES, Cell
from ..result.findings import Place
from ..worker.machine import drain
from ..worker.shards import Part
from ..worker.tasks import Task, run_stage
from .region import Region
from .session import Round, Session, inline

_OVERHEAD_NS = 50_000_000  # of a region: preparing, comparing, deleting


class SeedTable:
    """The cells of the seed's table and how to run them."""

    name = "seed"

    def __init__(self, session: Session, costs: Costs) -> None:
        corpus, region_ns = session.corpus, session.options.region_ns
        self._session, self._costs = session, costs.protocols | costs.baselines
        self.cells = seed_cells(costs.protocols, baselines=not session.options.one_of_two)
        self._work: dict[Cell, Work] = {}
        for cell in self.cells:
            work = single_work(self._price(cell), region_ns, len(corpus.images), corpus.pixel_bytes)
            self._work[cell] = work
            session.ledger.expect(cell, work.images)

    def _price(self, cell: Cell) -> float:
        """Return what an image costs in this cell, in ns."""
        cost = self._costs[cell.protocol]
        return cost.dump_single if cell.op == "dump" else cost.load_single

    def regions(self, _round: int) -> int:
        """Return how many regions a round has."""
        return len(self.cells)

    def round_ns(self, _round: int) -> float:
        """Return how long a round is expected to take."""
        works = self._work.items()
        return sum(work.images * work.passes * self._price(cell) + _OVERHEAD_NS for cell, work in works)

    @property
    def stage_ns(self) -> float:
        """How long the files to load are expected to take, and the comparison of those dumped."""
        costs = ((self._costs[cell.protocol], cell.op, work) for cell, work in self._work.items())
        return sum(
            work.images * (cost.dump_single if op == "load" else work.passes * cost.load_single)
            for cost, op, work in costs
        )

    def stage(self) -> None:
        """Write the files that loads read."""
        loads = [cell for cell in self.cells if cell.op == "load" and cell.protocol != BASELINES[2]]
        parts = [self._part(cell, check=False) for cell in loads]
        list(pool.run(run_stage, parts, workers=default_workers()))

    def run_round(self, number: int, visit: Callable[[Place, int], None]) -> None:
        """Measure every cell once; `visit` is called as the round opens and closes, with the pool's size."""
        visit("open", default_workers())
        taking = Round(self._session, number, self.cells)
        for cell in shuffled(taking.cells, self._session.options.seed, number):
            if cell.op == "dump":
                drain(str(self._session.scratch.path))
            taking.take(cell, partial(self._attempt, cell, check=number == 0))
        visit("close", default_workers())

    def _attempt(self, cell: Cell, *, check: bool) -> Region:
        return inline(Task(0, None, self._part(cell, check=check)))

    def _part(self, cell: Cell, *, check: bool) -> Part:
        scratch, work = self._session.scratch, self._work[cell]
        return Part(
            protocol=cell.protocol,
            op=cell.op,
            layout="single",
            slices=(Slice(0, work.images),),
            passes=work.passes,
            corpus=self._session.corpus.index,
            files=str(scratch.folder(f"single-{cell.protocol}")),
            scratch=str(scratch.new_folder("singles")),
            check=check,
        )
