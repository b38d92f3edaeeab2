"""The convert cells: the engine's own worker through the engine's pool, from image files to shards."""

import itertools
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from ...engine.converting.unit_files import publish_shards
from ...engine.converting.worker import convert_unit
from ...engine.layout import SHARDS_FOLDER
from ...engine.records import Numbered, Unit, UnitResult, shard_id
from ...engine.workers import pool
from ...parser.archives.listing import list_archives
from ...parser.archives.members import Member
from ..cells import Work
from ..result.cell import Cell
from ..worker.shards import Part, convert_job, empty
from ..worker.tasks import Report, run_compare, worker_sample
from .region import Region, of_pieces, parent_time
from .session import Session


class ConvertRegion:
    """Runs convert regions: units of the corpus folder, a shard each, without fsync."""

    def __init__(self, session: Session) -> None:
        self._session = session
        entries = list_archives([session.corpus.folder])
        self._members = tuple(entry for entry in entries if isinstance(entry, Member))

    def run(self, cell: Cell, work: Work, pids: frozenset[int], *, check: bool) -> Region:
        """Run one region, and compare its shards if asked to."""
        scratch, workers = self._session.scratch, cell.workers
        folder = scratch.new_folder("converted")
        convert = partial(convert_unit, convert_job(folder, cell.protocol, 1 << 40))
        results = []
        try:
            with parent_time(scratch.path) as parent:
                for result in pool.run(convert, self._units(work, workers), workers=workers):
                    publish_shards(folder, result.shard_names, fsync=False)
                    results.append(result)
            memory = scratch.memory(workers)
            checks = self._compare(cell, folder, results) if check else []
        finally:
            empty(folder)
        pieces = [_piece(result) for result in results if result.usage is not None]
        return replace(of_pieces(pieces, checks, memory, pids, [_problem(results)]), parent=parent)

    def _units(self, work: Work, workers: int) -> list[Unit]:
        each = work.images
        numbered = map(Numbered, itertools.count(), itertools.cycle(self._members))
        return [
            Unit(number, tuple(itertools.islice(numbered, each))) for number in range(work.passes * workers)
        ]

    def _compare(self, cell: Cell, folder: Path, results: Sequence[UnitResult]) -> list[Report]:
        places = {image.key: place for place, image in enumerate(self._session.corpus.images)}
        part = Part(cell.protocol, "load", passes=0, corpus=self._session.corpus.index)
        shards = []
        for result in results:
            for shard in result.shards:
                own = shard_id(result.number, shard.part)
                numbers = [places[sample.key] for sample in result.samples if sample.shard == own]
                if shard.name is not None:
                    shards.append((folder / SHARDS_FOLDER / shard.name, numbers))
        return list(pool.run(partial(run_compare, part), shards, workers=cell.workers))


def _problem(results: Sequence[UnitResult]) -> str | None:
    for result in results:
        if result.fatal is not None:
            return result.fatal
        if result.failures:
            failure = result.failures[0]
            return f"{failure.key}: {failure.error}: {failure.message}"
    return None


def _piece(result: UnitResult) -> Report:
    """Return a unit as a piece of its worker's part."""
    usage = result.usage
    assert usage is not None
    phases = {name.removesuffix("_ns"): spent for name, spent in asdict(usage.phases).items()}
    sample = replace(worker_sample(usage.begin_ns, usage.spent, phases), pid=usage.pid)
    return Report(sample, len(result.rows), usage.pixel_bytes, usage.file_bytes)
