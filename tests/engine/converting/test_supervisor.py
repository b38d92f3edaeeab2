"""Which units a pool gets: returned ones first, and none twice."""

from brinery.engine.converting.supervisor import _Feed
from brinery.engine.records import Unit


def numbers(units):
    return [unit.number for unit in units]


def feed_of(count):
    return _Feed(iter([Unit(number, ()) for number in range(count)]))


def test_units_are_under_way_until_their_result_comes():
    feed = feed_of(3)
    drawing = feed.drawing()
    assert [next(drawing).number, next(drawing).number] == [0, 1]
    assert feed.under_way == 2
    assert feed.done(0).number == 0
    assert feed.done(0) is None
    assert feed.under_way == 1
    assert not feed.exhausted
    assert numbers(drawing) == [2]
    assert feed.exhausted


def test_what_was_under_way_comes_back_before_new_units():
    feed = feed_of(5)
    dead = feed.drawing()
    assert [next(dead).number for _ in range(3)] == [0, 1, 2]
    feed.done(1)
    taken = feed.take_back()
    assert list(taken) == [0, 2]
    for unit in taken.values():
        feed.put_back(unit)
    assert list(dead) == []  # its pool is gone, whoever still asks it
    assert numbers(feed.drawing()) == [0, 2, 3, 4]


def test_only_what_came_back_is_done_alone():
    feed = feed_of(3)
    next(feed.drawing())
    for unit in feed.take_back().values():
        feed.put_back(unit)
    assert numbers(feed.drawing(only_returned=True)) == [0]
    feed.take_back()
    assert numbers(feed.drawing()) == [1, 2]
