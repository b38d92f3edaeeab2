"""Curves of throughput over workers, and their least-squares fit in log throughput.

With N workers and gamma the throughput of one:

- linear: X = gamma N
- Amdahl: X = gamma N / (1 + alpha (N-1)); alpha is the share that only one can do. Amdahl, "Validity of the
  single processor approach to achieving large scale computing capabilities", AFIPS 1967.
- USL: X = gamma N / (1 + alpha (N-1) + beta N (N-1)); beta is the cost of keeping each pair consistent.
  Gunther, "Guerrilla Capacity Planning", Springer 2007.

Amdahl's curve is the USL at beta = 0, and the line is the USL at alpha = beta = 0: one family with the
parameters theta = (ln gamma, alpha, beta).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..result.estimates import Model
from .statistics import Floats, scipy

FITTED: dict[Model, int] = {"linear": 1, "amdahl": 2, "usl": 3}
"""How many of theta are fitted; the others are 0."""

_TOLERANCE = 1e-12
_NOTHING = 1e-9  # a bounded alpha or beta that is less lies on its bound


@dataclass(frozen=True, slots=True, eq=False)
class Rounds:
    """Measurements as a table."""

    workers: Floats  # distinct counts, ascending, shape (n,)
    logs: Floats  # ln throughput, shape (rounds, n), NaN where missing

    @classmethod
    def of(cls, throughput: Mapping[int, Sequence[float]]) -> "Rounds":
        """Take values by number of workers, each in the order of rounds; the shorter lack the last ones.

        ValueError is raised where one is not positive.
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
    """Measurements without what all cells of a round have in common; a curve is fitted to their means."""

    workers: Floats  # distinct counts, ascending, shape (n,)
    logs: Floats  # mean ln throughput at each, shape (n,)
    weights: Floats  # how many values each mean stands for, shape (n,)
    effects: Floats  # how much faster each round was than the rest, in ln, shape (rounds,)
    rests: Floats  # ln throughput less its round's effect, shape (rounds, n), NaN where missing

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
        return cls(table.workers, np.nanmean(rests, axis=0), weights, effects, rests)

    @property
    def freedom(self) -> int:
        """How many independent values there are: all, less one for each round but one."""
        return int(self.weights.sum()) - self.effects.size + 1

    def squares(self, theta: Floats) -> float:
        """Return the sum of squared residuals of all values in ln throughput."""
        return float(np.nansum((self.rests - log_curve(theta, self.workers)[0]) ** 2))

    def covariance(self, theta: Floats, count: int) -> Floats:
        """Return the covariance of the first `count` parameters, from two rounds or more.

        The estimate is to first order the mean over R rounds of the vectors R (J'J)^-1 J' residual, so its
        covariance is theirs over R, whatever correlation or spread the cells of a round have.
        """
        logs, slopes = log_curve(theta, self.workers)
        slopes = slopes[:, :count]
        rounds = self.effects.size
        inverse = np.linalg.pinv(slopes.T @ (slopes * self.weights[:, None]))
        contributions = rounds * np.nan_to_num(self.rests - logs) @ slopes @ inverse
        contributions[:, 0] += self.effects
        return np.atleast_2d(np.cov(contributions, rowvar=False)) / rounds


def log_curve(theta: Floats, workers: Floats) -> tuple[Floats, Floats]:
    """Return ln X at `workers`, shape (n,), and its derivatives by theta, shape (n, 3).

    Where alpha or beta are so negative that X would be, ln X is NaN.
    """
    others = workers - 1
    pairs = workers * others
    cost = 1 + theta[1] * others + theta[2] * pairs
    cost = np.where(cost > 0, cost, np.nan)
    return theta[0] + np.log(workers / cost), np.column_stack(
        [np.ones_like(workers), -others / cost, -pairs / cost]
    )


def fit(model: Model, points: Blocks, *, bounded: bool = True) -> Floats:
    """Return the theta of least weighted squares; where it is bounded, alpha and beta are not negative.

    The points have at least as many numbers of workers as the model has parameters.
    """
    count, roots, theta = FITTED[model], np.sqrt(points.weights), np.zeros(3)

    def curve(fitted: Floats) -> tuple[Floats, Floats]:
        theta[:count] = fitted
        logs, slopes = log_curve(theta, points.workers)
        return roots * (logs - points.logs), roots[:, None] * slopes[:, :count]

    theta[0] = np.average(points.logs - np.log(points.workers), weights=points.weights)
    least = [-np.inf, *([0.0 if bounded else -np.inf] * (count - 1))]
    found = scipy("optimize").least_squares(
        lambda fitted: curve(fitted)[0],
        theta[:count].copy(),
        lambda fitted: curve(fitted)[1],
        bounds=(least, np.inf),
        **dict.fromkeys(("ftol", "xtol", "gtol"), _TOLERANCE),
    )
    theta[:count] = found.x
    if bounded:
        theta[1:][theta[1:] < _NOTHING] = 0.0
    return theta
