"""Compares two bench results cell by cell: faster, regressed, same or inconclusive. Measures nothing.

The unit is what is independent: between two runs a round, whose time is the median of its samples; of two
versions in turns a pair of processes. All cells are judged together (Benjamini-Hochberg), against the noise
floor and, between two runs, against what the machine itself changed.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ...engine.paths import PathLike
from ...errors import DatasetError
from ..analysis.noise import with_floor
from ..analysis.statistics import (
    FALSE_DISCOVERIES,
    FEWEST_ROUNDS,
    Judgement,
    benjamini_hochberg,
    detectable_change,
    judge,
    unpaired_ratio,
)
from ..result.cell import Cell
from ..result.estimates import Ratio
from ..result.file import read_result
from ..result.measured import CellResult
from ..result.result import BenchResult
from ..result.stats import median
from .comparable import Difference, differences
from .machine_change import MachineChange
from .pairs import are_pair, by_process, calm_times, independent_times, ratio_in_pairs

SCHEMA = "brinery.compare/1"
FALSE_DISCOVERIES_IN_PAIRS = 0.02  # one version against itself has a call in 1 of 100 measurements

_OTHER_WORK = 1.2  # two prefixes of the corpus whose lengths differ by more are not quite the same work


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two results."""

    name: str  # as the user gave it
    brinery: str  # its version
    commit: str | None  # of the checkout that it ran from, if any
    started_at: str  # ISO 8601
    floor: float | None  # its noise floor, such as 0.02; None if not known
    version: str | None = None  # what was asked to be measured, of two in turns


@dataclass(frozen=True, slots=True, kw_only=True)
class CellChange(Cell):
    """One cell in both results."""

    verdict: Judgement  # "faster", "regressed", "same" or "inconclusive"
    reason: str | None  # why it is inconclusive
    ratio: Ratio  # time an image of B over that of A
    q_value: float | None  # of the ratio among all cells; None below five rounds
    a_ns: float  # time an image in A, median of rounds or, in pairs, of processes
    b_ns: float  # in B
    a_rounds: int  # rounds with a valid sample in A
    b_rounds: int  # in B
    a_images: int  # how many distinct images a worker's pass had in A
    b_images: int  # in B
    # relative change that the machine itself may have had; None if not known, or in pairs
    machine: float | None
    # the least relative slowdown that would be called in nine of ten such comparisons; None below five rounds
    # or pairs, and in comparisons of 0.1.0
    detectable: float | None = None

    @property
    def other_work(self) -> bool:
        """The runs measured prefixes of the corpus that differ by more than a fifth in length."""
        less, more = sorted((self.a_images, self.b_images))
        return more > less * _OTHER_WORK


@dataclass(frozen=True, slots=True, kw_only=True)
class Excluded(Cell):
    """A cell that both results have and that cannot be compared, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Group:
    """The cells of one protocol and operation: geometric mean, least and largest of B over A."""

    protocol: str
    op: str
    cells: int
    ratio: float
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a comparison found."""

    a: Side  # the older, or the base
    b: Side  # the newer
    differences: tuple[Difference, ...]  # what makes them not comparable; then there are no cells
    # the noise floor: the larger one of both or, in pairs, how sure the ratio of half the cells is
    floor: float | None
    paired: bool  # A and B were measured in turns, by pairs of processes
    cells: tuple[CellChange, ...] = ()  # those that both have, in the order of A
    groups: tuple[Group, ...] = ()  # the same by protocol and operation
    only_a: tuple[Cell, ...] = ()  # cells that B lacks
    only_b: tuple[Cell, ...] = ()  # cells that A lacks
    excluded: tuple[Excluded, ...] = ()  # cells that are void in one of them

    @property
    def exit_code(self) -> int:
        """3 not comparable, 1 something regressed, 2 nothing could be decided, else 0."""
        if self.differences:
            return 3
        counts = self.counts
        return 1 if counts["regressed"] else 0 if counts["same"] or counts["faster"] else 2

    @property
    def counts(self) -> dict[str, int]:
        """How many cells got each verdict."""
        verdicts = [change.verdict for change in self.cells]
        return {one: verdicts.count(one) for one in ("regressed", "faster", "same", "inconclusive")}

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON document, schema `brinery.compare/1`."""
        head = {"schema": SCHEMA, "exit_code": self.exit_code, "comparable": not self.differences}
        return {**head, "counts": self.counts, **asdict(self)}


def compare_results(a: BenchResult, b: BenchResult, *, names: tuple[str, str] = ("A", "B")) -> Comparison:
    """Compare two results, the base first: in pairs where they are the sides of one measurement in turns."""
    paired = are_pair(a, b)
    side_a, side_b = (
        Side(
            name=name,
            brinery=one.run.brinery,
            commit=one.run.commit,
            started_at=one.run.started_at,
            floor=with_floor(one.noise).floor,
            version=one.in_turns.version if one.in_turns else None,
        )
        for one, name in zip((a, b), names, strict=True)
    )
    floor = max((side.floor for side in (side_a, side_b) if side.floor is not None), default=None)
    head = Comparison(side_a, side_b, differences(a, b, software=not paired), floor, paired)
    if head.differences:
        return head
    cells_a, cells_b = ({cell.name: cell for cell in result.cells} for result in (a, b))
    both = {name: (cell, cells_b[name]) for name, cell in cells_a.items() if name in cells_b}
    void = {name: reason for name, cells in both.items() if (reason := _void(cells, names))}
    valid = {name: cells for name, cells in both.items() if name not in void}
    found = {name: _measured(cells, (a, b), paired=paired) for name, cells in valid.items()}
    compared = {name: one for name, one in found.items() if one is not None}
    void |= dict.fromkeys(found.keys() - compared.keys(), "no pair of processes measured it in both versions")
    if paired:  # how far apart the same code may seem: half the cells' ratios are surer than that
        ratios = [one.ratio for one in compared.values()]
        reaches = [ratio.high / ratio.value - 1 for ratio in ratios if ratio.high is not None]
        floor = median(reaches) if reaches else None
    changes = _judged(compared, floor, None if paired else MachineChange(a, b))
    return replace(
        head,
        floor=floor,
        cells=changes,
        groups=_groups(changes),
        only_a=tuple(name for name in cells_a if name not in cells_b),
        only_b=tuple(name for name in cells_b if name not in cells_a),
        excluded=tuple(Excluded(**asdict(name), reason=void[name]) for name in both if name in void),
    )


def compare_files(a: PathLike, b: PathLike) -> Comparison:
    """Compare two result files.

    Raises:
        DatasetError: one of them cannot be read, is no result, or holds values that make no sense.
    """
    try:
        return compare_results(read_result(a), read_result(b), names=(str(a), str(b)))
    except (ValueError, ArithmeticError) as error:
        raise DatasetError(f"{a} or {b} is damaged: {error}") from error


@dataclass(frozen=True, slots=True)
class _Measured:
    """What both results say of a cell."""

    ratio: Ratio
    cells: tuple[CellResult, CellResult]
    times: tuple[Mapping[int, float], Mapping[int, float]]  # ns an image of each independent unit
    rounds: tuple[int, int]


def _measured(
    cells: tuple[CellResult, CellResult], results: tuple[BenchResult, BenchResult], *, paired: bool
) -> _Measured | None:
    a, turns = results[0], results[0].in_turns
    ratio: Ratio | None
    if paired and turns is not None:
        in_a, in_b = (calm_times(cell, a.host.usable_cpus) for cell in cells)
        times = (by_process(in_a, turns.rounds_each), by_process(in_b, turns.rounds_each))
        ratio = ratio_in_pairs(in_a, in_b, turns.rounds_each)
    else:
        in_a, in_b = (independent_times(*both) for both in zip(cells, results, strict=True))
        times = (in_a, in_b)
        ratio = unpaired_ratio(list(in_a.values()), list(in_b.values()))
    return None if ratio is None else _Measured(ratio, cells, times, (len(in_a), len(in_b)))


def _void(pair: tuple[CellResult, CellResult], names: tuple[str, str]) -> str:
    """Return why a pair cannot be compared; empty where it can."""
    return "; ".join(
        f"void in {name}: {cell.problem or 'no valid sample'}"
        for cell, name in zip(pair, names, strict=True)
        if not cell.valid or not cell.counting
    )


def _judged(
    found: Mapping[Cell, _Measured], floor: float | None, machine: MachineChange | None
) -> tuple[CellChange, ...]:
    q_values = benjamini_hochberg([one.ratio.p_value for one in found.values()])
    changes = []
    for (name, one), q_value in zip(found.items(), q_values, strict=True):
        ratio, own = one.ratio, machine.of(name) if machine else None
        level, margin, least = FALSE_DISCOVERIES, floor, own
        if ratio.paired:  # its floor is wide where the cells are noisy: that makes none of them the same
            level, margin, least = FALSE_DISCOVERIES_IN_PAIRS, None, floor
        verdict = judge(ratio, q_value, margin, machine=least, level=level)
        changes.append(
            CellChange(
                **asdict(name),
                verdict=verdict,
                reason=_reason(one, own) if verdict == "inconclusive" else None,
                ratio=ratio,
                q_value=q_value,
                a_ns=median(list(one.times[0].values())),
                b_ns=median(list(one.times[1].values())),
                a_rounds=one.rounds[0],
                b_rounds=one.rounds[1],
                a_images=one.cells[0].size.images,
                b_images=one.cells[1].size.images,
                machine=own,
                detectable=detectable_change(ratio, len(found), margin, machine=least, level=level),
            )
        )
    return tuple(changes)


def _reason(one: _Measured, machine: float | None) -> str:
    ratio = one.ratio
    if ratio.rounds < FEWEST_ROUNDS:
        counted = f"pairs ({ratio.rounds})" if ratio.paired else "rounds ({} and {})".format(*one.rounds)
        return f"fewer than {FEWEST_ROUNDS} {counted}"
    excludes = ratio.low is not None and ratio.high is not None and not ratio.low <= 1 <= ratio.high
    if excludes and machine is not None and max(ratio.value, 1 / ratio.value) <= 1 + machine:
        return "the machine itself may have changed as much between the runs: measure both with bench --ab"
    more = "more pairs, with --rounds" if ratio.paired else "more rounds"
    return f"the interval is too wide, or the change too near the noise: measure {more}"


def _groups(changes: Sequence[CellChange]) -> tuple[Group, ...]:
    ratios: dict[tuple[str, str], list[float]] = defaultdict(list)
    for change in changes:
        ratios[change.protocol, change.op].append(change.ratio.value)
    return tuple(
        Group(*key, len(own), math.exp(sum(map(math.log, own)) / len(own)), min(own), max(own))
        for key, own in ratios.items()
    )
