"""Compares two bench results cell by cell: faster, regressed, same or inconclusive. Measures nothing.

The unit is the round: each gives one time an image, the median of its samples. Of two versions in turns
it is the pair of processes, each with several rounds. All cells are judged together (Benjamini-Hochberg),
against the larger of both runs' noise floors and of what the machine itself changed.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ...engine.paths import PathLike
from ...errors import DatasetError
from ..analysis.statistics import (
    FEWEST_ROUNDS,
    Judgement,
    benjamini_hochberg,
    judge,
    paired_ratio,
    unpaired_ratio,
)
from ..result.cell import Cell
from ..result.estimates import Ratio
from ..result.file import from_document, read_result
from ..result.measured import CellResult, round_times
from ..result.result import BenchResult
from ..result.stats import median
from .comparable import Difference, differences
from .machine_change import MachineChange

SCHEMA = "brinery.compare/1"

_OTHER_WORK = 1.2  # two prefixes of the corpus whose lengths differ by more are not quite the same work


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two results.

    Attributes:
        name: as the user gave it.
        brinery: its version.
        commit: of the checkout that it ran from, if any.
        started_at: ISO 8601.
        floor: its noise floor, such as 0.02; None if not known.
    """

    name: str
    brinery: str
    commit: str | None
    started_at: str
    floor: float | None


@dataclass(frozen=True, slots=True)
class CellChange:
    """One cell in both results.

    Attributes:
        name: which.
        verdict: "faster", "regressed", "same" or "inconclusive".
        reason: why it is inconclusive.
        ratio: time an image of B over that of A.
        q_value: of the ratio among all cells; None below five rounds.
        a_ns: time an image in A, median of rounds.
        b_ns: in B.
        a_rounds: rounds with a valid sample in A.
        b_rounds: in B.
        a_images: how many distinct images a worker's pass had in A.
        b_images: in B.
        machine: relative change that the machine itself may have had; None if not known, or in pairs.
    """

    name: Cell
    verdict: Judgement
    reason: str | None
    ratio: Ratio
    q_value: float | None
    a_ns: float
    b_ns: float
    a_rounds: int
    b_rounds: int
    a_images: int
    b_images: int
    machine: float | None

    @property
    def other_work(self) -> bool:
        """The runs measured prefixes of the corpus that differ by more than a fifth in length."""
        less, more = sorted((self.a_images, self.b_images))
        return more > less * _OTHER_WORK


@dataclass(frozen=True, slots=True)
class Excluded:
    """A cell that both results have and that cannot be compared, and why."""

    name: Cell
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
    """What a comparison found.

    Attributes:
        a: the older, or the base.
        b: the newer.
        differences: what makes them not comparable; then there are no cells.
        floor: the larger noise floor of both.
        paired: A and B were measured in turns, in one session.
        cells: those that both have, in the order of A.
        groups: the same by protocol and operation.
        only_a: cells that B lacks.
        only_b: cells that A lacks.
        excluded: cells that are void in one of them.
    """

    a: Side
    b: Side
    differences: tuple[Difference, ...]
    floor: float | None
    paired: bool
    cells: tuple[CellChange, ...] = ()
    groups: tuple[Group, ...] = ()
    only_a: tuple[Cell, ...] = ()
    only_b: tuple[Cell, ...] = ()
    excluded: tuple[Excluded, ...] = ()

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
        body = asdict(self)
        for key in ("cells", "excluded"):
            body[key] = [{**item.pop("name"), **item} for item in body[key]]
        return {**head, "counts": self.counts, **body}


def compare_results(
    a: BenchResult,
    b: BenchResult,
    *,
    names: tuple[str, str] = ("A", "B"),
    in_turns: int = 0,
    software: bool = True,
) -> Comparison:
    """Compare two results.

    Args:
        a: the older, or the base.
        b: the newer.
        names: what to call them.
        in_turns: how many consecutive rounds one process of A and one of B measured in turns: ratios are
            taken within rounds, and their median over a pair's rounds counts once. 0 for two separate runs.
        software: results with other versions of Python and libraries are not comparable.

    Raises:
        MissingLibraryError: scipy is not installed.
    """
    side_a, side_b = (
        Side(name, one.run.brinery, one.run.commit, one.run.started_at, one.noise.floor)
        for one, name in zip((a, b), names, strict=True)
    )
    floor = max((side.floor for side in (side_a, side_b) if side.floor is not None), default=None)
    head = Comparison(side_a, side_b, differences(a, b, software=software), floor, in_turns > 0)
    if head.differences:
        return head
    cells_a, cells_b = ({cell.name: cell for cell in result.cells} for result in (a, b))
    pairs = {name: (cell, cells_b[name]) for name, cell in cells_a.items() if name in cells_b}
    void = {name: reason for name, pair in pairs.items() if (reason := _void(pair, names))}
    machine = None if in_turns else MachineChange(a, b)
    changes = _judged({name: pairs[name] for name in pairs if name not in void}, floor, machine, in_turns)
    return replace(
        head,
        cells=changes,
        groups=_groups(changes),
        only_a=tuple(name for name in cells_a if name not in cells_b),
        only_b=tuple(name for name in cells_b if name not in cells_a),
        excluded=tuple(Excluded(name, reason) for name, reason in void.items()),
    )


def compare_files(a: PathLike, b: PathLike) -> Comparison:
    """Compare two result files.

    Raises:
        DatasetError: one of them cannot be read, is no result, or holds values that make no sense.
        MissingLibraryError: scipy is not installed.
    """
    try:
        return compare_results(read_result(a), read_result(b), names=(str(a), str(b)))
    except (ValueError, ArithmeticError) as error:
        raise DatasetError(f"{a} or {b} is damaged: {error}") from error


def read_comparison(document: dict[str, Any], name: str) -> Comparison:
    """Return the comparison of a document that `as_dict` made.

    Raises:
        DatasetError: it is damaged.
    """
    nested = dict(document)
    for part in ("cells", "excluded"):
        listed = document.get(part)
        if isinstance(listed, list):
            nested[part] = [{"name": one, **one} if isinstance(one, dict) else one for one in listed]
    return from_document(Comparison, nested, name)


def ratio_in_turns(a: Mapping[int, float], b: Mapping[int, float], rounds_each: int) -> Ratio | None:
    """Return b / a of two versions in turns; None where they have no round in common.

    Args:
        a: one positive value by round.
        b: the other version's values by round.
        rounds_each: how many consecutive rounds one pair of processes measured: the median of their ratios
            counts once.

    Raises:
        MissingLibraryError: scipy is not installed.
    """
    pairs: dict[int, list[float]] = {}
    for number in sorted(a.keys() & b.keys()):
        pairs.setdefault(number // rounds_each, []).append(b[number] / a[number])
    if not pairs:
        return None
    return paired_ratio([1.0] * len(pairs), [median(ratios) for ratios in pairs.values()])


def _void(pair: tuple[CellResult, CellResult], names: tuple[str, str]) -> str:
    """Return why a pair cannot be compared; empty where it can."""
    return "; ".join(
        f"void in {name}: {cell.problem or 'no valid sample'}"
        for cell, name in zip(pair, names, strict=True)
        if not cell.valid or not cell.counting
    )


def _judged(
    pairs: Mapping[Cell, tuple[CellResult, CellResult]],
    floor: float | None,
    machine: MachineChange | None,
    in_turns: int,
) -> tuple[CellChange, ...]:
    """Judge all cells together."""
    times = {name: tuple(round_times(cell.samples) for cell in pair) for name, pair in pairs.items()}
    ratios = {
        name: (ratio_in_turns(a, b, in_turns) if in_turns else None)
        or unpaired_ratio(list(a.values()), list(b.values()))
        for name, (a, b) in times.items()
    }
    q_values = benjamini_hochberg([ratio.p_value for ratio in ratios.values()])
    changes = []
    for (name, ratio), q_value in zip(ratios.items(), q_values, strict=True):
        own = machine.of(name) if machine else None
        verdict = judge(ratio, q_value, floor, machine=own)
        (in_a, in_b), (cell_a, cell_b) = times[name], pairs[name]
        counted = f"pairs ({ratio.rounds})" if ratio.paired else f"rounds ({len(in_a)} and {len(in_b)})"
        changes.append(
            CellChange(
                name=name,
                verdict=verdict,
                reason=_reason(ratio, counted, own) if verdict == "inconclusive" else None,
                ratio=ratio,
                q_value=q_value,
                a_ns=median(list(in_a.values())),
                b_ns=median(list(in_b.values())),
                a_rounds=len(in_a),
                b_rounds=len(in_b),
                a_images=cell_a.size.images,
                b_images=cell_b.size.images,
                machine=own,
            )
        )
    return tuple(changes)


def _reason(ratio: Ratio, counted: str, machine: float | None) -> str:
    if ratio.rounds < FEWEST_ROUNDS:
        return f"fewer than {FEWEST_ROUNDS} {counted}"
    excludes = ratio.low is not None and ratio.high is not None and not ratio.low <= 1 <= ratio.high
    if excludes and machine is not None and max(ratio.value, 1 / ratio.value) <= 1 + machine:
        return "the machine itself may have changed as much between the runs: measure both with bench --ab"
    return "the interval is too wide, or the change too near the noise: measure more rounds"


def _groups(changes: Sequence[CellChange]) -> tuple[Group, ...]:
    ratios: dict[tuple[str, str], list[float]] = defaultdict(list)
    for change in changes:
        ratios[change.name.protocol, change.name.op].append(change.ratio.value)
    return tuple(
        Group(*key, len(own), math.exp(sum(map(math.log, own)) / len(own)), min(own), max(own))
        for key, own in ratios.items()
    )
