"""The part of the HDF5 file format that brinery writes, read with bounds and without libhdf5.

Source: HDF5 File Format Specification, version 3.0: superblock of version 0, groups as symbol tables (B-trees
of version 1 over symbol nodes, names in a local heap), object headers of version 1, layouts of version 3.
Newer structures are refused, since brinery writes none. Every structure must lie inside the file; trees go
down one level at a time, and no node is met twice, so that each walk ends.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ...errors import CorruptError
from .checks import CheckedFile

__all__ = ["Hdf5File", "StoredDataset"]

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_SUPERBLOCK = struct.Struct("<8s8B2H4x4Q8xQ24x")
_FIXED = (0, 0, 0, 0, 0, 8, 8, 0)  # versions of what follows, and offsets and lengths of 8 bytes
_LEAF, _INNER = 4, 16  # half of the entries that a symbol node, and a group's tree node, can have
_CHUNK_LEAF = 32  # the same of a tree of chunks, which superblock 0 does not name
_NOWHERE = (1 << 64) - 1

_HEADER = struct.Struct("<BxH4xI4x")
_MESSAGE = struct.Struct("<HHB3x")
_PAIR = struct.Struct("<QQ")
_NODE = struct.Struct("<4sBBH16x")
_SYMBOLS = struct.Struct("<4sBxH")
_SYMBOL = struct.Struct("<QQI20x")
_HEAP = struct.Struct("<4sB3xQ8xQ")
_FILTER = struct.Struct("<4H")

_MAX_BLOCKS, _MAX_BLOCK, _MAX_MESSAGES = 64, 1 << 20, 1024  # of one object header
_MAX_HEAP, _MAX_NAME = 1 << 21, 1 << 10  # bytes; a unit has 4096 members, whose groups take 24 each
_MAX_DEPTH = 16

# Numbers of the messages in object headers.
_NIL, _SPACE, _TYPE, _OLD_FILL, _FILL, _LAYOUT, _FILTERS = 0, 1, 3, 4, 5, 8, 11
_ATTRIBUTE, _COMMENT, _OLD_TIME, _CONTINUED, _TABLE, _TIME = 12, 13, 14, 16, 17, 18
_NEW_GROUPS = {2, 6, 10}  # link info, link, group info
_PASSIVE = {_NIL, _ATTRIBUTE, _COMMENT, _OLD_TIME, _TIME}  # never looked at
_OF_GROUPS = _PASSIVE | {_TABLE}
_OF_DATASETS = _PASSIVE | {_SPACE, _TYPE, _OLD_FILL, _FILL, _LAYOUT, _FILTERS}
_SHARED = 2  # a flag: the message stands elsewhere in the file


@dataclass(frozen=True, slots=True)
class StoredDataset:
    """What the object header of a dataset says.

    Attributes:
        shape: in elements.
        datatype: the datatype message; see `hdf5_types`.
        address: of its bytes, or of the tree of its chunks; None if nothing was written.
        nbytes: bytes of contiguous data; 0 if chunked.
        chunk: the shape of a chunk in elements; None if contiguous.
        itemsize: bytes of an element by the layout of chunks; 0 if contiguous.
        filters: number and parameters of each filter of a chunk.
    """

    shape: tuple[int, ...]
    datatype: bytes
    address: int | None
    nbytes: int
    chunk: tuple[int, ...] | None
    itemsize: int
    filters: tuple[tuple[int, tuple[int, ...]], ...]


class Hdf5File:
    """An HDF5 file whose structures are looked up one by one; anything unknown is a CorruptError.

    Attributes:
        root: address of the object header of the root group.
    """

    def __init__(self, file: CheckedFile) -> None:
        self._file = file
        if file.size < _SUPERBLOCK.size or not file.bytes(0, 8).startswith(_SIGNATURE):
            _refuse("it begins with something else")
        fields = _SUPERBLOCK.unpack(file.bytes(0, _SUPERBLOCK.size))
        (_, version, *_), (leaf, inner, base, _, end, _, self.root) = fields[:9], fields[9:]
        if version:
            _refuse(f"it has a superblock of version {version}, brinery writes version 0")
        if fields[1:9] != _FIXED or (leaf, inner, base) != (_LEAF, _INNER, 0):
            _refuse("its superblock differs from brinery's")
        if end > file.size:
            _refuse(f"it should have {end} bytes and has {file.size}")
        self._members: dict[int, dict[str, int | None]] = {}

    def members(self, group: int) -> dict[str, int | None]:
        """Return the address of each member of a group by its name; None for a link that is not hard.

        Args:
            group: address of its object header.
        """
        found = self._members.get(group)
        if found is None:
            (table,) = self._messages(group, _OF_GROUPS, {_TABLE}).values()
            found = self._members[group] = self._symbols(*_unpack(_PAIR, table))
        return found

    def dataset(self, address: int) -> StoredDataset:
        """Return what the object header at an address says of a dataset."""
        messages = self._messages(address, _OF_DATASETS, {_SPACE, _TYPE, _LAYOUT})
        shape = _shape(messages[_SPACE])
        layout = messages[_LAYOUT]
        filters = _filters(messages[_FILTERS]) if _FILTERS in messages else ()
        if layout[:2] == b"\3\1":
            at, nbytes = _unpack(_PAIR, layout[2:])
            chunk, itemsize = None, 0
        elif layout[:2] == b"\3\2" and len(shape) + 1 == layout[2]:
            (at,), nbytes = _unpack(struct.Struct("<Q"), layout[3:]), 0
            *lengths, itemsize = _unpack(struct.Struct(f"<{layout[2]}I"), layout[11:])
            chunk = tuple(lengths)
            if not all(chunk):
                _refuse("its chunks are empty")
        else:
            _refuse("a dataset is neither contiguous nor chunked by a tree of version 1")
        address_or_none = None if at == _NOWHERE else at
        return StoredDataset(shape, messages[_TYPE], address_or_none, nbytes, chunk, itemsize, filters)

    def chunks(self, dataset: StoredDataset) -> NDArray[Any]:
        """Return the chunks of a dataset in order, as a structured array.

        Its fields are `nbytes` and `address` of the bytes as they are stored, `mask`, whose bits are filters
        that were left out, and `place`, the index of the chunk's first element, of which the last of rank + 1
        numbers counts bytes. No two chunks share a byte.
        """
        rank = len(dataset.shape)
        place = ("place", "<u8", (rank + 1,))
        entry = np.dtype([("nbytes", "<u4"), ("mask", "<u4"), place, ("address", "<u8")])
        leaves = [] if dataset.address is None else self._leaves(dataset.address, 1, entry, 2 * _CHUNK_LEAF)
        chunks: NDArray[Any] = np.concatenate([np.empty(0, entry), *leaves])
        order = np.argsort(chunks["address"], kind="stable")
        starts, sizes = chunks["address"][order], chunks["nbytes"][order].astype(np.uint64)
        if len(chunks) and int(starts[-1]) + int(sizes[-1]) > self._file.size:
            _refuse("a chunk lies outside of it")
        if (starts[:-1] + sizes[:-1] > starts[1:]).any():
            _refuse("two chunks share bytes")
        return chunks

    def _messages(self, address: int, known: set[int], needed: set[int]) -> dict[int, bytes]:
        """Return the messages of an object header by their numbers, the passive ones left out."""
        version, count, length = _unpack(_HEADER, self._file.bytes(address, _HEADER.size))
        if version != 1:
            _refuse(f"there is no object header of version 1 at byte {address}")
        messages: dict[int, bytes] = {}
        blocks = [(address + _HEADER.size, length)]
        for start, size in blocks:
            if len(blocks) > _MAX_BLOCKS or size > _MAX_BLOCK or count > _MAX_MESSAGES:
                _refuse("an object header is too long")
            for kind, flags, body in _split(self._file.bytes(start, size)):
                count -= 1
                if count < 0:
                    _refuse("an object header holds more messages than it counts")
                if kind == _CONTINUED:
                    blocks.append(_unpack(_PAIR, body))
                elif kind in _NEW_GROUPS:
                    _refuse("a group holds links of the newer kind, which need not be of its own")
                elif kind not in known:
                    _refuse(f"an object has a message of kind {kind}, which brinery does not write there")
                elif kind not in _PASSIVE:
                    if kind in messages or flags & _SHARED:
                        _refuse(f"an object has a message of kind {kind} twice or elsewhere")
                    messages[kind] = body
        if count:
            _refuse("an object header holds fewer messages than it counts")
        if not messages.keys() >= needed:
            _refuse("an object is not what brinery writes there")
        return messages

    def _symbols(self, tree: int, heap: int) -> dict[str, int | None]:
        """Return the members of a symbol table: the addresses of object headers by name."""
        signature, version, length, at = _unpack(_HEAP, self._file.bytes(heap, _HEAP.size))
        if signature != b"HEAP" or version or length > _MAX_HEAP:
            _refuse("a group has no heap of names")
        names = self._file.bytes(at, length)
        entry = np.dtype([("key", "<u8"), ("address", "<u8")])
        members: dict[str, int | None] = {}
        seen: set[int] = set()
        for leaf in self._leaves(tree, 0, entry, 2 * _INNER):
            for node in leaf["address"].tolist():
                if node in seen:
                    _refuse("a tree meets a node twice")
                seen.add(node)
                self._fits(seen, _SYMBOLS.size + 2 * _LEAF * _SYMBOL.size)
                for name_at, address, cached in self._symbol_node(node):
                    end = names.find(b"\0", name_at, name_at + _MAX_NAME)
                    name = names[name_at:end].decode("utf-8")
                    length -= end - name_at + 1
                    if end < 0 or length < 0 or name in members or cached > 2:
                        _refuse("a group's names are damaged")
                    members[name] = None if cached == 2 else address
        return members

    def _symbol_node(self, address: int) -> Iterator[tuple[int, int, int]]:
        signature, version, used = _unpack(_SYMBOLS, self._file.bytes(address, _SYMBOLS.size))
        if signature != b"SNOD" or version != 1 or used > 2 * _LEAF:
            _refuse(f"there is no symbol node at byte {address}")
        return _SYMBOL.iter_unpack(self._file.bytes(address + _SYMBOLS.size, used * _SYMBOL.size))

    def _leaves(self, root: int, kind: int, entry: np.dtype[Any], most: int) -> Iterator[NDArray[Any]]:
        """Yield what the lowest nodes of a B-tree of version 1 hold, from left to right.

        Args:
            root: address of the tree's root.
            kind: 0 for groups, 1 for chunks.
            entry: of a node, with a field `address`.
            most: entries that a node can have.
        """
        seen: set[int] = set()
        ahead: list[tuple[int, int | None]] = [(root, None)]
        while ahead:
            at, expected = ahead.pop()
            signature, found, level, used = _unpack(_NODE, self._file.bytes(at, _NODE.size))
            if signature != b"TREE" or found != kind or used > most or level > _MAX_DEPTH:
                _refuse(f"there is no node of a tree at byte {at}")
            if at in seen or expected not in (None, level):
                _refuse("a tree meets a node twice, or one of another level")
            seen.add(at)
            self._fits(seen, _NODE.size + most * entry.itemsize)
            entries = np.frombuffer(self._file.bytes(at + _NODE.size, used * entry.itemsize), entry)
            if level:
                ahead += [(below, level - 1) for below in reversed(entries["address"].tolist())]
            else:
                yield entries

    def _fits(self, nodes: set[int], size: int) -> None:
        """Refuse more nodes of this size than the file has room for, which would take time without end."""
        if len(nodes) * size > self._file.size:
            _refuse("the nodes of a tree share bytes")


def _refuse(what: str) -> NoReturn:
    raise CorruptError(f"the HDF5 file is damaged or not brinery's: {what}")


def _unpack(structure: struct.Struct, data: bytes) -> Any:
    if len(data) < structure.size:
        _refuse("a structure is too short")
    return structure.unpack_from(data)


def _split(block: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield number, flags and body of the messages in a block of an object header."""
    at = 0
    while at < len(block):
        kind, size, flags = _unpack(_MESSAGE, block[at : at + _MESSAGE.size])
        at += _MESSAGE.size + size
        if at > len(block):
            _refuse("a message leads past its block")
        yield kind, flags, block[at - size : at]


def _shape(message: bytes) -> tuple[int, ...]:
    """Return the shape by a dataspace message of version 1."""
    version, rank, flags = message[:3].ljust(3, b"\0")
    if version != 1 or flags > 1:
        _refuse("a dataset's shape is not as brinery writes it")
    lengths: tuple[int, ...] = _unpack(struct.Struct(f"<8x{rank}Q"), message)
    return lengths


def _filters(message: bytes) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Return number and parameters of each filter, by a filter pipeline message of version 1."""
    if message[:1] != b"\1":
        _refuse("a dataset's filters are not as brinery writes them")
    filters = []
    at = 8
    for _ in range(message[1]):
        number, name, _, count = _unpack(_FILTER, message[at : at + _FILTER.size])
        at += _FILTER.size + name
        filters.append((number, _unpack(struct.Struct(f"<{count}I"), message[at:])))
        at += 4 * (count + count % 2)
    return tuple(filters)
