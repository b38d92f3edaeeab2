"""Archives and compressions that brinery does not read, told by their first bytes, and what unpacks them."""

from typing import Final, NamedTuple

__all__ = ["Foreign", "foreign_archive"]


class Foreign(NamedTuple):
    """A format by its name, and the command that unpacks it."""

    name: str
    unpack: str


def foreign_archive(head: bytes) -> Foreign | None:
    """Return which of them a file is, by its first 512 bytes; None if it is none of them."""
    for magic, foreign in _MAGIC:
        if head.startswith(magic):
            return foreign
    if head[2:7] in {b"-lh0-", b"-lh1-", b"-lh4-", b"-lh5-", b"-lh6-", b"-lh7-"}:
        return Foreign("LHA archive", "lha x")
    if head[:3] == b"\x5d\0\0" and head[3:4] <= b"\x80" and head[5:13] and head[12:13] in {b"\0", b"\xff"}:
        return Foreign("LZMA data", "xz -d")  # without a magic: properties, size of the dictionary, length
    return None


_MAGIC: Final = (
    (b"\x04\x22\x4d\x18", Foreign("lz4 data", "lz4 -d")),
    (b"\x02\x21\x4c\x18", Foreign("lz4 data", "lz4 -d")),
    (b"LZIP", Foreign("lzip data", "lzip -d")),
    (b"\x89LZO\0\r\n\x1a\n", Foreign("lzop data", "lzop -d")),
    (b"\x1f\x9d", Foreign("compress data", "gzip -d")),
    (b"\x1f\xa0", Foreign("compress data", "gzip -d")),
    (b"\x1f\x1e", Foreign("pack data", "gzip -d")),
    (b"\xff\x06\0\0sNaPpY", Foreign("snappy data", "snzip -d")),
    (b"\xce\xb2\xcf\x81", Foreign("brotli data", "brotli -d")),
    (b"7z\xbc\xaf\x27\x1c", Foreign("7z archive", "7z x")),
    (b"Rar!\x1a\x07", Foreign("rar archive", "unrar x")),
    (b"MSCF\0\0\0\0", Foreign("cab archive", "cabextract")),
    (b"!<arch>\n", Foreign("ar archive or Debian package", "ar x")),
    (b"070701", Foreign("cpio archive", "cpio -id")),
    (b"070702", Foreign("cpio archive", "cpio -id")),
    (b"070707", Foreign("cpio archive", "cpio -id")),
    (b"\xc7\x71", Foreign("cpio archive", "cpio -id")),
    (b"xar!", Foreign("xar archive", "xar -xf")),
    (b"hsqs", Foreign("squashfs image", "unsquashfs")),
    (b"\x60\xea", Foreign("arj archive", "arj x")),
)
