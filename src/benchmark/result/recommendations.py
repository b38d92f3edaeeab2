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

    Raises:
        UsageError: a value that makes no sense.
    """

    reads_per_write: float = 10.0  # how often an image is read for each time it is written
    # speed of the link to where the files lie, in 10^6 bytes/s, shared by all workers and not overlapped with
    # the work; None without a link
    link_mb_per_s: float | None = None
    # what workers and parent may use together; None without a bound. A cell whose memory is unknown passes
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
    """A protocol as a candidate."""

    protocol: str  # its label
    workers: int | None  # its best number of workers that the CPUs allow; of the loads where both count
    dump_workers: int | None  # the same of the dumps, where both count
    value: float  # what the objective wants low
    ratio: float  # its value over the winner's
    ratio_low: float | None  # lower end of the 95 % interval; None below five common rounds
    ratio_high: float | None  # upper end of the same interval
    # of being the best, by resampling rounds; None below five rounds and where nothing varies
    probability: float | None


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The answer to one objective."""

    objective: Objective  # which
    unit: Unit  # of the values; a time is wall time over all images of all workers
    layout: str  # of the cells: "shards", or "single" for one process and one file an image
    # of the loads that were compared, "warm" where there are any; None where no load counts
    cache: str | None
    durability: str | None  # of the dumps, "buffered" where there are any; else None
    winner: str | None  # the protocol with the lowest value; None where there is no candidate
    workers: int | None  # its number of workers; None where it makes no difference
    margin: float | None  # the runner-up's value over the winner's, less 1; None without a runner-up
    # of the winner's being the best; None below five rounds and where nothing varies
    probability: float | None
    ties: tuple[str, ...]  # protocols that the measurements do not tell from the winner, best first
    decided: bool  # five rounds or more, and no ties
    reason: str | None  # why there is no winner, or why it is not decided
    choices: tuple[Choice, ...]  # all candidates, best first
