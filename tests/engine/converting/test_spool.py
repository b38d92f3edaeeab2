"""Bytes from a stream wait for their worker in memory while there is room, else in files."""

import gzip

import pytest

from brinery.engine.converting.spool import Spool, travel_budget
from brinery.engine.records import Numbered, Unit
from brinery.errors import StorageError
from brinery.parser.archives.blocks import Passing, StreamBlocks
from brinery.parser.archives.members import Member
from brinery.parser.archives.reading import MemberReader

PIXELS = b"\xff\xd8\xff" + bytes(range(256)) * 400
SIZE = len(PIXELS)


class Stream:
    """A compressed stream of members of one size, which pass by."""

    def __init__(self, path, count, size=SIZE, cut=0):
        data = (PIXELS * (size // len(PIXELS) + 1))[:size]
        path.write_bytes(gzip.compress(data * count)[: -cut or None])
        self.blocks = StreamBlocks(str(path), "gzip")
        self.size, self.data = size, data

    def member(self, number):
        passing = Passing(self.blocks, number * self.size, self.size)
        return Member(f"{number}.jpg", "a.tgz", 0, self.size, self.size, 0, data=passing)


def unit_of(*members):
    return Unit(0, tuple(Numbered(ordinal, member) for ordinal, member in enumerate(members)))


@pytest.fixture
def stream(tmp_path):
    return lambda *args, **options: Stream(tmp_path / "stream.gz", *args, **options)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "partial").mkdir()
    return tmp_path / "partial"


def read(members):
    with MemberReader() as reader:
        return [reader.read(member) for member in members]


def test_what_passes_the_budget_goes_to_files_and_reads_as_the_same(stream, folder):
    passing = stream(6)
    spool = Spool(folder, 3 * passing.size)
    loaded = [spool.load(passing.member(number)) for number in range(6)]
    assert [member.data is None for member in loaded] == [False] * 3 + [True] * 3
    assert read(loaded) == [passing.data] * 6
    assert len(list(folder.iterdir())) == 1


def test_a_unit_that_is_done_makes_room(stream, folder):
    passing = stream(9)
    spool = Spool(folder, 3 * passing.size)
    for first in range(0, 9, 3):
        loaded = [spool.load(passing.member(number)) for number in range(first, first + 3)]
        assert all(member.data is not None for member in loaded)
        spool.release(unit_of(*loaded))
    assert list(folder.iterdir()) == []


def test_large_members_are_in_files_which_go_with_their_units(stream, folder):
    passing = stream(5, size=20 << 20)
    spool = Spool(folder, 1 << 40)
    loaded = []
    for number in range(5):
        member = spool.load(passing.member(number))
        assert member.data is None
        (data,) = read([member])
        assert data == passing.data
        loaded.append(member)
    assert len(list(folder.iterdir())) == 3
    for member in loaded:
        spool.release(unit_of(member))
    assert len(list(folder.iterdir())) == 1  # it is not full
    spool.close()
    assert list(folder.iterdir()) == []


def test_there_is_no_room_while_much_waits_in_files(stream, folder):
    passing = stream(3, size=128 << 20)
    spool = Spool(folder, 1 << 40)
    first, second = spool.load(passing.member(0)), spool.load(passing.member(1))
    assert not spool.room()
    spool.release(unit_of(first))
    assert spool.room()
    spool.release(unit_of(second))
    spool.close()


def test_members_that_carry_their_beginning_or_nothing_are_passed_on(folder):
    spool = Spool(folder, 1000)
    stored = Member("a.jpg", "a.tar", 512, 9, 9, 0)
    head = Member("a.txt", "a.tgz", 512, 9999, 9999, 0, data=b"text" * 128)
    assert spool.load(stored) is stored
    assert spool.load(head) is head
    spool.release(unit_of(stored, head))


@pytest.mark.parametrize("budget", [0, 1 << 30])
def test_bytes_that_cannot_be_had_leave_nothing(stream, folder, budget):
    passing = stream(2, cut=20)
    spool = Spool(folder, budget)
    assert spool.load(passing.member(0)) is not None
    member = passing.member(1)
    assert spool.load(member) is None
    assert member.data.damage is not None


def test_a_file_that_cannot_be_written_ends_the_run(stream, tmp_path):
    spool = Spool(tmp_path / "gone", 0)
    with pytest.raises(StorageError, match="cannot write into"):
        spool.load(stream(1).member(0))


def test_the_budget_holds_all_units_under_way_within_bounds():
    assert travel_budget(1, 1) == 32 << 20
    assert travel_budget(4 << 20, 16) == 35 * (4 << 20)
    assert travel_budget(1 << 30, 2) == 256 << 20
