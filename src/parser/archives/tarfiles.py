"""The images of a tar archive, plain or compressed."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Final, TypeAlias

from ...errors import DecodeError
from ..images.signature import HEAD, NotAnImage, require_image
from ..options import RATIO_FROM, ReadBudget
from .blocks import Archive, Blocks, Damage, FileBlocks, Passing, StreamBlocks, open_blocks
from .members import Entry, Member, NotImage, Unreadable
from .names import own_key, place
from .sparse import SparseFile, WithHoles
from .tarwalk import TAR_ERROR, TarWalk

__all__ = ["Inner", "list_compressed_tar", "list_tar", "stream_entries", "tar_entries"]

_BUDGET: Final = ReadBudget()

Inner: TypeAlias = Callable[[Blocks, int, Member, bytes], Iterator[Entry] | None]
"""Lists a member that is an archive, by where its bytes are and how they begin; None where it is none."""


def _none(_blocks: Blocks, _position: int, _member: Member, _head: bytes) -> None:
    """List no archive inside of another one."""


def list_tar(
    path: str, prefix: str = "", encoding: str | None = None, budget: ReadBudget = _BUDGET
) -> Iterator[Entry]:
    """Yield the entries of a plain tar, whose members workers read by position; those with holes are Passing.

    Damage never ends a listing silently: the place is yielded as Unreadable, with the key
    `<archive>@<offset>`, and the listing goes on at the next good header.
    """
    with closing(open_blocks(path)) as blocks:
        yield from tar_entries(blocks, Archive(path, own_key(path, prefix), prefix, encoding), budget)


def tar_entries(blocks: FileBlocks, archive: Archive, budget: ReadBudget) -> Iterator[Entry]:
    """As `list_tar`, of a tar whose bytes are open."""
    for entry in _guarded(TarWalk(blocks, archive, blocks.size), blocks, archive):
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
    inner: Inner = _none,
) -> Iterator[Entry]:
    """Yield the entries of a tar compressed by "gzip", "bzip2", "xz" or "zstd"; their bytes are Passing.

    What is no image by its signature, and what passes the budget, carries its beginning only: whoever reads
    it says what is wrong. A member whose bytes cannot be read is yielded again as Unreadable. Where the
    stream as a whole passes the budget's ratio, the listing ends with an Unreadable.

    Args:
        path: the file.
        compression: of it.
        prefix: put before every key.
        budget: of members, and of the whole.
        encoding: of names that do not say theirs.
        inner: lists a member that is an archive itself.

    Raises:
        MissingLibraryError: zstd, and the library is not installed.
    """
    archive = Archive(path, own_key(path, prefix), prefix, encoding)
    with closing(StreamBlocks(path, compression, budget.max_ratio)) as blocks:
        yield from stream_entries(blocks, archive, budget, None, inner)
        if blocks.left_over is not None:
            key = place(archive.key, blocks.left_over)
            yield NotImage(key, f"bytes behind the end of the {compression} data")


def stream_entries(
    blocks: Blocks, archive: Archive, budget: ReadBudget, end: int | None, inner: Inner = _none
) -> Iterator[Entry]:
    """As `list_compressed_tar`, of a tar whose bytes pass by; `end` is their number where it is known."""
    for entry in _guarded(TarWalk(blocks, archive, end), blocks, archive):
        if isinstance(entry, SparseFile):
            yield from _expanded(blocks, entry, budget)
        elif isinstance(entry, Member):
            yield from _passing(blocks, entry.offset, entry, budget, inner)
        else:
            yield entry


def _guarded(walk: TarWalk, blocks: Blocks, archive: Archive) -> Iterator[Entry | SparseFile]:
    try:
        yield from walk
    except Damage as damage:
        yield Unreadable(place(archive.key, blocks.position), TAR_ERROR, f"unreadable from here on: {damage}")


def _passing(
    blocks: Blocks, position: int, member: Member, budget: ReadBudget, inner: Inner = _none
) -> Iterator[Entry]:
    """Yield a member whose bytes begin at a position of what gives them: Passing, or their beginning."""
    try:
        head = Passing(blocks, position, member.size).read(HEAD)
        if not _is_image(head, member.key):
            entries = inner(blocks, position, member, head)
            yield from (member._replace(data=head),) if entries is None else entries
            return
        if member.size > budget.max_bytes:
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
