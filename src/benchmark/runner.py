"""Runs a bench from its options to its result, writing result.json after every round."""

import os
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeAlias

from .. import __version__
from ..engine.machine.garbage import only_new_garbage
from ..engine.machine.sampler import Sampler
from ..engine.option_records import called_with
from ..engine.workers import pool
from ..engine.workers.process_limits import has_proc
from ..errors import BrineryError, BrineryWarning, NoProcessesError
from ..parser.archives.listing import check_sources
from . import host as machine
from .analysis.conclude import conclude, with_bounds
from .analysis.noise import with_sentinel
from .analysis.summary import ceilings_of, cell_results, steady
from .analysis.warnings import run_warnings, steal_share
from .calibrate import calibrate, share_costs
from .cells import rounds_that_fit
from .ledger import Ledger
from .options import BenchOptions, BenchRequest, checked
from .regions.article import SeedTable
from .regions.scaling import Sweep
from .regions.sentinel import Sentinel
from .regions.session import BenchProgress, Progress, Scratch, Session, ignore, scratch_folder
from .regions.sizes import measure_sizes
from .result.file import write_result, write_whole
from .result.measured import CellResult, share_of_time
from .result.result import BenchResult, Host, Noise, Run, Settings, Storage
from .sampled import sampled
from .text.report import report_markdown
from .worker.corpus import make_corpus
from .worker.page_cache import why_not_cold

Say: TypeAlias = Callable[[str], None]

_AS_ASKED = ("cores", "protocols", "ops", "rounds", "budget_s", "limit", "region_ns", "weights")
_MEMORY_METHOD = (
    "sum over workers of PSS at the region's end plus what resident memory had been above it within the "
    "region (VmHWM after clear_refs), plus the parent's PSS; dump holds its source arrays"
)


class BenchInterrupted(KeyboardInterrupt):
    """The bench was interrupted; what was finished is in `result`, and in the output folder."""

    def __init__(self, result: BenchResult) -> None:
        super().__init__("interrupted")
        self.result = result


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BenchCall(BenchRequest):
    """One call of `brinery.benchmark`.

    Attributes:
        progress: called before the first timed region and after every one.
        say: called with lines of text for people: the plan, what is being done.
        argv: the command, for the result; by default this process's.
    """

    progress: Callable[[BenchProgress], None] | None = field(default=None, kw_only=True)
    say: Callable[[str], None] | None = field(default=None, kw_only=True)
    argv: tuple[str, ...] | None = field(default=None, kw_only=True)


@called_with(BenchCall)
def benchmark(call: BenchCall) -> BenchResult:
    """Measure protocols and numbers of workers; write result.json and report.md into the output folder.

    Args:
        call: `source`, `progress`, `say` and `argv`, and all that `BenchArguments` names.

    Raises:
        UsageError: options make no sense.
        ArchiveError: the source cannot be listed, or holds no image.
        StorageError: the output or scratch folder cannot be written.
        BenchInterrupted: on Ctrl-C, with the rounds that were finished.

    Example:
        result = brinery.benchmark("photos.tar", cores=(1, 2), protocols=("npy", "hdf5"), quick=True)
        for recommendation in result.recommendations:
            print(recommendation.objective, recommendation.winner, recommendation.reason)
    """
    settings, say = checked(call), call.say or ignore
    if not has_proc():
        raise BrineryError("/proc is not mounted, or not all of it: a bench reads there what processes do")
    if settings.source is not None:
        check_sources([settings.source])
    with scratch_folder(settings.output, settings.scratch or settings.output, ".brinery-bench-") as scratch:
        start = Start(call.argv or tuple(sys.argv), machine.storage(scratch.parent))
        bench = None
        try:
            # Regions in this process collect before they begin; that threads work was said once.
            with warnings.catch_warnings(), only_new_garbage():
                warnings.simplefilter("ignore", BrineryWarning)
                bench = prepare(settings, start, scratch, say, call.progress or ignore)
                measure(bench, say)
        except KeyboardInterrupt as interruption:
            if bench is None:
                raise
            result = _write(conclude(_result(bench, finished=False)), settings)
            raise BenchInterrupted(result) from interruption
        finally:
            pool.shutdown()
        result = _write(conclude(_result(bench, finished=True)), settings)
    say(f"wrote {settings.output / 'result.json'} and {settings.output / 'report.md'}")
    return result


@dataclass(frozen=True, slots=True)
class Start:
    """What a bench finds where it begins."""

    argv: tuple[str, ...]  # the command
    storage: Storage  # where the scratch files lie
    begin: float = field(default_factory=time.monotonic)  # in seconds
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    host: Host = field(default_factory=machine.host)  # the machine
    load: float = field(default_factory=lambda: os.getloadavg()[0])  # average over one minute
    # how busy others keep the CPUs from now on
    cpu_use: machine.CpuUse = field(default_factory=machine.CpuUse)

    @property
    def spent_s(self) -> float:
        """Seconds since the bench began."""
        return time.monotonic() - self.begin


@dataclass(slots=True)
class Prepared:
    """A bench that is ready to measure, and how far it is."""

    start: Start  # what it found where it began
    session: Session  # what its parts share
    parts: tuple[SeedTable | Sweep, ...]  # the seed's table, and over workers the sweep
    sentinel: Sentinel  # the same work in every round
    sampler: Sampler  # watches while it measures
    rounds: int  # how many are planned
    done: Counter[str]  # how many each part has finished
    warnings: list[str]  # of the plan and of what came of it


def prepare(
    options: BenchOptions, start: Start, scratch: Path, say: Say, progress: Callable[[BenchProgress], None]
) -> Prepared:
    """Make the corpus, find what an image costs, plan the rounds and write the files that loads read.

    Raises:
        ArchiveError: the source cannot be listed, or holds no image.
        BrineryError: none of the protocols can store the images.
    """
    told: list[str] = []

    def warn(text: str) -> None:
        told.append(text)
        say(f"warning    {text}")

    for reason in options.lacking:
        warn(reason)
    try:
        pool.check_processes()
    except NoProcessesError as error:
        warn(f"{error}{'' if options.preset == 'seed' else '; what is measured over workers is left out'}")
        options = replace(options, preset="seed")
    _announce(options, start, say)
    corpus = make_corpus(options.source, scratch, limit=options.images, seed=options.seed)
    folder = scratch / "calibration"
    folder.mkdir()
    costs = calibrate(corpus, options.protocols, folder)
    if options.costs is not None:
        costs = share_costs(costs, options.costs)
    for label, reason in costs.failed.items():
        warn(f"{label} cannot be measured on these images: {reason}")
    if not costs.protocols:
        raise BrineryError("none of the protocols can store these images")
    if "cold" in options.caches and options.preset != "seed" and (why := why_not_cold(scratch)):
        where = start.storage.filesystem or "this file system"
        warn(f"cold loads are left out on {where}: {why}; choose a --scratch on a disk")
        options = replace(options, caches=tuple(name for name in options.caches if name != "cold"))
    room, usable = Scratch(scratch), start.host.usable_cpus
    sizes = measure_sizes(corpus, costs.protocols, options, room, warn)
    session = Session(options, corpus, room, usable, Ledger(steady), Progress(progress), sizes)
    parts = (SeedTable(session, costs), *((Sweep(session, costs),) if options.preset != "seed" else ()))
    sampler = Sampler()
    sentinel = Sentinel(session, sampler)
    rounds = _plan(session, start, parts, 2 * sentinel.visit_ns, say)
    for part in parts:
        part.stage()
    sentinel.stage()
    session.progress.begin(sum(part.regions(number) for part in parts for number in range(rounds)))
    return Prepared(start, session, parts, sentinel, sampler, rounds, Counter(), told)


def measure(bench: Prepared, say: Say) -> None:
    """Run the rounds, as many as the budget allows, and write what is there after each.

    Raises:
        StorageError: the output folder cannot be written.
    """
    options, fewest = bench.session.options, bench.session.options.round_limits[0]
    with bench.sampler:
        for place, part in enumerate(bench.parts):
            later = bench.parts[place + 1 :]
            ahead = sum(other.round_ns(number) for other in later for number in range(fewest)) / 1e9
            slow = [1.0, 1.0]  # time of the last two rounds, over what was expected
            for number in range(bench.rounds):
                left, expected = options.budget_s - bench.start.spent_s - ahead, part.round_ns(number) / 1e9
                if options.rounds is None and number >= fewest and expected * max(slow) > left:
                    reason = f"{part.name}: {number} of {bench.rounds} rounds, since the time was up"
                    bench.warnings.append(reason)
                    say(f"warning    {reason}")
                    break
                begin = time.monotonic()
                part.run_round(number, partial(bench.sentinel.visit, part.name, number))
                slow = [slow[1], (time.monotonic() - begin) / expected]
                bench.done[part.name] = number + 1
                _write(_result(bench, finished=False), options)


def _announce(options: BenchOptions, start: Start, say: Say) -> None:
    host, generated = start.host, f"{options.images} generated 320x240 JPEG images"
    say(f"machine    {host.cpu or host.architecture}, {host.usable_cpus:g} usable CPUs, {host.kernel}")
    say(f"scratch    {start.storage.path} ({start.storage.filesystem or 'unknown file system'})")
    say(f"images     {options.source or generated}")
    say(f"protocols  {', '.join(options.protocols)}")
    if options.preset != "seed":
        say(f"workers    {', '.join(map(str, options.cores))}; {', '.join(options.ops)}")


def _plan(
    session: Session, start: Start, parts: Sequence[SeedTable | Sweep], visits_ns: float, say: Say
) -> int:
    """Return how many rounds fit into the budget, and say what will be measured."""
    options, info = session.options, session.corpus.info

    def round_s(number: int) -> float:
        return sum(part.round_ns(number) + visits_ns for part in parts) / 1e9

    before_s = start.spent_s + sum(part.stage_ns for part in parts) / 1e9
    rounds = options.rounds or rounds_that_fit(options.budget_s - before_s, round_s, *options.round_limits)
    expected = before_s + sum(map(round_s, range(rounds)))
    cut = ", cut at 256 MiB of pixels" if info.cut else ""
    bad = f", {info.unusable} members without one" if info.unusable else ""
    cells = sum(len(part.cells) for part in parts)
    ceilings = sum(part.regions(0) for part in parts) - cells
    size = f"{info.source_bytes / 1e6:.1f} MB encoded, {info.pixel_bytes / 1e6:.1f} MB of pixels"
    say(f"corpus     {info.images} images{cut}{bad}: {size}")
    say(
        f"plan       {cells} cells, {ceilings} ceilings, {rounds} rounds in random order (seed "
        f"{options.seed}), regions of about {options.region_ns / 1e6:.0f} "
        f"ms{' (quick)' if options.quick else ''}"
    )
    budget = f", the target is {options.budget_s:.0f} s" if expected > options.budget_s else ""
    say(f"expected   {expected:.0f} s in all{budget}")
    return rounds


def _write(result: BenchResult, options: BenchOptions) -> BenchResult:
    write_result(result, options.output / "result.json")
    write_whole(options.output / "report.md", report_markdown(result).encode())
    return result


def _result(bench: Prepared, *, finished: bool) -> BenchResult:
    start, options, ledger = bench.start, bench.session.options, bench.session.ledger
    cells, ceilings = cell_results(ledger, bench.session.usable), ceilings_of(ledger)
    result = BenchResult(
        run=Run(
            argv=start.argv,
            preset=options.preset,
            seed=options.seed,
            quick=options.quick,
            brinery=__version__,
            commit=machine.commit(),
            started_at=start.at,
            seconds=round(start.spent_s, 3),
            finished=finished,
            rounds_planned=bench.rounds,
            rounds_done={part.name: bench.done[part.name] for part in bench.parts},
        ),
        host=start.host,
        storage=start.storage,
        software=machine.software(),
        timer=machine.timer(),
        dataset=bench.session.corpus.info,
        settings=Settings(
            **{name: getattr(options, name) for name in _AS_ASKED},
            cache=",".join(options.caches),
            durability=",".join(options.durabilities),
            memory_method=_MEMORY_METHOD,
            dispatch=",".join(options.dispatches),
            total_bytes=options.total,
        ),
        noise=_noise(bench, cells),
        sampler=sampled(bench.sampler, cells),
        warnings=(),
        cells=with_bounds(cells, ceilings),
        ceilings=ceilings,
        startups=tuple(one for part in bench.parts if isinstance(part, Sweep) for one in part.startups),
        sizes=bench.session.sizes,
    )
    return replace(result, warnings=(*bench.warnings, *run_warnings(result)))


def _noise(bench: Prepared, cells: Sequence[CellResult]) -> Noise:
    uses = [sample.machine for cell in cells for sample in cell.samples if sample.machine is not None]
    seen = Noise(
        load_average_before=bench.start.load,
        load_average_after=os.getloadavg()[0],
        foreign_cpu=bench.start.cpu_use.foreign(),
        steal=steal_share(uses, bench.session.usable),
        throttled=share_of_time(uses, "throttled_ns"),
        sentinel=tuple(bench.sentinel.samples),
    )
    return with_sentinel(seen)
