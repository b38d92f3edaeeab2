"""README.txt of a dataset: what the folder is, and how to read it without brinery.

The file is brinery's as long as its last line is the checksum of what is above; one that somebody else has
written or changed is left alone.
"""

import os
from contextlib import suppress
from pathlib import Path
from string import Template

from ..checksums import bytes_checksum
from ..layout import FILES_FOLDER, SHARDS_FOLDER
from ..machine.inside import Folder
from ..machine.new_file import PARTIAL_FOLDER, NewFile
from ..protocols.base import Serializer

__all__ = ["README_NAME", "put_readme", "readme_text", "remove_readme"]

README_NAME = "README.txt"

_LONGEST = 1 << 16  # bytes of a file that is looked at
_END = "Checksum of this text, without which brinery takes the file for somebody else's: "

_TEXT = Template("""\
This folder is a dataset that brinery made: $what.

    manifest.sqlite   SQLite 3: what the dataset holds, and where each $one lies
    $folder

Change and delete nothing in it by hand; this file may go.


With brinery (pip install brinery)

    import brinery

    with brinery.open("path/of/this/folder") as dataset:
        array = dataset["a/b.jpg"]


Without brinery, in this folder

$about

$lines

The table samples of manifest.sqlite has a row for each image: key (its path in the archive), dtype and
shape of its array, xxh3 (xxh3-64 of the array's bytes), source_size, source_mtime_ns and source_xxh3 (of the
encoded image), ordinal and frame (its order in the dataset). The table failures says which images are missing
here, and why. $place

$query
""")

_SHARDS = """\
One file, here the first one, is read by these lines of Python; run them for each file in shards/. A file can
also hold images that have changed or gone since; the table samples, below, has those that count."""
_SINGLE = "One file, here that of the image a/b.jpg, is read by these lines of Python."
_LOSSY = "The compression is lossy: arrays are near those of the images that were read, and not the same."
_APART = (
    "Each is one stack, (N, H, W, C), or (N, H, W) of grey images; different shapes are in different files."
)
_UNSAFE = """\
The format's own library runs whatever code a file asks for: use it for files from a trusted source only.
brinery.open runs none."""
_IMAGES = """\
Pillow gives an image as it is stored, its first frame; brinery also applies what the convert was asked for: a
mode, the orientation, all frames."""
_NAMES = """\
Members have the images' keys as names; a key with dots in its name or without an image's suffix is written so
that tools for WebDataset keep it: %2E is a dot."""
_QUERY = """\
import {}

manifest = sqlite3.connect("file:manifest.sqlite?mode=ro", uri=True)
"""
_JOIN = """\
query = "SELECT {} FROM samples JOIN shards ON shards.id = samples.shard WHERE key = ?"
"""
_MAPPED = """\
name, payload, dtype, shape = manifest.execute(query, ["a/b.jpg"]).fetchone()
array = numpy.memmap("shards/" + name, dtype, "r", payload, tuple(json.loads(shape)))
"""
_FOUND = """\
name, start, length = manifest.execute(query, ["a/b.jpg"]).fetchone()
"""
_READ = """\
name, start, length = manifest.execute(query, ["a/b.jpg"]).fetchone()
with open("shards/" + name, "rb") as file:
    file.seek(start)
    image = file.read(length)
"""
_KEYS = """\
keys = [key for (key,) in manifest.execute("SELECT key FROM samples ORDER BY ordinal, frame")]
"""


def readme_text(serializer: Serializer, layout: str) -> str:
    """Return the text for datasets of a protocol and a layout, its checksum in the last line."""
    single, keeps = layout == "mirror", serializer.abilities.keeps_source
    suffix = serializer.single_suffix if single else serializer.file_suffix
    file = f"{FILES_FOLDER}/a/b.jpg{suffix}" if single else f"{SHARDS_FOLDER}/000000{suffix}"
    folder = (
        "files/            one file an image" if single else "shards/           files of many images each"
    )
    lines = serializer.lines(file, single=single)
    if not lines:
        about = f"Its files are read by the library of the protocol {serializer.name}."
    else:
        about = _SINGLE if single else _SHARDS
        if serializer.stacks_apart and not single:
            about = f"{about}\n{_APART}"
        if not serializer.abilities.safe_load:
            about = f"{about}\n{_UNSAFE}"
        if serializer.lossy:
            about = f"{about}\n{_LOSSY}"
        if keeps:
            about = f"{about}\n{_IMAGES}" if single else f"{about}\n{_NAMES}\n{_IMAGES}"
    if keeps and single:
        place = "Each file has its image's key as name (of later frames, the column member has it). All keys:"
        query = _QUERY.format("sqlite3") + _KEYS
    elif keeps:
        place = "From a key to its image's bytes:"
        query = _QUERY.format("sqlite3") + _JOIN.format("name, start, length") + _READ
    elif single:
        place, query = (
            "The file of each is its key with the same ending. All keys:",
            _QUERY.format("sqlite3") + _KEYS,
        )
    elif serializer.maps:
        place = "From a key to its array, mapped:"
        query = _QUERY.format("json, numpy, sqlite3") + _JOIN.format("name, payload, dtype, shape") + _MAPPED
    else:
        place = (
            "From a key to its file; its record there are length bytes from start on, or\n"
            "where length is 0 the row start of the stack of its shape and dtype:"
        )
        query = _QUERY.format("sqlite3") + _JOIN.format("name, start, length") + _FOUND
    text = _TEXT.substitute(
        what="images as they were, decoded when they are read" if keeps else "images, decoded to arrays",
        one="image" if keeps else "array",
        folder=f"{folder}, protocol {serializer.label}",
        about=about,
        lines=_indented(lines),
        place=place,
        query=_indented(query),
    )
    return f"{text}\n{_END}{bytes_checksum(text.encode())}\n"


def _indented(lines: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in lines.rstrip("\n").splitlines())


def _is_own(text: bytes) -> bool:
    """Return whether brinery wrote a text and nobody has changed it since."""
    above, _, last = text.rstrip(b"\n").rpartition(b"\n")
    return last == f"{_END}{bytes_checksum(above)}".encode()


def put_readme(folder: Folder, path: Path, text: str, *, fsync: bool) -> None:
    """Write the file if there is none, or one of brinery's with another text.

    Args:
        folder: the dataset's, open.
        path: its path; the file is made in its folder of partial files.
        text: see `readme_text`.
        fsync: make the file's bytes durable before it has its name.

    Raises:
        OSError: it cannot be written.
    """
    data = text.encode()
    try:
        found = _read(folder)
    except OSError:
        return  # whatever it is, it is not brinery's
    if found is None or (found != data and _is_own(found)):
        file = NewFile(path / PARTIAL_FOLDER / README_NAME)
        try:
            file.write(data)
            file.commit(README_NAME, fsync=fsync, folder=folder.number)
        except BaseException:
            file.discard()
            raise


def remove_readme(path: Path) -> None:
    """Delete the file in a dataset's folder if it is brinery's."""
    with suppress(OSError):
        folder = Folder(path)
        if _is_own(_read(folder) or b""):
            folder.remove((), README_NAME)


def _read(folder: Folder) -> bytes | None:
    """Return the beginning of the file; None if there is nothing of its name.

    Raises:
        OSError: it is a link or no regular file, or cannot be read.
    """
    try:
        descriptor = folder.open((), README_NAME)
    except FileNotFoundError:
        return None
    try:
        return os.read(descriptor, _LONGEST)
    finally:
        os.close(descriptor)
