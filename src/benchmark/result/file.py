"""result.json: written whole or not at all, read back into the same result."""

import json
import os
import types
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from ...errors import DatasetError, StorageError
from .result import SCHEMA, BenchResult

__all__ = ["build", "read_result", "write_result"]


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
        DatasetError: the file cannot be read, or is none of this schema.
    """
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DatasetError(f"cannot read {os.fspath(path)}: {error.strerror}") from error
    except ValueError as error:
        raise DatasetError(f"{os.fspath(path)} is no JSON: {error}") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise DatasetError(f"{os.fspath(path)} is no result of brinery bench (schema {SCHEMA})")
    for cell in document.get("cells") or ():
        if isinstance(cell, dict) and cell.get("op") == "convert":
            cell.setdefault("dispatch", "engine")  # it always was
    try:
        return build(BenchResult, document)
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{os.fspath(path)} is damaged: {error}") from error


Built = TypeVar("Built")


def build(kind: type[Built], value: Any) -> Built:
    """Turn JSON into the type that an annotation names."""
    origin, arguments = get_origin(kind), get_args(kind)
    built: Any = value
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        built = kind(
            **{
                field.name: build(hints[field.name], value[field.name])
                for field in fields(kind)
                if field.name in value or field.default is field.default_factory  # both MISSING: required
            }
        )
    elif origin in (Union, types.UnionType):
        inner = [argument for argument in arguments if argument is not type(None)]
        built = value if value is None or len(inner) > 1 else build(inner[0], value)
    elif origin is tuple:
        built = tuple(build(arguments[0], item) for item in value)
    return cast("Built", built)
