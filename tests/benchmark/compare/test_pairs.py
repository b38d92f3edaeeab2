"""Results of two versions in turns: a pair of processes counts once, whatever asks for the comparison."""

from dataclasses import replace

import numpy as np
import pytest

from brinery.benchmark.compare.ab import merge_pairs
from brinery.benchmark.compare.compare import compare_files, compare_results
from brinery.benchmark.compare.pairs import calm_times
from brinery.benchmark.result.file import read_result, write_result
from brinery.benchmark.result.measured import MachineUse, round_times
from brinery.benchmark.result.result import InTurns
from brinery.benchmark.text.comparison import changes_by_variant, changes_table, comparison_text, summary
from brinery.errors import DatasetError

from ..made import pooled, result, sample

pytest.importorskip("scipy")

CELLS = [pooled(name, op, n) for name in ("npy", "json") for op in ("dump", "load") for n in (1, 2)]
PAIRS, EACH = 8, 6


def sides(seed, slower=None, *, luck=0.02, noise=0.01, cells=CELLS, pairs=PAIRS, each=EACH):
    """Base and head of one measurement: a pair has its weather, a process its luck, a round its noise."""
    random = np.random.default_rng(seed)
    weather = random.normal(0, 0.2, pairs)
    made = []
    for side in ("base", "head"):
        times = []
        for cell in cells:
            own = np.repeat(weather + random.normal(0, luck, pairs), each)
            factor = (slower or {}).get(cell, 1) if side == "head" else 1
            times.append((cell, 150 * factor * np.exp(own + random.normal(0, noise, pairs * each))))
        made.append(replace(result(times), in_turns=InTurns(f"turns-{seed}", side, f"{side}-version", each)))
    return made


def called(comparison):
    return {
        (one.protocol, one.op, one.workers): one.verdict
        for one in comparison.cells
        if one.verdict in ("regressed", "faster")
    }


SLOWER = {CELLS[0]: 1.2, CELLS[1]: 1.2}


def test_two_sides_are_judged_by_their_pairs():
    found = compare_results(*sides(1, SLOWER))
    assert found.paired
    assert {one.ratio.rounds for one in found.cells} == {PAIRS}
    assert called(found) == {("npy", "dump", 1): "regressed", ("npy", "dump", 2): "regressed"}
    assert found.exit_code == 1
    assert "8 pairs of processes that took turns" in comparison_text(found)
    assert "base-version in A, brinery" in comparison_text(found)


def test_the_sides_may_be_swapped():
    base, head = sides(1, SLOWER)
    there, back = compare_results(base, head), compare_results(head, base)
    assert back.paired
    assert called(back) == {("npy", "dump", 1): "faster", ("npy", "dump", 2): "faster"}
    for one, other in zip(there.cells, back.cells, strict=True):
        assert one.ratio.value * other.ratio.value == pytest.approx(1)
        assert one.q_value == pytest.approx(other.q_value)


def test_the_files_say_what_their_results_say(tmp_path):
    base, head = sides(2, SLOWER)
    for made in (base, head):
        write_result(made, tmp_path / made.in_turns.side)
    found = compare_files(tmp_path / "base", tmp_path / "head")
    again = compare_results(base, head, names=(str(tmp_path / "base"), str(tmp_path / "head")))
    assert found == again


def test_a_pair_that_one_side_lacks_is_left_out():
    base, head = sides(3, SLOWER)

    def without(made, pair):
        cells = (
            replace(cell, samples=tuple(one for one in cell.samples if one.round // EACH != pair))
            for cell in made.cells
        )
        return replace(made, cells=tuple(cells))

    found = compare_results(base, without(head, PAIRS - 1))
    assert {one.ratio.rounds for one in found.cells} == {PAIRS - 1}
    assert called(found) == called(compare_results(base, head))
    early, late = base, head  # no pair in common
    for pair in range(PAIRS):
        early, late = (without(early, pair), late) if pair < 4 else (early, without(late, pair))
    (only, *_) = compare_results(early, late).excluded
    assert (str(only), only.reason) == (
        "dump npy, 1 worker",
        "no pair of processes measured it in both versions",
    )


def test_cells_of_one_side_alone_are_named_and_the_others_are_judged():
    base, head = sides(4, SLOWER)
    found = compare_results(base, replace(head, cells=head.cells[:-1]))
    assert [str(name) for name in found.only_a] == ["load json, 2 workers"]
    assert len(called(found)) == 2


def test_fewer_than_five_pairs_decide_nothing_however_many_rounds_they_have():
    found = compare_results(*sides(5, SLOWER, pairs=4, each=30))
    assert found.exit_code == 2
    assert {one.reason for one in found.cells} == {"fewer than 5 pairs (4)"}
    assert summary(found).endswith("Fewer than 5 pairs (4): measure with --rounds 8.")


@pytest.mark.parametrize("change", [{"id": "another"}, {"side": "base"}, {"rounds_each": 5}])
def test_results_of_two_measurements_are_no_pair_and_each_process_counts_once(change):
    base, head = sides(6)
    head = replace(head, in_turns=replace(head.in_turns, **change))
    found = compare_results(base, head)
    assert not found.paired
    assert max(one.ratio.rounds for one in found.cells) == PAIRS
    assert (found.cells[0].a_rounds, called(found)) == (PAIRS, {})


def test_one_side_and_a_run_of_its_own_are_no_pair():
    base, _ = sides(7)
    alone = result([(cell, 150 + np.arange(7)) for cell in CELLS])
    found = compare_results(base, alone)
    assert not found.paired
    assert {(one.a_rounds, one.b_rounds) for one in found.cells} == {(PAIRS, 7)}


def test_versions_of_libraries_may_differ_in_a_pair_and_the_machine_may_not():
    base, head = sides(8)
    newer = replace(head, software=replace(head.software, libraries={"numpy": "2.1.0"}))
    assert compare_results(base, newer).exit_code != 3
    other = replace(head, in_turns=None, software=newer.software)
    assert compare_results(base, other).exit_code == 3
    assert compare_results(base, replace(head, host=replace(head.host, cpu="B CPU"))).exit_code == 3


def test_what_is_each_processes_luck_is_seldom_called_a_change():
    """Of 40 measurements of one version, at most 2 have a call; by their rounds alone most would."""
    calls = [
        bool(called(compare_results(*sides(seed, luck=0.05, noise=0.002, each=2)))) for seed in range(40)
    ]
    assert sum(calls) <= 2


def test_a_slowdown_of_the_size_that_is_said_to_be_detectable_is_detected():
    """In nine of ten: that much is said for the noise that was seen, which is itself not well known."""

    def measured(slower):
        return [compare_results(*sides(seed, {CELLS[0]: slower}, each=2)) for seed in range(20)]

    size = float(np.median([found.cells[0].detectable for found in measured(1.0)]))
    assert 0.05 < size < 0.25
    for slower, fewest, most in ((1 + size, 16, 20), (1.02, 0, 2)):
        assert fewest <= sum(("npy", "dump", 1) in called(found) for found in measured(slower)) <= most


def test_the_noise_floor_of_a_pair_is_what_half_of_its_cells_may_seem_to_differ_by():
    quiet, loud = (compare_results(*sides(9, luck=luck)).floor for luck in (0.01, 0.1))
    assert quiet < 0.03 < loud
    assert called(compare_results(*sides(9, {CELLS[0]: 1.1}, luck=0.1))) == {}


def test_cells_that_noise_hides_are_not_called_the_same():
    quiet, loud = (compare_results(*sides(11, luck=luck, noise=0.001)) for luck in (0.002, 0.1))
    assert quiet.counts["same"] == len(CELLS)
    assert loud.counts["same"] == 0
    assert loud.exit_code == 2
    assert "measure more pairs, with --rounds." in summary(loud)


def held(cell, number, wait_ms, busy_ms, workers=1):
    """A region of 100 ms of work, plus the wait of its first worker while all CPUs together were busy."""
    made = sample(cell, number, 100)
    first, *others = made.workers
    first = replace(first, wall_ns=round((100 + wait_ms) * 1e6), run_wait_ns=round(wait_ms * 1e6))
    machine = MachineUse(first.wall_ns, 0, 0, 0, 0, busy_ns=round(busy_ms * 1e6))
    return replace(made, wall_ns=first.wall_ns, workers=(first, *others), machine=machine)


@pytest.mark.parametrize(
    ("wait", "busy", "cell", "expected"),
    [
        (50, 100 + 100, pooled("npy", "load", 1), 1.0),  # others held a CPU for longer than it waited
        (50, 100 + 20, pooled("npy", "load", 1), 1.3),  # they account for 20 ms: the rest is its own
        (50, 100, pooled("npy", "load", 1), 1.5),
        (50, 400, pooled("npy", "load", 4), 1.5),  # four workers on two CPUs wait for each other
    ],
)
def test_the_wait_for_cpus_that_other_programs_held_is_left_out(wait, busy, cell, expected):
    made = result([(cell, [100])])
    (measured,) = made.cells
    measured = replace(measured, samples=(held(cell, 0, wait, busy),))
    assert calm_times(measured, 2.0) == pytest.approx({0: expected * 1e6})
    assert round_times(measured.samples) == pytest.approx({0: 1.5e6})


def test_the_rounds_of_pairs_follow_one_another():
    benches = [result([(cell, [ms, ms + 1, ms + 2]) for cell in CELLS[:2]]) for ms in (100, 120, 110)]
    benches = [replace(one, run=replace(one.run, rounds_planned=3)) for one in benches]
    benches[1] = replace(benches[1], cells=benches[1].cells[:1])
    turns = InTurns("turns", "base", "main", 3)
    merged = merge_pairs(benches, turns)
    of_both, of_two = (round_times(cell.samples) for cell in merged.cells)
    assert [round(time / 1e4) for time in of_both.values()] == [100, 101, 102, 120, 121, 122, 110, 111, 112]
    assert list(of_both) == list(range(9))
    assert list(of_two) == [0, 1, 2, 6, 7, 8]
    assert merged.run.rounds_done == {"seed": 15, "scaling": 15}
    assert merged.in_turns == turns


def test_a_place_in_turns_that_makes_no_sense_is_refused(tmp_path):
    base, _ = sides(1)
    write_result(base, tmp_path / "base.json")
    text = (tmp_path / "base.json").read_text().replace('"rounds_each": 6', '"rounds_each": 0')
    (tmp_path / "base.json").write_text(text)
    with pytest.raises(DatasetError, match="a pair measures 1 round or more, not 0"):
        read_result(tmp_path / "base.json")


def test_a_table_of_pairs_has_no_column_for_what_the_machine_changed_between_runs():
    base, head = sides(10)
    ((_, title, changes), *_) = changes_by_variant(compare_results(base, head).cells)
    heads = [column.head for column in changes_table(title, changes).columns]
    assert heads == [
        "protocol",
        "workers",
        "A images/s",
        "B images/s",
        "time B/A",
        "detectable",
        "q",
        "verdict",
    ]
