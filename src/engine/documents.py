"""JSON that may come from anybody, as plain values that nothing trips over."""

import json
import math
import re
from typing import Any, Final, NoReturn

__all__ = ["parse_document"]

_LARGEST: Final = 1 << 64
_LONE_HALF: Final = re.compile(r"\\u[dD][89a-fA-F]")  # of a pair of surrogates, in a file's name perhaps


def parse_document(text: str) -> Any:
    """Return what a JSON text holds.

    Lone surrogates, which stand for bytes of names that are no UTF-8, become escapes, so that every text can
    be written as UTF-8.

    Raises:
        ValueError: it is no JSON, or holds a number that is not finite or has more than 64 bits, a name twice
            in one object, or more levels than can be read.
    """
    try:
        value = json.loads(
            text,
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_no_number,
            object_pairs_hook=_unique,
        )
        return _without_halves(value) if _LONE_HALF.search(text) else value
    except RecursionError as error:
        raise ValueError("it has too many levels") from error


def _integer(text: str) -> int:
    value = int(text) if len(text) <= 21 else _LARGEST
    if abs(value) >= _LARGEST:
        raise ValueError(f"the number {text:.30} has more than 64 bits")
    return value


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text:.30} is too large")
    return value


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice!r:.60} stands twice in one object")
    return found


def _without_halves(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, list):
        return [_without_halves(item) for item in value]
    if isinstance(value, dict):
        return {_without_halves(name): _without_halves(item) for name, item in value.items()}
    return value
