"""A table on a page: what is read, and what it is sorted by."""

import re

import pytest

pytest.importorskip("markupsafe")

from brinery.benchmark.text.table import Column, Entry, Table, left
from brinery.report.html.table import table_html


def cells(rows, *columns):
    html = str(table_html(Table("A table", columns, rows)))
    return re.findall(r"<t[hd]( [^>]*)?>(.*?)</t[hd]>", html.partition("<tbody>")[2])


def test_a_number_is_sorted_by_its_text_unless_something_stands_beside_it():
    number = Column("n")
    assert cells([(1, 2345.6, 12)], number, number, number) == [("", "1"), ("", "2,346"), ("", "12")]
    ((attributes, text),) = cells([(Entry(None, 2345.6, "2,000 to 3,000"),)], number)
    assert (attributes, text) == (' data-sort="2345.6"', "2,346<small>2,000 to 3,000</small>")
    ((attributes, text),) = cells([(Entry("4*", 4),)], number)
    assert (attributes, text) == (' data-sort="4"', "4*")


def test_what_is_not_known_is_a_dash_and_sorts_last():
    assert cells([(None, Entry("void", float("nan")))], *left("a", "b")) == [
        (' class="text"', "\N{EN DASH}"),
        (' class="text"', "void"),
    ]


def test_columns_for_pages_and_marks_are_shown():
    columns = (*left("a"), Column("safe", numeric=False, hint="runs no code", page=True))
    html = str(table_html(Table("A table", columns, [("npy", Entry("yes", kind="good"))])))
    assert '<th scope="col" class="text" title="runs no code">safe</th>' in html
    assert '<td class="text good">yes</td>' in html


def test_cells_of_words_are_named_for_a_phone_where_there_are_several():
    assert cells([("npy", "cpu", "user 95 %")], *left("protocol", "limit", "evidence")) == [
        (' class="text"', "npy"),
        (' class="text" data-label="limit"', "cpu"),
        (' class="text" data-label="evidence"', "user 95 %"),
    ]
    assert "data-label" not in str(cells([("npy", "cpu", 3)], *left("a", "b"), Column("n")))


def test_texts_are_escaped_wherever_they_stand():
    odd = "<b>&\u202e"
    html = str(table_html(Table(odd, left(odd), [(odd,), (Entry(odd, note=odd),)], (odd,))))
    assert "<b>" not in html
    assert html.count("&lt;b&gt;&amp;\\u202e") == 8  # once in an attribute
