"""What follows from all cells and ceilings together: bounds, curves, limits, recommendations. Pure."""

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from ...errors import MissingLibraryError
from ..result.cell import Variant
from ..result.estimates import ScalingFit
from ..result.findings import Ceiling, Scaling, Verdict
from ..result.measured import CellResult, round_times
from ..result.result import BenchResult
from .bottleneck import find_limit
from .ceilings import Ceilings, bound_of, facts_of
from .noise import with_floor
from .recommend import recommend
from .scaling import fit_scaling
from .warnings import trouble_of

WITHOUT_SCIPY = (
    "scipy is not installed, so drift, noise floor, the sampler's effect, early stops, curves and "
    "recommendations are left out: pip install 'brinery[bench]'"
)


def conclude(result: BenchResult) -> BenchResult:
    """Return the result with its curves, limits and recommendations."""
    concluded = replace(result, scaling=scaling_of(result.cells, result.ceilings, result.host.usable_cpus))
    try:
        return with_recommendations(concluded)
    except MissingLibraryError:
        return replace(concluded, warnings=(*result.warnings, WITHOUT_SCIPY))


def with_recommendations(result: BenchResult) -> BenchResult:
    """Return the result with the noise floor and the recommendations that follow from its cells."""
    result = replace(result, noise=with_floor(result.noise))
    weights, seed = result.settings.weights, result.run.seed
    return replace(result, recommendations=recommend(result, weights, seed=seed, trouble=trouble_of(result)))


def with_bounds(cells: Sequence[CellResult], ceilings: Sequence[Ceiling]) -> tuple[CellResult, ...]:
    """Return the cells, each with the ceiling nearest to it."""
    known = Ceilings(ceilings)
    return tuple(replace(cell, bound=bound_of(cell, known)) for cell in cells)


def scaling_of(
    cells: Sequence[CellResult], ceilings: Sequence[Ceiling], usable_cpus: float
) -> tuple[Scaling, ...]:
    """Return the curve and the limits of every protocol and operation over worker processes."""
    known, found = Ceilings(ceilings), []
    for own in _curves(cells).values():
        first = next(iter(own.values()))
        found.append(
            Scaling(
                protocol=first.protocol,
                op=first.op,
                cache=first.cache,
                durability=first.durability,
                dispatch=first.dispatch,
                fit=_fit(own, usable_cpus),
                verdicts=_verdicts(own, known, usable_cpus),
            )
        )
    return tuple(found)


def with_limits(result: BenchResult) -> BenchResult:
    """Return the result with the limits that follow from its cells."""
    known, curves = Ceilings(result.ceilings), _curves(result.cells)
    found = []
    for one in result.scaling:
        own = curves.get((one.protocol, Variant.of(one)), {})
        found.append(replace(one, verdicts=_verdicts(own, known, result.host.usable_cpus) or one.verdicts))
    return replace(result, scaling=tuple(found))


def _curves(cells: Sequence[CellResult]) -> dict[tuple[str, Variant], dict[int, CellResult]]:
    """Return the cells of worker processes by number of workers, for each protocol and variant."""
    curves: dict[tuple[str, Variant], dict[int, CellResult]] = {}
    for cell in cells:
        if cell.pool == "loky":
            curves.setdefault((cell.protocol, Variant.of(cell)), {})[cell.workers] = cell
    return curves


def _verdicts(cells: dict[int, CellResult], ceilings: Ceilings, usable_cpus: float) -> tuple[Verdict, ...]:
    """Return what limits one protocol and operation at each number of workers."""
    facts = (facts_of(cells[workers], cells.get(1), ceilings, usable_cpus) for workers in sorted(cells))
    return tuple(find_limit(one) for one in facts if one is not None)


def _fit(cells: dict[int, CellResult], usable_cpus: float) -> ScalingFit | None:
    """Return the curve of images/s; None without scipy, or where nothing is valid."""
    times = {workers: round_times(cell.samples) for workers, cell in cells.items() if cell.valid}
    rounds = range(1 + max((number for found in times.values() for number in found), default=-1))
    throughput = {
        workers: [1e9 / found.get(number, math.nan) for number in rounds]
        for workers, found in times.items()
        if found
    }
    with suppress(MissingLibraryError):
        return fit_scaling(throughput, usable_cpus) if throughput else None
    return None
