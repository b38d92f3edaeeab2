"""Sizes as people write them."""

import pytest

from brinery.engine.sizes import format_size, format_type, parse_size
from brinery.errors import UsageError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (77, 77),
        ("77", 77),
        ("1k", 1024),
        ("1kB", 1000),
        ("32MiB", 32 << 20),
        ("1.5 GiB", 3 << 29),
        ("2tb", 2 * 10**12),
    ],
)
def test_it_reads_what_people_write(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "many", "-5", "5 apples", 0, "0", "1e9"])
def test_it_refuses_the_rest(text):
    with pytest.raises(UsageError):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "0.977 KiB"), (32 << 20, "32 MiB"), (5 << 40, "5 TiB")],
)
def test_it_writes_three_digits(size, text):
    assert format_size(size) == text


@pytest.mark.parametrize(
    ("dtype", "words"),
    [
        ("|u1", "8-bit unsigned"),
        ("<u2", "16-bit unsigned, little-endian"),
        (">i4", "32-bit signed, big-endian"),
        ("<f8", "64-bit float, little-endian"),
        ("<c8", "64-bit complex, little-endian"),
        ("|b1", "boolean"),
        ("|S12", "|S12"),
        ("nonsense", "nonsense"),
    ],
)
def test_types_are_told_in_words(dtype, words):
    assert format_type(dtype) == words
