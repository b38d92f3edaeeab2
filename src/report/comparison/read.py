"""The JSON that `brinery compare --json` prints, read back."""

from typing import Any

from ...benchmark.compare.compare import Comparison
from ...benchmark.result.file import from_document

__all__ = ["read_comparison"]


def read_comparison(document: dict[str, Any], name: str) -> Comparison:
    """Return the comparison of a document of schema `brinery.compare/1`.

    Raises:
        DatasetError: it is damaged.
    """
    nested = dict(document)
    for part in ("cells", "excluded"):
        listed = document.get(part)
        if isinstance(listed, list):
            nested[part] = [{"name": one, **one} if isinstance(one, dict) else one for one in listed]
    return from_document(Comparison, nested, name)
