"""Damage that knows where a format's numbers, names and structures lie: what a reader reads says where."""

import random
import re
import struct
from dataclasses import dataclass

WIDTHS = (1, 2, 4, 8)
ADDRESS = struct.Struct("<Q")
NUMBERS = (
    0,
    1,
    2,
    3,
    7,
    8,
    16,
    24,
    63,
    64,
    65,
    127,
    128,
    255,
    1024,
    65535,
    2**24,
    2**31 - 1,
    2**31,
    2**32 - 1,
)
LARGE = (*NUMBERS, 2**40, 2**48, 2**62, 2**63 - 1, 2**63, 2**64 - 8, 2**64 - 1)
DIGITS = re.compile(rb"\d+")
WORDS = re.compile(rb"[A-Za-z_.<>=|]{2,20}")
TEXTS = (
    b"0",
    b"-1",
    b"1e400",
    b"NaN",
    b"99999999999999999999",
    b"9" * 5000,
    b"[]",
    b"{}",
    b"null",
    b"1.5",
    b"",
)
NAMES = (
    b"uint8",
    b"object",
    b"|O",
    b"V8",
    b"<U9",
    b"datetime64",
    b"M8[ns]",
    b"eval",
    b"os",
    b"system",
    b"numpy",
)


class Recorded:
    """A file that remembers which ranges of it were read."""

    def __init__(self, file):
        self._file = file
        self.ranges = {}

    def seek(self, offset, whence=0):
        return self._file.seek(offset, whence)

    def read(self, size=-1):
        start = self._file.tell()
        data = self._file.read(size)
        if data:
            self.ranges[start, start + len(data)] = None
        return data

    def readinto(self, buffer):
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def __getattr__(self, name):
        return getattr(self._file, name)


@dataclass(frozen=True)
class Map:
    """Where the structures of a file lie.

    Attributes:
        ranges: first byte and one past the last of each.
        pointers: where the address of one stands in another, by the address.
    """

    ranges: list[tuple[int, int]]
    pointers: dict[int, int]

    def owner(self, at):
        """The address, known to a pointer, of the structure that holds a byte."""
        return max((address for address in self.pointers.values() if address <= at), default=0)


def map_of(data, ranges):
    """Return the map of a file, given what was read of it."""
    ranges = [one for one in ranges if one[1] - one[0] < len(data)] or list(ranges)
    starts = {start for start, _ in ranges} - {0}
    pointers = {
        at: address
        for start, end in ranges
        for at in range(start, end - 7)
        if (address := ADDRESS.unpack_from(data, at)[0]) in starts
    }
    return Map(sorted(ranges), pointers)


def field(data, where, chance):
    """A number of a structure becomes another."""
    start, end = chance.choice(where.ranges)
    width = chance.choice([width for width in WIDTHS if width <= end - start])
    at = start + chance.randrange((end - start) // width) * width
    old = int.from_bytes(data[at : at + width], "little")
    other = chance.choice(chance.choice(where.ranges))
    value = chance.choice(
        [
            chance.choice(LARGE),
            old + 1,
            old - 1,
            old * 2,
            old + 8,
            ~old,
            start,
            other,
            end - start,
            len(data),
            len(data) - at,
        ]
    )
    data[at : at + width] = (value % (1 << 8 * width)).to_bytes(width, "little")


def pointer(data, where, chance):
    """An address becomes that of another structure, or of the one that it stands in."""
    if not where.pointers:
        return field(data, where, chance)
    at = chance.choice(list(where.pointers))
    others = list(where.pointers.values())
    value = chance.choice([where.owner(at), chance.choice(others), chance.choice(others), at, len(data), 0])
    ADDRESS.pack_into(data, at, value)
    return None


def circle(data, where, chance):
    """A structure leads to itself, and a byte at its head says one more: perhaps a level, a kind, a count."""
    if not where.pointers:
        return entry(data, where, chance)
    at = chance.choice(list(where.pointers))
    owner = where.owner(at)
    ADDRESS.pack_into(data, at, owner)
    head = owner + chance.randrange(8)
    data[head] = (data[head] + 1) % 256
    return None


def exchange(data, where, chance):
    """Two structures change places."""
    (one, one_end), (other, other_end) = chance.choice(where.ranges), chance.choice(where.ranges)
    size = min(one_end - one, other_end - other)
    if abs(one - other) >= size:
        data[one : one + size], data[other : other + size] = (
            data[other : other + size],
            data[one : one + size],
        )


def duplicate(data, where, chance):
    """A structure stands in another's place too."""
    (one, one_end), (other, other_end) = chance.choice(where.ranges), chance.choice(where.ranges)
    size = min(one_end - one, other_end - other)
    data[other : other + size] = data[one : one + size]


def entry(data, where, chance):
    """An entry of a structure is repeated, or stands where its neighbour stood."""
    start, end = chance.choice(where.ranges)
    size = chance.choice([4, 8, 16, 24, 40, 56, 64])
    if end - start >= 2 * size:
        one, other = (start + chance.randrange((end - start) // size) * size for _ in range(2))
        data[other : other + size] = data[one : one + size]


def number(data, where, chance):
    """A number that is written out becomes another; what follows moves."""
    start, end = chance.choice(where.ranges)
    found = list(DIGITS.finditer(data, start, min(end, start + 4096)))
    if not found:
        return field(data, where, chance)
    one = chance.choice(found)
    data[one.start() : one.end()] = chance.choice([*TEXTS, str(chance.choice(LARGE)).encode()])
    return None


def word(data, where, chance):
    """A name becomes another; what follows moves."""
    start, end = chance.choice(where.ranges)
    found = list(WORDS.finditer(data, start, min(end, start + 4096)))
    if not found:
        return field(data, where, chance)
    one = chance.choice(found)
    data[one.start() : one.end()] = chance.choice([*NAMES, chance.choice(found)[0], b""])
    return None


def nest(data, where, chance):
    """A bracket is opened again and again."""
    start, end = chance.choice(where.ranges)
    at = next((at for at in range(start, end) if data[at] in b"[({"), None)
    if at is None:
        return entry(data, where, chance)
    data[at:at] = bytes(data[at : at + 1]) * chance.choice([1, 70, 1000, 100_000])
    return None


def several(data, where, chance):
    """Two or three numbers and addresses at once: one check may hide behind another."""
    for _ in range(chance.randrange(2, 4)):
        chance.choice([field, pointer])(data, where, chance)


KINDS = (field, field, pointer, pointer, circle, exchange, duplicate, entry, number, word, nest, several)


def damaged(sound, where, name):
    """Return a file with one kind of damage; the same for the same name."""
    chance = random.Random(name)
    data = bytearray(sound)
    chance.choice(KINDS)(data, where, chance)
    return data
