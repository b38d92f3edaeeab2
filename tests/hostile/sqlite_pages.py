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
