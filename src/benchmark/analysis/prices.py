"""What each protocol costs in money over the data's life: storage by the month, and cores by the hour."""

from dataclasses import dataclass

from ..result.estimates import Estimate
from ..result.recommendations import Prices
from ..result.result import BenchResult
from .projection import Projected, Projection, project

_BYTES_PER_GB = 1e9
_NS_PER_HOUR = 3.6e12


@dataclass(frozen=True, slots=True)
class Cost:
    """What one protocol costs, or keeping the source files, in the currency of the prices."""

    protocol: str
    storage: float  # for all months
    write: float  # once
    read: float  # as often as assumed
    total: Estimate  # with the ends of the times' intervals


def costs_of(result: BenchResult) -> tuple[Projection, tuple[Cost, ...]] | None:
    """Return what all of the source costs by protocol, the cheapest first; None without prices or times.

    The size is the one asked for, else the source's own. A core is paid for from the first image to the last,
    with as many cores as there are workers, also while it waits for storage or the link.
    """
    weights = result.settings.weights
    found = None if weights.prices is None else project(result, result.dataset.source_bytes)
    if found is None or weights.prices is None:
        return None
    costs = [_cost(one, weights.prices, weights.reads_per_write) for one in found.protocols]
    return found, tuple(sorted(costs, key=lambda one: one.total.value))


def _cost(one: Projected, prices: Prices, reads: float) -> Cost:
    storage = one.file_bytes / _BYTES_PER_GB * prices.months * prices.gb_month
    write_cores, read_cores = one.workers
    write = _times(one.write, write_cores * prices.core_hour / _NS_PER_HOUR)
    read = _times(one.read, reads * read_cores * prices.core_hour / _NS_PER_HOUR)
    ends = [storage + sum(ends) for ends in zip(write, read, strict=True)]
    return Cost(one.protocol, storage, write[0], read[0], Estimate(*ends))


def _times(time: Estimate | None, price: float) -> tuple[float, float, float]:
    if time is None:
        return 0.0, 0.0, 0.0
    low, high = (time.value if end is None else end for end in (time.low, time.high))
    return price * time.value, price * low, price * high
