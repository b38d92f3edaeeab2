"""The sentence at the head: what to choose, and how sure that is."""

from dataclasses import replace

import pytest

from brinery.benchmark.text.conclusion import conclusion_of
from brinery.benchmark.text.report import status_of
from brinery.report.bench.conclusion import alarms, facts_of

from ..made import bench

pytest.importorskip("scipy")


def test_a_clear_winner_is_named_with_its_workers_and_its_lead():
    found = conclusion_of(bench())
    assert found.sentence == "Choose npy with 2 workers."
    assert (
        "with npy, an image costs 1.10 ms; json 100 times as much. On disk npy takes 9.6 x your source"
        in found.reason
    )
    assert "2.00 times one worker" in found.reason
    assert "More workers than the 2 usable CPUs add nothing." in found.reason


def test_without_scipy_the_fastest_load_is_named_and_the_extra_with_it():
    found = conclusion_of(replace(bench(), recommendations=()))
    assert found.sentence == "npy loads fastest with 2 workers."
    assert "brinery[bench]" in found.reason


def test_nothing_measured_is_said():
    found = conclusion_of(replace(bench(), recommendations=(), cells=()))
    assert found.sentence == "No protocol can be named."


def test_the_figures_name_their_protocol():
    facts = {fact.label: (fact.value, fact.note) for fact in facts_of(bench())}
    assert facts["Fastest read through brinery.open, images"] == ("9,980 /s", "npy with 2 workers")
    assert facts["Smallest, an image"] == ("231 kB", "npy, 9.6 x your source")


def test_a_quiet_run_has_no_alarm_and_a_disturbed_one_has():
    made = bench()
    assert alarms(made) == ()
    noisy = replace(made, noise=replace(made.noise, foreign_cpu=0.3), warnings=("5 of 6 rounds",))
    assert alarms(noisy) == ("Other programs took 30% of the CPUs: close them and measure again.",)
    stopped = replace(made, run=replace(made.run, finished=False))
    assert "not finished" in alarms(stopped)[0]


def test_the_status_counts_cells_and_names_the_floor():
    assert "24 cells, all valid; 16 cells with a warning: short-region (14)" in status_of(bench())
    assert "every cell has a warning: few-rounds (24), short-region (14)" in status_of(bench(rounds=3))
    assert "Noise floor 2.0%" in status_of(bench())
    assert "Noise floor not known" in status_of(replace(bench(), noise=replace(bench().noise, floor=None)))
