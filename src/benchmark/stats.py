"""Medians, and how sure they are."""

from collections.abc import Sequence

import numpy as np

__all__ = ["interval_of_median", "median"]

_RESAMPLES = 2000
_FEWEST = 4  # of three values the interval would be their range at any level


def median(values: Sequence[float]) -> float:
    """Return the median of one value or more."""
    return float(np.median(values))


def interval_of_median(values: Sequence[float], seed: int) -> tuple[float, float] | None:
    """Return the bootstrap 95 % interval of the median, or None for fewer than four values.

    Args:
        values: one a round.
        seed: of the resampling; the same seed and values give the same interval.
    """
    if len(values) < _FEWEST:
        return None
    random = np.random.default_rng(seed)
    picks = random.integers(len(values), size=(_RESAMPLES, len(values)))
    low, high = np.quantile(np.median(np.asarray(values)[picks], axis=1), [0.025, 0.975])
    return float(low), float(high)
