"""cbor: a sequence of objects with key, dtype, shape and data.

Formats: RFC 8949, RFC 8742 for sequences; what `cbor2.dumps` makes of a dict of these.
"""

import io
from collections.abc import Iterator
from typing import Any

from .objects import OBJECT_LINES, Notation, ObjectSerializer
from .optional import library

__all__ = ["CborSerializer"]

_NUMBER, _BINARY, _TEXT, _SEQUENCE, _MAPPING = 0, 2, 3, 4, 5  # major types
_DIRECT = 24  # smaller arguments stand in the first byte; from here on their width does


def _head(major: int, argument: int) -> bytes:
    if argument < _DIRECT:
        return bytes([major << 5 | argument])
    step = next(step for step in range(4) if argument >> (8 << step) == 0)
    return bytes([major << 5 | _DIRECT + step]) + argument.to_bytes(1 << step, "big")


class _Cbor(Notation):
    def mapping(self, count: int) -> bytes:
        return _head(_MAPPING, count)

    def sequence(self, count: int) -> bytes:
        return _head(_SEQUENCE, count)

    def number(self, value: int) -> bytes:
        return _head(_NUMBER, value)

    def text(self, size: int) -> bytes:
        return _head(_TEXT, size)

    def binary(self, size: int) -> bytes:
        return _head(_BINARY, size)

    def text_at(self, data: bytes, at: int) -> tuple[int, int] | None:
        major, argument = divmod(data[at] if at < len(data) else 0, 32)
        if major != _TEXT or argument >= _DIRECT + 4:
            return None
        if argument < _DIRECT:
            return at + 1, argument
        width = 1 << argument - _DIRECT
        return at + 1 + width, int.from_bytes(data[at + 1 : at + 1 + width], "big")


class CborSerializer(ObjectSerializer):
    """Objects by the Internet's standard, small enough for devices."""

    name = "cbor"
    suffix = ".cbor"
    notation = _Cbor()

    def objects(self, stream: io.BufferedReader) -> Iterator[dict[str, Any]]:
        """Call `cbor2.load` until the stream ends."""
        load = library("cbor2").load
        while stream.peek(1):
            yield load(stream)

    def lines(self, file: str, *, single: bool) -> str:
        """Call `cbor2.load`, once for each sample."""
        # It reads ahead and seeks back, which costs an unpacking from the start where frames are unpacked.
        call = "cbor2.load(file)" if self.codec is None else "cbor2.load(file, read_size=1)"
        body = f"record = {call}\narray = {OBJECT_LINES}"
        if not single:
            body = (
                "samples = {}\n"
                "while file.peek(1):\n"
                f"    record = {call}\n"
                f'    samples[record["key"]] = {OBJECT_LINES}'
            )
        return self.lines_around(file, "cbor2, numpy", body)
