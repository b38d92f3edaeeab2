"""Texts become HTML without becoming markup."""

import json
import math

import pytest
from markupsafe import Markup

from brinery.report.html.markup import script_json, tag

HOSTILE = "<script>alert(1)</script>&\"'"


def test_texts_and_attributes_are_escaped_and_elements_are_not():
    made = tag("p", HOSTILE, tag("b", "bold"), title=HOSTILE)
    assert "<script>" not in made
    assert made.count("&lt;script&gt;") == 2
    assert made.endswith("<b>bold</b></p>")


def test_attributes_take_the_names_of_html():
    made = tag("input", class_="a", aria_label="b", hidden=True, disabled=False, title=None)
    assert made == Markup('<input class="a" aria-label="b" hidden>')


def test_what_turns_or_steers_a_text_is_shown():
    assert tag("p", "a\u202eb\x1b[2J\x00") == "<p>a\\u202eb\\x1b[2J\\x00</p>"
    assert tag("p", "\udcff") == "<p>\\udcff</p>"


def test_content_is_flattened():
    assert tag("p", ["a", None, ["b", ("c",)]], None) == "<p>abc</p>"


def test_json_in_a_script_cannot_end_it_and_stays_json():
    made = script_json({"a": HOSTILE, "b": [math.nan, math.inf, 1.5], "c": "<!--"})
    assert "<" not in made
    assert ">" not in made
    assert json.loads(made) == {"a": HOSTILE, "b": [None, None, 1.5], "c": "<!--"}


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("not measured (--cache warm,cold)", "not measured (<b>--cache warm,cold</b>)"),
        ("raise --budget, or set --rounds 7", "raise <b>--budget</b>, or set <b>--rounds 7</b>"),
        ("Leave out flushing with --no-fsync.", "Leave out flushing with <b>--no-fsync</b>."),
        ("choose a --scratch on a disk", "choose a <b>--scratch</b> on a disk"),
        ("a--b and -- and state-of-the--art", "a--b and -- and state-of-the--art"),
    ],
)
def test_no_line_breaks_inside_an_option_or_before_its_value(text, whole):
    assert tag("p", text) == f"<p>{whole}</p>".replace("<b>", '<span class="whole">').replace(
        "</b>", "</span>"
    )
    assert tag("title", text) == f"<title>{text}</title>"
