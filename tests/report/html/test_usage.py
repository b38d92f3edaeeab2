"""A sampler's readings become series over time."""

import pytest

from brinery.report.html.usage import Point, usage_of


def points(pid, role, series, rss=100, **more):
    return [Point(t, pid, role, cpu, rss, None, *more.get("io", (None, None))) for t, cpu in series]


def usage(*series):
    return usage_of([one for own in series for one in own], cores=2.0, cores_name="2 usable CPUs")


def test_cpu_time_is_spread_over_the_time_in_which_it_was_spent():
    made = usage(
        points(1, "parent", [(0, 5.0), (1, 5.1), (2, 5.2)]),
        points(2, "worker", [(0, 0.0), (1, 0.9), (2, 1.8)]),
    )
    assert [round(one.workers, 3) for one in made.moments] == [0.9, 0.9]
    assert [round(one.parent, 3) for one in made.moments] == [0.1, 0.1]


def test_a_rate_over_a_long_gap_is_even():
    made = usage(points(1, "parent", [(0, 0.0), (1, 1.0), (2, 2.0), (3, 3.0), (10, 3.7)]))
    assert [round(one.parent, 2) for one in made.moments] == [1.0] * 3 + [0.1] * 7


def test_workers_that_follow_one_another_share_a_lane():
    made = usage(
        points(1, "worker", [(0, 0), (1, 1), (2, 2)]),
        points(2, "worker", [(0, 0), (1, 0), (2, 0)]),
        points(3, "worker", [(3, 0), (4, 0.5), (5, 1.0)]),
    )
    assert {(one.lane, one.pid, one.value) for one in made.lanes["cpu"]} == {
        (0, 1, 1.0),
        (1, 2, 0.0),
        (0, 3, 0.5),
    }


def test_lanes_show_each_workers_memory_and_traffic():
    made = usage(
        [Point(t, 1, "worker", 0, 100 if t < 2 else 200, None, t * 50, t * 30) for t in range(4)],
        [Point(t, 2, "worker", 0, 50, None, 0, 0) for t in range(4)],
    )
    memory = {(one.pid, one.start_s, one.end_s, one.value) for one in made.lanes["memory"]}
    assert memory == {(1, 0, 1, 100), (1, 1, 3, 200), (2, 0, 3, 50)}
    assert {(one.pid, one.value, one.level) for one in made.lanes["storage"]} == {(1, 80, 1.0), (2, 0, 0.0)}


def test_traffic_that_is_not_counted_has_no_lane():
    assert usage(points(1, "worker", [(0, 0), (1, 1), (2, 2)])).lanes["storage"] == ()


def test_memory_is_summed_over_those_alive_and_unknown_is_not_zero():
    made = usage(
        points(1, "parent", [(0, 0), (1, 0), (2, 0), (3, 0)], rss=100),
        points(2, "worker", [(0, 0), (1, 0)], rss=50),
    )
    assert [one.rss_bytes for one in made.moments] == [150, 150, 100]
    assert {one.pss_bytes for one in made.moments} == {None}
    assert {one.read for one in made.moments} == {None}


def test_a_long_run_has_few_moments():
    made = usage(points(1, "parent", [(t / 10, t / 20) for t in range(50_000)]))
    assert len(made.moments) <= 240
    assert made.moments[7].parent == pytest.approx(0.5)


def test_one_reading_is_no_timeline():
    assert usage(points(1, "parent", [(0, 0)])) is None
