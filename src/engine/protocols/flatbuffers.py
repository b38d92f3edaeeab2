"""FlatBuffers, written: the binary format of Arrow's metadata.

Source: FlatBuffers' "Internals" page. Tables stand before what they refer to, so that all offsets are known
when the buffer is complete, and the same values always give the same bytes.
"""

import struct
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Reference", "Scalar", "Structs", "Table", "Value", "flatbuffer"]

_ALIGN = 8  # the largest scalar's


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number that stands in its table.

    Attributes:
        code: its kind, as in `struct`: b, B, h, i, q ...
        value: the number.
    """

    code: str
    value: int


@dataclass(frozen=True, slots=True)
class Structs:
    """A vector of structs, which stand in it one after the other.

    Attributes:
        count: how many there are.
        data: their bytes, each struct a multiple of 8.
    """

    count: int
    data: bytes


class Table:
    """A table; a field that is None is left out.

    Attributes:
        fields: by the number that the schema gives each.
    """

    __slots__ = ("fields",)

    def __init__(self, *fields: "Value | None") -> None:
        self.fields = fields


Reference: TypeAlias = "Structs | Table | str | list[Table]"
Value: TypeAlias = "Scalar | Reference"


def flatbuffer(root: Table) -> bytes:
    """Return the buffer of a table; its length is a multiple of 8 bytes."""
    data = bytearray(4)
    _refer(data, 0, root)
    return bytes(data + bytes(-len(data) % _ALIGN))


def _refer(data: bytearray, place: int, value: Reference) -> None:
    """Append a value and write its offset at a place before it."""
    struct.pack_into("<I", data, place, _put(data, value) - place)


def _put(data: bytearray, value: Reference) -> int:
    """Append a value and return where it begins."""
    if isinstance(value, Table):
        return _put_table(data, value)
    if isinstance(value, Structs):
        data += bytes((-len(data) - 4) % _ALIGN)
        at = len(data)
        data += struct.pack("<I", value.count) + value.data
        return at
    data += bytes(-len(data) % 4)
    at = len(data)
    if isinstance(value, str):
        text = value.encode("utf-8")
        data += struct.pack("<I", len(text)) + text + b"\0"
        return at
    data += struct.pack("<I", len(value)) + bytes(4 * len(value))
    for number, table in enumerate(value, 1):
        _refer(data, at + 4 * number, table)
    return at


def _put_table(data: bytearray, table: Table) -> int:
    present = [(slot, value) for slot, value in enumerate(table.fields) if value is not None]
    sizes = {slot: _size(value) for slot, value in present}
    offsets = [0] * len(table.fields)
    end = 4  # behind the offset of the list of offsets
    for slot in sorted(sizes, key=lambda slot: -sizes[slot]):
        end += -end % sizes[slot]
        offsets[slot] = end
        end += sizes[slot]
    header = struct.pack(f"<{2 + len(offsets)}H", 4 + 2 * len(offsets), end, *offsets)
    data += bytes(-(len(data) + len(header)) % _ALIGN) + header
    at = len(data)
    data += struct.pack("<i", len(header)) + bytes(end - 4)
    for slot, value in present:
        if isinstance(value, Scalar):
            struct.pack_into(f"<{value.code}", data, at + offsets[slot], value.value)
        else:
            _refer(data, at + offsets[slot], value)
    return at


def _size(value: Value) -> int:
    return struct.calcsize(f"<{value.code}") if isinstance(value, Scalar) else 4
