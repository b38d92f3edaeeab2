"""Texts from anywhere as Markdown that shows them as they are."""

import re
from collections.abc import Iterable

from ...engine.printable import printable

_MARKS = re.compile(r"[\\`*_\[\]|~]|(?<=:)/(?=/)|(?<=www)\.", re.IGNORECASE)  # the last two begin a bare link
_ENTITIES = {"&": "&amp;", "<": "&lt;"}
_BLOCK = re.compile(r"\d{1,9}(?=[.)])|(?=[#+=>-])")


def markdown_list(lines: Iterable[str]) -> str:
    """Return texts as the items of a list in Markdown."""
    return "\n".join(f"- {markdown_line(line)}" for line in lines)


def markdown_line(text: str) -> str:
    """Return a text as `markdown_text` does, fit to begin a line: it is no heading, list or rule."""
    shown = markdown_text(text.strip())
    begin = _BLOCK.match(shown)
    return shown if begin is None else f"{begin[0]}\\{shown[begin.end() :]}"


def markdown_text(text: str) -> str:
    """Return a text that Markdown shows as it is, in one line: no HTML, link, image or mark."""
    marked = _MARKS.sub(r"\\\g<0>", printable(text))
    return "".join(_ENTITIES.get(letter, letter) for letter in marked)
