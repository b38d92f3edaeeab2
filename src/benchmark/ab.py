"""Measures two versions of brinery in one session, their rounds alternating, and compares them in pairs.

Each round is a bench in a process of its own that imports one of the two trees. It measures every cell three
times, whose median counts: starting costs more than measuring. The order within pairs alternates (A B, B A,
A B ...), so that a steady drift favours neither. All rounds read the same images, with one seed and options.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from inspect import signature
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from ..engine import pool
from ..engine.corpus import make_corpus
from ..engine.options import PathLike
from ..errors import BrineryError, StorageError, UsageError
from .choices import make_bench_options
from .compare import Comparison, compare_results
from .findings import SentinelSample
from .inference import noise_floor
from .ledger import Ledger
from .matrix import Cell
from .result import BenchResult, Noise
from .result_file import read_result, write_result
from .stats import median

__all__ = ["ROUND", "merge_rounds", "run_ab"]

ROUND = "BRINERY_BENCH_PAGE"
"""Environment variable: "no" where `brinery bench` is a round of two versions in turns, without a page."""

_ROUNDS = 11  # short ones: the closer two lie together, the less the machine changes between them
_SIDES = ("base", "head")
_CLEAN_UP_SECONDS = 30.0  # what a round that is interrupted may take to end
_WHERE = "import brinery, os; print(os.path.realpath(os.path.dirname(brinery.__file__)))"


@dataclass(frozen=True, slots=True)
class Tree:
    """One of the two versions.

    Attributes:
        name: as the user gave it.
        python: the interpreter that runs it.
        path: goes first on PYTHONPATH; None where the interpreter's own brinery is meant.
        commit: what a revision stands for.
    """

    name: str
    python: str
    path: Path | None
    commit: str | None = None

    def environment(self) -> dict[str, str]:
        """Return the environment variables of its processes, workers included."""
        given = dict(os.environ)
        paths = [] if self.path is None else [str(self.path.resolve())]
        given[ROUND] = "no"  # page and ceilings cost more than a round's measuring
        given["PYTHONPATH"] = os.pathsep.join([*paths, *filter(None, [given.get("PYTHONPATH")])])
        return given


def run_ab(
    base: str,
    head: str,
    *,
    source: PathLike | None = None,
    rounds: int | None = None,
    output: PathLike = "bench-out",
    repository: PathLike | None = None,
    say: Callable[[str], None] | None = None,
    **options: Any,
) -> Comparison:
    """Measure two versions in alternating rounds and compare them, B being the head.

    Writes base.json and head.json, the rounds merged, into the output folder after every pair; where a round
    fails, what it said into failed.log.

    Args:
        base: a git revision, a checkout of brinery, or an environment that has it installed (bin/python).
        head: likewise.
        source: an archive of images; by default photo-like images are generated, once.
        rounds: how many of each version; 11 by default.
        output: folder for the results, and meanwhile for the trees.
        repository: where the revisions are looked up; by default the current folder.
        say: called with lines of text for people.
        **options: those of `make_bench_options`, for every round.

    Raises:
        UsageError: a version that is none, or options that make no sense.
        BrineryError: a round failed; the message names its log.
        StorageError: the output folder cannot be written.
    """
    say = say or _ignore
    count = _ROUNDS if rounds is None else rounds
    if count < 1:
        raise UsageError(f"rounds must be 1 or more, not {count}")
    checked = {name: value for name, value in options.items() if name != "protocols"}  # those of another tree
    images = make_bench_options(source, **checked).images
    folder = Path(output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".brinery-ab-", dir=folder.resolve()))
    except OSError as error:
        raise StorageError(f"cannot write into {folder}: {error.strerror}") from error
    try:
        trees = [
            _tree(name, work / side, Path(repository or "."))
            for side, name in zip(_SIDES, (base, head), strict=True)
        ]
        for tree in trees:
            _check(tree)
        if source is None:
            source = work / "images"
            make_corpus(source, count=images, seed=options.get("seed", 0))
            pool.shutdown()
        arguments = [str(Path(source).absolute()), *_arguments(options)]
        done: tuple[list[BenchResult], list[BenchResult]] = ([], [])
        merged: list[BenchResult] = []
        for number in range(count):
            for place in (0, 1) if number % 2 == 0 else (1, 0):
                say(f"round {number + 1} of {count}: {_SIDES[place]}, {trees[place].name}")
                target = work / f"{_SIDES[place]}-{number}"
                done[place].append(_round(trees[place], arguments, target, folder / "failed.log"))
            merged = [merge_rounds(results) for results in done]
            for side, result in zip(_SIDES, merged, strict=True):
                write_result(result, folder / f"{side}.json")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return compare_results(merged[0], merged[1], names=(base, head), paired=True, software=False)


def merge_rounds(results: Sequence[BenchResult]) -> BenchResult:
    """Return one result of several, each a round of it: the nth is round n, from 0, whatever rounds it had.

    Machine, software, settings, dataset, ceilings and the sampler's timeline are the first's.
    """
    first = results[0]
    ledger = Ledger(first.run.seed, first.host.usable_cpus)
    seen: set[Cell] = set()
    for number, result in enumerate(results):
        for cell in result.cells:
            name = Cell(**{field.name: getattr(cell, field.name) for field in fields(Cell)})
            if name not in seen:
                seen.add(name)
                ledger.expect(name, cell.size.images)
            checks = (cell.verify.checked, cell.verify.wrong)
            for sample in cell.samples:
                ledger.add(name, replace(sample, round=number), *checks)
                checks = (0, 0)
    run = replace(
        first.run,
        seconds=round(sum(result.run.seconds for result in results), 3),
        finished=all(result.run.finished for result in results),
        rounds_planned=len(results),
        rounds_done=dict.fromkeys(first.run.rounds_done, len(results)),
    )
    warnings = dict.fromkeys(warning for result in results for warning in result.warnings)
    return replace(
        first,
        run=run,
        noise=_noise(results),
        warnings=tuple(warnings),
        cells=ledger.results(),
        scaling=(),
        recommendations=(),
    )


def _noise(results: Sequence[BenchResult]) -> Noise:
    """Return the noise of all, with the floor of their sentinels: one round's is the median of each name."""
    sentinel = tuple(
        replace(one, round=number) for number, result in enumerate(results) for one in result.noise.sentinel
    )
    rounds = [
        [_sentinel_times(sentinel, number, name) for name in ("a", "b")] for number in range(len(results))
    ]
    both = [(median(a), median(b)) for a, b in rounds if a and b]
    floor = noise_floor([a for a, _ in both], [b for _, b in both]) if both else None
    return replace(results[0].noise, sentinel=sentinel, floor=floor, drift=None, sampler_effect=None)


def _sentinel_times(sentinel: Sequence[SentinelSample], number: int, name: str) -> list[float]:
    return [float(one.wall_ns) for one in sentinel if (one.round, one.name) == (number, name)]


def _ignore(_: str) -> None:
    """Say nothing."""


def _tree(name: str, target: Path, repository: Path) -> Tree:
    """Find or unpack a version.

    Raises:
        UsageError: it is neither a folder with brinery nor a revision.
    """
    folder = Path(name)
    if folder.is_dir():
        if (folder / "bin" / "python").exists():
            return Tree(name, str((folder / "bin").absolute() / "python"), None)
        if (folder / "src" / "errors.py").is_file():
            return Tree(name, sys.executable, _linked(folder / "src", target))
        if (folder / "brinery" / "__init__.py").is_file():
            return Tree(name, sys.executable, folder)
        raise UsageError(f"{name} is neither a checkout of brinery nor an environment that has it")
    found = _git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    commit = None if found is None else found.decode().strip()
    packed = None if commit is None else _git(repository, "archive", "--format=tar", commit, "src")
    if packed is None:
        raise UsageError(
            f"{name!r} is neither a folder nor a git revision with brinery's src in {repository.resolve()}: "
            "run in brinery's checkout"
        )
    checkout = target / "checkout"
    checkout.mkdir(parents=True)
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        archive.extractall(checkout, filter="data")
    return Tree(name, sys.executable, _linked(checkout / "src", target), commit)


def _linked(package: Path, target: Path) -> Path:
    """Return a folder in which the package bears its name."""
    path = target / "path"
    path.mkdir(parents=True)
    (path / "brinery").symlink_to(package.resolve(), target_is_directory=True)
    return path


def _git(repository: Path, *arguments: str) -> bytes | None:
    """Return what git prints, or None where it fails."""
    command = ["git", "-C", str(repository), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def _check(tree: Tree) -> None:
    """Make sure that the tree itself is imported, and no installed brinery instead.

    Raises:
        UsageError: it cannot be imported, or another is.
    """
    done = subprocess.run(
        [tree.python, "-P", "-c", _WHERE], capture_output=True, text=True, check=False, env=tree.environment()
    )
    found = done.stdout.strip()
    if done.returncode or not found:
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise UsageError(f"brinery of {tree.name} cannot be imported: {last}")
    if tree.path is not None and Path(found) != (tree.path / "brinery").resolve():
        raise UsageError(f"for {tree.name} Python imports {found} instead")


def _arguments(options: dict[str, Any]) -> list[str]:
    """Return command-line options of their values, without defaults: an older version may lack the option."""
    defaults = {name: _text(one.default) for name, one in signature(make_bench_options).parameters.items()}
    found = []
    for name, value in options.items():
        if value is None or value is False or _text(value) == defaults[name]:
            continue
        found.append("--" + name.replace("_", "-"))
        if value is not True:
            found.append(_text(value))
    return found


def _text(value: Any) -> str:
    listed = not isinstance(value, str) and isinstance(value, Sequence)
    return ",".join(map(str, value)) if listed else str(value)


def _round(tree: Tree, arguments: Sequence[str], output: Path, failed: Path) -> BenchResult:
    """Run one round and return its result.

    Raises:
        BrineryError: it failed.
        UsageError: it found the options wrong.
    """
    output.mkdir()
    log = output / "log.txt"
    command = [
        tree.python,
        "-P",
        "-m",
        "brinery",
        "bench",
        *arguments,
        "--rounds",
        "1",
        "--output",
        str(output),
    ]
    with log.open("wb") as text:
        code = _run(command, tree.environment(), text)
    if code:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        last = lines[-1].removeprefix("brinery: ").removeprefix("Error: ") if lines else "it said nothing"
        shutil.copyfile(log, failed)
        kind = UsageError if code == UsageError.exit_code else BrineryError
        raise kind(f"a round of {tree.name} failed: {last}; see {failed}")
    result = read_result(output / "result.json")
    return replace(result, run=replace(result.run, commit=tree.commit or result.run.commit))


def _run(command: Sequence[str], environment: dict[str, str], text: BinaryIO) -> int:
    """Run a command to its end and return its exit code; where this is interrupted, so is the command."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=text, stderr=subprocess.STDOUT, env=environment
    )
    try:
        return process.wait()
    except BaseException:
        process.terminate()
        try:
            process.wait(_CLEAN_UP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise
