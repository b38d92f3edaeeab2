"""Runs a bench from its options to its result, writing result.json after every round."""

import contextlib
import os
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .. import __version__
from ..engine import pool
from ..engine.collecting import only_new_garbage
from ..engine.cpus import usable_cpus
from ..engine.options import PathLike
from ..engine.sampler import Sampler
from ..errors import BrineryError, BrineryWarning, NoProcessesError, StorageError
from ..parser.archives import check_sources
from . import host as machine
from .analysis.conclude import conclude, with_bounds
from .analysis.noise import noise_of
from .analysis.summary import ceilings_of, cell_results, steady
from .analysis.warnings import run_warnings, steal_share, throttled_share
from .calibrate import calibrate, share_costs
from .cells import rounds_that_fit
from .ledger import Ledger
from .options import BenchOptions, make_bench_options
from .regions.article import SeedTable
from .regions.scaling import Sweep
from .regions.sentinel import Sentinel
from .regions.session import BenchProgress, Session
from .result.file import write_result
from .result.measured import CellResult
from .result.result import BenchResult, CorpusInfo, Noise, Run, Settings
from .sampled import sampled
from .text.report import report_markdown
from .worker.corpus import make_corpus
from .worker.page_cache import why_not_cold

__all__ = ["BenchInterrupted", "run_benchmark"]

_MEMORY_METHOD = (
    "sum over workers of PSS at the region's end plus what resident memory had been above it within the "
    "region (VmHWM after clear_refs), plus the parent's PSS; dump holds its source arrays"
)


class BenchInterrupted(KeyboardInterrupt):
    """The bench was interrupted; what was finished is in `result`, and in the output folder."""

    def __init__(self, result: BenchResult) -> None:
        super().__init__("interrupted")
        self.result = result


def run_benchmark(
    source: PathLike | None = None,
    *,
    progress: Callable[[BenchProgress], None] | None = None,
    say: Callable[[str], None] | None = None,
    argv: tuple[str, ...] | None = None,
    **options: Any,
) -> BenchResult:
    """Measure protocols and numbers of workers; write result.json and report.md into the output folder.

    Args:
        source: an archive of images; by default photo-like images are generated.
        progress: called before the first timed region and after every one.
        say: called with lines of text for people: the plan, what is being done.
        argv: the command, for the result; by default this process's.
        **options: those of `make_bench_options`, such as `cores=(1, 2)`, `protocols=("npy", "hdf5")`.

    Raises:
        UsageError: options make no sense.
        ArchiveError: the source cannot be listed, or holds no image.
        StorageError: the output or scratch folder cannot be written.
        BenchInterrupted: on Ctrl-C, with the rounds that were finished.
    """
    settings = make_bench_options(source, **options)
    if not Path("/proc/self/stat").exists():
        raise BrineryError("/proc is not mounted: a bench reads there what machine and processes do")
    if settings.source is not None:
        check_sources([settings.source])
    with _scratch(settings) as scratch:
        bench = _Bench(settings, scratch, progress or _ignore, say or _ignore, argv or tuple(sys.argv))
        return bench.perform()


def _ignore(_: object) -> None:
    """Take what nobody asked for."""


@contextlib.contextmanager
def _scratch(options: BenchOptions) -> Iterator[Path]:
    folder = options.scratch or options.output
    try:
        options.output.mkdir(parents=True, exist_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".brinery-bench-", dir=folder.resolve()))
    except OSError as error:
        raise StorageError(f"cannot write into {folder}: {error.strerror}") from error
    try:
        yield scratch
    except OSError as error:
        raise StorageError(
            f"cannot go on in {scratch}: {error.strerror or error}; make room, or choose --scratch"
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@dataclass(slots=True)
class _Part:
    """The seed's table or the sweep, and how many of its rounds are done."""

    name: str
    work: SeedTable | Sweep
    done: int = 0


class _Bench:
    def __init__(
        self,
        options: BenchOptions,
        scratch: Path,
        progress: Callable[[BenchProgress], None],
        say: Callable[[str], None],
        argv: tuple[str, ...],
    ) -> None:
        self._options = options
        self._scratch = scratch
        self._progress = progress
        self._say = say
        self._argv = argv
        self._begin = time.monotonic()
        self._started_at = datetime.now(UTC).isoformat(timespec="seconds")
        self._usable = usable_cpus()
        self._host = machine.host()
        self._storage = machine.storage(scratch.parent)
        self._ledger = Ledger(steady)
        self._sampler = Sampler()
        self._warnings: list[str] = []
        self._load_before = os.getloadavg()[0]
        self._cpu_use = machine.CpuUse()
        self._parts: list[_Part] = []
        self._sentinel: Sentinel | None = None
        self._rounds = 0
        self._corpus: CorpusInfo | None = None

    def perform(self) -> BenchResult:
        """Prepare, measure, write."""
        self._options = self._without_workers(self._options)
        output = self._options.output
        self._announce()
        try:
            # Regions in this process collect before they begin; that threads work was said once.
            with warnings.catch_warnings(), only_new_garbage():
                warnings.simplefilter("ignore", BrineryWarning)
                self._prepare()
                with self._sampler:
                    for part in self._parts:
                        self._measure(part)
        except KeyboardInterrupt as interruption:
            if self._corpus is None:
                raise
            raise BenchInterrupted(self._write(finished=False, last=True)) from interruption
        finally:
            pool.shutdown()
        result = self._write(finished=True, last=True)
        self._say(f"wrote {output / 'result.json'} and {output / 'report.md'}")
        return result

    def _without_workers(self, options: BenchOptions) -> BenchOptions:
        """Return the options without the sweep over workers where no process can be started."""
        try:
            pool.check_processes()
        except NoProcessesError as error:
            left_out = "" if options.preset == "seed" else "; what is measured over workers is left out"
            self._warn(f"{error}{left_out}")
            return replace(options, preset="seed")
        return options

    def _announce(self) -> None:
        options, host = self._options, self._host
        what = str(options.source) if options.source else f"{options.images} generated 320x240 JPEG images"
        self._say(f"machine    {host.cpu or host.architecture}, {self._usable:g} usable CPUs, {host.kernel}")
        self._say(f"scratch    {self._storage.path} ({self._storage.filesystem or 'unknown file system'})")
        self._say(f"images     {what}")
        self._say(f"protocols  {', '.join(options.protocols)}")
        if options.preset != "seed":
            self._say(f"workers    {', '.join(map(str, options.cores))}; {', '.join(options.ops)}")

    def _prepare(self) -> None:
        options = self._options
        corpus = make_corpus(options.source, self._scratch, limit=options.images, seed=options.seed)
        self._corpus = corpus.info
        folder = self._scratch / "calibration"
        folder.mkdir()
        costs = calibrate(corpus, options.protocols, folder)
        if options.costs is not None:
            costs = share_costs(costs, options.costs)
        for label, reason in costs.failed.items():
            self._warn(f"{label} cannot be measured on these images: {reason}")
        if not costs.protocols:
            raise BrineryError("none of the protocols can store these images")
        options = self._options = self._without_cold(options)
        session = Session(options, corpus, self._scratch, self._usable, self._ledger, self._progress)
        self._sentinel = Sentinel(session, self._sampler)
        session.visit = self._sentinel.visit
        self._parts.append(_Part("seed", SeedTable(session, costs)))
        if options.preset != "seed":
            self._parts.append(_Part("scaling", Sweep(session, costs)))
        self._plan()
        session.regions = sum(
            part.work.regions(number) for part in self._parts for number in range(self._rounds)
        )
        for part in self._parts:
            part.work.stage()
        self._sentinel.stage()
        self._progress(BenchProgress(0, session.regions, "prepared"))

    def _without_cold(self, options: BenchOptions) -> BenchOptions:
        """Return the options without cold loads where they cannot be made sure of."""
        if "cold" not in options.caches or options.preset == "seed":
            return options
        reason = why_not_cold(self._scratch)
        if reason is None:
            return options
        where = self._storage.filesystem or "this file system"
        self._warn(f"cold loads are left out on {where}: {reason}; choose a --scratch on a disk")
        return replace(options, caches=tuple(name for name in options.caches if name != "cold"))

    def _plan(self) -> None:
        options, info = self._options, self._corpus
        assert info is not None
        assert self._sentinel is not None
        visits_ns = 2 * self._sentinel.visit_ns

        def round_s(number: int) -> float:
            return sum(part.work.round_ns(number) + visits_ns for part in self._parts) / 1e9

        stage_s = sum(part.work.stage_ns for part in self._parts) / 1e9
        spent_s = time.monotonic() - self._begin
        fewest, most = options.round_limits
        self._rounds = options.rounds or rounds_that_fit(
            options.budget_s - spent_s - stage_s, round_s, fewest, most
        )
        expected = spent_s + stage_s + sum(map(round_s, range(self._rounds)))
        cut = ", cut at 256 MiB of pixels" if info.cut else ""
        bad = f", {info.unusable} members without one" if info.unusable else ""
        cells = sum(len(part.work.cells) for part in self._parts)
        ceilings = sum(part.work.regions(0) for part in self._parts) - cells
        self._say(
            f"corpus     {info.images} images{cut}{bad}: {info.source_bytes / 1e6:.1f} MB encoded, "
            f"{info.pixel_bytes / 1e6:.1f} MB of pixels"
        )
        self._say(
            f"plan       {cells} cells, {ceilings} ceilings, {self._rounds} rounds in random order "
            f"(seed {options.seed}), regions of about {options.region_ns / 1e6:.0f} ms"
            f"{' (quick)' if options.quick else ''}"
        )
        budget = f", the target is {options.budget_s:.0f} s" if expected > options.budget_s else ""
        self._say(f"expected   {expected:.0f} s in all{budget}")

    def _measure(self, part: _Part) -> None:
        options = self._options
        fewest = options.round_limits[0]
        slow = [1.0, 1.0]  # time of the last two rounds, over what was expected
        for number in range(self._rounds):
            later = [other for other in self._parts if other.done == 0 and other is not part]
            ahead = sum(other.work.round_ns(coming) for other in later for coming in range(fewest)) / 1e9
            left = options.budget_s - (time.monotonic() - self._begin) - ahead
            expected = part.work.round_ns(number) / 1e9
            if options.rounds is None and number >= fewest and expected * max(slow) > left:
                self._warn(f"{part.name}: {number} of {self._rounds} rounds, since the time was up")
                return
            begin = time.monotonic()
            part.work.run_round(number)
            slow = [slow[1], (time.monotonic() - begin) / expected]
            part.done = number + 1
            self._write(finished=False)

    def _warn(self, text: str) -> None:
        self._warnings.append(text)
        self._say(f"warning    {text}")

    def _write(self, *, finished: bool, last: bool = False) -> BenchResult:
        result = self._result(finished=finished)
        if last:
            result = conclude(result)
        write_result(result, self._options.output / "result.json")
        report = self._options.output / "report.md"
        try:
            report.write_text(report_markdown(result), encoding="utf-8")
        except OSError as error:
            raise StorageError(f"cannot write {report}: {error.strerror}") from error
        return result

    def _result(self, *, finished: bool) -> BenchResult:
        options = self._options
        assert self._corpus is not None
        ceilings = ceilings_of(self._ledger)
        result = BenchResult(
            run=Run(
                argv=self._argv,
                preset=options.preset,
                seed=options.seed,
                quick=options.quick,
                brinery=__version__,
                commit=machine.commit(),
                started_at=self._started_at,
                seconds=round(time.monotonic() - self._begin, 3),
                finished=finished,
                rounds_planned=self._rounds,
                rounds_done={part.name: part.done for part in self._parts},
            ),
            host=self._host,
            storage=self._storage,
            software=machine.software(),
            timer=machine.timer(),
            dataset=self._corpus,
            settings=Settings(
                cores=options.cores,
                protocols=options.protocols,
                ops=options.ops,
                rounds=options.rounds,
                budget_s=options.budget_s,
                limit=options.limit,
                region_ns=options.region_ns,
                cache=",".join(options.caches),
                durability=",".join(options.durabilities),
                memory_method=_MEMORY_METHOD,
                dispatch=",".join(options.dispatches),
                weights=options.weights,
            ),
            noise=self._noise(),
            sampler=sampled(self._sampler, self._cells()),
            warnings=(),
            cells=with_bounds(self._cells(), ceilings),
            ceilings=ceilings,
            startups=tuple(
                one for part in self._parts if isinstance(part.work, Sweep) for one in part.work.startups
            ),
        )
        return replace(result, warnings=(*self._warnings, *run_warnings(result)))

    def _cells(self) -> tuple[CellResult, ...]:
        return cell_results(self._ledger, self._usable)

    def _noise(self) -> Noise:
        uses = [use for cell in self._cells() for s in cell.samples if (use := s.machine) is not None]
        samples = self._sentinel.samples if self._sentinel is not None else []
        found = noise_of(samples)
        return Noise(
            load_average_before=self._load_before,
            load_average_after=os.getloadavg()[0],
            foreign_cpu=self._cpu_use.foreign(),
            steal=steal_share(uses, self._usable),
            throttled=throttled_share(uses),
            sentinel=tuple(samples),
            drift=found.drift,
            floor=found.floor,
            sampler_effect=found.sampler_effect,
        )
