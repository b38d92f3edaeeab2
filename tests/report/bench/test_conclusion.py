"""The sentence at the head: what to choose, and how sure that is."""

from dataclasses import replace

import pytest

from brinery.report.bench.conclusion import alarms, conclusion_of, facts_of, status_of

from ..made import bench

pytest.importorskip("scipy")


def test_a_clear_winner_is_named_with_its_workers_and_its_lead():
    found = conclusion_of(bench())
    assert found.sentence == "Choose npy with 2 workers."
    assert "with hickle 3.00 times as much, with json 100 times" in found.reason
    assert "2.00 times one worker" in found.reason
    assert "More workers than the 2 usable CPUs add nothing." in found.reason


def test_a_tie_is_told_with_the_winner():
    found = conclusion_of(bench({"npy": 20.0, "pickle-5": 20.02, "json": 900.0}))
    assert found.sentence == "Choose npy with 2 workers; pickle-5 does as well."
    assert "pickle-5 cannot be told from it" in found.reason


def test_few_rounds_are_no_decision():
    assert (
        conclusion_of(bench(rounds=3)).sentence
        == "npy with 2 workers looks best, on too few rounds to be sure."
    )


def test_without_scipy_the_fastest_load_is_named_and_the_extra_with_it():
    found = conclusion_of(replace(bench(), recommendations=()))
    assert found.sentence == "npy loads fastest with 2 workers."
    assert "brinery[bench]" in found.reason


def test_nothing_measured_is_said():
    found = conclusion_of(replace(bench(), recommendations=(), cells=()))
    assert found.sentence == "No protocol can be named."


def test_the_figures_name_their_protocol():
    facts = {fact.label: (fact.value, fact.note) for fact in facts_of(bench())}
    assert facts["Fastest load, images"] == ("9,980 /s", "npy with 2 workers")
    assert facts["Smallest, an image"][0] == "231 kB"


def test_a_quiet_run_has_no_alarm_and_a_disturbed_one_has():
    made = bench()
    assert alarms(made) == ()
    noisy = replace(made, noise=replace(made.noise, foreign_cpu=0.3), warnings=("5 of 6 rounds",))
    assert alarms(noisy) == ("Other programs took 30% of the CPUs: close them and measure again.",)
    stopped = replace(made, run=replace(made.run, finished=False))
    assert "not finished" in alarms(stopped)[0]


def test_the_status_counts_cells_and_names_the_floor():
    assert "24 cells: 24 valid, 0 void" in status_of(bench())
    assert "Noise floor 2.0%" in status_of(bench())
    assert "Noise floor not known" in status_of(replace(bench(), noise=replace(bench().noise, floor=None)))
