"""What may be wanted of a protocol, and what a recommendation says; plain data for result.json."""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ...errors import UsageError

Objective: TypeAlias = Literal[
    "fastest-read",
    "fastest-read-cold",
    "fastest-load",
    "fastest-dump",
    "smallest",
    "safe",
    "portable",
    "cost",
]
Unit: TypeAlias = Literal["ns_per_image", "bytes_per_image"]

OBJECTIVES: dict[Objective, str] = {
    "fastest-read": "fastest read through brinery.open",
    "fastest-read-cold": "fastest read from storage",
    "fastest-load": "fastest load by the own library",
    "fastest-dump": "fastest dump",
    "smallest": "smallest",
    "safe": "fastest own library that is safe",
    "portable": "fastest of those readable outside Python",
    "cost": "lowest cost over the data's life",
}


@dataclass(frozen=True, slots=True)
class Prices:
    """What storage and cores cost, in any currency.

    Raises:
        UsageError: a value that makes no sense.
    """

    gb_month: float  # 10^9 bytes stored for a month
    core_hour: float  # a core for an hour
    months: float = 12.0  # that the data are kept

    def __post_init__(self) -> None:
        """Check the values."""
        for name, value in (("price of a GB-month", self.gb_month), ("price of a core hour", self.core_hour)):
            if not 0 <= value < math.inf:
                raise UsageError(f"the {name} must be 0 or more, not {value:g}")
        if not 0 < self.months < math.inf:
            raise UsageError(f"the months that data are kept must be more than 0, not {self.months:g}")


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
    prices: Prices | None = None  # None for a cost in time

    def __post_init__(self) -> None:
        """Check the values."""
        if not 0 <= self.reads_per_write < math.inf:
            raise UsageError(f"reads per write must be 0 or more, not {self.reads_per_write:g}")
        for name, value in (("link speed", self.link_mb_per_s), ("memory cap", self.memory_bytes)):
            if value is not None and not 0 < value < math.inf:
                raise UsageError(f"{name} must be more than 0, not {value:g}")


@dataclass(frozen=True, slots=True)
class Choice:
    """A protocol, or keeping the source files, as a candidate."""

    protocol: str  # its label
    workers: int | None  # its best number of workers that the CPUs allow; of the reads where both count
    dump_workers: int | None  # the same of the writes, where both count
    value: float  # what the objective wants low
    ratio: float  # its value over the winner's
    ratio_low: float | None  # lower end of the 95 % interval; None below five common rounds
    ratio_high: float | None  # upper end of the same interval
    # of being the best, by resampling rounds; None below five rounds and where nothing varies
    probability: float | None
    read: str | None = None  # what was timed as reading: "map", "load" or "decode"
    link_ns: float | None = None  # what of the value is the assumed link's, where there is one
    safe: bool | None = None  # its own library runs no code from a file
    portable: bool | None = None  # readable outside Python

    def __post_init__(self) -> None:
        """Check the value: every objective is a time or a size."""
        if not 0 < self.value < math.inf:
            raise UsageError(f"the value of {self.protocol} must be more than 0, not {self.value:g}")


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The answer to one objective."""

    objective: Objective  # which
    unit: Unit  # of the values; a time is wall time over all images of all workers
    layout: str  # of the cells: "shards", or "single" for one process and one file an image
    cache: str | None  # of the reads that were compared: "warm" or "cold"; None where no read counts
    durability: str | None  # of the dumps, "buffered" where there are any; else None
    # the lowest value's protocol, or of those tied with it the safest and simplest; None where none is named
    winner: str | None
    workers: int | None  # its number of workers; None where it makes no difference
    margin: float | None  # the runner-up's value over the winner's, less 1; None without a runner-up
    # of the winner's being the best; None below five rounds and where nothing varies
    probability: float | None
    ties: tuple[str, ...]  # protocols that the measurements do not tell from the winner, best first
    decided: bool  # five rounds or more, and no ties
    reason: str | None  # why there is no winner, or why it is not decided
    choices: tuple[Choice, ...]  # all candidates: the winner, then the others, best first
    assumptions: tuple[str, ...] = ()  # what the values rest on and was not measured
    rounds: int | None = None  # how many the values have
    more_rounds: int | None = None  # about how many more would decide, where they are too few; None: too many

    def __post_init__(self) -> None:
        """Check that what is named was a candidate."""
        if self.winner is not None and not self.choices:
            raise UsageError(f"{self.winner} is named, but no candidate is there")
