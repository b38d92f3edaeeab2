"""What a bench is asked to do, checked."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from ..engine.options import PathLike
from ..engine.protocols.registry import get_serializer, known_protocols
from ..engine.sizes import parse_size
from ..errors import UsageError
from .result.cell import Cache, Dispatch, Durability
from .result.recommendations import Weights

__all__ = [
    "CACHES",
    "DISPATCHES",
    "DURABILITIES",
    "OPS",
    "PRESETS",
    "SEED_PROTOCOLS",
    "BenchOptions",
    "every_protocol",
    "make_bench_options",
]

PRESETS = ("seed", "scaling", "full")
CACHES: tuple[Cache, ...] = get_args(Cache)
DURABILITIES: tuple[Durability, ...] = get_args(Durability)
DISPATCHES: tuple[Dispatch, ...] = get_args(Dispatch)
OPS = ("convert", "dump", "load", "load_lazy", "map")
_DEFAULT_OPS = ("convert", "dump", "load", "map")
SEED_PROTOCOLS = (
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
_DEFAULT_CORES = (1, 2, 4, 8)
_MOST_WORKERS = 1024


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """What `run_benchmark` takes, after checking.

    Attributes:
        source: the user's archive; None for generated images.
        cores: numbers of workers.
        protocols: labels.
        preset: "seed", "scaling" (which begins with the seed's table) or "full".
        ops: what is timed over workers.
        rounds: complete rounds, None for as many as the budget allows.
        budget_s: how long the whole run should take.
        limit: at most this many images.
        quick: shorter regions and fewer rounds.
        scratch: folder for temporary files, None for the output folder.
        output: where result.json and report.md go.
        seed: of the order of the cells and of the generated images.
        caches: of the loads over workers: "warm", "cold".
        durabilities: of the dumps over workers: "buffered", "fsync".
        dispatches: of the loads, dumps and maps over workers: "partitioned", "engine".
        weights: of the recommendation by cost.
        costs: file of what an image costs, for two versions in turns: who comes first writes it. They take
            brinery's cells alone.
    """

    source: Path | None
    cores: tuple[int, ...]
    protocols: tuple[str, ...]
    preset: str
    ops: tuple[str, ...]
    rounds: int | None
    budget_s: float
    limit: int
    quick: bool
    scratch: Path | None
    output: Path
    seed: int
    caches: tuple[Cache, ...] = ("warm",)
    durabilities: tuple[Durability, ...] = ("buffered",)
    dispatches: tuple[Dispatch, ...] = ("partitioned",)
    weights: Weights = field(default_factory=Weights)
    costs: Path | None = None

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


def make_bench_options(
    source: PathLike | None = None,
    *,
    cores: Sequence[int] | str = _DEFAULT_CORES,
    protocols: Sequence[str] | str | None = None,
    preset: str = "scaling",
    ops: Sequence[str] | str = _DEFAULT_OPS,
    rounds: int | None = None,
    budget: float | None = None,
    limit: int = 1000,
    quick: bool = False,
    scratch: PathLike | None = None,
    output: PathLike = "bench-out",
    seed: int = 0,
    cache: Sequence[str] | str = "warm",
    durability: Sequence[str] | str = "buffered",
    dispatch: Sequence[str] | str = "partitioned",
    reads_per_write: float = 10.0,
    link: float | None = None,
    memory_cap: int | str | None = None,
    costs: PathLike | None = None,
) -> BenchOptions:
    """Return the options after checking them; lists may be given as text with commas.

    `BenchOptions` says what they are; `reads_per_write`, `link` (10^6 bytes/s) and `memory_cap` (bytes, or
    text such as "2GiB") are the `Weights` of the recommendation by cost.

    Raises:
        UsageError: a value that makes no sense.
        UnknownProtocolError: no such protocol; lists the known ones.
        MissingLibraryError: a protocol's library is not installed.
    """
    if preset not in PRESETS:
        raise UsageError(f"preset is one of {', '.join(PRESETS)}, not {preset!r}")
    for name, value in (("rounds", rounds), ("limit", limit), ("budget", budget)):
        if value is not None and value <= 0:
            raise UsageError(f"{name} must be more than 0, not {value:g}")
    if seed < 0:
        raise UsageError(f"seed must be 0 or more, not {seed}")
    if protocols is None:
        chosen = every_protocol() if preset == "full" else SEED_PROTOCOLS
    else:
        chosen = _distinct("protocols", _names(protocols))
        for label in chosen:
            get_serializer(label)
    return BenchOptions(
        source=None if source is None else Path(source),
        cores=_cores(cores),
        protocols=chosen,
        preset=preset,
        ops=_among("ops", ops, OPS),
        rounds=rounds,
        budget_s=_budget(budget, preset, len(chosen), quick=quick),
        limit=limit,
        quick=quick,
        scratch=None if scratch is None else Path(scratch),
        output=Path(output),
        seed=seed,
        caches=tuple(name for name in CACHES if name in _among("cache", cache, CACHES)),
        durabilities=tuple(
            name for name in DURABILITIES if name in _among("durability", durability, DURABILITIES)
        ),
        dispatches=tuple(name for name in DISPATCHES if name in _among("dispatch", dispatch, DISPATCHES)),
        weights=Weights(reads_per_write, link, None if memory_cap is None else parse_size(memory_cap)),
        costs=None if costs is None else Path(costs),
    )


def every_protocol() -> tuple[str, ...]:
    """Return the labels of all protocols that are installed, plain and with each of their compressions."""
    labels = []
    for info in known_protocols():
        if not info.available:
            continue
        labels.append(info.name)
        for compression in info.abilities.compressions:
            label = f"{info.name}+{compression}"
            try:
                get_serializer(label)
            except Exception:  # noqa: BLE001, S112 - a compression that is not installed is left out
                continue
            labels.append(label)
    return tuple(labels)


def _budget(given: float | None, preset: str, protocols: int, *, quick: bool) -> float:
    if given is not None:
        return float(given)
    if preset == "full":
        return max(40.0, (5.0 if quick else 25.0) * protocols)
    return 35.0 if quick else 245.0


def _names(value: Sequence[str] | str) -> list[str]:
    return [name.strip() for name in (value.split(",") if isinstance(value, str) else value)]


def _distinct(what: str, names: list[str]) -> tuple[str, ...]:
    if not names or "" in names:
        raise UsageError(f"{what} is a list with commas, without gaps, such as {_EXAMPLES[what]}")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UsageError(f"{what} names {twice[0]} twice")
    return tuple(names)


_EXAMPLES = {
    "protocols": "npy,hickle,pickle-5",
    "ops": "dump,load",
    "cores": "1,2,4,8",
    "cache": "warm,cold",
    "durability": "buffered,fsync",
    "dispatch": "partitioned,engine",
}


def _cores(value: Sequence[int] | str) -> tuple[int, ...]:
    names = _names([str(number) for number in value] if not isinstance(value, str) else value)
    for name in names:
        if not re.fullmatch(r"[0-9]{1,9}", name) or not 1 <= int(name) <= _MOST_WORKERS:
            raise UsageError(
                f"cores are whole numbers from 1 to {_MOST_WORKERS}, such as 1,2,4,8: not {name!r}"
            )
    return tuple(sorted(int(name) for name in _distinct("cores", [str(int(name)) for name in names])))


def _among(what: str, value: Sequence[str] | str, known: Sequence[str]) -> tuple[str, ...]:
    names = _distinct(what, _names(value))
    for name in names:
        if name not in known:
            raise UsageError(f"unknown {what.removesuffix('s')} {name!r}: known are {', '.join(known)}")
    return names
