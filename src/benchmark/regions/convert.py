"""The convert cells: the engine's own worker through the engine's pool, from image files to shards."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from ...engine.converting.unit_files import publish_shards
from ...engine.converting.worker import convert_unit
from ...engine.layout import SHARDS_FOLDER
from ...engine.machine.new_file import PARTIAL_FOLDER
from ...engine.protocols.registry import get_serializer
from ...engine.records import Job, Numbered, Unit, UnitResult, shard_id
from ...engine.workers import pool
from ...parser.archives.listing import list_archives
from ...parser.archives.members import Member
from ...parser.options import DecodeOptions
from ..cells import Work
from ..result.cell import Cell
from ..worker.corpus import digest, load_corpus
from ..worker.shards import empty
from ..worker.tasks import NOBODY, Report, reset_peak, worker_sample
from .region import Region, of_pieces, parent_time
from .session import Session


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

    def run(self, cell: Cell, work: Work, pids: frozenset[int], *, check: bool) -> Region:
        """Run one region, and compare its shards if asked to.

        Raises:
            WorkerError: a worker died.
        """
        scratch, workers = self._session.scratch, cell.workers
        folder = scratch.new_folder("converted")
        for name in (SHARDS_FOLDER, PARTIAL_FOLDER):
            (folder / name).mkdir(exist_ok=True)
        convert = partial(convert_unit, self._job(folder, cell.protocol))
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

    def _units(self, work: Work, workers: int) -> list[Unit]:
        members = self._members
        units = []
        for number in range(work.passes * workers):
            places = range(number * work.images, (number + 1) * work.images)
            numbered = tuple(Numbered(place, members[place % len(members)]) for place in places)
            units.append(Unit(number, numbered))
        return units

    def _compare(self, cell: Cell, folder: Path, results: Sequence[UnitResult]) -> list[Report]:
        shards = [
            _Shard(
                cell.protocol,
                self._session.corpus.index,
                str(folder / SHARDS_FOLDER / shard.name),
                tuple(one.key for one in result.samples if one.shard == shard_id(result.number, shard.part)),
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
    return Report(NOBODY, checked=count, wrong=wrong, problem=problem)


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
