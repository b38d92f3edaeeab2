"""Measures two versions of brinery in one session, region by region in turns, and compares them in pairs.

A pair are two benches in processes of their own, each of which imports one of the two trees. Both do the same
work in the same order, and while the one measures a region, the other waits: what the machine does within
seconds falls on both. The order alternates (A B, B A, A B ...), so that a steady drift favours neither. All
read the same images, with one seed, and what an image costs is found once. A process has its own luck, with
where its memory lies for one: a pair counts once, whatever its rounds, and there are several pairs.
"""

import secrets
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal, NoReturn

from ...engine.corpus import make_corpus
from ...engine.paths import PathLike
from ...engine.workers import pool
from ...errors import BrineryError, UsageError
from ..analysis.noise import with_sentinel
from ..analysis.statistics import scipy
from ..analysis.summary import cell_results
from ..ledger import Ledger
from ..options import BenchArguments, BenchOptions, make_bench_options
from ..regions.session import ignore, scratch_folder
from ..result.file import read_result, write_result
from ..result.result import BenchResult, InTurns
from .compare import Comparison, compare_results
from .progress import Pace, TurnProgress
from .turns import Player
from .versions import Tree, check_tree, make_tree

_PAIRS = 8
_MOST_ROUNDS = 8  # of each pair; more pairs tell more than more rounds of each
_FEWEST_ROUNDS = 3
_REGIONS = 150  # that a pair measures of each version, where that leaves it enough rounds
_SIDES: tuple[Literal["base", "head"], ...] = ("base", "head")
_BENCH = ("-P", "-m", "brinery", "bench")


def run_ab(
    versions: tuple[str, str],
    *,
    source: PathLike | None = None,
    rounds: int | None = None,
    output: PathLike = "bench-out",
    repository: PathLike | None = None,
    say: Callable[[str], None] | None = None,
    progress: Callable[[TurnProgress], None] | None = None,
    after_pair: Callable[[Comparison], None] | None = None,
    **options: Any,
) -> Comparison:
    """Measure two versions in turns and compare them, B being the head.

    Writes base.json and head.json, all rounds of each, into the output folder after every pair; where a bench
    fails, what it said into failed.log. `compare_files` says of the two what this returns.

    Args:
        versions: base and head, each a git revision, a checkout of brinery, or an environment that has it
            installed (bin/python).
        source: an archive of images; by default photo-like images are generated, once.
        rounds: how many pairs of processes; 8 by default. Each measures every cell 3 to 8 times: the fewer
            cells, the more often.
        output: folder for the results, and meanwhile for the trees.
        repository: where the revisions are looked up; by default the current folder.
        say: called with lines of text for people: the plan, and each pair.
        progress: called after every region.
        after_pair: called with what is known so far.
        **options: those of `make_bench_options`, for every bench.

    Raises:
        UsageError: a version that is none, or options that make no sense.
        BrineryError: a bench failed; the message names its log.
        StorageError: the output folder cannot be written.
        MissingLibraryError: scipy is not installed; nothing was measured.
    """
    scipy("stats")
    say = say or ignore
    count = _PAIRS if rounds is None else rounds
    if count < 1:
        raise UsageError(f"rounds must be 1 or more, not {count}")
    options["preset"] = options.get("preset") or "scaling"
    checked = {name: value for name, value in options.items() if name != "protocols"}  # those of another tree
    planned = make_bench_options(source, **checked)
    rounds_each = _rounds_each(planned, options.get("protocols"))
    folder = Path(output)
    with scratch_folder(folder, folder, ".brinery-ab-") as work:
        sides = list(zip(_SIDES, versions, strict=True))
        trees = [make_tree(name, work / side, Path(repository or ".")) for side, name in sides]
        for tree in trees:
            check_tree(tree)
        if source is None:
            source = work / "images"
            make_corpus(source, count=planned.images, seed=options.get("seed", 0))
            pool.shutdown()
        arguments = [str(Path(source).absolute()), *_arguments(options), "--rounds", str(rounds_each)]
        base, head = versions
        say(f"plan       {count} pairs of processes, A of {base} and B of {head}, which take turns")
        say(f"           {rounds_each} rounds in each pair, of {_what(planned, options)}")
        identity = secrets.token_hex(8)
        turns = [InTurns(identity, side, name, rounds_each) for side, name in sides]
        files = [folder / f"{side}.json" for side in _SIDES]
        done: tuple[list[BenchResult], list[BenchResult]] = ([], [])
        pace = Pace(count, say, progress or ignore)
        for number in range(count):
            order = (0, 1) if number % 2 == 0 else (1, 0)
            say(f"pair {number + 1} of {count}: {' and '.join(trees[place].name for place in order)}")
            results = _measure(trees, order, arguments, work, folder / "failed.log", pace)
            for side, result in zip(done, results, strict=True):
                side.append(result)
            merged = [merge_pairs(*both) for both in zip(done, turns, strict=True)]
            for path, result in zip(files, merged, strict=True):
                write_result(result, path)
            found = compare_results(merged[0], merged[1], names=(str(files[0]), str(files[1])))
            (after_pair or ignore)(found)
    return found


def merge_pairs(results: Sequence[BenchResult], turns: InTurns) -> BenchResult:
    """Return one result of several benches of one version, in the order of the pairs.

    Their rounds follow one another. Machine, software, settings, dataset, ceilings and the sampler's timeline
    are the first's; `turns` is what they and those of the other version have in common.
    """
    first, ledger = results[0], Ledger()
    *begins, rounds = accumulate((result.run.rounds_planned for result in results), initial=0)
    for begin, result in zip(begins, results, strict=True):
        for cell in result.cells:
            ledger.expect(cell.name, cell.size.images)
            checks = (cell.verify.checked, cell.verify.wrong)
            for sample in cell.samples:
                ledger.add(cell.name, replace(sample, round=begin + sample.round), *checks)
                checks = (0, 0)
    sentinel = tuple(
        replace(one, round=begin + one.round)
        for begin, result in zip(begins, results, strict=True)
        for one in result.noise.sentinel
    )
    run = replace(
        first.run,
        seconds=round(sum(result.run.seconds for result in results), 3),
        finished=all(result.run.finished for result in results),
        rounds_planned=rounds,
        rounds_done={
            part: sum(result.run.rounds_done[part] for result in results) for part in first.run.rounds_done
        },
    )
    return replace(
        first,
        run=run,
        noise=with_sentinel(replace(first.noise, sentinel=sentinel)),
        warnings=tuple(dict.fromkeys(warning for result in results for warning in result.warnings)),
        cells=cell_results(ledger, first.host.usable_cpus),
        scaling=(),
        recommendations=(),
        in_turns=turns,
    )


def _what(planned: BenchOptions, options: dict[str, Any]) -> str:
    """Return what is measured, in words; the protocols may be those of another tree."""
    what = _text(planned.protocols if options.get("protocols") is None else options["protocols"])
    if planned.preset == "seed":
        return f"{what}: one file an image"
    return f"{what}: {_text(planned.ops)} with {_text(planned.cores)} workers, and one file an image"


def _rounds_each(planned: BenchOptions, protocols: Sequence[str] | str | None) -> int:
    given = protocols.split(",") if isinstance(protocols, str) else protocols or planned.protocols
    cells = len(given) * 2
    if planned.preset != "seed":
        cells += len(given) * len(planned.ops) * (len(planned.cores) + 1)
    return max(_FEWEST_ROUNDS, min(_MOST_ROUNDS, _REGIONS // cells))


def _arguments(options: dict[str, Any]) -> list[str]:
    """Return command-line options of their values, without defaults: an older version may lack the option."""
    defaults = asdict(BenchArguments())
    found = []
    for name, value in options.items():
        if value is not None and value is not False and _text(value) != _text(defaults[name]):
            found += ["--" + name.replace("_", "-"), *([] if value is True else [_text(value)])]
    return found


def _text(value: Any) -> str:
    listed = not isinstance(value, str) and isinstance(value, Sequence)
    return ",".join(map(str, value)) if listed else str(value)


def _measure(
    trees: Sequence[Tree],
    order: tuple[int, int],
    arguments: Sequence[str],
    work: Path,
    failed: Path,
    pace: Pace,
) -> list[BenchResult]:
    """Run one bench of each tree, in turns, and return their results; what one raises is as in `run_ab`."""
    outputs = [Path(tempfile.mkdtemp(prefix=f"{side}-", dir=work)) for side in _SIDES]
    players = [
        Player(
            [tree.python, *_BENCH, *arguments, "--output", str(output)],
            tree.environment(),
            output / "log.txt",
            work / "costs.json",
        )
        for tree, output in zip(trees, outputs, strict=True)
    ]
    try:
        left = [*order, *reversed(order)]
        while left:
            place = left.pop(0)
            more = players[place].play()
            pace.step(players, players[place])
            if more:
                left.append(place)
                continue
            left = [other for other in left if other != place]
            if players[place].end():
                _fail(trees[place], players[place], failed)
    finally:
        for player in players:
            player.stop()
    pace.end_pair()
    results = [read_result(output / "result.json") for output in outputs]
    return [
        replace(result, run=replace(result.run, commit=tree.commit or result.run.commit))
        for result, tree in zip(results, trees, strict=True)
    ]


def _fail(tree: Tree, player: Player, failed: Path) -> NoReturn:
    lines = player.said().strip().splitlines()
    last = lines[-1].removeprefix("brinery: ").removeprefix("Error: ") if lines else "it said nothing"
    shutil.copyfile(player.log, failed)
    kind = UsageError if player.end() == UsageError.exit_code else BrineryError
    raise kind(f"the bench of {tree.name} failed: {last}; see {failed}")
