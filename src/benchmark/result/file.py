"""result.json: written whole or not at all, read back into the same result."""

import json
import os
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from ...errors import DatasetError, StorageError, UsageError
from .result import SCHEMA, BenchResult

__all__ = ["from_document", "read_document", "read_result", "write_result"]

Kind = TypeVar("Kind")


def write_result(result: BenchResult, path: str | os.PathLike[str]) -> None:
    """Write a result as JSON, whole or not at all.

    Raises:
        StorageError: the file cannot be written.
    """
    target = Path(path)
    aside = target.with_name(target.name + ".partial")
    try:
        aside.write_text(json.dumps(result.as_dict()) + "\n", encoding="utf-8")
        aside.replace(target)
    except OSError as error:
        raise StorageError(f"cannot write {target}: {error.strerror}") from error


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
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DatasetError(f"cannot read {name}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{name} is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise DatasetError(f"{name} is no result of brinery bench and no comparison")
    return document


def from_document(kind: type[Kind], document: Any, path: str | os.PathLike[str]) -> Kind:
    """Turn a JSON document into a dataclass; fields that it does not have are ignored.

    Raises:
        DatasetError: a field is missing or of another type; the message says which, as `$.cells[3].workers`.
    """
    try:
        return msgspec.convert(document, kind)
    except (msgspec.ValidationError, UsageError) as error:
        raise DatasetError(f"{os.fspath(path)} is damaged: {error}") from error
