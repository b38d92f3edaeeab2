"""result.json: written whole or not at all, read back into the same result."""

import json
import os
import stat
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from ...engine.documents import parse_document
from ...errors import DatasetError, StorageError, UsageError
from .result import SCHEMA, BenchResult

Kind = TypeVar("Kind")

_MOST_BYTES = 1 << 27
# Seeds are any number, clocks begin anywhere, and what the kernel counts of the machine can run backwards.
_SIGNED = {
    "seed",
    "begin_ns",
    "rows",
    "steal_ns",
    "throttled_ns",
    "io_stalled_ns",
    "device_busy_ns",
    "busy_ns",
}

_AT_LEAST_ONE = {"workers", "dump_workers", "cores"}

# Whole numbers are counts. Other numbers may be negative, as an end of an interval, but for these.
_MEASURED = ("_ns", "_bytes", "_per_image", "_per_s")


class _Document(Protocol):
    """A result or a comparison, which has a form in JSON."""

    def as_dict(self) -> dict[str, Any]: ...


def write_result(result: _Document, path: str | os.PathLike[str]) -> None:
    """Write a result or a comparison as JSON, whole or not at all.

    Raises:
        StorageError: the file cannot be written.
    """
    write_whole(Path(path), json.dumps(result.as_dict()).encode() + b"\n")


def write_whole(path: Path, content: bytes, *, make_folder: bool = False) -> None:
    """Write a file, whole or not at all; its folder is made first if `make_folder` says so.

    Raises:
        StorageError: the file cannot be written.
    """
    aside = path.with_name(path.name + ".partial")
    try:
        if make_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_bytes(content)
        aside.replace(path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error


def read_result(path: str | os.PathLike[str]) -> BenchResult:
    """Read a result.

    Raises:
        DatasetError: the file cannot be read, is no result of this schema, or a field of it is wrong.
    """
    document = read_document(path)
    if document.get("schema") != SCHEMA:
        raise DatasetError(f"{os.fspath(path)} is no result of brinery bench (schema {SCHEMA})")
    cells = document.get("cells")
    for cell in cells if isinstance(cells, list) else ():
        if isinstance(cell, dict) and cell.get("op") == "convert":
            cell.setdefault("dispatch", "engine")  # it always was
    return from_document(BenchResult, document, path)


def read_document(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        DatasetError: the file cannot be read, or holds something else.
    """
    name = os.fspath(path)
    try:
        document = parse_document(_read(Path(path)))
    except OSError as error:
        raise DatasetError(f"cannot read {name}: {error.strerror}") from error
    except ValueError as error:
        raise DatasetError(f"{name} is no JSON that brinery writes: {error}") from error
    if not isinstance(document, dict):
        raise DatasetError(f"{name} is no result of brinery bench and no comparison")
    return document


def _read(path: Path) -> str:
    """Return a file's text; ValueError where it cannot be a result.

    What a folder holds is a regular file; a pipe that the shell hands over stands in /dev.
    """
    handed_over = path.is_relative_to("/dev")
    flags = os.O_RDONLY | os.O_CLOEXEC | (0 if handed_over else os.O_NONBLOCK)
    with open(path, "rb", opener=lambda name, _: os.open(name, flags)) as file:
        if not handed_over and not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("it is no regular file")
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise ValueError(f"it has more than {_MOST_BYTES:,} bytes")
    return data.decode()


def from_document(kind: type[Kind], document: Any, path: str | os.PathLike[str]) -> Kind:
    """Turn a JSON document into a dataclass; fields that it does not have are ignored.

    Raises:
        DatasetError: a field is missing or of another type; the message says which, as `$.cells[3].workers`.
    """
    try:
        built = msgspec.convert(document, kind)
    except (msgspec.ValidationError, UsageError) as error:
        raise DatasetError(f"{os.fspath(path)} is damaged: {error}") from error
    for place, value, least in _too_small(built, "$"):
        raise DatasetError(f"{os.fspath(path)} is damaged: {value:g} cannot be below {least} - at `{place}`")
    return built


def _too_small(value: Any, place: str, name: str = "") -> Iterator[tuple[str, float, int]]:
    """Yield the numbers that count or measure less than there can be, where they are, and the least."""
    if isinstance(value, int | float):
        measured = isinstance(value, int) or name.endswith(_MEASURED)
        least = 1 if name in _AT_LEAST_ONE and isinstance(value, int) else 0
        if value < least and measured and name not in _SIGNED:
            yield place, value, least
    elif isinstance(value, tuple):
        for number, item in enumerate(value):
            yield from _too_small(item, f"{place}[{number}]", name)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _too_small(item, f"{place}.{key}", name)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _too_small(getattr(value, field.name), f"{place}.{field.name}", field.name)
