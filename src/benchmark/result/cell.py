"""What is measured, under which condition, and what that is called."""

from dataclasses import dataclass, fields
from typing import Literal, Protocol, TypeAlias

Layout: TypeAlias = Literal["single", "shards"]
PoolKind: TypeAlias = Literal["none", "loky"]
Cache: TypeAlias = Literal["warm", "cold"]
Durability: TypeAlias = Literal["buffered", "fsync"]
Dispatch: TypeAlias = Literal["partitioned", "engine"]

BASELINES = ("article-pickle-0", "article-pickle-2", "source-files")
_BASELINE_TITLES = ("article's loop, pickle 0", "article's loop, pickle 2", "source image files")
_MARKS = {"cold": "cold cache", "fsync": "with fsync", "engine": "dispatched"}
_IDS = {"engine": "dispatched"}


def protocol_title(protocol: str) -> str:
    """Return a protocol's name for people; the baselines have one of their own."""
    return dict(zip(BASELINES, _BASELINE_TITLES, strict=True)).get(protocol, protocol)


class _Conditioned(Protocol):
    """Whatever has an operation and its condition: a cell, its result, a curve."""

    @property
    def op(self) -> str: ...
    @property
    def cache(self) -> Cache: ...
    @property
    def durability(self) -> Durability: ...
    @property
    def dispatch(self) -> Dispatch: ...


@dataclass(frozen=True, slots=True, order=True)
class Variant:
    """An operation under one condition; it is its own key."""

    op: str  # the operation
    # what differs from warm, buffered and partitioned; of convert, which is always dispatched by the engine,
    # without the dispatch
    marks: tuple[str, ...]

    @classmethod
    def of(cls, one: _Conditioned) -> "Variant":
        """Return the variant of a cell or a curve."""
        dispatch = "" if one.op == "convert" else one.dispatch
        return cls(one.op, tuple(mark for mark in (one.cache, one.durability, dispatch) if mark in _MARKS))

    @property
    def id(self) -> str:
        """A name for programs, such as "load" or "load-cold"."""
        return "-".join([self.op, *(_IDS.get(mark, mark) for mark in self.marks)])

    @property
    def title(self) -> str:
        """A name for people, such as "load, cold cache"."""
        return ", ".join([self.op, *map(_MARKS.__getitem__, self.marks)])


@dataclass(frozen=True, slots=True)
class Cell:
    """What is measured once a round, and what makes it the same in another result."""

    protocol: str  # its label, or a baseline; of a ceiling, its name
    op: str  # what is timed
    workers: int  # how many; 1 also where there is no pool
    layout: Layout  # "single" is one file an image, "shards" many images a file
    pool: PoolKind  # "none" is this process itself
    cache: Cache = "warm"  # whether the files that are read are in memory
    # whether the files that are written are flushed to storage within the region
    durability: Durability = "buffered"
    # "partitioned" is one task for each worker, "engine" many small ones, as in convert
    dispatch: Dispatch = "partitioned"

    def __str__(self) -> str:
        op, *marks = Variant.of(self).title.split(", ")
        return ", ".join([f"{op} {self.protocol}", self.how, *marks])

    @property
    def name(self) -> "Cell":
        """The cell alone, without what was measured of it."""
        return Cell(*(getattr(self, field.name) for field in fields(Cell)))

    @property
    def how(self) -> str:
        """Who does it, such as "2 workers"."""
        if self.pool == "loky":
            return f"{self.workers} worker{'' if self.workers == 1 else 's'}"
        return "one file an image" if self.layout == "single" else "inline"
