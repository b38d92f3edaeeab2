"""msgpack: one object after the other with key, dtype, shape and data.

Format: https://github.com/msgpack/msgpack/blob/master/spec.md; what `msgpack.packb` makes of a dict of these.
"""

import io
from collections.abc import Iterator
from typing import Any

from ...errors import MemberError
from .objects import OBJECT_LINES, Notation, ObjectSerializer
from .optional import library

__all__ = ["MsgpackSerializer"]

_WIDTHS = {0xD9: 1, 0xDA: 2, 0xDB: 4}  # bytes of a text's length behind these


def _sized(code: int, size: int, widths: tuple[int, ...] = (1, 2, 4)) -> bytes:
    """Return the first code of a family whose width takes a size, and the size."""
    for step, width in enumerate(widths):
        if size >> 8 * width == 0:
            return bytes([code + step]) + size.to_bytes(width, "big")
    raise MemberError(f"msgpack holds no {size} bytes in one piece: at most 4294967295")


class _Msgpack(Notation):
    def mapping(self, count: int) -> bytes:
        return bytes([0x80 | count])

    def sequence(self, count: int) -> bytes:
        return bytes([0x90 | count]) if count < 16 else _sized(0xDC, count, (2, 4))

    def number(self, value: int) -> bytes:
        return bytes([value]) if value < 128 else _sized(0xCC, value, (1, 2, 4, 8))

    def text(self, size: int) -> bytes:
        return bytes([0xA0 | size]) if size < 32 else _sized(0xD9, size)

    def binary(self, size: int) -> bytes:
        return _sized(0xC4, size)

    def text_at(self, data: bytes, at: int) -> tuple[int, int] | None:
        code = data[at] if at < len(data) else 0
        if 0xA0 <= code < 0xC0:
            return at + 1, code & 0x1F
        width = _WIDTHS.get(code)
        if width is None:
            return None
        return at + 1 + width, int.from_bytes(data[at + 1 : at + 1 + width], "big")


_SINGLE = f"(record,) = msgpack.Unpacker(file, max_buffer_size=0)\narray = {OBJECT_LINES}"
_SAMPLES = f"""\
samples = {{}}
for record in msgpack.Unpacker(file, max_buffer_size=0):
    samples[record["key"]] = {OBJECT_LINES}"""


class MsgpackSerializer(ObjectSerializer):
    """Objects that nearly every language reads."""

    name = "msgpack"
    suffix = ".msgpack"
    notation = _Msgpack()

    def objects(self, stream: io.BufferedReader) -> Iterator[dict[str, Any]]:
        """Iterate over `msgpack.Unpacker`."""
        yield from library("msgpack").Unpacker(stream, max_buffer_size=0)

    def lines(self, file: str, *, single: bool) -> str:
        """Iterate over `msgpack.Unpacker`."""
        return self.lines_around(file, "msgpack, numpy", _SINGLE if single else _SAMPLES)
