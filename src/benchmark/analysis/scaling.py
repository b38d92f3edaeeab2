"""How throughput grows with workers: which curve, how sure, and where it ends.

The round is the unit. To first order a fitted parameter is the mean of one contribution from each round, so
its interval is Student's t over these. It covers the truth with seven rounds, whatever ties the cells of a
round together; percentiles of resampled rounds are too narrow. `models` has the curves and their sources.
Further:

- the choice: AICc, Hurvich & Tsai, "Regression and time series model selection in small samples",
  Biometrika 1989
- the serial fraction: Karp & Flatt, "Measuring parallel processor performance", Communications of the ACM
  1990
- the interval of the peak, a ratio of two estimates: Fieller, "Some problems in interval estimation",
  Journal of the Royal Statistical Society B 1954
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import truediv

import numpy as np

from ..result.estimates import (
    BandPoint,
    Estimate,
    Model,
    Parameter,
    Peak,
    ScalingFit,
    ScalingPoint,
    TriedCurve,
)
from .curves import FITTED, Blocks, Rounds, fit, log_curve
from .statistics import FEWEST_ROUNDS, Floats, log_mean, student_quantile

_FAR = 1.5  # a curve is followed to this many times the largest N measured
_FAMILY: tuple[Model, ...] = ("linear", "amdahl", "usl")
_CLOCK = 1e-6  # residuals in ln throughput below this are the clock's, not the model's
_GRID = 48
_MOST = 700.0  # exp of more overflows


def karp_flatt(speedup: float, workers: int) -> float:
    """Return the serial fraction (1/S - 1/N) / (1 - 1/N) that a speed-up S by N > 1 workers shows."""
    return (1 / speedup - 1 / workers) / (1 - 1 / workers)


def fit_scaling(throughput: Mapping[int, Sequence[float]], usable_cpus: float) -> ScalingFit:
    """Choose and fit the curve of throughput over workers.

    What is tried depends on the number of distinct N within the usable CPUs: up to 2 nothing (the points
    carry ratios and Karp-Flatt), 3 linear and Amdahl, from 4 on also the USL. Intervals take five rounds or
    more.

    Args:
        throughput: for each number of workers its round medians in the order of rounds, in any unit of work
            per time; NaN where a round has none, and a shorter sequence lacks the last ones.
        usable_cpus: N above it are passed through and not fitted.

    Raises:
        ValueError: a throughput is not positive.
    """
    table = Rounds.of(throughput)
    points = _points(table, usable_cpus)
    table = table.within(usable_cpus)
    rounds, distinct = table.logs.shape
    models = _FAMILY[: 0 if distinct < 3 else 2 if distinct == 3 else 3]
    without = ScalingFit(points, distinct, rounds)
    if not models:
        return without
    blocks = Blocks.of(table)
    tried = _tried(blocks, models)
    if not tried:
        return without
    (best, theta), *_ = tried
    model, curve = best.model, _Curve.of(blocks, theta, models[-1])
    return replace(
        without,
        model=model,
        low_confidence=distinct < 6 and model == "usl",
        candidates=tuple(candidate for candidate, _ in tried),
        parameters=curve.parameters(),
        peak=curve.peak(),
        band=curve.band(),
        superlinear=curve.superlinear,
    )


def _points(table: Rounds, usable_cpus: float) -> tuple[ScalingPoint, ...]:
    """Return what was measured; columns without a value are left out."""
    single = table.logs[:, table.workers == 1]
    found = []
    for workers, logs in zip(table.workers.astype(int).tolist(), table.logs.T, strict=True):
        if np.isnan(logs).all():
            continue
        over = workers > usable_cpus
        gains = logs - single[:, 0] if single.size else np.empty(0)
        gains = gains[~np.isnan(gains)]
        speedup = efficiency = serial = None
        if gains.size:
            speedup = log_mean(gains) if workers > 1 else Estimate(1.0)
            efficiency = _mapped(truediv, speedup, workers)
            if workers > 1 and not over:
                serial = _mapped(karp_flatt, speedup, workers, falling=True)
        there = logs[~np.isnan(logs)]
        found.append(ScalingPoint(workers, there.size, log_mean(there), speedup, efficiency, serial, over))
    return tuple(found)


def _tried(blocks: Blocks, models: Sequence[Model]) -> list[tuple[TriedCurve, Floats]]:
    """Return the curves that fit, the lowest AICc first; on a tie the simpler."""
    count = blocks.freedom
    found = []
    for model in models:
        size = FITTED[model] + 1  # with the noise
        if count <= size + 1:
            continue
        theta = fit(model, blocks)
        mean_square = blocks.squares(theta) / count + _CLOCK**2
        aicc = count * math.log(mean_square) + 2 * size + 2 * size * (size + 1) / (count - size - 1)
        distance = np.abs(blocks.logs - log_curve(theta, blocks.workers)[0]).max()
        found.append((model, aicc, math.expm1(distance), theta))
    least = min((aicc for _, aicc, _, _ in found), default=0.0)
    total = sum(math.exp((least - aicc) / 2) for _, aicc, _, _ in found)
    found.sort(key=lambda one: one[1])
    return [
        (TriedCurve(model, aicc, math.exp((least - aicc) / 2) / total, misfit), theta)
        for model, aicc, misfit, theta in found
    ]


@dataclass(frozen=True, slots=True, eq=False)
class _Curve:
    """The chosen curve, and the free fit that its intervals come from."""

    blocks: Blocks  # the data
    theta: Floats  # the chosen curve's parameters, alpha and beta not negative
    count: int  # how many parameters the widest curve has that may be fitted
    free: Floats  # these fitted, bounds set aside
    covariance: Floats  # of `free`, shape (3, 3)
    reach: float | None  # Student's quantile; None for too few rounds

    @classmethod
    def of(cls, blocks: Blocks, theta: Floats, widest: Model) -> "_Curve":
        """Take the chosen curve; `widest` is the widest that may be fitted."""
        count, free = FITTED[widest], fit(widest, blocks, bounded=False)
        covariance, rounds, reach = np.zeros((3, 3)), blocks.effects.size, None
        if rounds >= FEWEST_ROUNDS:
            covariance[:count, :count] = blocks.covariance(free, count)
            reach = student_quantile(rounds - 1)
        return cls(blocks, theta, count, free, covariance, reach)

    @property
    def farthest(self) -> float:
        return _FAR * float(self.blocks.workers[-1])

    @property
    def superlinear(self) -> bool:
        return self.reach is not None and bool(self.free[1] + self.reach * self._error(1) < 0)

    def parameters(self) -> tuple[Parameter, ...]:
        found = []
        for index, name in enumerate(("gamma", "alpha", "beta")):
            value, error = float(self.theta[index]), self._error(index)
            low = high = None
            if self.reach is not None and (error or not index):
                centre, reach = float(self.free[index]), self.reach * error
                low, high = min(centre - reach, value), max(centre + reach, value)
            if not index:
                estimate = _exponential(value, low, high)  # the throughput of one worker
            else:
                estimate = Estimate(value, None if low is None else max(0.0, low), high)
            found.append(Parameter(name, estimate))
        return tuple(found)

    def peak(self) -> Peak:
        """Return where the curve ends: N* = sqrt((1 - alpha) / beta), at least 1."""
        if self.theta[2] <= 0 or (top := self._optimum()).value > self.farthest:
            return Peak(None, None, beyond_data=True)
        ceiling = self._at(np.array([top.value]))[0]
        if top.high is not None and top.high > self.farthest:
            top = Estimate(top.value, top.low)
        return Peak(top, ceiling, beyond_data=False)

    def band(self) -> tuple[BandPoint, ...]:
        """Return the curve with its band, dense enough to draw."""
        least, most = float(self.blocks.workers[0]), self.farthest
        grid = np.union1d(np.geomspace(least, most, _GRID), self.blocks.workers)
        return tuple(BandPoint(*pair) for pair in zip(grid.tolist(), self._at(grid), strict=True))

    def _error(self, index: int) -> float:
        return math.sqrt(self.covariance[index, index])

    def _at(self, workers: Floats) -> list[Estimate]:
        """Return the curve with its pointwise interval, to first order in its parameters."""
        logs, slopes = log_curve(self.theta, workers)
        if self.reach is None:
            return list(map(_exponential, logs.tolist()))
        slopes = slopes[:, : self.count]
        covariance = self.blocks.covariance(self.theta, self.count)
        errors = np.sqrt(np.einsum("ni,ij,nj->n", slopes, covariance, slopes))
        pairs = zip(logs.tolist(), (self.reach * errors).tolist(), strict=True)
        return [_exponential(log, log - reach, log + reach) for log, reach in pairs]

    def _optimum(self) -> Estimate:
        """Return N* with Fieller's interval: every N whose N^2 beta - (1 - alpha) may be 0."""
        value = math.sqrt(max((1 - self.theta[1]) / self.theta[2], 1.0))
        if self.reach is None:
            return Estimate(value)
        top, bottom, square = 1 - self.free[1], self.free[2], self.reach**2
        (top_top, mixed), (_, bottom_bottom) = self.covariance[1:, 1:]
        # r = N^2 is in when (top - r bottom)^2 <= t^2 var(top - r bottom): a quadratic a r^2 - 2 b r + c <= 0
        a, c = bottom**2 - square * bottom_bottom, top**2 - square * top_top
        b = top * bottom + square * mixed  # cov(1 - alpha, beta) = -mixed
        root = b + math.sqrt(max(b * b - a * c, 0.0))
        low = c / root if root > 0 else 0.0
        high = math.sqrt(max(root / a, 1.0)) if a > 0 else None
        return Estimate(
            value, min(math.sqrt(max(low, 1.0)), value), high if high is None else max(high, value)
        )


def _exponential(value: float, low: float | None = None, high: float | None = None) -> Estimate:
    """Return exp of a value and its ends; an upper end past all numbers is not known."""
    ends = (None if end is None or end >= _MOST else math.exp(end) for end in (low, high))
    return Estimate(math.exp(value), *ends)


def _mapped(
    change: Callable[[float, int], float], estimate: Estimate, workers: int, *, falling: bool = False
) -> Estimate:
    """Return a monotone function of an estimate, its ends swapped where it falls."""
    ends = [None if end is None else change(end, workers) for end in (estimate.low, estimate.high)]
    return Estimate(change(estimate.value, workers), *(reversed(ends) if falling else ends))
