"""What the sentinel shows: drift, noise floor, and what the sampler costs."""

from collections import defaultdict
from dataclasses import replace

from ...errors import MissingLibraryError
from ..result.result import Noise
from ..result.stats import median
from .statistics import drift, noise_floor, paired_ratio


def with_sentinel(noise: Noise) -> Noise:
    """Return the noise with drift, floor and the sampler's effect, as much as the sentinel's rounds allow."""
    rounds: dict[tuple[str, int], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    visits: dict[tuple[str, int, str], dict[bool, list[float]]] = defaultdict(lambda: defaultdict(list))
    watched = [one for one in noise.sentinel if one.name != "unsampled"]
    for one in noise.sentinel:
        visits[one.part, one.round, one.place][one.name != "unsampled"].append(one.wall_ns)
    for one in watched:
        rounds[one.part, one.round][one.name].append(one.wall_ns)
    names = [(median(both["a"]), median(both["b"])) for both in rounds.values() if len(both) == 2]
    pairs = [(median(both[False]), median(both[True])) for both in visits.values() if len(both) == 2]
    try:
        return replace(
            noise,
            drift=drift([one.begin_ns for one in watched], [one.wall_ns for one in watched]),
            floor=noise_floor(*zip(*names, strict=True)) if names else None,
            sampler_effect=paired_ratio(*zip(*pairs, strict=True)) if pairs else None,
        )
    except MissingLibraryError:
        return noise
