"""The JSON that `brinery compare --json` prints, read back."""

from dataclasses import fields
from typing import Any

from ...benchmark.compare.compare import CellName, Comparison
from ...benchmark.result.file import build
from ...errors import DatasetError

__all__ = ["read_comparison"]


def read_comparison(document: dict[str, Any], name: str) -> Comparison:
    """Return the comparison of a document of schema `brinery.compare/1`.

    Raises:
        DatasetError: it is damaged.
    """
    names = [field.name for field in fields(CellName)]
    try:
        nested = dict(document)
        for part in ("cells", "excluded"):
            nested[part] = [
                {"name": {key: cell[key] for key in names if key in cell}, **cell} for cell in document[part]
            ]
        return build(Comparison, nested)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(f"{name} is damaged: {error}") from error
