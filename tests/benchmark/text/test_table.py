"""The one table model: what each form makes of the same rows."""

import csv

import pytest

from brinery.benchmark.text.table import Column, Entry, Table, csv_table, left


def records(*columns, rows):
    return list(csv.reader(csv_table(Table("A table", columns, rows)).splitlines()))


def test_csv_has_the_numbers_themselves_and_words_where_a_number_is_shown_as_one():
    number = Column("time, s")
    rows = [
        (Entry("~1.23", 1.23456789),),
        (Entry("inline", 0),),
        (None,),
        (Entry("void", float("nan")),),
        (4,),
    ]
    assert records(number, rows=rows) == [["time, s"], ["1.23456789"], ["inline"], [""], ["void"], ["4"]]


@pytest.mark.parametrize(
    ("text", "value", "told"),
    [
        ("95", 100_027_392, "95"),  # MiB, sorted by bytes
        ("1.89 ms", 1_887_534.5, "1.89 ms"),
        ("1,234", 1_293_942, "1234"),
        ("3", 2, "3"),
        ("9,980", 9977.25, "9977.25"),
        ("~0.401", 0.40083, "0.40083"),
        ("60% decode", 0.6002844, "0.6002844"),
        ("-0.3%", -0.00312, "-0.00312"),
        ("4*", 4, "4"),
        ("load 2, dump 1", 2, "load 2, dump 1"),
    ],
)
def test_csv_keeps_the_unit_of_the_head(text, value, told):
    assert records(Column("n"), rows=[(Entry(text, value),)])[1] == [told]


def test_csv_has_notes_in_columns_of_their_own():
    columns = (Column("a", notes="95 % interval"), Column("b"), Column("c"))
    rows = [(Entry(None, 1.5, "1 to 2"), Entry("4*", 4, "more"), 3), (None, None, None)]
    assert records(*columns, rows=rows) == [
        ["a", "95 % interval", "b", "b: note", "c"],
        ["1.5", "1 to 2", "4", "more", "3"],
        ["", "", "", "", ""],
    ]


def test_no_text_is_a_formula_to_a_spreadsheet():
    hostile = ["=1+1", "+1", "-1", "@SUM(A1)", "plain", "a\u202eb"]
    found = records(*left("key"), rows=[(text,) for text in hostile])
    assert [row[0] for row in found[1:]] == ["'=1+1", "'+1", "'-1", "'@SUM(A1)", "plain", "a\\u202eb"]
