"""Units are cut by place in the listing, so that a resumed run fills the gaps with the same units."""

from hypothesis import given
from hypothesis import strategies as st

from brinery.engine.converting.planner import MAX_UNIT_MEMBERS, Known, Pass, Planner, PlanState
from brinery.parser.archives.members import Member, NotImage, Unreadable


def member(key, size=10, mtime_ns=1):
    return Member(key, "archive.tar", 0, size, size, mtime_ns)


class Ledger:
    """What a manifest would remember, as a dict."""

    def __init__(self):
        self.recorded = {}
        self.notes = []
        self.kept = set()
        self.open = (0, 0)

    def known(self, key):
        return self.recorded.get(key)

    def source_checksum(self, *_):
        return None

    def begin_generation(self, unit, ordinal):
        self.open = (unit, ordinal)

    def record(self, unit):
        for numbered in unit.members:
            found = numbered.member
            known = Known("sample", numbered.ordinal, unit.number, found.size, found.mtime_ns)
            self.recorded[found.key] = known

    def state(self, lost=()):
        units = {known.unit for known in self.recorded.values()}
        next_unit = max(units, default=-1) + 1
        next_ordinal = max((known.ordinal for known in self.recorded.values()), default=-1) + 1
        if self.open is None:
            self.open = (next_unit, next_ordinal)
        return PlanState(
            *self.open,
            next_unit,
            next_ordinal,
            {unit: self.span(unit) for unit in units if unit >= self.open[0]},
            {unit: sum(known.unit == unit for known in self.recorded.values()) for unit in lost},
        )

    def span(self, unit):
        ordinals = [known.ordinal for known in self.recorded.values() if known.unit == unit]
        return min(ordinals), max(ordinals)

    def plan(self, entries, *, unit_bytes=30, lost=(), load=lambda member: member, **options):
        """Three members of ten bytes are a unit."""
        seen = set()
        planner = Planner(
            self.state(lost),
            self,
            Pass(unit_bytes, **options),
            first_time=lambda key: not (key in seen or seen.add(key)),
            keep=self.kept.add,
            load=load,
            note=self.notes.append,
        )
        return planner.units(entries)

    def run(self, entries, **options):
        """A run that ends."""
        units = list(self.plan(entries, **options))
        for unit in units:
            self.record(unit)
        self.open = None
        return units


def shapes(units):
    return [(unit.number, [numbered.member.key for numbered in unit.members]) for unit in units]


def amid(files):
    """The same listing between members that are a unit each, so that the units of `files` are cut whole."""
    return [*(member(f"head{i}", 30) for i in range(2)), *files, *(member(f"tail{i}", 30) for i in range(2))]


def test_a_unit_ends_with_the_member_that_fills_it():
    units = Ledger().run(amid([member("a", 10), member("b", 25), member("c", 40)]))
    assert shapes(units)[2:4] == [(2, ["a", "b"]), (3, ["c"])]


def test_a_unit_holds_4096_members_at_most():
    for unit_bytes in (1 << 20, (1 << 20) - 1, 5000):
        units = Ledger().run((member(str(i), 0) for i in range(5 * MAX_UNIT_MEMBERS)), unit_bytes=unit_bytes)
        most = max(len(unit.members) for unit in units)
        assert most <= MAX_UNIT_MEMBERS
        assert most == MAX_UNIT_MEMBERS or unit_bytes == 5000


def test_the_first_units_are_small_and_the_last_ones_grow_smaller():
    units = Ledger().run((member(f"{i:02}", 1) for i in range(41)), unit_bytes=8)
    assert [len(unit.members) for unit in units] == [2, 2, 8, 8, 8, 7, 3, 2, 1]
    assert [unit.number for unit in units] == list(range(9))


def test_units_are_planned_while_the_listing_goes_on():
    listed = []

    def listing():
        for i in range(100):
            listed.append(i)
            yield member(str(i))

    units = Ledger().plan(listing())
    assert [len(next(units).members) for _ in range(3)] == [1, 1, 3]
    assert len(listed) == 8


def test_a_second_run_plans_only_what_is_new_or_changed():
    ledger = Ledger()
    files = [member(f"{i:02}") for i in range(10)]
    last = ledger.run(files)[-1].number
    files[4] = member("04", mtime_ns=2)
    del files[7]
    files.insert(2, member("02a"))
    assert shapes(ledger.run(files, unit_bytes=80)) == [(last + 1, ["02a", "04"])]
    assert ledger.run(files) == []


def test_an_interrupted_run_cuts_the_same_units_again():
    files = [member(f"{i:02}") for i in range(12)]
    whole = shapes(Ledger().run(files))
    ledger = Ledger()
    units = list(ledger.plan(files))
    done = [0, 2, len(units) - 2]
    for number in done:
        ledger.record(units[number])
    assert shapes(ledger.run(files)) == [unit for unit in whole if unit[0] not in done]


def test_where_the_archive_changed_meanwhile_only_the_rest_is_planned():
    ledger = Ledger()
    files = [member(f"{i:02}") for i in range(12)]
    units = list(ledger.plan(files))
    ledger.record(units[1])
    files.insert(0, member("new"))
    planned = ledger.run(files)
    keys = [key for _, keys in shapes(planned) for key in keys]
    assert sorted(keys) == sorted({m.key for m in files} - set(shapes(units)[1][1]))
    assert 1 not in [unit.number for unit in planned]


def test_a_lost_unit_is_done_again_under_its_own_number():
    ledger = Ledger()
    files = amid([member(f"{i:02}") for i in range(9)])
    ledger.run(files)
    assert shapes(ledger.run(files, lost=[3])) == [(3, ["03", "04", "05"])]


def test_a_lost_unit_without_all_its_members_comes_at_the_end():
    ledger = Ledger()
    files = amid([member(f"{i:02}") for i in range(9)])
    last = ledger.run(files)[-1].number
    files = [file for file in files if file.key != "04"]
    assert shapes(ledger.run([*files, member("99")], lost=[3])) == [(last + 1, ["99"]), (3, ["03", "05"])]


def test_failures_are_tried_again_only_when_asked():
    ledger = Ledger()
    ledger.recorded["a"] = Known("failure", 0, 0, 10, 1)
    ledger.open = None
    assert ledger.run([member("a")]) == []
    assert shapes(ledger.run([member("a")], retry_failed=True)) == [(1, ["a"])]


def test_what_needs_no_worker_is_noted():
    ledger = Ledger()
    entries = [member("a"), NotImage("pipe", "FIFO"), Unreadable("b", "ZipError", "encrypted"), member("a")]
    assert shapes(ledger.run(entries)) == [(0, ["a"])]
    assert [(note.key, note.ordinal) for note in ledger.notes] == [("pipe", None), ("b", None), ("a", None)]
    assert ledger.notes[2].error == "DuplicateKey"


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=40),
    st.sets(st.integers(0, 40)),
    st.lists(st.tuples(st.sampled_from(["insert", "remove", "change"]), st.integers(0, 39)), max_size=6),
)
def test_after_any_interruption_and_change_every_member_is_done_once(sizes, done, changes):
    ledger = Ledger()
    files = [member(f"{i:03}", size) for i, size in enumerate(sizes)]
    for unit in list(ledger.plan(files)):
        if unit.number in done:
            ledger.record(unit)
    before = dict(ledger.recorded)
    for number, (what, wish) in enumerate(changes):
        place = wish % (len(files) + 1)
        if what == "insert":
            files.insert(place, member(f"new{number}", 5))
        elif place < len(files) and what == "change":
            files[place] = member(files[place].key, 7, 9)
        elif place < len(files):
            del files[place]
    missing = [
        m.key
        for m in files
        if m.key not in before or (before[m.key].size, before[m.key].mtime_ns) != (m.size, m.mtime_ns)
    ]
    units = ledger.run(files)
    planned = [numbered.member.key for unit in units for numbered in unit.members]
    assert sorted(planned) == sorted(missing)
    recorded = {known.unit for known in before.values()}
    assert not {unit.number for unit in units} & recorded
    ordinals = [numbered.ordinal for unit in units for numbered in unit.members]
    before = {key: known for key, known in before.items() if key not in planned}
    assert not set(ordinals) & {known.ordinal for known in before.values()}
    assert ordinals == sorted(set(ordinals))
    assert ledger.run(files) == []
