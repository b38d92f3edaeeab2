"""Which protocol is recommended for what, how surely, and what is as good."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from brinery.benchmark.analysis.recommend import recommend
from brinery.benchmark.result.recommendations import OBJECTIVES, Weights
from brinery.benchmark.text.conclusion import chosen, why
from brinery.errors import UsageError

from ..made import pooled, result, sample, single

pytest.importorskip("scipy")

# ms for 100 images
LOADS = {"pickle-5": 100, "npy": 120, "hdf5+gzip:4": 300, "json": 2000}
DUMPS = {"pickle-5": 200, "npy": 150, "hdf5+gzip:4": 900, "json": 5000}
SIZES = {"pickle-5": 231_000, "npy": 230_500, "hdf5+gzip:4": 150_000, "json": 997_000}


def measured(loads=None, dumps=None, workers=(1, 2), rounds=7, noise=0.01, usable=2.0, seed=0):
    """A result in which N workers take 1/N of the time, but for noise that all cells of a round share."""
    random = np.random.default_rng(seed)
    weather = np.exp(random.normal(0, 0.1, rounds))
    cells = []
    for op, table in (
        ("load", LOADS if loads is None else loads),
        ("dump", DUMPS if dumps is None else dumps),
    ):
        for protocol, ms in table.items():
            for count in workers:
                times = ms / count * weather * np.exp(random.normal(0, noise, rounds))
                cells.append((pooled(protocol, op, count), list(times)))
    made = result(cells, usable=usable)
    sized = [
        replace(cell, size=replace(cell.size, file_bytes_per_image=SIZES.get(cell.protocol, 231_000)))
        for cell in made.cells
    ]
    return replace(made, cells=tuple(sized))


def advice(made, **options):
    return {found.objective: found for found in recommend(made, **options)}


def test_every_objective_has_its_winner():
    found = advice(measured())
    assert list(found) == list(OBJECTIVES)
    winners = {name: one.winner for name, one in found.items()}
    assert winners == {
        "fastest-read": "npy",  # the library of pickle is unsafe, and mapping it was not timed
        "fastest-read-cold": None,
        "fastest-load": "pickle-5",
        "fastest-dump": "npy",
        "smallest": "source-files",
        "safe": "npy",
        "portable": "npy",
        "cost": "npy",
    }
    assert all(one.decided == (one.winner is not None) for one in found.values())
    assert found["smallest"].choices[1].protocol == "hdf5+gzip:4"
    load = found["fastest-load"]
    assert (load.workers, load.ties, load.layout) == (2, (), "shards")
    assert load.margin == pytest.approx(0.2, abs=0.03)
    assert load.probability > 0.99
    assert [choice.protocol for choice in load.choices] == ["pickle-5", "npy", "hdf5+gzip:4", "json"]
    assert load.choices[1].ratio_low < 1.2 < load.choices[1].ratio_high
    assert chosen(load) == "pickle-5 with 2 workers"
    assert why(load).startswith("Unsafe to load from others, Python only; 1.2")
    assert why(load).endswith(" times as fast as npy; the best in 100% of resamples.")


def test_what_loses_pixels_is_no_candidate_and_that_is_said():
    lossy = "webdataset+jpg:90"
    made = measured(LOADS | {lossy: 10}, DUMPS | {lossy: 10})
    sized = [
        replace(cell, size=replace(cell.size, file_bytes_per_image=900)) if cell.protocol == lossy else cell
        for cell in made.cells
    ]
    for one in recommend(replace(made, cells=tuple(sized))):
        assert lossy not in {choice.protocol for choice in one.choices}
        assert one.winner is None or any(f"without {lossy}," in what for what in one.assumptions)


def test_what_cannot_be_told_apart_ties():
    loads = {"npy": 100, "hdf5": 101, "hickle": 100.5, "json": 2000}
    found = advice(measured(loads=loads, dumps={}, noise=0.03, seed=1))["fastest-load"]
    assert {found.winner, *found.ties} == {"npy", "hdf5", "hickle"}
    assert not found.decided
    assert sum(choice.probability for choice in found.choices) == pytest.approx(1)
    assert "tatistically tied with" in why(found)


def test_equals_are_rarely_told_apart_though_the_luckiest_is_the_winner():
    equals = dict.fromkeys(("pickle-2", "pickle-5", "npy", "npz", "hdf5", "hickle"), 100)
    found = [
        advice(measured(loads=equals, dumps={}, noise=0.05, workers=(1,), seed=seed))["fastest-load"]
        for seed in range(40)
    ]
    assert {one.winner for one in found if len(one.ties) == 5} == {"npy"}
    assert sum(len(one.ties) < 5 for one in found) <= 2


def test_a_difference_that_is_sure_and_too_small_to_matter_ties():
    found = advice(measured(loads={"npy": 100, "hdf5": 101}, dumps={}, noise=0.0001))["fastest-load"]
    assert (found.winner, found.ties) == ("npy", ("hdf5",))
    assert found.probability == 1


def test_sizes_are_exact_and_tie_within_a_hundredth():
    made = measured(loads={"npy": 1, "pickle-5": 1, "json": 1}, dumps={})
    made = replace(made, dataset=replace(made.dataset, source_bytes=0))  # the source's size is not known
    found = advice(made)["smallest"]
    assert (found.winner, found.ties, found.probability) == ("npy", ("pickle-5",), None)
    assert found.unit == "bytes_per_image"


def test_crowded_workers_are_not_recommended():
    found = advice(measured(workers=(1, 2, 4)))["fastest-load"]
    assert found.workers == 2
    assert advice(measured(workers=(1, 2), usable=1.5))["fastest-load"].workers == 1
    assert advice(measured(workers=(1,), usable=0.5))["fastest-load"].workers == 1


def test_the_best_number_of_workers_may_be_one():
    cells = [(pooled("npy", "load", 1), [100] * 5), (pooled("npy", "load", 2), [140] * 5)]
    assert advice(result(cells))["fastest-load"].workers == 1


def test_cost_follows_reads_link_and_memory():
    made = measured()
    assert advice(made, weights=Weights(reads_per_write=0))["cost"].winner == "npy"
    slow = advice(made, weights=Weights(link_mb_per_s=1))["cost"]
    assert slow.winner == "hdf5+gzip:4"
    assert slow.choices[0].value > 11 * 150_000 * 1e3  # ns of the transfers alone
    cells = [
        replace(cell, memory=replace(cell.memory, peak_pss_bytes=cell.workers << 30)) for cell in made.cells
    ]
    small = replace(made, cells=tuple(cells))
    cost = advice(small, weights=Weights(memory_bytes=1 << 30))["cost"]
    assert (cost.workers, cost.choices[0].dump_workers) == (1, 1)
    assert advice(small)["cost"].workers == 2
    none = advice(small, weights=Weights(memory_bytes=1 << 20))["cost"]
    assert (none.winner, none.decided) == (None, False)
    assert "1 MiB" in why(none)


def test_weights_that_make_no_sense_are_refused():
    for weights in ({"reads_per_write": -1}, {"link_mb_per_s": 0}, {"memory_bytes": 0}):
        with pytest.raises(UsageError):
            Weights(**weights)


def test_few_rounds_name_a_winner_but_decide_nothing():
    found = advice(measured(loads={"npy": 100, "hdf5": 103, "json": 2000}, rounds=3, noise=0))["fastest-load"]
    assert (found.winner, found.ties, found.decided, found.probability) == ("npy", ("hdf5",), False, None)
    assert "too few rounds (3) to tell npy from hdf5; about 2 more rounds would decide" in why(found)


def test_a_seed_table_alone_is_enough():
    times = {"npy": 100, "json": 900, "article-pickle-2": 10, "source-files": 1}
    made = result([(single(name, "load"), [ms] * 5) for name, ms in times.items()])
    found = advice(made)
    assert (found["fastest-load"].winner, found["fastest-load"].layout) == ("npy", "single")
    assert "worker" not in chosen(found["fastest-load"])
    assert found["fastest-dump"].reason == "dump was not measured"
    assert found["cost"].reason == "a write and a read through brinery.open were not both measured"


def test_cold_loads_and_flushed_dumps_count_where_there_are_no_others():
    made = measured(workers=(2,))
    cold = [replace(cell, cache="cold", durability="fsync") for cell in made.cells]
    found = advice(replace(made, cells=tuple(cold)))["cost"]
    assert (found.winner, found.cache, found.durability) == ("pickle-5", "cold", "fsync")
    json_is_fast = [replace(cell, protocol="json" if cell.protocol == "npy" else "npz") for cell in cold]
    found = advice(replace(made, cells=(*made.cells, *json_is_fast)))
    assert (found["portable"].winner, found["portable"].cache) == ("npy", "warm")
    assert (found["cost"].cache, found["cost"].durability) == ("cold", "buffered")  # reads are from storage


def test_void_cells_are_no_candidates():
    made = measured()
    cells = [replace(cell, valid=cell.protocol != "pickle-5") for cell in made.cells]
    assert advice(replace(made, cells=tuple(cells)))["fastest-load"].winner == "npy"


def test_rounds_that_a_cell_lacks_are_borne():
    made = measured()
    cut = [
        replace(cell, samples=tuple(one for one in cell.samples if (one.round + place) % 3))
        for place, cell in enumerate(made.cells)
    ]
    assert advice(replace(made, cells=tuple(cut)))["fastest-load"].choices[-1].protocol == "json"
    gone = replace(made.cells[0], samples=(sample(pooled("pickle-5", "load", 1), 0, 1, valid=False),))
    assert advice(replace(made, cells=(gone,)))["fastest-load"].winner is None


def test_the_same_seed_gives_the_same_document():
    made = measured(noise=0.1)
    first, second = (json.dumps([asdict(one) for one in recommend(made, seed=3)]) for _ in "ab")
    assert first == second
