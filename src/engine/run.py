"""One convert from its first look at the manifest to its last row."""

import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import chain, islice
from pathlib import Path
from typing import Any

from ..errors import ArchiveError, FailureLimitError, MemberError, StorageError
from ..parser.archives import archive_states
from ..parser.members import Entry
from ..parser.options import ReadBudget
from . import worker
from .collecting import only_new_garbage
from .destination import Destination
from .listing import KeptOrdinals, SeenKeys, SourceSize
from .options import ConvertOptions
from .outcome import ConvertProgress, ConvertResult
from .planner import Note, Planner, PlanState
from .protocols.registry import get_serializer
from .records import Job, UnitResult
from .sampler import Sampler
from .shards import FILES_FOLDER, publish_shards, single_path
from .sizes import format_size
from .sources import Named, Recorded, Scope, list_named
from .spool import Spool, travel_budget
from .stored_state import Totals
from .summary import RunSummary, Tally
from .supervisor import Supervisor
from .twins import NameTwins
from .verify import verify

__all__ = ["Run"]

_PIXELS_PER_SOURCE_BYTE = 10  # a JPEG of a photograph
_MIN_DONE_FOR_PERCENT = 100
_ESTIMATE_AFTER_SECONDS = 0.5
_NOTES_HELD = 4096


def _ignore(_: object) -> None:
    """Take a message that nobody asked for, or a note that an earlier listing of the run made."""


def _always(_: str) -> bool:
    return True


class Run:
    """One convert from its first look at the manifest to its last row.

    Attributes:
        refused: why members that are gone were not dropped, where that was asked for.
    """

    def __init__(
        self,
        sources: Sequence[Named],
        recorded: Sequence[Recorded],
        destination: Destination,
        options: ConvertOptions,
        progress: Callable[[ConvertProgress], None] | None,
        warn: Callable[[str], None] | None,
    ) -> None:
        self._named = sources
        self._sources = [one.source for one in sources]
        self._destination = destination
        self._manifest = destination.manifest
        self._recorded = recorded
        mine = tuple(source.prefix for source in self._sources)
        self._scope = Scope(mine, tuple(one.prefix for one in recorded if one.prefix not in mine))
        self._options = options
        self._settings = options.as_dict()
        self._progress = progress or _ignore
        self._warn = warn or _ignore
        self._told = warn
        self._suffix = get_serializer(options.protocol).file_suffix
        self._tally = Tally()
        self._unit_bytes = max(1, options.shard_bytes // _PIXELS_PER_SOURCE_BYTE)  # it fills a shard
        self._spool = Spool(destination.partial, travel_budget(self._unit_bytes, options.worker_count))
        self._notes: list[Note] = []
        self._noting = threading.Lock()
        self._kept = KeptOrdinals()
        self._differing = KeptOrdinals()
        self._twins: NameTwins | None = None
        self._to_redo = 0  # how many those are
        self._token = uuid.uuid4().hex
        self._size = SourceSize([Path(source.path) for source in self._sources])
        self._estimate_at = time.monotonic() + _ESTIMATE_AFTER_SECONDS
        self._warned_of_space = False
        self._sampler = Sampler()
        self.refused = ""
        self._supervisor: Supervisor | None = None

    def perform(self) -> ConvertResult:
        """Run to the end and record how it went, whatever happens."""
        begin, begin_cpu = time.perf_counter_ns(), time.process_time_ns()
        options, settings = self._options, self._settings
        self._manifest.begin_run(
            time.time_ns(),
            options.worker_count,
            options.backend,
            settings | {"sources": [source.shown for source in self._sources]},
            self._named,
            self._recorded,
        )
        outcome, wall = "failed", 0
        sampler = self._sampler
        try:
            with only_new_garbage(), sampler:
                try:
                    finished = self._convert()
                finally:
                    wall = time.perf_counter_ns() - begin
            outcome = "finished"
        except KeyboardInterrupt:
            outcome = "interrupted"
            raise
        finally:
            self._size.close()
            worker.forget_stop(self._token)
            parent_cpu = time.process_time_ns() - begin_cpu
            if self._supervisor is not None and self._supervisor.backend == "threading":
                parent_cpu = max(0, parent_cpu - self._tally.cpu_ns)
            summary = self._tally.summary(wall_ns=wall, parent_cpu_ns=parent_cpu, sampler=sampler)
            self._record_end(outcome, summary, sampler)
        unchanged, gone, pruned = finished
        totals = self._manifest.totals()
        return _result(self._destination.folder, self._tally, totals, unchanged, gone, pruned, summary)

    def _record_end(self, outcome: str, summary: RunSummary, sampler: Sampler) -> None:
        rows = [reading.row for reading in sampler.timeline]
        try:
            listed = self._named if self._options.limit is None else ()
            self._manifest.end_run(outcome, summary.wall_ns, summary.as_dict(), rows, listed)
        except StorageError:
            if outcome == "finished":
                raise

    def _convert(self) -> tuple[int, int, int]:
        """Do what is missing; return how many members were unchanged, gone and pruned."""
        options, manifest = self._options, self._manifest
        self._destination.sweep()
        sizes = self._destination.shard_sizes()
        state = manifest.plan_state(sizes.get, self._scope.holds)
        if manifest.waiting:
            self._warn(
                f"{manifest.waiting} units with missing shards hold samples of sources that were not named:"
                " name those too"
            )
        manifest.begin_generation(state.open_unit, state.open_ordinal)
        damaged = self._find_damaged(state) if options.repair else frozenset()
        if options.retry_failed:
            damaged |= manifest.partly_failed()
        with self._name_twins() as self._twins:
            unchanged, redone = self._pass(
                state,
                self._named,
                note=self._note,
                usable=lambda key: key not in damaged and self._file_is_there(key),
                retry_failed=options.retry_failed,
            )
            if self._to_redo:
                self._convert_differing()
        self._sampler.finish()
        if self._notes:
            self._commit([])
        gone = pruned = 0
        if options.limit is None:
            for unit in state.lost_units.keys() - redone:
                self._commit([UnitResult(unit, 0)])
            gone, pruned = self._settle(state.next_ordinal)
        self._destination.remove_shards(manifest.drop_empty_shards())
        self._check_limit(final=True)
        return unchanged - self._to_redo, gone, pruned

    @contextmanager
    def _name_twins(self) -> Iterator[NameTwins | None]:
        """What finds keys that would share a file; None where every key has its own."""
        if self._options.layout != "mirror":
            yield None
            return
        try:
            twins = NameTwins(self._destination.partial / "names", self._suffix)
        except OSError as error:
            raise self._cannot_go_on(
                f"cannot write into {self._destination.folder}: {error.strerror or error}"
            ) from error
        with closing(twins):
            twins.remember(self._manifest.sample_keys())
            yield twins if twins.exist else None

    def _convert_differing(self) -> None:
        """List again for members that were found to have other bytes: they are the next units."""
        state = self._manifest.plan_state(self._destination.shard_sizes().get, self._scope.holds)
        state = PlanState(state.next_unit, state.next_ordinal, state.next_unit, state.next_ordinal)
        self._manifest.begin_generation(state.open_unit, state.open_ordinal)
        self._pass(state, self._named, note=_ignore, differing=self._differing)

    def _pass(self, state: PlanState, named: Sequence[Named], **how: Any) -> tuple[int, set[int]]:
        """List sources and do what the planner makes of it; return members unchanged, and units done."""
        manifest, seen = self._manifest, None if self._keys_differ() else SeenKeys()
        planner = Planner(
            state,
            unit_bytes=self._unit_bytes,
            lookup=manifest.known,
            checksum=manifest.source_checksum,
            first_time=_always if seen is None else seen.first_time,
            keep=self._kept.add,
            load=self._spool.load,
            twin=None if self._twins is None else self._twins.earlier,
            reopen=manifest.begin_generation,
            **how,
        )
        done: set[int] = set()
        try:
            for results in self._results(planner, named):
                done.update(result.number for result in results)
                self._record(results)
        finally:
            self._spool.close()
            if seen is not None:
                seen.close()
        return planner.counts.unchanged, done

    def _keys_differ(self) -> bool:
        """Whether the listing can hold no key twice: in one folder every file has its own name."""
        return len(self._sources) == 1 and self._sources[0].kind == "folder"

    def _results(self, planner: Planner, named: Sequence[Named]) -> Iterator[list[UnitResult]]:
        options = self._options
        worker.forget_stop(self._token)
        processes = options.backend == "loky"
        job = Job(
            destination=os.fspath(self._destination.folder.absolute()),
            protocol=options.protocol,
            layout=options.layout,
            shard_size=options.shard_bytes,
            fsync=options.fsync,
            decode=options.decode_options(),
            token=self._token,
            claims=os.fspath(self._destination.claims) if processes else None,
            budget=options.read_budget(),
            archives=archive_states(self._sources),
            memory=self._settings["memory"],
            twins=self._twins is not None,
        )
        supervisor = self._supervisor = Supervisor(
            job,
            workers=options.worker_count,
            backend=options.backend,
            timeout=options.timeout,
            warn=self._told,
            done=self._spool.release,
            ready=self._spool.room,
        )
        batches = supervisor.results(planner.units(self._entries(named, job.budget)))
        try:
            for results in batches:
                if supervisor.ending:
                    self._sampler.before_the_end()
                yield results
        finally:
            worker.stop(self._token)
            batches.close()

    def _entries(self, named: Sequence[Named], budget: ReadBudget) -> Iterator[Entry]:
        """List the sources, up to the limit; more than the budget of members are an error, at the end."""
        entries = list_named(named, self._scope, budget)
        if self._options.limit is not None:
            yield from islice(entries, self._options.limit)
            return
        yield from islice(entries, self._options.max_members)
        if next(entries, None) is not None:
            raise ArchiveError(
                f"the sources hold more than {self._options.max_members:,} entries;"
                " what was committed stays: raise --max-members if that is right"
            )

    def _record(self, results: Sequence[UnitResult]) -> None:
        """Publish and record what is done, and end the run where a result says that it cannot go on."""
        going_on = [one for one in results if one.changed is None and one.fatal is None and not one.stopped]
        for ordinal in chain.from_iterable(compared.differing or () for compared in going_on):
            self._differing.add(ordinal)
            self._to_redo += 1
        done = [one for one in going_on if one.differing is None]
        if done:
            self._publish(done)
            self._commit(done)
            self._count(done)
        for result in results:
            if result.changed is not None:
                raise ArchiveError(
                    f"{result.changed}; what was committed stays:"
                    " run the same again when nothing writes to it"
                )
            if result.fatal is not None:
                raise self._cannot_go_on(result.fatal)

    def _publish(self, done: Sequence[UnitResult]) -> None:
        names = [name for result in done for name in result.shard_names]
        folder = self._destination.folder
        try:
            publish_shards(folder, names, fsync=self._options.fsync)
        except OSError as error:
            where = error.filename2 or f"into {folder}"
            raise self._cannot_go_on(f"cannot write {where}: {error.strerror or error}") from error

    def _cannot_go_on(self, reason: str) -> StorageError:
        return StorageError(
            f"{reason}; what was committed stays: make room or mend it and run the same again"
        )

    def _count(self, done: Sequence[UnitResult]) -> None:
        tally = self._tally
        for result in done:
            tally.add(result)
        if time.monotonic() > self._estimate_at:  # a run that ends sooner needs none
            self._size.start()
        self._progress(ConvertProgress(tally.members, tally.failures, tally.source_bytes, self._size.total))
        self._check_space()
        self._check_limit(final=False)

    def _note(self, note: Note) -> None:
        """Keep what the listing found until the next results are recorded, unless it is much."""
        with self._noting:
            self._notes.append(note)
            many = len(self._notes) >= _NOTES_HELD
        if many:
            self._commit([])

    def _commit(self, results: Sequence[UnitResult]) -> None:
        with self._noting:
            notes, self._notes = self._notes, []
        self._remove_files(self._manifest.commit(results, notes))

    def _settle(self, below: int) -> tuple[int, int]:
        """Find what the archive no longer holds, and drop it if asked to; notes of old listings go always."""
        if self._manifest.fresh:
            return 0, 0
        kept, listed = self._kept.__contains__, self._scope.holds
        self._manifest.forget_old_notes(listed)
        gone = self._manifest.gone(kept, below, listed)
        if not self._options.prune:
            return len(gone), 0
        if gone:
            there = self._manifest.samples_below(below)
            said = f"{len(gone)} of {there} samples are of members that the archive no longer holds"
            if 2 * len(gone) > there and not self._options.yes:
                self.refused = f"--prune would drop more than half: {said}; --yes drops them"
                return len(gone), 0
            self._warn(f"--prune drops what is gone: {said}")
        self._manifest.prune(gone, kept, below, listed)
        self._remove_files(gone)
        return 0, len(gone)

    def _remove_files(self, keys: Sequence[str]) -> None:
        if self._options.layout == "mirror":
            for key in keys:
                with suppress(MemberError):  # a key that is no path has no file
                    self._destination.place.remove(*self._file_of(key))

    def _find_damaged(self, state: PlanState) -> frozenset[str]:
        """Verify what is there and return the members of damaged samples outside of missing shards."""
        options = self._options
        found = verify(self._destination.folder, workers=options.worker_count, backend=options.backend)
        places = [self._manifest.place_of(bad.key) for bad in found.bad]
        damaged = frozenset(member for member, unit in places if unit not in state.lost_units)
        if damaged:
            self._warn(
                f"{len(damaged)} samples are damaged; those that the archive still holds are done again"
            )
        return damaged

    def _file_is_there(self, key: str) -> bool:
        if self._options.layout != "mirror":
            return True  # shards that are missing make whole units lost
        with suppress(MemberError):
            return self._destination.place.holds(*self._file_of(key))
        return False

    def _file_of(self, key: str) -> tuple[tuple[str, ...], str]:
        """The folders that lead to a key's own file, and the file's name."""
        *folders, name = single_path(key, self._suffix).parts
        return (FILES_FOLDER, *folders), name

    def _check_limit(self, *, final: bool) -> None:
        limit = self._options.failure_limit
        if limit is None:
            return
        failures, members = self._tally.failures, self._tally.members
        if limit.percent and not final and members < _MIN_DONE_FOR_PERCENT:
            return
        allowed = limit.value * members / 100 if limit.percent else limit.value
        if failures > allowed:
            raise FailureLimitError(
                f"{failures} of {members} members failed, more than --max-failures {limit}:"
                f" stopped; see the table failures in {self._destination.folder}, what was committed stays"
            )

    def _check_space(self) -> None:
        """Warn once where the space left looks too small for what is still to come."""
        if self._warned_of_space or self._size.total is None:
            return
        self._warned_of_space = True
        ahead = (self._size.total - self._tally.source_bytes) * _PIXELS_PER_SOURCE_BYTE
        free = shutil.disk_usage(self._destination.folder).free
        if ahead > free:
            self._warn(
                f"the output may need about {format_size(ahead)} more, and {self._destination.folder} has"
                f" {format_size(free)} left; a run that stops for want of space goes on when there is more"
            )


def _result(
    path: Path, tally: Tally, totals: Totals, unchanged: int, gone: int, pruned: int, summary: RunSummary
) -> ConvertResult:
    return ConvertResult(
        path=path,
        samples=totals.samples,
        converted=tally.samples,
        unchanged=unchanged,
        failures=totals.failures,
        skipped=totals.skipped,
        gone=gone,
        pruned=pruned,
        shards=totals.shards,
        summary=summary,
    )
