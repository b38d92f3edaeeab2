"""The pictures of throughput over workers."""

import pytest

from brinery.report.bench.scaling import below

LINE = [(1, 100.0), (2, 200.0), (4, 400.0)]


def test_a_line_below_the_top_stays_whole():
    assert below(LINE, 400) == [((1, 100.0), (2, 200.0)), ((2, 200.0), (4, 400.0))]


def test_a_line_ends_where_it_leaves_the_picture():
    whole, cut = below(LINE, 300)
    assert whole == ((1, 100.0), (2, 200.0))
    assert cut == ((2, 200.0), (pytest.approx(2 * 2**0.5), 300))


def test_a_line_that_comes_back_begins_where_it_enters():
    (rising, falling) = below([(1, 100.0), (2, 300.0), (4, 100.0)], 200)
    assert rising == ((1, 100.0), (pytest.approx(2**0.5), 200))
    assert falling == ((pytest.approx(2 * 2**0.5), 200), (4, 100.0))


def test_what_lies_above_the_top_is_left_out():
    assert below([(1, 500.0), (2, 600.0)], 400) == []
    assert below([(2, 500.0)], 400) == []


def test_a_single_point_is_a_short_line():
    (((left, low), (right, high)),) = below([(2, 300.0)], 400)
    assert left < 2 < right
    assert low == high == 300
