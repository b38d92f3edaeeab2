"""HTML as values: every text is escaped, every number stands as it is."""

import json
import math
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from markupsafe import Markup, escape

from ...engine.printable import printable

Content: TypeAlias = "str | Markup | Iterable[Content] | None"

_VOID = {"meta", "link", "br", "hr", "input", "col", "wbr"}
_PLAIN = {"pre", "title"}  # their text is shown, or copied, as it is
# An option, with its value where that is a number or a list such as warm,cold.
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*( (\d[\w.,]*\b|[a-z]+(,[a-z]+)+))?")


def tag(name: str, /, *content: Content, **attributes: str | float | bool | None) -> Markup:
    """Return an element.

    Args:
        name: of the element.
        content: its children: texts are escaped, None is left out, lists are flattened.
        attributes: a trailing underscore is dropped and others become hyphens (`class_`, `aria_label`); True
            is an attribute without a value, False and None leave it out.
    """
    head = Markup("<{}").format(name)
    for key, value in attributes.items():
        if value is not None and value is not False:
            head += Markup(" {}").format(key.rstrip("_").replace("_", "-"))
            head += "" if value is True else Markup('="{}"').format(printable(str(value)))
    head += Markup(">")
    if name in _VOID:
        return head
    return head + join(content, prose=name not in _PLAIN) + Markup("</{}>").format(name)


def scroller(label: str, role: str, *content: Content) -> Markup:
    """Return content that scrolls sideways where it is too wide, by keyboard too."""
    return tag("div", *content, class_="scroller", tabindex="0", role=role, aria_label=label)


def bullets(lines: Iterable[str]) -> Markup:
    """Return a list of lines."""
    return tag("ul", (tag("li", line) for line in lines))


def remark(text: str) -> Markup:
    """Return a note in smaller type."""
    return tag("p", text, class_="note")


def join(content: Content, *, prose: bool = True) -> Markup:
    """Return content as HTML; in prose no line breaks inside an option or before its value."""
    if content is None:
        return Markup("")
    if isinstance(content, Markup):
        return content
    if isinstance(content, str):
        text = escape(printable(content))
        return trusted(_OPTION.sub(r'<span class="whole">\g<0></span>', str(text))) if prose else text
    return Markup("").join(join(item, prose=prose) for item in content)


def trusted(text: str) -> Markup:
    """Return HTML, a script or a style that brinery itself made."""
    return Markup(text)  # noqa: S704 - nothing that came from elsewhere stands in it


def script_json(value: Any) -> Markup:
    """Return JSON that cannot leave a script element; numbers that JSON does not know are null."""
    text = json.dumps(finite(value), separators=(",", ":"), allow_nan=False)
    return trusted(text.translate({ord(mark): f"\\u{ord(mark):04x}" for mark in "<>&"}))


def finite(value: Any) -> Any:
    """Return the value with NaN and infinities as None, and floats rounded to seven significant digits."""
    return each(value, float, lambda leaf: float(f"{leaf:.7g}") if math.isfinite(leaf) else None)


def each(value: Any, kind: type, change: Callable[[Any], Any]) -> Any:
    """Return plain data with every value of a type in its dicts and lists changed; tuples become lists."""
    if isinstance(value, dict):
        return {key: each(item, kind, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [each(item, kind, change) for item in value]
    return change(value) if isinstance(value, kind) else value
