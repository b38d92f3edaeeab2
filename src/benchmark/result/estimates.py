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
    """How many times one measurement is another.

    Attributes:
        value: the ratio of geometric means; of times, above 1 is slower.
        low: lower end of its interval; None below five rounds.
        high: upper end of the interval; None without one.
        p_value: of a ratio of 1, two-sided; None without an interval.
        rounds: those behind it; of two runs the fewer.
        paired: taken within rounds of one run.
    """

    value: float
    low: float | None
    high: float | None
    p_value: float | None
    rounds: int
    paired: bool


@dataclass(frozen=True, slots=True)
class Drift:
    """How the same work changed over a run.

    Attributes:
        per_hour: d ln(time) / dt, so 0.02 is 2 % slower an hour.
        over_run: relative change of time from the first sentinel to the last.
        significant: the interval excludes no change.
    """

    per_hour: Estimate
    over_run: Estimate
    significant: bool


@dataclass(frozen=True, slots=True)
class ScalingPoint:
    """What was measured at one number of workers.

    Attributes:
        workers: N.
        rounds: how many rounds have it.
        throughput: geometric mean over the rounds, in the unit given.
        speedup: throughput over that of one worker, paired within rounds; None without N = 1.
        efficiency: speed-up over N.
        karp_flatt: serial fraction; None at N = 1 and where oversubscribed.
        oversubscribed: more workers than usable CPUs, so not fitted.
    """

    workers: int
    rounds: int
    throughput: Estimate
    speedup: Estimate | None
    efficiency: Estimate | None
    karp_flatt: Estimate | None
    oversubscribed: bool


@dataclass(frozen=True, slots=True)
class TriedCurve:
    """A curve that was tried.

    Attributes:
        model: which.
        aicc: lower is better, only differences mean anything.
        weight: Akaike weight among the candidates.
        misfit: largest relative distance of a point from the curve.
    """

    model: Model
    aicc: float
    weight: float
    misfit: float


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the chosen curve.

    Attributes:
        name: "gamma" (throughput of one worker), "alpha", "beta"; results of 0.1.0 may also have
            "saturation" (in workers).
        estimate: alpha and beta are 0 in a curve without them, and the interval tells how large they may be.
    """

    name: str
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class Peak:
    """Where more workers stop helping.

    Attributes:
        workers: N of the highest throughput; no upper end means that the end is beyond the data.
        throughput: the ceiling, at that N.
        beyond_data: it is past 1.5 x the largest N measured, and both are None.
    """

    workers: Estimate | None
    throughput: Estimate | None
    beyond_data: bool


@dataclass(frozen=True, slots=True)
class BandPoint:
    """The chosen curve at one N, with its pointwise 95 % band."""

    workers: float
    throughput: Estimate


@dataclass(frozen=True, slots=True)
class ScalingFit:
    """The scaling of one cell over its numbers of workers.

    Attributes:
        points: everything measured, ascending.
        distinct: how many N the usable CPUs allow to fit.
        rounds: how many rounds have a value at a fitted N.
        model: the curve chosen; None where there are too few N or rounds.
        low_confidence: a USL on 4 or 5 distinct N.
        candidates: the curves tried, best first.
        parameters: of the chosen curve. Their intervals are those of the widest curve of its family that the
            number of N allows, so that having chosen makes them no narrower.
        peak: None without a model.
        band: from the smallest N to 1.5 x the largest fitted.
        superlinear: throughput grows faster than N: alpha is below 0, beyond noise.
    """

    points: tuple[ScalingPoint, ...]
    distinct: int
    rounds: int
    model: Model | None = None
    low_confidence: bool = False
    candidates: tuple[TriedCurve, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    peak: Peak | None = None
    band: tuple[BandPoint, ...] = ()
    superlinear: bool = False
