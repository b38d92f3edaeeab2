"""Numbers as people read them."""

import math

import pytest

from brinery.benchmark.text import numbers as words


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1, "1.00"), (0.01234, "0.0123"), (47447.3, "47,447"), (-2.5, "-2.50"), (None, words.DASH),
     (math.nan, "not a number"), (math.inf, "infinite"), (1e-9, "0.000000001")],
)  # fmt: skip
def test_three_digits_without_an_exponent(value, text):
    assert words.plain(value) == text


def test_rates_are_rounded_to_what_is_known():
    assert [words.amount(value) for value in (23.84, 4535.2, 47447, 1234567)] == [
        "23.8",
        "4,540",
        "47,400",
        "1,230,000",
    ]


def test_times_choose_their_unit():
    assert [words.duration(ns) for ns in (12, 23_400, 5.1e6, 2e9)] == [
        "12.0 ns",
        "23.4 µs",
        "5.10 ms",
        "2.00 s",
    ]
    assert [words.seconds(ns) for ns in (9.27e9, 196e9, 7500e9)] == ["9.27 s", "3 min 16 s", "2 h 5 min"]


def test_sizes_and_lists():
    assert [words.size(n) for n in (1, 900, 1 << 20, 3 << 29)] == [
        "1 byte",
        "900 bytes",
        "1.00 MiB",
        "1.50 GiB",
    ]
    assert [words.listed(list("abcd")[:n], 2) for n in (0, 1, 2, 4)] == [
        "none",
        "a",
        "a and b",
        "a, b and 2 more",
    ]
    assert [words.counted(n, "worker") for n in (1, 2)] == ["1 worker", "2 workers"]
    assert [words.cpus(n) for n in (1.0, 1.5)] == ["1 usable CPU", "1.5 usable CPUs"]
