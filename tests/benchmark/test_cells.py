from collections import Counter

import pytest

from brinery.benchmark import cells as matrix
from brinery.benchmark.cells import Cost, Slice, Work
from brinery.benchmark.options import make_bench_options
from brinery.benchmark.result.cell import BASELINES

MAPS = {"npy": True, "json": False}


def scaling_cells(maps, cores, ops, **options):
    return matrix.scaling_cells(maps, make_bench_options(cores=cores, ops=ops, **options))


def test_seed_cells_dump_and_load_each_protocol_beside_three_baselines():
    cells = matrix.seed_cells(["npy", "json"])
    assert len(cells) == 2 * 4 + 1
    assert {cell.protocol for cell in cells} == {*BASELINES, "npy", "json"}
    assert [cell.op for cell in cells if cell.protocol == "source-files"] == ["load"]


def test_scaling_cells_have_an_inline_row_and_map_only_what_maps():
    cells = scaling_cells(MAPS, (1, 2), ("convert", "load", "map"))
    assert len(cells) == len(set(cells))
    counts = Counter((cell.op, cell.protocol) for cell in cells)
    assert counts == {
        ("convert", "npy"): 2,
        ("convert", "json"): 2,
        ("load", "npy"): 3,
        ("load", "json"): 3,
        ("map", "npy"): 3,
    }


def test_inline_stands_beside_one_worker_only():
    assert all(cell.pool == "loky" for cell in scaling_cells(MAPS, (2, 4), ("load",)))


def test_a_round_visits_every_cell_once_in_an_order_given_by_the_seed():
    cells = scaling_cells(MAPS, (1, 2, 4), ("dump", "load"))
    first = matrix.shuffled(cells, 3, 0)
    assert sorted(map(str, first)) == sorted(map(str, cells))
    assert first == matrix.shuffled(cells, 3, 0)
    assert first != matrix.shuffled(cells, 3, 1)
    assert first != matrix.shuffled(cells, 4, 0)


def test_blocks_share_a_number_of_workers_and_lose_no_cell():
    cells = scaling_cells(MAPS, (1, 2, 4), ("dump", "load"))
    blocks = matrix.in_blocks(cells, 0, 0)
    assert [len({cell.workers for cell in block}) for block in blocks] == [1, 1, 1]
    assert sorted(str(cell) for block in blocks for cell in block) == sorted(map(str, cells))


def test_a_slow_protocol_gets_few_images_and_a_fast_one_is_looped():
    assert matrix.single_work(67e6, 200e6, 1000, 230_400) == Work(3, 1)
    assert matrix.single_work(0.1e6, 200e6, 100, 230_400) == Work(100, 20)


def test_memory_bounds_the_images_of_large_pictures():
    assert matrix.single_work(1e3, 200e6, 1000, 36e6).images == 1
    cost = Cost(1e3, 1e3, 1e3, 1e3)
    assert matrix.chunk_images(cost, 200e6, 1000, 36e6, 8) == 1


@pytest.mark.parametrize(("crowd", "passes"), [(1, 8), (2, 4), (4, 2)])
def test_crowded_workers_get_fewer_passes(crowd, passes):
    assert matrix.work_of(25, 1e6, 200e6 / crowd) == Work(25, passes)


def test_convert_has_several_units_for_each_worker_where_there_is_time():
    assert matrix.convert_work(1e6, 200e6, 1000) == Work(50, 4)
    assert matrix.convert_work(150e6, 200e6 / 4, 1000) == Work(1, 1)


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 8, 16])
def test_workers_go_round_different_slices(workers):
    work = Work(10, 100)
    slices = max(8, workers)
    each = [matrix.slices_of(work, worker, workers, slices) for worker in range(workers)]
    visited = [number for own in each for number in own]
    assert len(visited) == len(set(visited)) == max(workers, 8 // workers * workers)
    assert len({len(own) for own in each}) == 1


def test_a_slice_begins_again_at_the_end_of_the_corpus():
    assert Slice(8, 4).indices(10) == [8, 9, 0, 1]


def test_rounds_fill_the_time_within_limits():
    assert matrix.rounds_that_fit(100, lambda _: 20, 3, 7) == 5
    assert matrix.rounds_that_fit(1000, lambda _: 20, 3, 7) == 7
    assert matrix.rounds_that_fit(-5, lambda _: 20, 3, 7) == 3
    assert matrix.rounds_that_fit(100, lambda number: 10 if number % 2 else 25, 3, 7) == 5


def test_cold_loads_and_flushed_dumps_are_cells_of_their_own():
    cells = scaling_cells(
        {"npy": True}, (1,), ("dump", "load", "map"),
        cache=("warm", "cold"), durability=("buffered", "fsync"),
    )  # fmt: skip
    found = Counter((cell.op, cell.cache, cell.durability) for cell in cells)
    assert found == {
        ("dump", "warm", "buffered"): 2,
        ("dump", "warm", "fsync"): 2,
        ("load", "warm", "buffered"): 2,
        ("load", "cold", "buffered"): 2,
        ("map", "warm", "buffered"): 2,
    }


def test_work_handed_out_as_convert_does_is_another_cell():
    cells = scaling_cells(
        {"npy": True}, (1, 2), ("convert", "dump", "load"),
        cache=("warm", "cold"), dispatch=("partitioned", "engine"),
    )  # fmt: skip
    found = Counter((cell.op, cell.cache, cell.pool, cell.dispatch) for cell in cells)
    assert found == {
        ("convert", "warm", "loky", "engine"): 2,
        ("dump", "warm", "none", "partitioned"): 1,
        ("dump", "warm", "loky", "partitioned"): 2,
        ("dump", "warm", "loky", "engine"): 2,
        ("load", "warm", "none", "partitioned"): 1,
        ("load", "warm", "loky", "partitioned"): 2,
        ("load", "warm", "loky", "engine"): 2,
        ("load", "cold", "none", "partitioned"): 1,
        ("load", "cold", "loky", "partitioned"): 2,
    }
