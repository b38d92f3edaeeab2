"""What a bench is asked to do, checked."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, get_args

from ..engine.option_records import called_with
from ..engine.paths import PathLike
from ..engine.protocols.registry import get_serializer, known_protocols
from ..engine.sizes import parse_size
from ..errors import MissingLibraryError, UsageError
from .result.cell import Cache, Dispatch, Durability
from .result.recommendations import Prices, Weights

PRESETS = ("seed", "scaling", "choose", "full")
CACHES: tuple[Cache, ...] = get_args(Cache)
DURABILITIES: tuple[Durability, ...] = get_args(Durability)
DISPATCHES: tuple[Dispatch, ...] = get_args(Dispatch)
OPS = ("convert", "dump", "load", "load_lazy", "map")
SEED_PROTOCOLS: tuple[str, ...] = (
    "pickle-0",
    "pickle-1",
    "pickle-2",
    "pickle-5",
    "pypickle-2",
    "json",
    "hickle",
    "hdf5",
    "npy",
)
CHOICE = (
    "npy",
    "pickle-5",
    "hdf5",
    "safetensors",
    "arrow",
    "parquet+zstd",
    "zarr",
    "webdataset",
    "encoded",
    "npz+deflate",
)
"""The protocols that people choose between, for `--preset choose`."""
_MOST_WORKERS = 1024

Name = TypeVar("Name", bound=str)


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchArguments:
    """The options of `brinery.benchmark`, as they are given; lists may be text with commas.

    Attributes:
        cores: numbers of workers.
        protocols: labels such as "npy" and "hdf5+gzip:4". The default is those of the preset.
        preset: "seed" for one process and one file per image, "scaling" for that and all numbers of
            workers, both with nine protocols; "choose" for the same with those that images are usually kept
            in, as far as their libraries are installed, and `protocols` beside them; "full" for every
            installed protocol with every compression. The default is "choose" for images of your own, else
            "scaling".
        ops: what is timed over workers, of "convert", "dump", "load", "load_lazy" and "map".
        rounds: complete rounds. It overrides `budget`; nine of them decide a change.
        budget: seconds that the whole bench should take. The default is 245, and 35 with `quick`.
        limit: most images.
        quick: shorter regions, fewer rounds and fewer images.
        scratch: folder for temporary files; by default the output folder.
        output: folder for result.json and report.md.
        seed: of the order of the cells and of generated images.
        cache: where loads over workers read from, "warm", "cold" or both.
        durability: "fsync" if dumps over workers are flushed to storage, "buffered" if not, or both.
        dispatch: "partitioned" if every worker knows its share beforehand, "engine" if tasks are handed
            out one by one, or both.
        reads_per_write: how often data are read after they were written, for the recommendation by cost.
        link: 10^6 bytes/s of the network that readers use, for the same.
        memory_cap: bytes that all workers may use, as int or "2GiB", for the same.
        prices: what a GB-month of storage and a core hour cost in any currency, and how many months the data
            are kept (12), as numbers or as "0.023,0.05" or "0.023,0.05,36".
        total: bytes of the whole source, as int or "40TB", to project what all of it would take. The default
            is the source's own size, where only a part of it is measured.
        costs: file of what an image costs, for two versions measured in turns: the first writes it.
    """

    cores: Sequence[int] | str = (1, 2, 4, 8)
    protocols: Sequence[str] | str | None = None
    preset: str | None = None
    ops: Sequence[str] | str = ("convert", "dump", "load", "map")
    rounds: int | None = None
    budget: float | None = None
    limit: int = 1000
    quick: bool = False
    scratch: PathLike | None = None
    output: PathLike = "bench-out"
    seed: int = 0
    cache: Sequence[str] | str = "warm"
    durability: Sequence[str] | str = "buffered"
    dispatch: Sequence[str] | str = "partitioned"
    reads_per_write: float = 10.0
    link: float | None = None
    memory_cap: int | str | None = None
    prices: Sequence[float] | str | None = None
    total: int | str | None = None
    costs: PathLike | None = None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BenchRequest(BenchArguments):
    """What is to be measured, and how.

    Attributes:
        source: an archive of images; by default photo-like images are generated.
    """

    source: PathLike | None = None


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """What a bench is asked for, after checking."""

    source: Path | None  # the user's archive; None for generated images
    cores: tuple[int, ...]  # numbers of workers
    protocols: tuple[str, ...]  # labels
    preset: str  # "seed", "scaling" (which begins with the seed's table), "choose" or "full"
    ops: tuple[str, ...]  # what is timed over workers
    rounds: int | None  # complete rounds, None for as many as the budget allows
    budget_s: float  # how long the whole run should take
    limit: int  # at most this many images
    quick: bool  # shorter regions and fewer rounds
    scratch: Path | None  # folder for temporary files, None for the output folder
    output: Path  # where result.json and report.md go
    seed: int  # of the order of the cells and of the generated images
    caches: tuple[Cache, ...]  # of the loads over workers: "warm", "cold"
    durabilities: tuple[Durability, ...]  # of the dumps over workers: "buffered", "fsync"
    dispatches: tuple[Dispatch, ...]  # of the loads, dumps and maps over workers: "partitioned", "engine"
    weights: Weights  # of the recommendation by cost
    total: int | None  # bytes of the whole source; None for its own
    # file of what an image costs, for two versions in turns, which take brinery's cells alone
    costs: Path | None
    lacking: tuple[str, ...] = ()  # why protocols of the preset are left out

    @property
    def one_of_two(self) -> bool:
        """Whether another version is measured in turns with this."""
        return self.costs is not None

    @property
    def images(self) -> int:
        """How many images to take; a quick look generates no more than it needs."""
        return min(self.limit, 200) if self.quick and self.source is None else self.limit

    @property
    def region_ns(self) -> int:
        """How long a timed region should last, in ns."""
        return 40_000_000 if self.quick else 120_000_000

    @property
    def round_limits(self) -> tuple[int, int]:
        """Fewest and most rounds where their number is not given."""
        return (1, 3) if self.quick else (3, 7)


def checked(given: BenchRequest) -> BenchOptions:
    """Return the options after checking them.

    Args:
        given: `source`, and all that `BenchArguments` names.

    Raises:
        UsageError: a value that makes no sense.
        UnknownProtocolError: no such protocol; lists the known ones.
        MissingLibraryError: a protocol's library is not installed.
    """
    preset = given.preset or ("scaling" if given.source is None else "choose")
    rounds, limit, seed = given.rounds, given.limit, given.seed
    if preset not in PRESETS:
        raise UsageError(f"preset is one of {', '.join(PRESETS)}, not {preset!r}")
    for name, value in (("rounds", rounds), ("limit", limit), ("budget", given.budget)):
        if value is not None and value <= 0:
            raise UsageError(f"{name} must be more than 0, not {value:g}")
    if seed < 0:
        raise UsageError(f"seed must be 0 or more, not {seed}")
    lacking: tuple[str, ...] = ()
    chosen = every_protocol() if preset == "full" else SEED_PROTOCOLS
    if given.protocols is not None:
        chosen = _distinct("protocols", given.protocols)
        for label in chosen:
            get_serializer(label)
    if preset == "choose" and (given.preset or given.protocols is None):
        usual, lacking = _installed(CHOICE)
        chosen = tuple(dict.fromkeys((*usual, *(chosen if given.protocols is not None else ()))))
    budget = 35.0 if given.quick else 245.0
    if preset == "full":
        budget = max(40.0, (5.0 if given.quick else 25.0) * len(chosen))
    cap, total = (None if size is None else parse_size(size) for size in (given.memory_cap, given.total))
    source, scratch, costs = (
        None if path is None else Path(path) for path in (given.source, given.scratch, given.costs)
    )
    return BenchOptions(
        source=source,
        cores=_cores(given.cores),
        protocols=chosen,
        preset=preset,
        ops=_among("ops", given.ops, OPS),
        rounds=rounds,
        budget_s=budget if given.budget is None else float(given.budget),
        limit=limit,
        quick=given.quick,
        scratch=scratch,
        output=Path(given.output),
        seed=seed,
        caches=_in_order("cache", given.cache, CACHES),
        durabilities=_in_order("durability", given.durability, DURABILITIES),
        dispatches=_in_order("dispatch", given.dispatch, DISPATCHES),
        weights=Weights(given.reads_per_write, given.link, cap, _prices(given.prices)),
        total=total,
        costs=costs,
        lacking=lacking,
    )


make_bench_options = called_with(BenchRequest)(checked)
"""Checks options that are given by keyword."""


def _installed(labels: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """Return the labels whose libraries are installed, and of the others what to install."""
    there, lacking = [], []
    for label in labels:
        try:
            get_serializer(label)
        except MissingLibraryError as error:
            lacking.append(f"{label} is left out: {error}")
        else:
            there.append(label)
    return there, tuple(lacking)


def every_protocol() -> tuple[str, ...]:
    """Return the labels of all installed protocols, plain and with each lossless compression."""
    labels = []
    for info in known_protocols():
        if not info.available:
            continue
        labels.append(info.name)
        for compression in info.abilities.compressions:
            label = f"{info.name}+{compression}"
            if info.abilities.loses(label):
                continue
            with suppress(Exception):  # a compression that is not installed is left out
                get_serializer(label)
                labels.append(label)
    return tuple(labels)


def _prices(given: Sequence[float] | str | None) -> Prices | None:
    if given is None:
        return None
    try:
        numbers = [float(number) for number in (given.split(",") if isinstance(given, str) else given)]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) not in {2, 3}:
        raise UsageError(
            "prices are those of a GB-month and of a core hour, and perhaps months, such as 0.023,0.05,12:"
            f" not {given!r}"
        )
    return Prices(*numbers)


_EXAMPLES = {
    "protocols": "npy,hickle,pickle-5",
    "ops": "dump,load",
    "cores": "1,2,4,8",
    "cache": "warm,cold",
    "durability": "buffered,fsync",
    "dispatch": "partitioned,engine",
}


def _distinct(what: str, value: Sequence[object] | str) -> tuple[str, ...]:
    """Return the names of a list, of which there are some and none twice."""
    names = [str(name).strip() for name in (value.split(",") if isinstance(value, str) else value)]
    if not names or "" in names:
        raise UsageError(f"{what} is a list with commas, without gaps, such as {_EXAMPLES[what]}")
    if twice := [name for name in names if names.count(name) > 1]:
        raise UsageError(f"{what} names {twice[0]} twice")
    return tuple(names)


def _cores(value: Sequence[int] | str) -> tuple[int, ...]:
    names = _distinct("cores", value)
    for name in names:
        if not re.fullmatch(r"[0-9]{1,9}", name) or not 1 <= int(name) <= _MOST_WORKERS:
            raise UsageError(
                f"cores are whole numbers from 1 to {_MOST_WORKERS}, such as 1,2,4,8: not {name!r}"
            )
    return tuple(map(int, _distinct("cores", sorted(map(int, names)))))


def _among(what: str, value: Sequence[str] | str, known: Sequence[str]) -> tuple[str, ...]:
    names = _distinct(what, value)
    if strange := [name for name in names if name not in known]:
        raise UsageError(f"unknown {what.removesuffix('s')} {strange[0]!r}: known are {', '.join(known)}")
    return names


def _in_order(what: str, value: Sequence[str] | str, known: tuple[Name, ...]) -> tuple[Name, ...]:
    names = _among(what, value, known)
    return tuple(name for name in known if name in names)
