"""What libtiff says: Pillow turns its warnings off, and lets its errors go to stderr without an image's name.

While one of our threads decodes by Pillow, libtiff's handler of errors, of which a process has one, is ours;
what other threads hear then goes where it went before. To hear warnings, libtiff is called itself.
"""

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

__all__ = ["Said", "damage_in", "listening", "read_strips"]

Said = list[tuple[str, str]]
"""Where in libtiff, and what."""

_POINTER: Final = ctypes.c_void_p
_TEXT: Final = ctypes.c_char_p
_Handler: Final = ctypes.CFUNCTYPE(None, _TEXT, _TEXT, _POINTER)
_OwnHandler: Final = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, _POINTER, _TEXT, _TEXT, _POINTER)
_FUNCTIONS: Final[dict[str, tuple[Any, ...]]] = {
    "TIFFSetErrorHandler": (_POINTER, _POINTER),
    "TIFFOpenOptionsAlloc": (_POINTER,),
    "TIFFOpenOptionsFree": (None, _POINTER),
    "TIFFOpenOptionsSetErrorHandlerExtR": (None, _POINTER, _OwnHandler, _POINTER),
    "TIFFOpenOptionsSetWarningHandlerExtR": (None, _POINTER, _OwnHandler, _POINTER),
    "TIFFFdOpenExt": (_POINTER, ctypes.c_int, _TEXT, _TEXT, _POINTER),
    "TIFFCleanup": (None, _POINTER),
    "TIFFIsTiled": (ctypes.c_int, _POINTER),
    "TIFFStripSize": (ctypes.c_ssize_t, _POINTER),
    "TIFFTileSize": (ctypes.c_ssize_t, _POINTER),
    "TIFFNumberOfStrips": (ctypes.c_uint32, _POINTER),
    "TIFFNumberOfTiles": (ctypes.c_uint32, _POINTER),
    "TIFFReadEncodedStrip": (ctypes.c_ssize_t, _POINTER, ctypes.c_uint32, _POINTER, ctypes.c_ssize_t),
    "TIFFReadEncodedTile": (ctypes.c_ssize_t, _POINTER, ctypes.c_uint32, _POINTER, ctypes.c_ssize_t),
}
"""What each gives and takes; libtiff 4.5 and later."""

_LARGEST: Final = 1 << 28
_LONGEST: Final = 300
_MOST: Final = 16  # things said that are remembered
_OF_TAGS: Final = ("TIFFReadDirectory", "TIFFReadCustomDirectory", "TIFFFetch", "TIFFCheck", "_TIFFVSetField")
_HARMLESS: Final = ("unknown JFIF revision", "Unknown Adobe color transform", "Invalid SOS parameters")

_lock = threading.Lock()
_heard = threading.local()  # `said`: what this thread hears, while it listens
_inside = 0
_before: Any = None  # the handler that was set


@contextmanager
def listening() -> Iterator[Said]:
    """Collect the errors that libtiff tells of in this thread."""
    global _inside, _before  # noqa: PLW0603 - the library has one handler
    said: Said = []
    library = _library()
    if library is None:
        yield said
        return
    with _lock:
        if _inside == 0:
            _before = library.TIFFSetErrorHandler(ctypes.cast(_handle, _POINTER))
        _inside += 1
    _heard.said = said
    try:
        yield said
    finally:
        _heard.said = None
        with _lock:
            _inside -= 1
            if _inside == 0:
                library.TIFFSetErrorHandler(_before)


def read_strips(data: bytes) -> Said:
    """Decode the strips or tiles of a TIFF's first page and forget them; return what libtiff says of them."""
    library = _library()
    said: Said = []
    if library is None:
        return said

    def hear(_: Any, __: Any, where: bytes | None, words: bytes | None, values: int) -> int:
        _remember(said, where, words, values)
        return 1

    handle = _OwnHandler(hear)
    options = library.TIFFOpenOptionsAlloc()
    library.TIFFOpenOptionsSetErrorHandlerExtR(options, handle, None)
    library.TIFFOpenOptionsSetWarningHandlerExtR(options, handle, None)
    descriptor = os.memfd_create("page.tif", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(data)
        os.lseek(descriptor, 0, os.SEEK_SET)
        page = library.TIFFFdOpenExt(descriptor, b"page", b"rm", options)
        if page:
            _read_all(library, page)
            library.TIFFCleanup(page)  # as TIFFClose, but for the descriptor
    finally:
        os.close(descriptor)
        library.TIFFOpenOptionsFree(options)
    return said


def damage_in(said: Said) -> str:
    """Return the first of libtiff's words that is about pixels; what it says of tags costs none of them."""
    for where, what in said:
        if not where.startswith(_OF_TAGS) and not any(words in what for words in _HARMLESS):
            return what
    return ""


def _read_all(library: Any, page: int) -> None:
    kind = "Tile" if library.TIFFIsTiled(page) else "Strip"
    size = getattr(library, f"TIFF{kind}Size")(page)
    if not 0 < size <= _LARGEST:
        return
    room = ctypes.create_string_buffer(size)
    for number in range(getattr(library, f"TIFFNumberOf{kind}s")(page)):
        getattr(library, f"TIFFReadEncoded{kind}")(page, number, room, size)


@cache
def _library() -> Any:
    """Return the libtiff that Pillow has loaded; None where it cannot be found, or is older than 4.5."""
    try:
        maps = Path("/proc/self/maps").read_text(errors="surrogateescape")
    except OSError:
        return None
    for path in sorted({f"/{line.partition('/')[2]}" for line in maps.splitlines() if "libtiff" in line}):
        try:
            library = ctypes.CDLL(path)
            for name, (gives, *takes) in _FUNCTIONS.items():
                function = getattr(library, name)
                function.restype, function.argtypes = gives, takes
        except (OSError, AttributeError):
            continue
        return library
    return None


def _remember(said: Said, where: bytes | None, words: bytes | None, values: int) -> None:
    if len(said) < _MOST:
        text = ctypes.create_string_buffer(_LONGEST)
        _written(text, ctypes.c_size_t(_LONGEST), words, _POINTER(values))
        said.append(((where or b"").decode("latin-1"), text.value.decode("utf-8", "replace")))


def _hear(where: bytes | None, words: bytes | None, values: int) -> None:
    said = getattr(_heard, "said", None)
    if said is not None:
        _remember(said, where, words, values)
    elif _before:
        _Handler(_before)(where, words, values)


_handle = _Handler(_hear)


_written = ctypes.CDLL(None).vsnprintf
