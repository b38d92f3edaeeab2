"""What may be wanted of a protocol, and what a recommendation says; plain data for result.json."""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ...errors import UsageError

Objective: TypeAlias = Literal["fastest-load", "fastest-dump", "smallest", "safe", "portable", "cost"]
Unit: TypeAlias = Literal["ns_per_image", "bytes_per_image"]

OBJECTIVES: dict[Objective, str] = {
    "fastest-load": "fastest load",
    "fastest-dump": "fastest dump",
    "smallest": "smallest",
    "safe": "safe to load, of these the fastest load",
    "portable": "readable outside Python, of these the fastest load",
    "cost": "lowest cost over the data's life",
}


@dataclass(frozen=True, slots=True)
class Weights:
    """What the weighted cost of an image adds up: a write and some reads, each with its transfer.

    Attributes:
        reads_per_write: how often an image is read for each time it is written.
        link_mb_per_s: speed of the link to where the files lie, in 10^6 bytes/s, shared by all workers and
            not overlapped with the work; None without a link.
        memory_bytes: what workers and parent may use together; None without a bound. A cell whose memory is
            unknown passes.

    Raises:
        UsageError: a value that makes no sense.
    """

    reads_per_write: float = 10.0
    link_mb_per_s: float | None = None
    memory_bytes: int | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        if not 0 <= self.reads_per_write < math.inf:
            raise UsageError(f"reads per write must be 0 or more, not {self.reads_per_write:g}")
        for name, value in (("link speed", self.link_mb_per_s), ("memory cap", self.memory_bytes)):
            if value is not None and not 0 < value < math.inf:
                raise UsageError(f"{name} must be more than 0, not {value:g}")


@dataclass(frozen=True, slots=True)
class Choice:
    """A protocol as a candidate.

    Attributes:
        protocol: its label.
        workers: its best number of workers that the CPUs allow; of the loads where both count.
        dump_workers: the same of the dumps, where both count.
        value: what the objective wants low.
        ratio: its value over the winner's.
        ratio_low: lower end of the 95 % interval; None below five common rounds.
        ratio_high: upper end of the same interval.
        probability: of being the best, by resampling rounds; None below five rounds and where nothing varies.
    """

    protocol: str
    workers: int | None
    dump_workers: int | None
    value: float
    ratio: float
    ratio_low: float | None
    ratio_high: float | None
    probability: float | None


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The answer to one objective.

    Attributes:
        objective: which.
        unit: of the values; a time is wall time over all images of all workers.
        layout: of the cells: "shards", or "single" for one process and one file an image.
        cache: of the loads that were compared, "warm" where there are any; None where no load counts.
        durability: of the dumps, "buffered" where there are any; else None.
        winner: the protocol with the lowest value; None where there is no candidate.
        workers: its number of workers; None where it makes no difference.
        margin: the runner-up's value over the winner's, less 1; None without a runner-up.
        probability: of the winner's being the best; None below five rounds and where nothing varies.
        ties: protocols that the measurements do not tell from the winner, best first.
        decided: five rounds or more, and no ties.
        reason: why there is no winner, or why it is not decided.
        choices: all candidates, best first.
    """

    objective: Objective
    unit: Unit
    layout: str
    cache: str | None
    durability: str | None
    winner: str | None
    workers: int | None
    margin: float | None
    probability: float | None
    ties: tuple[str, ...]
    decided: bool
    reason: str | None
    choices: tuple[Choice, ...]
