"""Curves of throughput over workers, and their least-squares fit in log throughput.

With N workers and gamma the throughput of one:

- linear: X = gamma N
- Amdahl: X = gamma N / (1 + alpha (N-1)); alpha is the share that only one can do. Amdahl, "Validity of the
  single processor approach to achieving large scale computing capabilities", AFIPS 1967.
- USL: X = gamma N / (1 + alpha (N-1) + beta N (N-1)); beta is the cost of keeping each pair consistent.
  Gunther, "Guerrilla Capacity Planning", Springer 2007.
- saturating: X = gamma N / (1 + (N/s)^4)^(1/4). Its asymptotes gamma N and gamma s are the bounds of a system
  with one bottleneck (Denning & Buzen, "The operational analysis of queueing network models", ACM Computing
  Surveys 1978); at N = s it passes 16 % below their corner, as waiting for one another does.

Amdahl's curve is the USL at beta = 0 and the line is the USL at alpha = beta = 0. So the three are one
family, whose parameters theta are (ln gamma, alpha, beta); the saturating curve has (ln gamma, ln s).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..result.estimates import Model

__all__ = [
    "FREE",
    "Blocks",
    "Floats",
    "Points",
    "Rounds",
    "fit",
    "fit_within_bounds",
    "log_curve",
    "squares",
]

Floats: TypeAlias = NDArray[np.float64]

FREE: dict[Model, tuple[int, ...]] = {"linear": (), "amdahl": (1,), "usl": (1, 2), "saturating": (1,)}
"""Which of theta are fitted beside ln gamma; the others stay 0."""

_SHARPNESS = 4
_STEPS = 60
_SMALLEST_STEP = 1e-6
_ENOUGH = 1e-13
_FARTHEST = 4  # a saturation beyond 4 x the largest N is a straight line at any noise


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """What a curve is fitted to, three arrays of shape (n,).

    Attributes:
        workers: distinct counts, ascending.
        logs: mean ln throughput at each.
        weights: how many values each mean stands for.
    """

    workers: Floats
    logs: Floats
    weights: Floats

    def mean(self, values: Floats) -> Floats:
        """Return the weighted mean over the points, the first axis."""
        return np.asarray(self.weights @ values / self.weights.sum())


@dataclass(frozen=True, slots=True, eq=False)
class Rounds:
    """Measurements as a table.

    Attributes:
        workers: distinct counts, ascending, shape (n,).
        logs: ln throughput, shape (rounds, n), NaN where missing.
    """

    workers: Floats
    logs: Floats

    @classmethod
    def of(cls, throughput: Mapping[int, Sequence[float]]) -> "Rounds":
        """Take values by number of workers, each in the order of rounds; the shorter lack the last ones.

        Raises:
            ValueError: a value is not positive.
        """
        workers = sorted(throughput)
        logs = np.full((max(map(len, throughput.values()), default=0), len(workers)), np.nan)
        for column, count in enumerate(workers):
            values = np.asarray(throughput[count], dtype=np.float64)
            if np.any(values <= 0):
                raise ValueError(f"throughput of {count} workers must be positive")
            logs[: values.size, column] = np.log(values)
        return cls(np.asarray(workers, dtype=np.float64), logs)

    def within(self, most: float) -> "Rounds":
        """Return the columns up to `most` workers and their rounds, without those that are empty."""
        there = ~np.isnan(self.logs)
        columns = (self.workers <= most) & there.any(axis=0)
        return Rounds(self.workers[columns], self.logs[np.ix_(there[:, columns].any(axis=1), columns)])


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Measurements freed from what all cells of a round have in common.

    Attributes:
        points: the mean of each column.
        effects: how much faster each round was than the rest, in ln, shape (rounds,), by the additive model.
        rests: ln throughput less its round's effect, shape (rounds, n), NaN where missing.
    """

    points: Points
    effects: Floats
    rests: Floats

    @classmethod
    def of(cls, table: Rounds) -> "Blocks":
        """Split measurements of which no row and no column is empty."""
        rounds, columns = table.logs.shape
        row, column = np.nonzero(~np.isnan(table.logs))
        design = np.zeros((row.size, rounds + columns))
        design[np.arange(row.size), row] = 1
        design[np.arange(row.size), rounds + column] = 1
        effects = np.linalg.lstsq(design, table.logs[row, column], rcond=None)[0][:rounds]
        effects = effects - effects.mean()
        rests = table.logs - effects[:, None]
        weights = np.bincount(column, minlength=columns).astype(np.float64)
        return cls(Points(table.workers, np.nanmean(rests, axis=0), weights), effects, rests)

    @property
    def freedom(self) -> int:
        """How many independent values there are: all, less one for each round but one."""
        return int(self.points.weights.sum()) - self.effects.size + 1

    def squares(self, model: Model, theta: Floats) -> float:
        """Return the sum of squared residuals of all values in ln throughput."""
        within = float(np.nansum((self.rests - self.points.logs) ** 2))
        return within + squares(model, theta, self.points)

    def covariance(self, model: Model, theta: Floats, columns: Sequence[int]) -> Floats:
        """Return the covariance of the parameters in `columns`, from two rounds or more.

        The estimate is to first order the mean over R rounds of the vectors R (J'J)^-1 J' residual, so its
        covariance is theirs over R, whatever correlation or spread the cells of a round have.
        """
        logs, slopes = log_curve(model, theta, self.points.workers)
        slopes = slopes[:, columns]
        rounds = self.effects.size
        inverse = np.linalg.pinv(slopes.T @ (slopes * self.points.weights[:, None]))
        contributions = rounds * np.nan_to_num(self.rests - logs) @ slopes @ inverse
        contributions[:, 0] += self.effects
        return np.atleast_2d(np.cov(contributions, rowvar=False)) / rounds


def log_curve(model: Model, theta: Floats, workers: Floats) -> tuple[Floats, Floats]:
    """Return ln X at `workers`, shape (n,), and its derivatives by theta, shape (n, len(theta)).

    Where alpha or beta are so negative that X would be, ln X is NaN.
    """
    ones = np.ones_like(workers)
    if model == "saturating":
        power = (workers / np.exp(theta[1])) ** _SHARPNESS
        logs = theta[0] + np.log(workers) - np.log1p(power) / _SHARPNESS
        return logs, np.column_stack([ones, power / (1 + power)])
    others = workers - 1
    pairs = workers * others
    cost = 1 + theta[1] * others + theta[2] * pairs
    cost = np.where(cost > 0, cost, np.nan)
    return theta[0] + np.log(workers / cost), np.column_stack([ones, -others / cost, -pairs / cost])


def squares(model: Model, theta: Floats, points: Points) -> float:
    """Return the weighted sum of squared residuals in ln throughput; inf where the curve has no value."""
    residual = points.logs - log_curve(model, theta, points.workers)[0]
    total = float(points.weights @ residual**2)
    return total if np.isfinite(total) else np.inf


def fit(model: Model, points: Points, free: tuple[int, ...] | None = None) -> Floats | None:
    """Return theta by Gauss-Newton steps, each halved until it helps; alpha and beta may become negative.

    Args:
        model: the curve.
        points: at least as many as there are parameters.
        free: which of theta to fit beside ln gamma; those of the model by default.

    Returns:
        theta, or None where the points show no saturation.
    """
    free = FREE[model] if free is None else free
    theta = _start(model, points, free)
    total = squares(model, theta, points)
    roots = np.sqrt(points.weights)
    for _ in range(_STEPS if free else 0):
        logs, slopes = log_curve(model, theta, points.workers)
        moved = slopes[:, free] - points.mean(slopes[:, free])
        step = np.linalg.lstsq(moved * roots[:, None], (points.logs - logs) * roots, rcond=None)[0]
        step = np.clip(step, -1, 1)  # ln s: not out of sight at once
        size, before = 1.0, total
        while size > _SMALLEST_STEP:
            tried = theta.copy()
            tried[list(free)] += size * step
            tried = _levelled(model, tried, points)
            total = squares(model, tried, points)
            if total <= before:
                theta = tried
                break
            size /= 2
        if not total < before - _ENOUGH * (1 + before):
            break
    if model == "saturating" and not 0 < theta[1] < np.log(_FARTHEST * points.workers[-1]):
        return None
    return theta


def fit_within_bounds(model: Model, points: Points) -> Floats | None:
    """Return theta with alpha, beta >= 0; where the free fit breaks a bound, the best along the bounds."""
    free = FREE[model]
    best = fit(model, points)
    if model == "saturating" or best is None or bool(np.all(best[1:] >= 0)):
        return best
    edges = [fit(model, points, kept) for kept in ((), *((index,) for index in free if len(free) > 1))]
    allowed = [theta for theta in edges if theta is not None and bool(np.all(theta[1:] >= 0))]
    return min(allowed, key=lambda theta: squares(model, theta, points))


def _levelled(model: Model, theta: Floats, points: Points) -> Floats:
    """Return theta with the best ln gamma for its other parameters."""
    rest = points.logs - log_curve(model, theta, points.workers)[0]
    return np.concatenate([[theta[0] + points.mean(rest)], theta[1:]])


def _start(model: Model, points: Points, free: tuple[int, ...]) -> Floats:
    """Return where the steps begin."""
    if model == "saturating":
        grid = np.linspace(0, np.log(_FARTHEST * points.workers[-1]), 40)[1:-1]
        starts = [_levelled(model, np.array([0.0, value]), points) for value in grid]
        return min(starts, key=lambda theta: squares(model, theta, points))
    # N / X is linear in 1 / gamma, alpha / gamma, beta / gamma; divided by itself, the noise is relative.
    columns = np.column_stack(
        [np.ones_like(points.workers), points.workers - 1, points.workers * (points.workers - 1)]
    )
    kept = [0, *free]
    times = points.workers * np.exp(-points.logs)
    solved = np.linalg.lstsq(columns[:, kept] / times[:, None], np.ones_like(times), rcond=None)[0]
    theta = np.zeros(3)
    if solved[0] > 0:
        theta[kept] = solved / solved[0]
    theta[0] = 0
    if not np.isfinite(squares(model, theta, points)):
        theta[:] = 0
    return _levelled(model, theta, points)
