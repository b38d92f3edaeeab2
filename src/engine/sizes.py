"""Sizes in bytes and types of numbers as people write and read them."""

import re

from ..errors import UsageError

__all__ = ["format_size", "format_type", "parse_size"]

_UNITS = {"": 1, "B": 1} | {
    prefix + suffix: base**power
    for power, prefix in enumerate("KMGTP", 1)
    for suffix, base in (("", 1024), ("iB", 1024), ("B", 1000))
}
_KINDS = {"u": "unsigned", "i": "signed", "f": "float", "c": "complex"}
_ORDERS = {"<": ", little-endian", ">": ", big-endian"}
_BY_LOWER = {name.lower(): factor for name, factor in _UNITS.items()}


def parse_size(value: int | str) -> int:
    """Return the bytes of an int or a text such as "64MiB", "1.5 GB" or "500k" (a bare letter is binary).

    Raises:
        UsageError: `value` is not a positive size.
    """
    if isinstance(value, str):
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", value)
        if match is None or match[2].lower() not in _BY_LOWER:
            raise UsageError(f"{value!r} is not a size: write for example 32MiB, 500kB or 1048576")
        value = int(float(match[1]) * _BY_LOWER[match[2].lower()])
    if value < 1:
        raise UsageError("a size must be at least one byte")
    return value


def format_size(size: float) -> str:
    """Return a size in three digits and a binary unit: "1.46 GiB"."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1000:
            return f"{size:.0f} B" if unit == "B" else f"{size:.3g} {unit}"
        size /= 1024
    return f"{size:.3g} TiB"


def format_type(dtype: str) -> str:
    """Return NumPy's name of a type, such as "<u2", in words: "16-bit unsigned, little-endian"."""
    match = re.fullmatch(r"([<>|=]?)([uifc])(\d{1,2})", dtype)
    if match is None:
        return "boolean" if dtype.lstrip("|") == "b1" else dtype
    return f"{8 * int(match[3])}-bit {_KINDS[match[2]]}{_ORDERS.get(match[1], '')}"
