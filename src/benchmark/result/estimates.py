"""Numbers with their intervals, ratios and curves, as a result holds them."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

# No curve is "saturating" any more; results of 0.1.0 may hold one.
Model: TypeAlias = Literal["linear", "amdahl", "usl", "saturating"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with the ends of its 95 % interval; an unknown end is None."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times one measurement is another."""

    value: float  # the ratio of geometric means; of times, above 1 is slower
    low: float | None  # lower end of its interval; None below five rounds
    high: float | None  # upper end of the interval; None without one
    p_value: float | None  # of a ratio of 1, two-sided; None without an interval
    rounds: int  # those behind it; of two runs the fewer
    paired: bool  # taken within rounds of one run

    @property
    def farthest(self) -> float | None:
        """The farther end of the interval as a relative change either way, such as 0.02; None without one."""
        return None if self.low is None or self.high is None else max(self.high, 1 / self.low) - 1


@dataclass(frozen=True, slots=True)
class Drift:
    """How the same work changed over a run."""

    per_hour: Estimate  # d ln(time) / dt, so 0.02 is 2 % slower an hour
    over_run: Estimate  # relative change of time from the first sentinel to the last
    significant: bool  # the interval excludes no change


@dataclass(frozen=True, slots=True)
class ScalingPoint:
    """What was measured at one number of workers."""

    workers: int  # N
    rounds: int  # how many rounds have it
    throughput: Estimate  # geometric mean over the rounds, in the unit given
    speedup: Estimate | None  # throughput over that of one worker, paired within rounds; None without N = 1
    efficiency: Estimate | None  # speed-up over N
    karp_flatt: Estimate | None  # serial fraction; None at N = 1 and where oversubscribed
    oversubscribed: bool  # more workers than usable CPUs, so not fitted


@dataclass(frozen=True, slots=True)
class TriedCurve:
    """A curve that was tried."""

    model: Model  # which
    aicc: float  # lower is better, only differences mean anything
    weight: float  # Akaike weight among the candidates
    misfit: float  # largest relative distance of a point from the curve


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the chosen curve."""

    # "gamma" (throughput of one worker), "alpha", "beta"; results of 0.1.0 may also have "saturation" (in
    # workers)
    name: str
    # alpha and beta are 0 in a curve without them, and the interval tells how large they may be
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class Peak:
    """Where more workers stop helping."""

    # N of the highest throughput; no upper end means that the end is beyond the data
    workers: Estimate | None
    throughput: Estimate | None  # the ceiling, at that N
    beyond_data: bool  # it is past 1.5 x the largest N measured, and both are None


@dataclass(frozen=True, slots=True)
class BandPoint:
    """The chosen curve at one N, with its pointwise 95 % band."""

    workers: float
    throughput: Estimate


@dataclass(frozen=True, slots=True)
class ScalingFit:
    """The scaling of one cell over its numbers of workers."""

    points: tuple[ScalingPoint, ...]  # everything measured, ascending
    distinct: int  # how many N the usable CPUs allow to fit
    rounds: int  # how many rounds have a value at a fitted N
    model: Model | None = None  # the curve chosen; None where there are too few N or rounds
    low_confidence: bool = False  # a USL on 4 or 5 distinct N
    candidates: tuple[TriedCurve, ...] = ()  # the curves tried, best first
    # of the chosen curve. Their intervals are those of the widest curve of its family that the number of N
    # allows, so that having chosen makes them no narrower
    parameters: tuple[Parameter, ...] = ()
    peak: Peak | None = None  # None without a model
    band: tuple[BandPoint, ...] = ()  # from the smallest N to 1.5 x the largest fitted
    superlinear: bool = False  # throughput grows faster than N: alpha is below 0, beyond noise
