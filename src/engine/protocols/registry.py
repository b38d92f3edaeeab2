"""Which protocols there are, and the serializer of a label such as `hdf5+gzip:4`.

The built-in ones are a table of names, so that none of their libraries is imported before it is used.
Others come through the entry-point group `brinery.protocols`: the entry's name is the protocol's, its value
a `Serializer` subclass, or a callable that takes a `Compression` or None and returns a `Serializer`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, cast

from ...errors import MissingLibraryError, UnknownProtocolError, UsageError
from .base import Abilities, Compression, Serializer
from .optional import installed, missing

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["GROUP", "LIBRARIES", "ProtocolInfo", "get_serializer", "known_protocols", "libraries_of"]

GROUP = "brinery.protocols"

_BUILT_IN = {
    **{f"pickle-{version}": f"pickles:Pickle{version}" for version in range(6)},
    **{f"pypickle-{version}": f"pickles:PyPickle{version}" for version in range(6)},
    "json": "json_lines:JsonSerializer",
    "npy": "npy:NpySerializer",
    "npz": "npz:NpzSerializer",
    "hdf5": "hdf5:Hdf5Serializer",
    "hickle": "hickles:HickleSerializer",
    "arrow": "arrow:ArrowSerializer",
    "safetensors": "safetensors:SafetensorsSerializer",
    "parquet": "parquet:ParquetSerializer",
    "zarr": "zarr:ZarrSerializer",
    "msgpack": "msgpack:MsgpackSerializer",
    "cbor": "cbor:CborSerializer",
    "tfrecord": "tfrecord:TfrecordSerializer",
    "encoded": "encoded:EncodedSerializer",
    "webdataset": "webdataset:WebDatasetSerializer",
}

_NEEDS = {
    "hdf5": ("h5py",),
    "hickle": ("h5py", "hickle"),
    "arrow": ("pyarrow",),
    "safetensors": ("safetensors",),
    "parquet": ("pyarrow",),
    "zarr": ("zarr",),
    "msgpack": ("msgpack",),
    "cbor": ("cbor2",),
    "tfrecord": ("crc32c", "tfrecord"),
    "zstd": ("zstandard",),
    "lz4": ("lz4",),
}

LIBRARIES = frozenset(library for needed in _NEEDS.values() for library in needed)
"""The libraries that built-in protocols and compressions need."""

# Lowest and highest level of each compression that has levels.
_LEVELS = {
    "gzip": (0, 9),
    "deflate": (0, 9),
    "zstd": (1, 22),
    "lz4": (0, 16),
    "png": (0, 9),
    "webp": (0, 9),
    "jpg": (1, 100),
}
_NO_LEVELS = {"lzf", "snappy"}

_Factory = Callable[[Compression | None], Serializer]


@dataclass(frozen=True, slots=True)
class ProtocolInfo:
    """One protocol as `brinery protocols` lists it.

    Attributes:
        name: what users write before the plus sign.
        suffix: what its files' names end with, without compression.
        abilities: what it can do.
        available: whether its libraries are installed and it could be loaded.
        extra: the libraries to install where they are lacking, or None.
        origin: "built-in", or the distribution that brings it.
        problem: why a third party's protocol could not be loaded, or None.
    """

    name: str
    suffix: str
    abilities: Abilities
    available: bool
    extra: str | None
    origin: str
    problem: str | None = None


def get_serializer(label: str, *, to_open: bool = False) -> Serializer:
    """Return the serializer of a label `name[+compression[:level]]`, such as `npy` or `pickle-5+zstd:3`.

    Args:
        label: as users write it.
        to_open: datasets are opened with it and nothing is written: what can be mapped needs no library.

    Raises:
        UnknownProtocolError: no such protocol, or none of its compressions; lists the known ones.
        UsageError: a level out of range.
        MissingLibraryError: a library it needs is not installed, and the message names the extra; or a third
            party's code cannot be loaded, and the message says what broke.
    """
    name, plus, rest = label.partition("+")
    factory = _factory(name)
    if not (to_open and not plus and name in _BUILT_IN and factory(None).maps):
        _need(name)
    if not plus:
        return factory(None)
    takes = factory(None).abilities.compressions
    compression = _compression(label, name, rest, takes)
    _need(compression.name)
    return factory(compression)


def libraries_of(label: str) -> tuple[str, ...]:
    """Return the libraries that a label's protocol and compression need, as far as they are built in."""
    name, _, compression = label.partition("+")
    return (*_NEEDS.get(name, ()), *_NEEDS.get(compression.partition(":")[0], ()))


def known_protocols() -> list[ProtocolInfo]:
    """Every protocol: the built-in ones in their order, then those of third parties by name."""
    known = []
    for name in _BUILT_IN:
        serializer = _load_built_in(name)
        lacking = [library for library in _NEEDS.get(name, ()) if not installed(library)]
        known.append(
            ProtocolInfo(
                name=name,
                suffix=serializer.suffix,
                abilities=serializer.abilities,
                available=not lacking,
                extra=" ".join(lacking) or None,
                origin="built-in",
            )
        )
    return known + [_third_party_info(entry) for entry in _third_parties().values()]


def _factory(name: str) -> _Factory:
    if name in _BUILT_IN:
        return _load_built_in(name)
    others = _third_parties()
    if name in others:
        return _third_party(others[name])
    known = [*_BUILT_IN, *others]
    raise UnknownProtocolError(
        f"unknown protocol {name!r}{_suggestion(name, known)}; known protocols: {', '.join(known)}"
    )


@cache
def _load_built_in(name: str) -> type[Serializer]:
    module, _, attribute = _BUILT_IN[name].partition(":")
    return cast("type[Serializer]", getattr(import_module(f".{module}", __package__), attribute))


def _third_parties() -> dict[str, EntryPoint]:
    """Return entry points by protocol name; the first of a name wins, and none can take a built-in name."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - most runs need no third party's protocol

    found: dict[str, EntryPoint] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, _origin(entry))):
        if entry.name not in _BUILT_IN:
            found.setdefault(entry.name, entry)
    return found


def _origin(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else "an unknown distribution"


def _third_party(entry: EntryPoint) -> _Factory:
    """Return what makes a third party's serializer; whatever its code raises is told as its error."""

    def make(compression: Compression | None) -> Serializer:
        try:
            made = entry.load()(compression)
            if not isinstance(made, Serializer):
                raise TypeError(f"{entry.value} gives a {type(made).__name__}, not a Serializer")  # noqa: TRY301
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
            what = f"protocol {entry.name!r} of {_origin(entry)}"
            raise MissingLibraryError(f"{what} cannot be loaded: {problem}") from error
        return made

    return make


def _third_party_info(entry: EntryPoint) -> ProtocolInfo:
    origin = _origin(entry)
    try:
        example = _third_party(entry)(None)
    except MissingLibraryError as error:
        none = Abilities(raw_payload=False, safe_load=False, portable=False, ragged=False)
        return ProtocolInfo(entry.name, "", none, False, extra=None, origin=origin, problem=str(error))
    return ProtocolInfo(entry.name, example.suffix, example.abilities, True, None, origin)


def _compression(label: str, protocol: str, text: str, takes: tuple[str, ...]) -> Compression:
    name, colon, level = text.partition(":")
    if name not in takes:
        choices = f"it takes {', '.join(takes)}" if takes else "it takes none"
        raise UnknownProtocolError(
            f"unknown compression {name!r} for protocol {protocol!r}{_suggestion(name, takes)}; {choices}"
        )
    if not colon:
        return Compression(name)
    if name in _NO_LEVELS:
        raise UsageError(f"{label!r}: {name} has no levels; write {protocol}+{name}")
    lowest, highest = _LEVELS.get(name, (None, None))
    allowed = "a whole number" if lowest is None else f"a whole number from {lowest} to {highest}"
    if not (level.isascii() and level.isdecimal()):
        raise UsageError(f"{label!r}: the level of {name} is {allowed}, not {level!r}")
    number = int(level)
    if lowest is not None and highest is not None and not lowest <= number <= highest:
        raise UsageError(f"{label!r}: the level of {name} is {allowed}, not {level}")
    return Compression(name, number)


def _suggestion(name: str, known: list[str] | tuple[str, ...]) -> str:
    import difflib  # noqa: PLC0415 - for an error's message only

    close = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _need(name: str) -> None:
    for needed in _NEEDS.get(name, ()):
        if not installed(needed):
            raise missing(needed)
