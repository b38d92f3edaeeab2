"""Tables on a terminal: nothing is wider than it, no number is wrapped or cut, what is left out is named."""

import pytest

from brinery.benchmark.text.report import all_tables
from brinery.benchmark.text.table import Column, Entry, Table, left, right
from brinery.benchmark.text.terminal import text_table

from ...report.made import bench

WIDTHS = [80, 100, 120]
MADE = bench(ops=("convert", "dump", "load", "map"))


@pytest.mark.parametrize("width", WIDTHS)
def test_every_table_of_a_bench_fits_and_cuts_no_number(width):
    for table in all_tables(MADE):
        text = text_table(table, width)
        assert max(map(len, text.splitlines())) <= width
        heads, *body = text.split("\n---")[0].splitlines()[-1:] + text.splitlines()
        shown = [strip for strip in table.strips() if strip.numeric and strip.head in heads]
        assert all(
            cell in " ".join(body).split() for strip in shown for cell in " ".join(strip.cells).split()
        )


def test_the_least_important_columns_go_first_and_are_named():
    columns = [Column(head, spare=spare) for head, spare in zip("abcd", (2, 0, 1, 2), strict=True)]
    table = Table("T", [*left("protocol"), *columns], [("npy", 1111, 2222, 3333, 4444)])
    assert "Not shown" not in text_table(table, 32)
    assert text_table(table, 31).splitlines() == [
        "T",
        "",
        "protocol     b     c",
        "--------------------",
        "npy       2222  3333",
        "Not shown in 31 columns: a and",
        "d. Markdown and --json have",
        "all.",
    ]
    assert "3333" not in text_table(table, 19)


def test_words_wrap_under_their_head_and_numbers_stay_in_one_line():
    columns = (*left("aim"), *right("times"), *left("why"))
    rows = [("load", 1.25, "one of the many reasons that there are"), ("dump", 2, "none")]
    assert text_table(Table("T", columns, rows), 34).splitlines()[2:] == [
        "aim   times  why",
        "----------------------------------",
        "load   1.25  one of the many",
        "             reasons that there",
        "             are",
        "dump      2  none",
    ]


def test_intervals_go_before_what_they_belong_to():
    columns = (*left("protocol"), Column("time", notes="range"))
    table = Table("T", columns, [("npy", Entry("1.25", 1.25, "1.11 to 1.39"))])
    assert "1.11 to 1.39" in text_table(table, 28)
    assert "range" not in text_table(table, 27).splitlines()[2]


def test_a_file_gets_everything_in_one_line_a_row():
    for table in all_tables(MADE):
        assert len(text_table(table).splitlines()) == 4 + len(table.rows) + len(table.notes)
