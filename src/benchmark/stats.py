"""Medians."""

from collections.abc import Sequence

import numpy as np

__all__ = ["median"]


def median(values: Sequence[float]) -> float:
    """Return the median of one value or more."""
    return float(np.median(values))
