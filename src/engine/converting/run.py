"""One convert from its first look at the manifest to its last row."""

import os
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import chain, islice
from pathlib import Path

from ...errors import ArchiveError, StorageError
from ...parser.archives.listing import Quota
from ...parser.options import ReadBudget
from ..machine.activity import UNWATCHED, surroundings
from ..machine.garbage import only_new_garbage
from ..machine.sampler import Sampler
from ..machine.twins import NameTwins, name_twins
from ..records import Job, Unit, UnitResult
from ..summary import RunSummary
from . import worker
from .dataset_sources import is_export, source_states
from .destination import Destination
from .listing_memory import DistinctKeys, KeptOrdinals, SeenKeys, SourceSize, keys_of
from .options import ConvertCall
from .outcome import ConvertResult, Settled
from .planner import Listed, Note, Pass, PlanCounts, Planner, PlanState
from .progress import Progress, cost_of
from .recorder import Recorder, cannot_go_on
from .repairing import find_damaged
from .run_limits import PIXELS_PER_SOURCE_BYTE, check_failures, warning_of_space
from .sources import Named, Recorded, Scope, list_named
from .spool import Spool, travel_budget
from .supervisor import Supervisor
from .tally import Tally

__all__ = ["Run"]


def _ignore(_: object) -> None:
    """Ignore a message that nobody asked for, or a note that an earlier listing of the run made."""


class Run:
    """One convert from its first look at the manifest to its last row.

    Attributes:
        refused: why `prune` did not drop the samples of members that are gone; "" if it did.
    """

    def __init__(
        self,
        sources: Sequence[Named],
        recorded: Sequence[Recorded],
        destination: Destination,
        call: ConvertCall,
    ) -> None:
        self._named = sources
        self._sources = [one.source for one in sources]
        self._destination = destination
        self._manifest = destination.manifest
        self._recorded = recorded
        self._scope = Scope.of(sources, recorded)
        self._options = call
        self._settings = call.as_dict()
        self._warn = call.warn or _ignore
        self._recorder = Recorder(destination, call)
        self._tally = Tally()
        self._unit_bytes = max(1, call.shard_bytes // PIXELS_PER_SOURCE_BYTE)  # enough for a full shard
        self._spool = Spool(destination.partial, travel_budget(self._unit_bytes, call.worker_count))
        self._kept = KeptOrdinals()
        self._differing = KeptOrdinals()
        self._twins: NameTwins | None = None
        self._to_redo = 0  # their number
        self._died = 0  # worker processes
        self._before = 0  # samples of the dataset
        self._to_do_again = 0  # recorded members whose samples are lost or damaged
        self._token = uuid.uuid4().hex
        self._size = SourceSize([Path(source.path) for source in self._sources])
        # An export counts the bytes of arrays, and plans those of the images that they were.
        cost = None if is_export(self._sources) else cost_of(self._manifest.last_summary())
        self._progress = Progress(call.progress or _ignore, self._tally, self._size, call.worker_count, cost)
        self._warned_of_space = False
        self._sampler = Sampler()
        self.refused = ""
        self._supervisor: Supervisor | None = None

    def perform(self) -> ConvertResult:
        """Run to the end, and record how it went whatever happens."""
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
        so_far, around = surroundings(self._destination.folder), UNWATCHED
        sampler = self._sampler
        try:
            try:
                with only_new_garbage(), sampler:
                    try:
                        finished = self._convert()
                    finally:
                        wall = time.perf_counter_ns() - begin
            finally:
                around = so_far(sampler.children)
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
            summary = self._tally.summary(
                wall_ns=wall,
                parent_cpu_ns=parent_cpu,
                sampler=sampler,
                around=around,
                workers_died=self._died,
            )
            self._record_end(outcome, summary, sampler)
        return self._result(finished, summary)

    def _record_end(self, outcome: str, summary: RunSummary, sampler: Sampler) -> None:
        rows = [reading.row for reading in sampler.timeline]
        worked = self._supervisor.backend if self._supervisor is not None else self._options.backend
        try:
            if worked != self._options.backend:
                self._manifest.put_backend(worked)
            listed = self._named if self._options.limit is None else ()
            self._manifest.end_run(outcome, summary.wall_ns, summary.as_dict(), rows, listed)
        except StorageError:
            if outcome == "finished":
                raise

    def _convert(self) -> Settled:
        """Do what is missing; return what became of the samples that were there before."""
        options, manifest = self._options, self._manifest
        self._destination.sweep()
        if options.repair:
            manifest.mend()
        self._before = manifest.samples()
        sizes = self._destination.shard_sizes()
        state = manifest.plan_state(sizes.get, self._scope.holds)
        if manifest.waiting:
            self._warn(
                f"{manifest.waiting} units with missing shards hold samples of sources that were not named:"
                " name those too"
            )
        manifest.begin_generation(state.open_unit, state.open_ordinal)
        damaged: frozenset[str] = frozenset()
        if options.repair:
            damaged = find_damaged(self._destination, options, state.lost_units, self._progress.verifying)
        if options.retry_failed:
            damaged |= manifest.partly_failed()
        linked = manifest.listed_twice
        keys = manifest.sample_keys() if options.layout == "mirror" else None
        twins = name_twins(self._destination.partial / "names", self._recorder.suffix, keys)
        with twins as self._twins, closing(keys_of(self._sources)) as seen:
            listing = Pass(
                self._unit_bytes,
                linked=linked,
                retry_failed=options.retry_failed,
                usable=lambda key: key not in damaged and self._recorder.file_is_there(key),
                twin=self._earlier_twin,
            )
            self._to_do_again = sum(state.lost_units.values()) + len(damaged)
            counts, redone = self._pass(state, listing, seen, self._recorder.note)
            if self._to_redo or counts.unresolved:
                self._list_again(seen, linked=linked or counts.unresolved > 0)
        self._sampler.finish()
        self._recorder.commit()
        if options.limit is None:
            for unit in state.lost_units.keys() - redone:
                self._recorder.commit([UnitResult(unit, 0)])
        settled = self._settle(state.next_ordinal)
        self._destination.remove_shards(manifest.drop_empty_shards())
        if state.lost_units:  # a unit may now have fewer shards than before
            self._destination.sweep()
        self._check_limit(final=True)
        return settled

    def _list_again(self, seen: SeenKeys | DistinctKeys, *, linked: bool) -> None:
        """List a second time, for members that only the whole first listing could tell, as the next units.

        These are members found to have other bytes, links, and the last one of several members of one name;
        records of the earlier ones are deleted first.
        """
        manifest = self._manifest
        manifest.look_again()
        before = manifest.plan_state(self._destination.shard_sizes().get, self._scope.holds)
        state = PlanState(before.next_unit, before.next_ordinal, before.next_unit, before.next_ordinal)
        if linked and not manifest.listed_twice:
            self._recorder.remove_files(manifest.begin_linking(state, seen.again()))
        else:
            manifest.begin_generation(state.open_unit, state.open_ordinal)
        note = self._recorder.note if linked else _ignore
        with closing(keys_of(self._sources)) as again:
            listing = Pass(
                self._unit_bytes,
                linked=linked,
                twin=self._earlier_twin,
                differing=self._differing.__contains__,
            )
            self._pass(state, listing, again, note)

    @property
    def _earlier_twin(self) -> Callable[[str], str | None] | None:
        """The function that finds the earlier key with a key's file; None if all names differ."""
        return None if self._twins is None else self._twins.earlier

    def _pass(
        self,
        state: PlanState,
        listing: Pass,
        seen: SeenKeys | DistinctKeys,
        note: Callable[[Note], None],
    ) -> tuple[PlanCounts, set[int]]:
        """List the sources and do the units that the planner cuts; return its counts, and the units done."""
        planner = Planner(
            state,
            self._manifest,
            listing,
            first_time=seen.first_time,
            keep=self._kept.add,
            load=self._spool.load,
            note=note,
        )
        self._progress.begin_pass(planner.counts, self._manifest.recorded(self._scope) - self._to_do_again)
        done: set[int] = set()
        try:
            for results in self._results(planner, linked=listing.linked):
                done.update(result.number for result in results)
                self._record(results)
                self._progress.look()
        finally:
            self._spool.close()
        return planner.counts, done

    def _results(self, planner: Planner, *, linked: bool) -> Iterator[list[UnitResult]]:
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
            archives=source_states(self._sources),
            memory=self._settings["memory"],
            twins=self._twins is not None,
            check=options.check,
        )
        supervisor = self._supervisor = Supervisor(
            job,
            workers=options.worker_count,
            backend=options.backend,
            timeout=options.timeout,
            warn=options.warn,
            done=self._done,
            ready=self._spool.room,
        )
        units = planner.units(self._entries(job.budget, linked=linked))
        batches = supervisor.results(self._progress.handed_out(units))
        try:
            for results in batches:
                if supervisor.ending:
                    self._sampler.before_the_end()
                yield results
        finally:
            self._died += supervisor.died
            worker.stop(self._token)
            batches.close()

    def _entries(self, budget: ReadBudget, *, linked: bool) -> Iterator[Listed]:
        """List the sources up to the limit; going past the budget of members is an error."""
        quota, watch = Quota(self._options.limit, self._progress.look), self._progress.listed
        told = self._manifest.is_recorded
        entries = list_named(
            self._named, self._scope, budget, link=linked, quota=quota, watch=watch, is_recorded=told
        )
        yield from islice(entries, self._options.max_members)
        if self._options.limit is not None:
            return
        if next(entries, None) is not None:
            raise ArchiveError(
                f"the sources hold more than {self._options.max_members:,} entries;"
                " what was committed stays: raise --max-members if that is right"
            )

    def _record(self, results: Sequence[UnitResult]) -> None:
        """Publish and record what is done, and end the run if a result says that it cannot go on."""
        going_on = [one for one in results if one.changed is None and one.fatal is None and not one.stopped]
        for ordinal in chain.from_iterable(compared.differing or () for compared in going_on):
            self._differing.add(ordinal)
            self._to_redo += 1
        done = [one for one in going_on if one.differing is None]
        if done:
            self._recorder.publish(done)
        if going_on:
            self._count(going_on)
        for result in results:
            if result.changed is not None:
                raise ArchiveError(
                    f"{result.changed}; what was committed stays:"
                    " run the same command again when nothing writes to it"
                )
            if result.fatal is not None:
                raise cannot_go_on(result.fatal)

    def _done(self, unit: Unit) -> None:
        self._spool.release(unit)
        self._progress.done(unit)

    def _count(self, done: Sequence[UnitResult]) -> None:
        tally = self._tally
        for result in done:
            tally.add(result)
        self._progress.took(done)
        self._progress.look(now=True)
        self._check_space()
        self._check_limit(final=False)

    def _settle(self, below: int) -> Settled:
        """Find what the archive no longer holds, and drop it if asked to; drop notes of old listings."""
        if self._manifest.fresh:
            return Settled()
        kept, limit = self._kept.__contains__, self._options.limit
        listed = self._scope.holds if limit is None else _nothing
        gone, others = self._manifest.not_met(kept, below, listed)
        if limit is not None:
            return Settled(others=others)
        self._manifest.forget_old_notes(listed)
        if not self._options.prune:
            return Settled(len(gone), others)
        if gone:
            there = self._manifest.samples_below(below)
            said = f"{len(gone):,} of {there:,} samples are of members that the archive no longer holds"
            if 2 * len(gone) > there and not self._options.yes:
                self.refused = f"--prune would drop more than half: {said}; --yes drops them"
                return Settled(len(gone), others)
            self._warn(f"--prune drops what is gone: {said}")
        self._manifest.prune(gone, kept, below, listed)
        self._recorder.remove_files(gone)
        return Settled(0, others, len(gone))

    def _result(self, settled: Settled, summary: RunSummary) -> ConvertResult:
        totals, converted = self._manifest.totals(), self._manifest.samples_made()
        return ConvertResult(
            path=self._destination.folder,
            samples=totals.samples,
            converted=converted,
            unchanged=totals.samples - converted - settled.gone - settled.others,
            failures=totals.failures,
            skipped=totals.skipped,
            archives=totals.archives,
            gone=settled.gone,
            pruned=settled.pruned,
            shards=totals.shards,
            summary=summary,
            others=settled.others,
            replaced=self._before + converted - totals.samples - settled.pruned,
            failed=self._manifest.failures_of(self._manifest.run),
        )

    def _check_limit(self, *, final: bool) -> None:
        check_failures(self._options.failure_limit, self._tally, self._destination.folder, final=final)

    def _check_space(self) -> None:
        """Warn once if the space left looks too small for what is still to come."""
        left = None if self._warned_of_space else self._progress.left_bytes()
        if left is None:
            return
        self._warned_of_space = True
        if self._recorder.keeps_source:
            left /= PIXELS_PER_SOURCE_BYTE  # images do not grow
        warning = warning_of_space(self._destination.folder, left)
        if warning is not None:
            self._warn(warning)


def _nothing(_key: str) -> bool:
    return False
