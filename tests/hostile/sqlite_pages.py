"""Pages of SQLite files made by hand, as https://www.sqlite.org/fileformat2.html describes them."""

import sqlite3
import struct
from contextlib import closing

TABLE, INDEX = 5, 2  # interior pages of tables with a rowid, and of indexes and tables without


def page_size(data):
    size = struct.unpack_from(">H", data, 16)[0]
    return 1 << 16 if size == 1 else size


def root_page(path, name):
    with closing(sqlite3.connect(path)) as db:
        ((root,),) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,))
    return root


def append_page(data, page):
    """Put a page behind the others; return its number."""
    data += page
    count = len(data) // page_size(data)
    struct.pack_into(">I", data, 28, count)
    return count


def interior(size, child, kind=TABLE, content=b"\1"):
    """A full page whose every cell leads to the same child; what the cells hold beside it is content."""
    page = bytearray(size)
    cell = struct.pack(">I", child) + content
    cells = (size - 12) // (len(cell) + 2)
    at = size
    for number in range(cells):
        at -= len(cell)
        page[at : at + len(cell)] = cell
        struct.pack_into(">H", page, 12 + 2 * number, at)
    struct.pack_into(">BHHHBI", page, 0, kind, 0, cells, at, 0, child)
    return page


def multiply(path, name, levels=3):
    """Put levels of pages above a table's one page, all cells of which lead to the same page."""
    data = bytearray(path.read_bytes())
    size, root = page_size(data), root_page(path, name)
    first = (root - 1) * size
    kind = {13: TABLE, 10: INDEX}[data[first]]
    content = b"\1" if kind == TABLE else leaf_cell(data[first : first + size])
    child = append_page(data, data[first : first + size])
    for _ in range(levels - 1):
        child = append_page(data, interior(size, child, kind, content))
    data[first : first + size] = interior(size, child, kind, content)
    path.write_bytes(data)


def leaf_cell(page):
    """The first cell of a page of an index, which has no overflow."""
    (at,) = struct.unpack_from(">H", page, 8)
    length, used = varint(page, at)
    return bytes(page[at : at + used + length])


def varint(data, at):
    """A number and how many bytes it takes."""
    value = 0
    for place in range(9):
        byte = data[at + place]
        if place == 8:
            return (value << 8) | byte, 9
        value = (value << 7) | (byte & 127)
        if byte < 128:
            return value, place + 1
    raise AssertionError


def repeat_cell(path, name):
    """Let every cell of a table's page be its last one, as many as the page has room to name."""
    data = bytearray(path.read_bytes())
    size, root = page_size(data), root_page(path, name)
    first = (root - 1) * size
    assert data[first] in (13, 10)
    count, content = struct.unpack_from(">HH", data, first + 3)
    (last,) = struct.unpack_from(">H", data, first + 8 + 2 * (count - 1))
    cells = (content - 8) // 2
    for number in range(cells):
        struct.pack_into(">H", data, first + 8 + 2 * number, last)
    struct.pack_into(">H", data, first + 3, cells)
    path.write_bytes(data)
    return cells


HEADER = [(16, 2), (18, 1), (19, 1), (20, 1), (21, 1), (22, 1), (23, 1)]
HEADER += [(at, 4) for at in (24, 28, 32, 36, 40, 44, 48, 52, 56, 60, 64, 68, 92, 96)]
KINDS = {2: 12, 5: 12, 10: 8, 13: 8}  # the bytes of a page's header


def fields(data):
    """Where each number of the file's structure lies, and how many bytes it has."""
    yield from HEADER
    size = page_size(data)
    for start in range(0, len(data), size):
        head = start + (100 if start == 0 else 0)
        kind = data[head]
        if kind not in KINDS:
            yield from ((start, 4), (start + 4, 4))  # a page of an overflow, or a free one
            continue
        yield from ((head + at, width) for at, width in ((0, 1), (1, 2), (3, 2), (5, 2), (7, 1)))
        if KINDS[kind] == 12:
            yield head + 8, 4
        (cells,) = struct.unpack_from(">H", data, head + 3)
        for number in range(cells):
            pointer = head + KINDS[kind] + 2 * number
            yield pointer, 2
            (at,) = struct.unpack_from(">H", data, pointer)
            yield from cell_fields(data, start + at, kind)


def cell_fields(data, at, kind):
    if kind in (2, 5):
        yield at, 4
        at += 4
    if kind == 5:
        yield at, varint(data, at)[1]
        return
    length, used = varint(data, at)
    yield at, used
    at += used
    if kind == 13:
        used = varint(data, at)[1]
        yield at, used
        at += used
    head, used = varint(data, at)
    end = at + head
    while at < min(end, len(data) - 9):
        used = varint(data, at)[1]
        yield at, used
        at += used
    if length > head and end < len(data):
        yield end, 1  # the first byte of the values


def change_field(data, places, chance, size=4096):
    """Give a number of the structure another value: a page, a length, an end, or what another one has."""
    at, width = chance.choice(places)
    pages = len(data) // size  # what the header says of it may be changed already
    limits = [0, 1, 2, 127, 128, 255, (1 << 15) - 1, 1 << 15, (1 << 8 * width) - 1, 1 << (8 * width - 1)]
    other_at, other_width = chance.choice(places)
    other = int.from_bytes(data[other_at : other_at + other_width], "big")
    value = chance.choice(
        [
            *limits,
            chance.randrange(pages + 2),
            at // size + 1,
            int.from_bytes(data[at : at + width], "big") + chance.choice([-1, 1]),
            other,
            chance.randrange(1 << 8 * width),
        ]
    )
    data[at : at + width] = (value % (1 << 8 * width)).to_bytes(width, "big")
