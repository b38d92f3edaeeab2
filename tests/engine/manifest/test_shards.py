"""Which shard holds a sample, and what no manifest can say of shards."""

from pathlib import Path

import numpy as np
import pytest

from brinery.engine.manifest.shards import Shards
from brinery.errors import CorruptError

PATH = Path("manifest.sqlite")


def shards(*rows, most=100):
    return Shards(PATH, rows, most)


PLAIN = shards((0, 3, None), (5, 2, None), (9, 4, None))
BESIDE = shards((0, 1, None), (2, 3, None), (3, 2, 2), (4, 1, 2), (7, 5, 6), (8, 1, 6), (9, 1, None))


def test_a_position_is_found_in_its_shard():
    numbers = [PLAIN.holding(PLAIN.position(index)) for index in range(PLAIN.samples)]
    assert numbers == [0, 0, 0, 1, 1, 2, 2, 2, 2]
    assert list(PLAIN.starts) == [0, 3, 5, 9]
    assert [PLAIN.number_of(shard) for shard in (0, 5, 9)] == [0, 1, 2]
    assert [PLAIN.position(index) for index in (-1, -9, np.int32(4))] == [8, 0, 4]


def test_shards_that_were_filled_side_by_side_are_one():
    assert (list(BESIDE.ids), list(BESIDE.starts), BESIDE.files) == ([0, 2, 6, 9], [0, 1, 7, 13, 14], 7)
    assert [BESIDE.number_of(shard) for shard in (0, 2, 3, 4, 6, 7, 8, 9)] == [0, 1, 1, 1, 2, 2, 2, 3]
    assert [BESIDE.last(shard) for shard in BESIDE.ids] == [0, 4, 8, 9]


@pytest.mark.parametrize("index", [9, -10, 1 << 70])
def test_an_index_outside_is_refused(index):
    with pytest.raises(IndexError, match="9 samples"):
        PLAIN.position(index)


@pytest.mark.parametrize("shard", [-1, 1, 10])
def test_an_unknown_shard_is_damage(shard):
    with pytest.raises(CorruptError, match="not there"):
        PLAIN.number_of(shard)


@pytest.mark.parametrize(
    "rows",
    [
        [("0", 1, None)],
        [(-1, 1, None)],
        [(0, 1.5, None)],
        [(0, 101, None)],
        [(0, 1, 0)],
        [(0, 1, None), (1, 1, "0")],
        [(5, 1, None), (6, 1, 4)],
        [(5, 1, None), (6, 1, 6)],
    ],
)
def test_rows_that_make_no_sense_are_damage(rows):
    with pytest.raises(CorruptError):
        shards(*rows)


def test_none_and_many_shards_are_divided_into_tasks():
    assert (shards().samples, shards().tasks(4)) == (0, [])
    many = shards(*((number, 1, None) for number in range(100)))
    assert [list(task) for task in many.tasks(3)] == [
        [*range(first, min(first + 2, 100))] for first in range(0, 100, 2)
    ]
