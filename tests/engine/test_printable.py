"""Texts of strangers are shown without steering the terminal."""

import pytest

from brinery.engine.printable import printable


@pytest.mark.parametrize("text", ["photos/a b.jpg", "ünïcödé/日本.png", "", "\\n"])
def test_what_can_be_printed_stays(text):
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),  # a colour
        ("two\nlines\r", "two\\nlines\\r"),
        ("\u202egpj.exe", "\\u202egpj.exe"),  # right to left from here
        ("\udce9.jpg", "\\udce9.jpg"),  # half of a surrogate pair: a byte that is no UTF-8
        ("a\0b\x7f\x9b", "a\\x00b\\x7f\\x9b"),
    ],
)
def test_what_steers_a_terminal_is_escaped(text, shown):
    assert printable(text) == shown
    assert printable(text).isprintable()
