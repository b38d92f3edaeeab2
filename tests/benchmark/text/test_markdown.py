"""Texts of a result are shown in Markdown as they are, and never become part of the page."""

from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from brinery.benchmark.text.markdown import markdown_list
from brinery.benchmark.text.report import report_markdown
from brinery.benchmark.text.table import Table, left, markdown_table

from ..made import pooled, result, single

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![picture](https://example.org/a.png)",
    "[here](javascript:alert(1))",
    "[here]: https://example.org",
    "<https://example.org>",
    "a | b || c",
    "`code` ``` ~~~",
    "**bold** _thin_ ~~gone~~",
    "back\\slash \\[ \\",
    "&lt;b&gt; &amp; &#60;",
    "# heading",
    "- item",
    "+ item",
    "12. item",
    "=====",
    "> quoted",
    "pickle-0, 2026-01-01, 3.5 %",
]
BROKEN_LINES = ["one\n\n<b>two</b>", "one\r# two", "tab\tbell\x07", "\x1b[31mred", "\u202egnp.exe", "\ud800"]
PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
PLAIN = {"text", "text_special", "softbreak"}


def inline(text):
    """The tokens of all texts of a page."""
    return [token for block in PARSER.parse(text) if block.type == "inline" for token in block.children]


def blocks(text):
    return {block.type for block in PARSER.parse(text)}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_is_shown_as_it_is(text):
    table = inline(markdown_table(Table(text, left("a", text), (("c", text), (text, "d")), (text,))))
    assert {token.type for token in table} <= PLAIN
    assert "".join(token.content for token in table).count(text) == 5
    listed = markdown_list([text])
    assert {token.type for token in inline(listed)} <= PLAIN
    assert "".join(token.content for token in inline(listed)) == text
    assert blocks(listed) == {
        *("bullet_list_open", "list_item_open", "paragraph_open"),
        *("inline", "paragraph_close", "list_item_close", "bullet_list_close"),
    }


@pytest.mark.parametrize("text", BROKEN_LINES)
def test_a_text_stays_in_its_line(text):
    for page in (markdown_list([text]), markdown_table(Table("t", left("a", "b"), ((text, text),)))):
        assert page.replace("\n", "").isprintable()
        assert not any("html" in token.type for token in inline(page))


@pytest.mark.parametrize("text", ["see https://example.org", "WWW.example.org", "ftp://example.org"])
def test_an_address_does_not_become_a_link_by_itself(text):
    page = markdown_list([text])
    assert "://" not in page
    assert "www." not in page.lower()
    assert "".join(token.content for token in inline(page)) == text


@pytest.mark.parametrize("text", [*HOSTILE, *BROKEN_LINES])
def test_nothing_of_a_result_becomes_part_of_its_report(text):
    made = result([(single(text, "dump"), [1.0]), (pooled(text, "dump", 1), [1.0])])
    cells = tuple(replace(cell, valid=False, problem=text) for cell in made.cells)
    made = replace(
        made,
        cells=cells,
        warnings=(text,),
        run=replace(made.run, argv=("brinery", text), started_at=text, brinery=text),
        host=replace(made.host, cpu=text, kernel=text),
        dataset=replace(made.dataset, source=text, shapes={text: 1}),
    )
    report = report_markdown(made)
    plain = report_markdown(result([(single("npy", "dump"), [1.0]), (pooled("npy", "dump", 1), [1.0])]))
    assert report.replace("\n", "").isprintable()
    assert blocks(report) == blocks(plain)
    assert {token.type for token in inline(report)} <= PLAIN | {"strong_open", "strong_close", "hardbreak"}
