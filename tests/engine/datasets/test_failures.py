"""Failures are told by kind: what differs in numbers and names alone is one kind."""

import pytest

from brinery.engine.datasets.failures import Failed, MadeFrom, failure_kinds, kind_of, source_of


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("truncated: 4,096 of 8,192 bytes are there", "truncated: N of N bytes are there"),
        ("expands 1.5 times; the budget is 1.1", "expands N times; the budget is N"),
        ("16-bit grey JPEG2000: Pillow would give 8 bits", "N-bit grey JPEG2000: Pillow would give N bits"),
        ("damaged: its CRC-32 is not the archive's", "damaged: its CRC-32 is not the archive's"),
        ("JPEG 2000 of sYCC colours, which are not read", "JPEG 2000 of sYCC colours, which are not read"),
        ("a link to ../far away/b.jpg: No such file", "a link to NAME: No such file"),
        ("a link to c.jpg, which cannot be read", "a link to NAME, which cannot be read"),
        ("cannot be read: Input/output error", "cannot be read: Input/output error"),
        ("set1/a 7.jpg is damaged", "NAME is damaged"),
        ("the zip has a member 'a b' already", "the zip has a member NAME already"),
        ("frame 3: damaged: a box of 9 bytes", "frames N: damaged: a box of N bytes"),
        ("frames 3 to 12: damaged: a box of 7 bytes", "frames N: damaged: a box of N bytes"),
        ("named .png, but holds no image: PDF document", "named .png, but holds no image: PDF document"),
    ],
)
def test_numbers_and_names_do_not_make_a_kind(message, kind):
    assert kind_of(message, "set1/a 7.jpg") == kind


def test_a_key_that_is_a_word_is_no_name():
    assert kind_of("cannot be read: damaged", "read") == "cannot be read: damaged"


def failed(key, message, stage="decode", error="DecodeError", ordinal=0):
    return Failed(ordinal, key, stage, error, message, 0, 0, 1)


def test_kinds_are_counted_the_most_frequent_first_with_the_first_keys():
    kinds = failure_kinds(
        [
            failed("a.jpg", "no scan of component 3"),
            failed("b.jpg", "4 of 9 bytes"),
            failed("c.jpg", "5 of 7 bytes"),
            failed("d.jpg", "5 of 7 bytes", stage="read", error="ReadError"),
        ],
        examples=5,
    )
    assert [(kind.members, kind.stage, kind.message) for kind in kinds] == [
        (2, "decode", "N of N bytes"),
        (1, "decode", "no scan of component 3"),
        (1, "read", "5 of 7 bytes"),
    ]
    assert kinds[0].examples == (("b.jpg", "4 of 9 bytes"), ("c.jpg", "5 of 7 bytes"))


def test_a_key_belongs_to_the_source_of_its_prefix():
    first, second = MadeFrom("/a.tar", "tar", "", None), MadeFrom("/b.tar", "tar", "b.tar/", None)
    assert source_of([first, second], "b.tar/x.jpg") == second
    assert source_of([first, second], "c/x.jpg") == first
    assert source_of([second], "c/x.jpg") is None
