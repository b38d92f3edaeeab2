"""The images of a tar archive, plain or compressed."""

from collections.abc import Iterator
from contextlib import closing
from typing import Final

from ..errors import DecodeError
from .blocks import Blocks, Damage, FileBlocks, Passing, StreamBlocks
from .members import Entry, Member, NotImage, Unreadable
from .names import place
from .options import RATIO_FROM, ReadBudget
from .signature import HEAD, NotAnImage, require_image
from .sparse import SparseFile, WithHoles
from .tarwalk import TAR_ERROR, TarWalk

__all__ = ["list_compressed_tar", "list_tar"]

_BUDGET: Final = ReadBudget()


def list_tar(
    path: str, prefix: str = "", encoding: str | None = None, budget: ReadBudget = _BUDGET
) -> Iterator[Entry]:
    """The entries of a plain tar, whose members workers read by position; those with holes are Passing.

    Damage never ends a listing silently: the place is yielded as Unreadable, with the key
    `<archive>@<offset>`, and the listing goes on at the next good header.
    """
    with closing(FileBlocks(path)) as blocks:
        walk = TarWalk(blocks, path, prefix, blocks.size, encoding)
        for entry in _guarded(walk, blocks, path, prefix):
            if isinstance(entry, SparseFile):
                yield from _expanded(blocks, entry, budget)
            else:
                yield entry


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
            if isinstance(entry, SparseFile):
                yield from _expanded(blocks, entry, budget)
            elif isinstance(entry, Member):
                yield from _passing(blocks, entry.offset, entry, budget)
            else:
                yield entry
        if blocks.left_over is not None:
            key = place(path, blocks.left_over, prefix)
            yield NotImage(key, f"bytes behind the end of the {compression} data")


def _guarded(walk: TarWalk, blocks: Blocks, path: str, prefix: str) -> Iterator[Entry | SparseFile]:
    try:
        yield from walk
    except Damage as damage:
        yield Unreadable(
            place(path, blocks.position, prefix), TAR_ERROR, f"unreadable from here on: {damage}"
        )


def _passing(blocks: Blocks, position: int, member: Member, budget: ReadBudget) -> Iterator[Entry]:
    """Yield a member whose bytes begin at a position of what gives them: Passing, or their beginning."""
    try:
        head = Passing(blocks, position, member.size).read(HEAD)
        if member.size > budget.max_bytes or not _is_image(head, member.key):
            yield member._replace(data=head)
            return
        passing = Passing(blocks, position, member.size)
        yield member._replace(data=passing)
        if passing.damage is not None:
            raise passing.damage
    except Damage as damage:
        yield Unreadable(member.key, TAR_ERROR, f"truncated or damaged: {damage}")


def _expanded(blocks: Blocks, file: SparseFile, budget: ReadBudget) -> Iterator[Entry]:
    """Yield a sparse file as it is with its holes."""
    member = file.member
    if RATIO_FROM < member.size <= budget.max_bytes and member.size > budget.max_ratio * member.stored:
        message = (
            f"a sparse file that expands from {member.stored:,} to {member.size:,} bytes;"
            f" the budget is {budget.max_ratio:g} times"
        )
        yield Unreadable(member.key, "ReadError", message)
        return
    whole = member._replace(offset=0, stored=member.size)
    yield from _passing(WithHoles(blocks, file), 0, whole, budget)


def _is_image(head: bytes, key: str) -> bool:
    try:
        require_image(head, key)
    except (NotAnImage, DecodeError):
        return False
    return True
