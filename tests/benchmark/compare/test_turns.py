"""Two programs in turns: never at the same time, and no hanging where one of them ends."""

import sys

import pytest

from brinery.benchmark.compare.turns import Player, Turns

PROGRAM = """
import sys
from brinery.benchmark.compare.turns import Turns

turns = Turns.given()
for number in range(int(sys.argv[2])):
    with open(turns.costs, "a") as file:
        print(sys.argv[1], number, file=file)
    turns.pass_on()
"""


@pytest.fixture
def player(tmp_path):
    """Return a maker of players, each with its name and how many turns it wants."""
    made = []

    def make(name, turns, program=PROGRAM):
        command = [sys.executable, "-c", program, name, str(turns)]
        made.append(Player(command, {}, tmp_path / f"{name}.log", tmp_path / "said"))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def test_each_goes_on_where_it_is_its_turn(player, tmp_path):
    a, b = player("a", 3), player("b", 2)
    wants = [one.play() for one in (a, b, b, a, a)]
    assert (tmp_path / "said").read_text().split("\n")[:-1] == ["a 0", "b 0", "b 1", "a 1", "a 2"]
    assert wants == [True] * 5
    assert [a.play(), b.play()] == [False, False]
    assert [a.end(), b.end()] == [0, 0]


def test_one_that_knows_no_turns_has_one_to_its_end(player, tmp_path):
    alone = player("alone", 0, "print('done'); raise SystemExit(3)")
    assert not alone.play()
    assert alone.end() == 3
    assert alone.log.read_text() == "done\n"


def test_one_that_was_stopped_or_killed_wants_no_more_turns(player):
    one = player("one", 5)
    assert one.play()
    one._process.kill()
    one._process.wait()
    assert not one.play()
    assert one.end() == -9


def test_a_bench_ends_with_the_program_that_compares(player, tmp_path):
    one = player("one", 5)
    assert one.play()
    one._close()  # as the kernel does where that program is killed
    assert one.end() == 1
    assert "has ended" in one.log.read_text()


def test_a_process_that_measures_alone_has_no_turns(monkeypatch):
    monkeypatch.delenv("BRINERY_BENCH_TURNS", raising=False)
    assert Turns.given() is None
