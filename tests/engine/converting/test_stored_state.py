"""Where a dataset stands, as its manifest says: what a run goes on from, and rows that make no sense."""

import sqlite3
from contextlib import closing

import pytest

from brinery.engine.converting.manifest_writer import Manifest
from brinery.engine.converting.planner import PlanState
from brinery.engine.converting.stored_state import Totals, shard_range
from brinery.errors import DatasetError

from .test_known_keys import MEMBERS, UNITS, unit

ENTRIES = UNITS * MEMBERS
SAMPLES, FAILURES = UNITS * 96, UNITS * 6  # of sixty members 48 have two frames each


@pytest.fixture
def state(tmp_path):
    """A manifest of three units, as it was closed and opened again."""
    with closing(Manifest(tmp_path, {"token": "a"}, fsync=False)) as written:
        assert written.fresh
        assert written.plan_state(present, all_keys) == PlanState()
        written.commit([unit(number) for number in range(UNITS)], [])
    with closing(Manifest(tmp_path, {}, fsync=False)) as opened:
        yield opened


def present(_name):
    return 1


def all_keys(_key):
    return True


def test_all_that_a_dataset_holds_is_counted(state):
    assert not state.fresh
    assert state.settings()["token"] == "a"
    assert state.totals() == Totals(SAMPLES, UNITS, FAILURES, FAILURES, UNITS, UNITS, 0)
    assert state.shard_names() == {f"{number:06}.npy" for number in range(UNITS)}
    assert state.samples_below(MEMBERS) == SAMPLES // UNITS
    keys = list(state.sample_keys())
    assert (len(keys), keys[:3]) == (SAMPLES, ["0000.gif", "0000.gif#1", "0001.gif"])


def test_a_run_goes_on_behind_the_last_unit(state):
    found = state.plan_state(present, all_keys)
    assert (found.open_unit, found.next_unit) == (UNITS, UNITS)
    assert (found.open_ordinal, found.next_ordinal) == (ENTRIES, ENTRIES)
    assert (found.done_units, found.lost_units) == ({}, {})


def test_an_unfinished_run_is_taken_up_where_it_began(state):
    state.put_settings({"open_unit": 1, "open_ordinal": MEMBERS})
    found = state.plan_state(present, all_keys)
    assert (found.open_unit, found.open_ordinal, found.next_unit) == (1, MEMBERS, UNITS)
    assert found.done_units == {1: (60, 119), 2: (120, 179)}


@pytest.mark.parametrize("size", [None, 2], ids=["missing", "of another size"])
def test_a_unit_whose_file_is_lost_is_made_anew_where_the_run_lists_its_members(state, size):
    def damaged(name):
        return size if name == "000001.npy" else 1

    assert state.plan_state(damaged, all_keys).lost_units == {1: MEMBERS}
    assert state.waiting == 0
    found = state.plan_state(damaged, lambda key: key != "0100.gif")
    assert (found.lost_units, state.waiting) == ({}, 1)


def test_a_key_tells_its_member_and_its_unit(state):
    assert state.place_of("0061.gif#1") == ("0061.gif", 1)
    with pytest.raises(DatasetError, match="belongs to no shard"):
        state.place_of("0003.gif")  # a failure
    assert (state.begins_keys("017"), state.begins_keys("018")) == (True, False)


def test_samples_that_a_listing_did_not_meet_are_gone(state):
    def met(ordinal):
        return ordinal not in (0, 3, 61)

    first, last = ["0000.gif", "0000.gif#1"], ["0061.gif", "0061.gif#1"]
    assert state.not_met(met, ENTRIES, all_keys) == ([*first, *last], 0)
    assert state.not_met(met, MEMBERS, all_keys) == (first, 0)
    assert state.not_met(met, ENTRIES, lambda key: key > "0060") == (last, 2)  # the run lists not all sources


def test_shards_of_a_unit_are_numbers_of_their_own():
    ranges = [shard_range(number) for number in range(3)]
    assert [last + 1 for _, last in ranges[:-1]] == [first for first, _ in ranges[1:]]


@pytest.mark.parametrize(
    ("damage", "ask"),
    [
        (
            "UPDATE shards SET unit = 1 << 50 WHERE unit = 2",
            lambda state: state.plan_state(present, all_keys),
        ),
        ("UPDATE shards SET file_bytes = 'many'", lambda state: state.plan_state(present, all_keys)),
        ("UPDATE failures SET ordinal = -1", lambda state: state.plan_state(present, all_keys)),
        ("INSERT INTO dataset VALUES ('open_unit', 'x')", lambda state: state.plan_state(present, all_keys)),
        ("UPDATE samples SET ordinal = -1", lambda state: state.not_met(lambda _: False, ENTRIES, all_keys)),
        ("UPDATE samples SET key = x'00' WHERE key = '0000.gif'", lambda state: list(state.sample_keys())),
        ("UPDATE shards SET name = x'00'", lambda state: state.shard_names()),
        ("UPDATE dataset SET value = x'00'", lambda state: state.settings()),
    ],
)
def test_what_makes_no_sense_is_damage(state, tmp_path, damage, ask):
    with closing(sqlite3.connect(tmp_path / "manifest.sqlite")) as db, db:
        db.execute(damage)
    with pytest.raises(DatasetError):
        ask(state)
