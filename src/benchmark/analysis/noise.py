"""What the sentinel shows: drift, noise floor, and what the sampler costs."""

from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import MissingLibraryError
from ..result.estimates import Drift, Ratio
from ..result.findings import SentinelSample
from ..result.stats import median
from .statistics import drift, noise_floor, paired_ratio

__all__ = ["NoiseFound", "noise_of"]


@dataclass(frozen=True, slots=True)
class NoiseFound:
    """What the sentinel shows; None for fewer than five rounds, or without scipy."""

    drift: Drift | None = None
    floor: float | None = None
    sampler_effect: Ratio | None = None


def noise_of(samples: Sequence[SentinelSample]) -> NoiseFound:
    """Return drift, noise floor and the sampler's effect; as much as the rounds allow."""
    watched = [sample for sample in samples if sample.name != "unsampled"]
    rounds: dict[tuple[str, int], dict[str, list[float]]] = {}
    visits: dict[tuple[str, int, str], dict[bool, list[float]]] = {}
    for sample in samples:
        if sample.name != "unsampled":
            rounds.setdefault((sample.part, sample.round), {}).setdefault(sample.name, []).append(
                sample.wall_ns
            )
        visit = visits.setdefault((sample.part, sample.round, sample.place), {})
        visit.setdefault(sample.name != "unsampled", []).append(sample.wall_ns)
    both = [names for names in rounds.values() if len(names) == 2]
    pairs = [visit for visit in visits.values() if len(visit) == 2]
    try:
        return NoiseFound(
            drift=drift([one.begin_ns for one in watched], [one.wall_ns for one in watched]),
            floor=noise_floor([median(names["a"]) for names in both], [median(names["b"]) for names in both])
            if both
            else None,
            sampler_effect=paired_ratio(
                [median(pair[False]) for pair in pairs], [median(pair[True]) for pair in pairs]
            )
            if pairs
            else None,
        )
    except MissingLibraryError:
        return NoiseFound()
