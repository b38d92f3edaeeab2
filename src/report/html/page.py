"""The page: one file that opens anywhere, without a network."""

import base64
import gzip
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, TypeAlias

from markupsafe import Markup

from .chart import Chart, figure_html, javascript
from .markup import Content, join, script_json, tag, trusted
from .theme import css, pattern_defs

Body: TypeAlias = list[Chart | Markup]

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "script-src "
)


@dataclass(frozen=True, slots=True)
class Fact:
    """A figure of the first screen: what it is, its value, and what that means."""

    label: str
    value: str
    note: str


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page."""

    name: str  # its id
    title: str  # its heading; also in the navigation
    lead: str  # what it says, in a sentence or two
    body: Body  # charts, tables or HTML, in their order; a section without any is left out of the page


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file within the page."""

    name: str
    content: bytes

    @classmethod
    def of_json(cls, name: str, document: Any) -> "Attachment":
        """Take a JSON document, as `finite` makes it."""
        return cls(name, json.dumps(document, separators=(",", ":")).encode())

    @property
    def packed(self) -> bytes:
        """The content, gzipped."""
        return gzip.compress(self.content, 9, mtime=0)


@dataclass(frozen=True, slots=True)
class Page:
    """All that a report says."""

    kind: str  # what it reports on, such as "bench"
    about: str  # where and when, in a line
    conclusion: str  # what to do, in a sentence
    reason: str  # why, with figures
    facts: tuple[Fact, ...]  # the figures that count
    status: str  # how good the measurement is, in a line
    alarms: tuple[str, ...]  # what speaks against it; empty where nothing does
    sections: tuple[Section, ...]  # in their order
    alarm_title: str = "Read with care."  # what the alarms have in common

    @property
    def charts(self) -> dict[str, Chart]:
        """Charts by name, in the order of the page."""
        items = (item for section in self.sections for item in section.body)
        return {item.name: item for item in items if isinstance(item, Chart)}


def page_html(page: Page) -> str:
    """Return the page.

    Raises:
        MissingLibraryError: altair or vl-convert is not installed.
    """
    sections = [section for section in page.sections if section.body]
    charts = [*page.charts.values()]
    own = _asset("page.js")
    library = javascript() if charts else ""
    policy = _POLICY + " ".join(_hash(script) for script in (own, library) if script)
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="generator", content="brinery report"),
        tag("title", f"{page.conclusion} brinery {page.kind}"),
        tag("link", rel="icon", href="data:,"),
        tag("style", trusted(css() + "\n" + _asset("page.css"))),
    )
    data = {chart.name: chart.spec for chart in charts}
    body = tag(
        "body",
        tag("a", "Skip to the content", href="#content", class_="skip"),
        _patterns(),
        _header(page),
        tag(
            "div",
            _navigation(sections),
            tag("main", [_section(one) for one in sections], id="content"),
            class_="columns",
        ),
        tag(
            "footer",
            tag(
                "p",
                "Made by brinery report. The file holds everything it shows and asks nothing of a network.",
            ),
        ),
        [
            _packed(name, text)
            for name, text in (("charts", script_json(data)), ("library", library))
            if library
        ],
        tag("script", trusted(own)),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _packed(name: str, text: str) -> Markup:
    """Return a text as an element that the page's script unpacks."""
    packed = base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()
    return tag("script", trusted(packed), type="application/octet-stream", id=name)


def _unbroken(text: str) -> Markup:
    """Return a heading whose names do not break at their hyphens."""
    words = (tag("span", word, class_="whole") if "-" in word else join(word) for word in text.split(" "))
    return Markup(" ").join(words)


def _header(page: Page) -> Markup:
    alarms = None
    if page.alarms:
        alarms = tag(
            "div",
            tag("p", tag("strong", page.alarm_title), class_="alarm-head"),
            tag("ul", [tag("li", text) for text in page.alarms]),
            class_="alarm",
            role="note",
        )
    facts = [
        tag(
            "div",
            tag("dt", fact.label),
            tag("dd", tag("b", fact.value), tag("span", fact.note)),
            class_="fact",
        )
        for fact in page.facts
    ]
    return tag(
        "header",
        tag(
            "div",
            tag("span", "brinery", tag("i", page.kind), class_="brand"),
            tag("button", "Theme: system", type="button", id="theme", hidden=True),
            class_="top",
        ),
        tag("p", page.about, class_="about"),
        tag("h1", _unbroken(page.conclusion)),
        tag("p", page.reason, class_="reason"),
        tag("dl", facts, class_="facts") if facts else None,
        tag("p", page.status, class_="status"),
        alarms,
    )


def _navigation(sections: Sequence[Section]) -> Markup:
    links = [tag("li", tag("a", section.title, href=f"#{section.name}")) for section in sections]
    return tag("nav", tag("ul", links), aria_label="Sections", tabindex="-1")


def _section(section: Section) -> Markup:
    content: list[Content] = [figure_html(item) if isinstance(item, Chart) else item for item in section.body]
    return tag(
        "section",
        tag("h2", section.title, id=f"{section.name}-title"),
        tag("p", section.lead, class_="lead") if section.lead else None,
        content,
        id=section.name,
        aria_labelledby=f"{section.name}-title",
    )


def folded(title: str, *content: Content) -> Markup:
    """Return content that a click unfolds."""
    return tag("details", tag("summary", title), *content, class_="behind")


def download(attachment: Attachment) -> Markup:
    """Return a link that saves a file held within the page; it needs no script."""
    text = base64.b64encode(attachment.packed).decode()
    return tag(
        "a",
        f"{attachment.name}.gz",
        href=f"data:application/gzip;base64,{text}",
        download=f"{attachment.name}.gz",
        class_="download",
    )


def _patterns() -> Markup:
    svg = f'<svg width="0" height="0" class="patterns" aria-hidden="true">{pattern_defs(colours=False)}</svg>'
    return trusted(svg)


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
