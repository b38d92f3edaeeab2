"""A bench beside other programs: what the page may still say, on results made by hand."""

from dataclasses import replace

import pytest

from brinery.benchmark.analysis.conclude import conclude
from brinery.benchmark.analysis.noise import with_sentinel
from brinery.benchmark.analysis.warnings import trouble_of
from brinery.benchmark.result.measured import Bound, TimeSplit
from brinery.benchmark.text.report import report_markdown
from brinery.report.bench.page import bench_page
from brinery.report.html.chart import Chart

from ..made import bench

pytest.importorskip("scipy")


def shaken(result, wait, foreign=0.61, **noise):
    """The result as other programs leave it: workers waited, and the sentinel took three times as long."""
    cells = tuple(
        replace(cell, split=TimeSplit(0.3, 0.1, wait, None, 0.6 - wait) if cell.split else None)
        for cell in result.cells
    )
    sentinel = tuple(
        replace(one, wall_ns=one.wall_ns * (3 if one.round % 2 else 1)) for one in result.noise.sentinel
    )
    made = with_sentinel(replace(result.noise, sentinel=sentinel, foreign_cpu=foreign))
    return conclude(replace(result, cells=cells, noise=replace(made, **noise)))


def captions(page):
    """What each chart of a page says, by name."""
    return {item.name: item.caption for one in page.sections for item in one.body if isinstance(item, Chart)}


@pytest.fixture(scope="module")
def page():
    return bench_page(shaken(bench(), 0.5))


def test_the_headline_decides_nothing_and_says_who_held_the_cpus(page):
    assert page.conclusion == "This run decides nothing: other programs held the CPUs (61%)."
    assert [fact.label for fact in page.facts] == ["Smallest, an image"]
    assert not any("fastest" in section.lead for section in page.sections)
    quiet = bench_page(bench())
    assert quiet.conclusion == "Choose npy with 2 workers."
    assert any("loaded fastest" in section.lead for section in quiet.sections)


def test_captions_take_back_what_they_say_of_differences(page):
    told = captions(page)
    taken_back = "No difference here means anything: other programs held the CPUs (61%)."
    assert told["efficiency"] == taken_back
    assert sum(caption == taken_back for caption in told.values()) >= 3
    assert taken_back not in captions(bench_page(bench())).values()


def test_the_noise_floor_is_what_the_same_work_changed_by(page):
    told = captions(page)["sentinel"]
    assert "slowest and fastest round lie 200% of the median apart" in told
    assert "The noise floor, shaded, is 200." in told
    assert "Noise floor 200." in page.status


def test_an_earlier_result_with_a_low_floor_is_judged_by_its_own_sentinel():
    made = shaken(bench(), 0.5, floor=0.107)
    assert made.noise.floor > 1
    assert "10.7%" not in report_markdown(made)


@pytest.mark.parametrize(
    ("noise", "wait", "trouble"),
    [
        ({"foreign_cpu": 0.61}, 0.5, "other programs held the CPUs (61%)"),
        ({"foreign_cpu": 0.61}, 0.01, None),  # a machine of many CPUs: nobody missed those
        ({"foreign_cpu": 0.1}, 0.5, None),
        ({"steal": 0.4}, 0.0, "the hypervisor held the CPUs (40%)"),
        ({"throttled": 0.3}, 0.0, "a quota held threads back (30% of the time)"),
    ],
)
def test_time_that_others_took_is_trouble_where_workers_missed_it(noise, wait, trouble):
    made = bench()
    cells = tuple(replace(cell, split=TimeSplit(0.5, 0.1, wait, None, 0.4 - wait)) for cell in made.cells)
    assert trouble_of(replace(made, cells=cells, noise=replace(made.noise, **noise))) == trouble


def test_work_that_changes_by_itself_is_trouble_too():
    made = shaken(bench(), 0.01, foreign=0.01)
    assert trouble_of(made).startswith("the same work changed by 2")


def test_impossible_shares_are_marked_as_noise():
    made = bench()
    cells = tuple(
        replace(
            cell,
            bound=Bound("memcpy", 2.58),
            stats=replace(cell.stats, median_ns=cell.stats.median_ns / (1.31 if cell.workers == 2 else 1)),
        )
        for cell in made.cells
    )
    text = report_markdown(conclude(replace(made, cells=cells)))
    assert "258% (noise)" in text
    assert "131% (noise)" in text
    assert "(noise)" not in report_markdown(made)
