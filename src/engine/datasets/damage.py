"""What verifying found, file by file, with its cause and the command that repairs."""

import os
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from ..layout import SHARDS_FOLDER
from ..manifest.reader import Catalog
from ..manifest.schema import MANIFEST_NAME
from ..options import ConvertOptions
from ..sizes import parse_size
from .failures import MadeFrom, kind_of, made_from
from .stretches import BadSample

__all__ = ["Damage", "damage_of", "repair_command", "strangers"]


@dataclass(frozen=True, slots=True)
class Damage:
    """What is wrong with a file, and the samples that it costs.

    Attributes:
        file: a path below the dataset's folder.
        cause: what is wrong with it.
        keys: of its samples that are not intact; none if it is not known which these are.
    """

    file: str
    cause: str
    keys: tuple[str, ...]


def damage_of(catalog: Catalog, bad: Iterable[BadSample]) -> tuple[Damage, ...]:
    """Return bad samples by their files and what is wrong with those."""
    found: dict[tuple[str, str], list[str]] = {}
    written: dict[str, int] | None = None
    for one in bad:
        if written is None:
            written = _written_bytes(catalog)
        cause = one.reason if not one.key else _state(catalog.folder, one.file, written) or one.reason
        keys = found.setdefault((one.file, kind_of(cause, one.key) if cause is one.reason else cause), [])
        if one.key:
            keys.append(one.key)
    orphans = catalog.orphans()
    if orphans:
        found[MANIFEST_NAME, f"it has {orphans:,} samples of shards that it does not name"] = []
    return tuple(Damage(file, cause, tuple(keys)) for (file, cause), keys in found.items())


def strangers(catalog: Catalog) -> tuple[str, ...]:
    """Return the files among a dataset's shards that it does not know, as paths below its folder."""
    if catalog.settings["layout"] != "shards":
        return ()
    known = _written_bytes(catalog)
    try:
        names = sorted(os.listdir(catalog.folder / SHARDS_FOLDER))  # noqa: PTH208 - names of any bytes
    except OSError:
        return ()
    paths = [f"{SHARDS_FOLDER}/{name}" for name in names]
    return tuple(path for path in paths if path not in known)


def repair_command(catalog: Catalog, given: str) -> str:
    """Return the command that repairs a dataset from its sources, for a shell.

    Args:
        catalog: the dataset's manifest.
        given: the dataset's path as the caller gave it.
    """
    sources = made_from(catalog)
    words = ["brinery", "convert", *(shlex.quote(source.path) for source in sources), shlex.quote(given)]
    if not sources:
        words[2:2] = ["SRC..."]
    return " ".join([*words, *_options(catalog.settings, sources), "--repair"])


def _options(settings: Mapping[str, str], sources: Iterable[MadeFrom]) -> list[str]:
    """Return the options that a dataset was made with, as far as they are not the defaults."""
    words = []
    for field in fields(ConvertOptions):
        value = settings.get(field.name)
        default = field.default
        if value is None or field.name == "nested":  # which the dataset remembers
            continue
        name = f"--{field.name.replace('_', '-')}"
        if isinstance(default, bool):
            words += [name] if value == "yes" else []
        elif field.name == "shard_size":
            words += [name, shlex.quote(value)] if value != str(parse_size(str(default))) else []
        elif value != str(default):
            words += [name, shlex.quote(value)]
    encodings = {source.encoding for source in sources} - {None}
    if len(encodings) == 1:
        words += ["--encoding", shlex.quote(str(*encodings))]
    return words


def _written_bytes(catalog: Catalog) -> dict[str, int]:
    """Return the bytes that each shard's file had when it was written, by its path."""
    rows = catalog.table("shards", ("name", "file_bytes"), "WHERE name IS NOT NULL", at_once=4096)
    return {f"{SHARDS_FOLDER}/{name}": size for batch in rows for name, size in batch}


def _state(folder: Path, file: str, written: Mapping[str, int]) -> str:
    """Return what is wrong with a file as a whole; "" if nothing is."""
    try:
        found = os.lstat(folder / file)
    except FileNotFoundError:
        return "it is missing"
    except (OSError, ValueError):
        return ""
    size = written.get(file, found.st_size)
    if found.st_size < size:
        return f"it is cut short: {found.st_size:,} of {size:,} bytes are there"
    return f"it has {found.st_size:,} bytes, where {size:,} were written" if found.st_size > size else ""
