"""What the sentinel shows: drift, noise floor, and what the sampler costs."""

from collections import defaultdict
from contextlib import suppress
from dataclasses import replace

from ...errors import MissingLibraryError
from ..result.result import Noise
from ..result.stats import median
from .statistics import drift, noise_floor, paired_ratio


def with_sentinel(noise: Noise) -> Noise:
    """Return the noise with drift, floor and the sampler's effect, as much as the sentinel's rounds allow."""
    visits: dict[tuple[str, int, str], dict[bool, list[float]]] = defaultdict(lambda: defaultdict(list))
    watched = [one for one in noise.sentinel if one.name != "unsampled"]
    for one in noise.sentinel:
        visits[one.part, one.round, one.place][one.name != "unsampled"].append(one.wall_ns)
    names = [(median(both["a"]), median(both["b"])) for both in _rounds(noise)]
    pairs = [(median(both[False]), median(both[True])) for both in visits.values() if len(both) == 2]
    with suppress(MissingLibraryError):
        found = replace(
            noise,
            drift=drift([one.begin_ns for one in watched], [one.wall_ns for one in watched]),
            floor=noise_floor(*zip(*names, strict=True)) if names else None,
            sampler_effect=paired_ratio(*zip(*pairs, strict=True)) if pairs else None,
        )
        return with_floor(found)
    return noise


def with_floor(noise: Noise) -> Noise:
    """Return the noise with a floor of at least what the same work changed by from round to round."""
    return noise if noise.floor is None else replace(noise, floor=max(noise.floor, unsteadiness(noise)))


def unsteadiness(noise: Noise) -> float:
    """Return by how much the same work changed: the larger of the rounds' spread and a drift beyond it."""
    found = noise.drift.over_run.value if noise.drift is not None and noise.drift.significant else 0.0
    drifted = max(1 + found, 1 / (1 + found)) - 1 if found > -1 else 0.0
    return max(drifted, spread(noise) or 0.0)


def spread(noise: Noise) -> float | None:
    """Return how far the sentinel's slowest round lies from its fastest, over their median.

    Each round counts with its median; None with fewer than two, and without both names.
    """
    rounds = [median([*both["a"], *both["b"]]) for both in _rounds(noise)]
    return (max(rounds) - min(rounds)) / median(rounds) if len(rounds) > 1 else None


def _rounds(noise: Noise) -> list[dict[str, list[float]]]:
    """Return the times of both names, of each round that has both."""
    rounds: dict[tuple[str, int], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in noise.sentinel:
        if one.name != "unsampled" and one.wall_ns > 0:
            rounds[one.part, one.round][one.name].append(one.wall_ns)
    return [both for both in rounds.values() if len(both) == 2]
