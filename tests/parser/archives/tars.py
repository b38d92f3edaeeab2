"""Tars made in memory."""

import io
import tarfile

from ..samples import JPEG_LIKE

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
COMPRESSIONS = {"plain": "w", "gz": "w:gz", "bz2": "w:bz2", "xz": "w:xz"}
END = bytes(1024)


def tar(entries, kind="pax", mode="w"):
    """A tar of (name or TarInfo, bytes)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=FORMATS[kind], errors="surrogateescape") as archive:
        for name, data in entries:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def three(kind="gnu"):
    return tar([(f"{name}.jpg", JPEG_LIKE * 30) for name in "abc"], kind)


def pax_header(kind, records):
    """An extended header of these bytes, with its blocks."""
    info = tarfile.TarInfo("pax")
    info.type, info.size = kind, len(records)
    return info.tobuf(tarfile.USTAR_FORMAT) + records + bytes(-len(records) % 512)


def entry_of(kind, name="a.jpg", data=JPEG_LIKE, target="", size=None):
    """An entry of any type, without the end of a tar."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, len(data) if size is None else size
    return info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % 512)
