"""The one table model: what each form makes of the same rows."""

import csv

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
