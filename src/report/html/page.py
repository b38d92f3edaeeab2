"""The page: one file that opens anywhere, without a network."""

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import chain
from typing import Any, TypeAlias

from markupsafe import Markup

from ...benchmark.text.table import Table, csv_table
from .chart import Chart, figure_html, javascript
from .glossary import definitions
from .markup import Content, bullets, join, remark, script_json, tag, trusted
from .table import folded, table_html
from .theme import css, pattern_defs

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "script-src "
)
_LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class Folded:
    """A table that a click unfolds."""

    title: str  # what is clicked
    table: Table


Item: TypeAlias = Chart | Table | Folded | Markup
Body: TypeAlias = Sequence[Item | None]


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

    @property
    def items(self) -> list[Item]:
        """What there is to show; a table without rows is left out."""
        there = (item for item in self.body if item is not None)
        return [item for item in there if not isinstance(item, Table) or item.rows]


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
        return {item.name: item for item in self._items() if isinstance(item, Chart)}

    @property
    def tables(self) -> dict[str, Table]:
        """Every table by a name fit for a file, in the order of the page."""
        found: dict[str, Table] = {}
        for item in self._items():
            if not isinstance(item, Markup):
                table = item if isinstance(item, Table) else item.table
                words = re.sub(r"[^a-z0-9]+", "-", table.title.lower())[:_LONGEST_NAME].strip("-")
                name = item.name if isinstance(item, Chart) else words or "table"
                found[name if name not in found else f"{name}-{len(found)}"] = table
        return found

    def _items(self) -> Iterator[Item]:
        return chain.from_iterable(section.items for section in self.sections)


def page_html(page: Page) -> str:
    """Return the page."""
    sections = [section for section in page.sections if section.items]
    own = _asset("page.js")
    library = javascript() if page.charts else ""
    digests = (hashlib.sha256(script.encode()).digest() for script in (own, library) if script)
    allowed = " ".join(f"'sha256-{base64.b64encode(one).decode()}'" for one in digests)
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY + allowed),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="generator", content="brinery report"),
        tag("title", f"{page.conclusion} brinery {page.kind}"),
        tag("link", rel="icon", href="data:,"),
        tag("style", trusted(css() + "\n" + _asset("page.css"))),
    )
    packed = {"tables": script_json([[name, csv_table(table)] for name, table in page.tables.items()])}
    if library:
        charts = script_json({name: chart.spec for name, chart in page.charts.items()})
        packed |= {"charts": charts, "library": trusted(library)}
    links = tag("ul", [tag("li", tag("a", one.title, href=f"#{one.name}")) for one in sections])
    navigation = tag("nav", links, aria_label="Sections", tabindex="-1")
    main = tag("main", map(_section, sections), id="content")
    patterns = trusted(pattern_defs(colours=False))
    body = tag(
        "body",
        tag("a", "Skip to the content", href="#content", class_="skip"),
        tag("svg", patterns, width="0", height="0", class_="patterns", aria_hidden="true"),
        _header(page),
        tag("div", navigation, main, class_="columns"),
        tag("footer", tag("p", "Made by brinery report. The file holds all it shows and needs no network.")),
        # The page's script unpacks these.
        (
            tag("script", trusted(_packed(text.encode())), type="application/octet-stream", id=name)
            for name, text in packed.items()
        ),
        tag("script", trusted(own)),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _packed(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()


def _header(page: Page) -> Markup:
    words = page.conclusion.split(" ")  # names do not break at their hyphens
    unbroken = (tag("span", word, class_="whole") if "-" in word else join(word) for word in words)
    alarm_head = tag("p", tag("strong", page.alarm_title), class_="alarm-head")
    facts = [
        tag("div", tag("dt", one.label), tag("dd", tag("b", one.value), tag("span", one.note)), class_="fact")
        for one in page.facts
    ]
    brand = tag("span", "brinery", tag("i", page.kind), class_="brand")
    theme = tag("button", "Theme: system", type="button", id="theme", hidden=True)
    return tag(
        "header",
        tag("div", brand, theme, class_="top"),
        tag("p", page.about, class_="about"),
        tag("h1", Markup(" ").join(unbroken)),
        tag("p", page.reason, class_="reason"),
        tag("dl", facts, class_="facts") if facts else None,
        tag("p", page.status, class_="status"),
        tag("div", alarm_head, bullets(page.alarms), class_="alarm", role="note") if page.alarms else None,
    )


def _section(section: Section) -> Markup:
    title = f"{section.name}-title"
    return tag(
        "section",
        tag("h2", section.title, id=title),
        tag("p", section.lead, class_="lead") if section.lead else None,
        map(_item, section.items),
        id=section.name,
        aria_labelledby=title,
    )


def _item(item: Item) -> Content:
    if isinstance(item, Chart):
        return figure_html(item)
    if isinstance(item, Table):
        return table_html(item)
    return folded(item.title, item.table) if isinstance(item, Folded) else item


def packed_json(document: Any) -> str:
    """Return a document that `finite` made as JSON, gzipped, in base 64."""
    return _packed(json.dumps(document, separators=(",", ":")).encode())


def raw_section(name: str, packed: str, lead: str, *notes: str) -> Section:
    """Return a section with a link that saves what `packed_json` made as a file; it needs no script."""
    href = f"data:application/gzip;base64,{packed}"
    link = tag("a", f"{name}.gz", href=href, download=f"{name}.gz", class_="download")
    return Section("raw", "Raw data", lead, [tag("p", link), *map(remark, notes)])


def glossary(words: dict[str, str]) -> Section:
    """Return a section that says what words mean, in order of the alphabet."""
    ordered = sorted(words.items(), key=lambda pair: pair[0].lower())
    return Section("glossary", "Glossary", "", [definitions(ordered)])


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
