"""The images of a tar archive, plain or compressed."""

from collections.abc import Iterator
from contextlib import closing
from typing import Final

from ..errors import DecodeError
from .blocks import Blocks, Damage, FileBlocks, Passing, StreamBlocks
from .members import Entry, Member, NotImage, Unreadable
from .names import place
from .options import ReadBudget
from .signature import HEAD, NotAnImage, require_image
from .tarwalk import TAR_ERROR, TarWalk

__all__ = ["list_compressed_tar", "list_tar"]

_BUDGET: Final = ReadBudget()


def list_tar(path: str, prefix: str = "", encoding: str | None = None) -> Iterator[Entry]:
    """The entries of a plain tar, whose members workers read by position.

    Damage never ends a listing silently: the place is yielded as Unreadable, with the key
    `<archive>@<offset>`, and the listing goes on at the next good header.
    """
    with closing(FileBlocks(path)) as blocks:
        yield from _guarded(TarWalk(blocks, path, prefix, blocks.size, encoding), blocks, path, prefix)


def list_compressed_tar(
    path: str,
    compression: str,
    prefix: str = "",
    budget: ReadBudget = _BUDGET,
    encoding: str | None = None,
) -> Iterator[Entry]:
    """The entries of a compressed tar ("gzip", "bzip2", "xz", "zstd"): the bytes of members are Passing.

    What is no image by its signature, and what passes the budget, carries its beginning only: whoever reads
    it says what is wrong. A member whose bytes cannot be read is yielded again as Unreadable. Where the
    stream as a whole passes the budget's ratio, the listing ends with an Unreadable.

    Raises:
        MissingLibraryError: zstd, and the library is not installed.
    """
    with closing(StreamBlocks(path, compression, budget.max_ratio)) as blocks:
        walk = TarWalk(blocks, path, prefix, None, encoding)
        for entry in _guarded(walk, blocks, path, prefix):
            if not isinstance(entry, Member):
                yield entry
                continue
            try:
                head = Passing(blocks, entry.offset, entry.size).read(HEAD)
            except Damage as damage:
                yield _cut_off(entry, damage)
                return
            if entry.size > budget.max_bytes or not _is_image(head, entry.key):
                yield entry._replace(data=head)
                continue
            passing = Passing(blocks, entry.offset, entry.size)
            yield entry._replace(data=passing)
            if passing.damage is not None:
                yield _cut_off(entry, passing.damage)
                return
        if blocks.left_over is not None:
            key = place(path, blocks.left_over, prefix)
            yield NotImage(key, f"bytes behind the end of the {compression} data")


def _guarded(walk: TarWalk, blocks: Blocks, path: str, prefix: str) -> Iterator[Entry]:
    try:
        yield from walk
    except Damage as damage:
        yield Unreadable(
            place(path, blocks.position, prefix), TAR_ERROR, f"unreadable from here on: {damage}"
        )


def _cut_off(member: Member, damage: Damage) -> Unreadable:
    return Unreadable(member.key, TAR_ERROR, f"truncated or damaged: {damage}")


def _is_image(head: bytes, key: str) -> bool:
    try:
        require_image(head, key)
    except (NotAnImage, DecodeError):
        return False
    return True
