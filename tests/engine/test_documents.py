"""JSON from anybody becomes plain values, or an error that says what is wrong."""

import json

import pytest

from brinery.engine.documents import parse_document


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -1,
        2**64 - 1,
        -(2**64) + 1,
        0.5,
        -1e300,
        "",
        "\u202e\x1b",
        [],
        {},
        {"a": [1, {"b": None}]},
    ],
)
def test_what_json_holds_comes_back(value):
    assert parse_document(json.dumps(value)) == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("NaN", "NaN is no number"),
        ('{"a": [Infinity]}', "Infinity is no number"),
        ("-Infinity", "-Infinity is no number"),
        ("1e999", "the number 1e999 is too large"),
        (str(2**64), "has more than 64 bits"),
        (f"-{2**64}", "has more than 64 bits"),
        ("9" * 10_000, "has more than 64 bits"),
        ('{"a": 1, "b": 2, "a": 3}', "the name 'a' stands twice in one object"),
        ("[" * 200_000, "it has too many levels"),
        ('{"a":' * 200_000, "it has too many levels"),
        ("", "Expecting value"),
        ("[1", "Expecting"),
    ],
)
def test_what_no_result_holds_is_refused(text, why):
    with pytest.raises(ValueError, match=why):
        parse_document(text)


def test_names_that_are_no_unicode_are_escaped():
    name = b"a\xff.jpg".decode("utf-8", "surrogateescape")
    text = json.dumps({name: [name, "\N{GRINNING FACE}"]})
    assert parse_document(text) == {"a\\udcff.jpg": ["a\\udcff.jpg", "\N{GRINNING FACE}"]}
