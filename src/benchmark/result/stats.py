"""Medians, sums and shares."""

from collections.abc import Sequence

import numpy as np


def median(values: Sequence[float]) -> float:
    """Return the median of one value or more."""
    return float(np.median(values))


def total(values: Sequence[int | None]) -> int | None:
    """Return the sum; None where one of them is not known."""
    return None if None in values else sum(value for value in values if value is not None)


def over(part: float | None, whole: float | None) -> float | None:
    """Return a part over the whole; None where one of them is not known, or the whole is 0."""
    return part / whole if part is not None and whole else None
