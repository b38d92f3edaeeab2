"""Thrift's compact protocol, written: the binary format of Parquet's metadata.

Source: "Thrift Compact protocol encoding" in Thrift's documentation.
"""

from typing import TypeAlias

__all__ = ["I64", "Value", "compact", "varint"]


class I64(int):
    """An integer of 64 bits; a plain `int` is one of 32."""

    __slots__ = ()


Value: TypeAlias = "int | I64 | str | list[Value] | dict[int, Value]"
"""A field: a list holds values of one kind, a dict is a struct by the rising numbers of its fields."""

_I32, _I64, _BINARY, _LIST, _STRUCT = 5, 6, 8, 9, 12


def compact(value: Value) -> bytes:
    """Return the bytes of a value; integers must not be negative."""
    if isinstance(value, int):
        return varint(value << 1)  # the lowest bit is the sign
    if isinstance(value, str):
        text = value.encode("utf-8")
        return varint(len(text)) + text
    if isinstance(value, list):
        kind = _kind(value[0]) if value else _STRUCT
        few = len(value) < 15
        head = bytes((len(value) << 4 | kind,)) if few else bytes((0xF0 | kind,)) + varint(len(value))
        return head + b"".join(map(compact, value))
    fields, last = bytearray(), 0
    for number, field in value.items():
        fields.append((number - last) << 4 | _kind(field))
        fields += compact(field)
        last = number
    return bytes(fields) + b"\0"


def varint(number: int) -> bytes:
    """Return a number that is not negative, seven bits a byte, the lowest first."""
    data = bytearray()
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    data.append(number)
    return bytes(data)


def _kind(value: Value) -> int:
    if isinstance(value, int):
        return _I64 if isinstance(value, I64) else _I32
    return _BINARY if isinstance(value, str) else _LIST if isinstance(value, list) else _STRUCT
