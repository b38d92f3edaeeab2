"""What two results say about each other."""

from dataclasses import replace

import numpy as np
import pytest

from brinery.benchmark.compare.compare import compare_results
from brinery.benchmark.compare.machine_change import MachineChange
from brinery.benchmark.result.cell import Cell
from brinery.benchmark.result.findings import Ceiling, CeilingSample, SentinelSample
from brinery.benchmark.result.measured import round_times
from brinery.benchmark.text.comparison import comparison_markdown, comparison_text, summary

from ..made import pooled, result, sample

pytest.importorskip("scipy")

PROTOCOLS = ("pickle-2", "hickle", "npy")
CELLS = [pooled(name, op, n) for name in PROTOCOLS for op in ("dump", "load") for n in (1, 2)]


def run(seed, slower=None, cells=CELLS, rounds=7, noise=0.02):
    """A result whose regions take 150 ms but for noise, and so many times as long for each of `slower`."""
    random = np.random.default_rng(seed)
    slower = slower or {}
    times = {cell: 150 * np.exp(random.normal(0, noise, rounds)) * slower.get(cell, 1) for cell in cells}
    return result(list(times.items()))


def verdicts(comparison):
    return {(one.name.protocol, one.name.op, one.name.workers): one.verdict for one in comparison.cells}


def test_the_same_code_twice_is_no_change():
    for seed in range(10):
        found = compare_results(run(seed), run(seed + 100))
        assert found.exit_code in (0, 2)
        assert found.counts["regressed"] == found.counts["faster"] == 0


def test_a_dump_that_takes_a_fifth_longer_is_found_and_its_load_is_the_same():
    slower = {pooled("hickle", "dump", 1): 1.2, pooled("hickle", "dump", 2): 1.2}
    found = compare_results(run(1, noise=0.01), run(2, slower, noise=0.01))
    assert found.exit_code == 1
    for name, verdict in verdicts(found).items():
        assert verdict == ("regressed" if name[:2] == ("hickle", "dump") else "same"), name
    for one in found.cells:
        assert abs(one.ratio.value - slower.get(pooled(*names(one)), 1)) < 0.05
    assert "2 of 12 cells regressed, 0 faster, 10 same" in summary(found)
    assert compare_results(run(2, slower, noise=0.01), run(1, noise=0.01)).counts["faster"] == 2


def names(one):
    return one.name.protocol, one.name.op, one.name.workers


def test_protocols_are_summed_up_by_geometric_mean():
    slower = {pooled("npy", "load", 1): 2, pooled("npy", "load", 2): 0.5}
    found = compare_results(run(1, noise=0), run(1, slower, noise=0))
    groups = {(group.protocol, group.op): group for group in found.groups}
    group = groups["npy", "load"]
    assert (group.cells, group.ratio, group.lowest, group.highest) == pytest.approx((2, 1, 0.5, 2))
    assert groups["npy", "dump"].ratio == pytest.approx(1)


def test_rounds_are_medians_of_their_valid_samples():
    made = result([(CELLS[0], [100])])
    cell = made.cells[0]
    region = [sample(CELLS[0], 1, ms) for ms in (100, 150, 900)]
    bad = sample(CELLS[0], 1, 5, valid=False, problem="a worker was restarted")
    cell = replace(cell, samples=(*cell.samples, *region, bad))
    assert round_times(cell.samples) == {0: 1e6, 1: 1.5e6}


def test_few_rounds_decide_nothing():
    found = compare_results(run(1, rounds=3), run(2, {CELLS[0]: 3}, rounds=7))
    assert found.exit_code == 2
    assert {one.reason for one in found.cells} == {"fewer than 5 rounds (3 and 7)"}
    assert "--rounds 7" in summary(found)


def test_results_without_a_common_cell_decide_nothing():
    found = compare_results(run(1, cells=CELLS[:2]), run(1, cells=CELLS[2:]))
    assert (found.exit_code, len(found.only_a), len(found.only_b)) == (2, 2, 10)
    assert "none in common" in summary(found)


def test_a_void_cell_is_left_out_with_its_reason():
    a, b = run(1), run(2)
    bad = replace(b.cells[0], valid=False, problem="3 arrays are wrong")
    found = compare_results(a, replace(b, cells=(bad, *b.cells[1:])), names=("old.json", "new.json"))
    assert len(found.cells) == 11
    assert [one.reason for one in found.excluded] == ["void in new.json: 3 arrays are wrong"]
    assert "3 arrays are wrong" in comparison_text(found)


def test_a_cell_is_another_where_pool_or_layout_differ():
    inline = Cell("npy", "load", 1, "shards", "none")
    found = compare_results(
        run(1, cells=[inline, pooled("npy", "load", 1)]), run(1, cells=[pooled("npy", "load", 1)])
    )
    assert [str(name) for name in found.only_a] == ["load npy, inline"]


@pytest.mark.parametrize(
    ("part", "change", "named"),
    [
        ("host", {"cpu": "B CPU"}, ("CPU", "A CPU", "B CPU")),
        ("host", {"usable_cpus": 1.5}, ("usable CPUs", "2", "1.5")),
        ("host", {"kernel": "Linux 7.0.1"}, ("kernel", "Linux 6", "Linux 7.0")),
        ("host", {"memory_bytes": 16 << 30}, ("memory", "8.0 GiB", "16.0 GiB")),
        ("storage", {"filesystem": "tmpfs"}, ("file system", "ext4", "tmpfs")),
        ("software", {"python": "CPython 3.12.0"}, ("Python", "CPython 3.11.0", "CPython 3.12.0")),
        ("software", {"libraries": {"numpy": "2.1.0"}}, ("numpy", "2.0.0", "2.1.0")),
        ("software", {"libraries": {}}, ("numpy", "2.0.0", "not installed")),
        ("settings", {"region_ns": 60_000_000}, ("region", "150 ms", "60 ms")),
    ],
)
def test_what_keeps_results_from_being_compared_is_named(part, change, named):
    a, b = run(1), run(2)
    found = compare_results(a, replace(b, **{part: replace(getattr(b, part), **change)}))
    assert [(one.item, one.a, one.b) for one in found.differences] == [named]
    assert (found.exit_code, found.cells) == (3, ())
    assert "{}: {} in A, {} in B".format(*named) in summary(found)
    assert named[2] in comparison_markdown(found)


@pytest.mark.parametrize(
    ("label", "library"), [("npy+zstd:3", "zstandard"), ("cbor", "cbor2"), ("tfrecord", "crc32c")]
)
def test_the_version_of_a_protocols_library_counts_where_it_was_used(label, library):
    def timed(protocol, version):
        made = run(1, cells=[pooled(protocol, "load", 1)])
        libraries = {**made.software.libraries, library: version}
        return replace(made, software=replace(made.software, libraries=libraries))

    found = compare_results(timed(label, "1.0"), timed(label, "1.1"))
    assert [(one.item, one.a, one.b) for one in found.differences] == [(library, "1.0", "1.1")]
    assert not compare_results(timed("npy", "1.0"), timed("npy", "1.1")).differences


def test_another_dataset_is_named():
    a, b = run(1), run(2)
    found = compare_results(a, replace(b, dataset=replace(b.dataset, xxh3="f" * 16)))
    assert [one.item for one in found.differences] == ["dataset"]


def test_load_clock_rounds_and_version_are_no_difference():
    a, b = run(1), run(2, rounds=9)
    b = replace(
        b,
        run=replace(b.run, brinery="0.2.0", commit="f" * 40, seed=1, rounds_done={"seed": 2, "scaling": 9}),
        host=replace(
            b.host, governor="performance", kernel="Linux 6", memory_bytes=b.host.memory_bytes - 4096
        ),
        storage=replace(b.storage, path="/elsewhere", free_bytes=1),
        noise=replace(b.noise, load_average_before=20.0),
        software=replace(b.software, libraries={"numpy": "2.0.0", "zstandard": "0.25.0", "psutil": "7.0.0"}),
        settings=replace(b.settings, cores=(1, 2), rounds=9),
    )
    assert compare_results(a, b).differences == ()


def test_a_change_within_the_noise_of_either_run_is_not_called():
    a, b = run(1, noise=0.005), run(2, dict.fromkeys(CELLS, 1.1), noise=0.005)
    a = replace(a, noise=replace(a.noise, floor=0.02))
    assert compare_results(a, b).counts["regressed"] == 12
    found = compare_results(a, replace(b, noise=replace(b.noise, floor=0.15)))
    assert (found.floor, found.counts["same"]) == (0.15, 12)


def test_cold_and_warm_are_different_cells():
    a, b = run(1, cells=CELLS[-1:]), run(2, cells=CELLS[-1:])
    cold = replace(b, cells=tuple(replace(cell, cache="cold") for cell in b.cells))
    found = compare_results(a, cold)
    assert ([str(name) for name in found.only_b], found.cells) == (["load npy, 2 workers, cold cache"], ())


def test_markdown_shows_what_changed_and_folds_the_rest():
    found = compare_results(run(1, noise=0.01), run(2, {pooled("npy", "dump", 2): 1.2}, noise=0.01))
    text = comparison_markdown(found)
    shown, folded = text.split("<details><summary>11 same</summary>")
    assert "| protocol | workers |" in shown
    assert "| npy | 2 |" in shown
    assert "| regressed |" in shown
    assert "hickle" not in shown
    assert folded.count("| same |") == 11
    assert text.count("<details>") == text.count("</details>") == 2


def test_names_in_a_result_do_not_break_the_markdown():
    odd = pooled("<img src=x>|`[a](b)", "dump", 1)
    text = comparison_markdown(compare_results(run(1, cells=[odd]), run(2, cells=[odd])))
    assert "<img" not in text
    assert "&lt;img src=x>\\|\\`\\[a\\](b)" in text


def ceiling(name, workers, times, amount=1000):
    samples = tuple(
        CeilingSample(number, 0, True, None, amount, round(1e6 * ms), None, ())
        for number, ms in enumerate(times)
    )
    return Ceiling(name, "bytes", workers, True, None, 1.0, 1.0, 1.0, 1.0, samples)


STEADY = [100, 101, 99, 100, 102, 98, 100]


def test_a_change_that_the_machine_itself_made_is_not_called():
    """Dumps take a tenth longer, and so does writing raw: nobody can tell whose change it is."""
    slower = {cell: 1.1 for cell in CELLS if cell.op == "dump"}
    a, b = run(1, noise=0.005), run(2, slower, noise=0.005)
    assert compare_results(a, b).counts["regressed"] == 6
    for name, factor, called in (("raw-write", 1.0, 6), ("raw-write", 1.1, 0), ("raw-read", 1.1, 6)):
        found = compare_results(
            replace(a, ceilings=(ceiling(name, 1, STEADY),)),
            replace(b, ceilings=(ceiling(name, 1, [factor * one for one in STEADY]),)),
        )
        assert found.counts["regressed"] == called, (name, factor)
        loads = [one for one in found.cells if one.name.op == "load"]
        assert {one.verdict for one in loads} == {"same"}  # the margin of "same" is no wider for it
        dumps = [one for one in found.cells if one.name.op == "dump"]
        assert ("bench --ab" in (dumps[0].reason or "")) is (called == 0)
        assert "| machine |" in comparison_markdown(found)


def test_what_the_machine_changed_is_taken_from_the_same_or_the_nearest_number_of_workers():
    a, b = run(1), run(2)
    a = replace(a, ceilings=(ceiling("spin", 1, STEADY), ceiling("spin", 4, STEADY)))
    b = replace(b, ceilings=(ceiling("spin", 1, STEADY), ceiling("spin", 4, [2 * one for one in STEADY])))
    change = MachineChange(a, b)
    assert change.of(pooled("npy", "load", 1)) == change.of(pooled("npy", "load", 2)) < 0.03
    assert change.of(pooled("npy", "load", 8)) == pytest.approx(1, abs=0.05)


def test_without_ceilings_the_sentinel_tells_what_the_machine_changed():
    a, b = run(1), run(2)
    assert MachineChange(a, b).of(pooled("npy", "load", 1)) is None

    def sentinel(made, factor):
        runs = [
            SentinelSample("seed", n, "open", "a", 0, round(1e6 * factor * ms)) for n, ms in enumerate(STEADY)
        ]
        runs += [replace(one, name="unsampled", wall_ns=1) for one in runs]
        return replace(made, noise=replace(made.noise, sentinel=tuple(runs)))

    change = MachineChange(sentinel(a, 1), sentinel(b, 0.8)).of(pooled("npy", "dump", 1))
    assert change == pytest.approx(0.25, abs=0.03)
