"""Planted runs whose end is known: how far off the time left is at 25, 50 and 75 % of the time."""

from dataclasses import dataclass, fields, replace

import pytest

from brinery.engine.converting.estimate import Cost, Estimator, Seen, Whole

UNIT = 3_200_000
HEADER = 1024  # bytes of an archive that an entry takes beside its own


@dataclass(frozen=True)
class Part:
    """Entries in a row that are alike: how many, their bytes, their cost, whether they are known."""

    entries: int
    size: int
    seconds: float
    known: bool = False


def play(parts, *, workers=2, startup=1.5, listing=20e-6, every=0.5, before=None):
    """Play a run of these parts; return its length, and the time left as it was estimated at each instant.

    Workers do units of 3.2 MB, four under way at a time; the listing stops while there are that many.
    """
    total = sum(part.entries * (part.size + HEADER) for part in parts)
    known = sum(part.entries for part in parts if part.known)
    estimator, whole = Estimator(workers, before), Whole(total, known)
    seen = dict.fromkeys((field.name for field in fields(Seen)), 0)
    free, now, told, guesses = [startup] * workers, 0.0, 0.0, []
    under_way = []  # (end, members, bytes, seconds)
    unit = [0, 0, 0.0]

    def until(instant):
        nonlocal now, told
        while told + every <= instant:
            told += every
            for end, members, nbytes, seconds in sorted(one for one in under_way if one[0] <= told):
                under_way.remove((end, members, nbytes, seconds))
                seen["done"] += members
                seen["done_bytes"] += nbytes
                seen["busy_seconds"] += seconds
            seen["seconds"] = told
            estimator.update(Seen(**seen))
            guesses.append((told, estimator.left(whole)))
        now = max(now, instant)

    def hand_out():
        members, nbytes, seconds = unit
        unit[:] = [0, 0, 0.0]
        if not members:
            return
        while sum(1 for one in under_way if one[0] > now) >= 2 * workers:
            until(min(one[0] for one in under_way if one[0] > now))
        worker = min(range(workers), key=free.__getitem__)
        free[worker] = max(free[worker], now) + seconds
        under_way.append((free[worker], members, nbytes, seconds))
        seen["planned"] += members
        seen["planned_bytes"] += nbytes

    for part in parts:
        for _ in range(part.entries):
            until(now + listing)
            taken = part.size + HEADER
            seen["entries"] += 1
            seen["listed_bytes"] += taken
            if part.known:
                seen["known"] += 1
                seen["known_bytes"] += taken
                continue
            unit[0] += 1
            unit[1] += part.size
            unit[2] += part.seconds
            if unit[1] >= UNIT or unit[0] >= 4096:
                hand_out()
    hand_out()
    end = max([now, *free])
    until(end)
    return end, guesses


def errors(run):
    """How far off the time left is at 25, 50 and 75 % of the time, as shares of the whole time."""
    end, guesses = run
    found = []
    for share in (0.25, 0.5, 0.75):
        at, left = min(guesses, key=lambda guess: abs(guess[0] - share * end))
        found.append(1.0 if left is None else abs(left - (end - at)) / end)
    return found


IMAGE = Part(1, 24_000, 500e-6)
SIDECAR = Part(1, 300, 40e-6)
PLANTED = {
    "images": ([replace(IMAGE, entries=60_000)], 0.03),
    "images and sidecars in turns": ([IMAGE, SIDECAR] * 30_000, 0.03),
    "sidecars first": ([replace(SIDECAR, entries=50_000), replace(IMAGE, entries=60_000)], 0.1),
    "sidecars last": ([replace(IMAGE, entries=60_000), replace(SIDECAR, entries=50_000)], 0.04),
    "small images first": ([Part(60_000, 4_000, 150e-6), Part(20_000, 60_000, 1200e-6)], 0.4),
    "large images first": ([Part(20_000, 60_000, 1200e-6), Part(60_000, 4_000, 150e-6)], 0.12),
    "a fast half": ([replace(IMAGE, entries=40_000), Part(40_000, 24_000, 1000e-6)], 0.35),
    "a slow half": ([Part(40_000, 24_000, 1000e-6), replace(IMAGE, entries=40_000)], 0.35),
    "nine tenths known": (
        [replace(IMAGE, entries=450_000, known=True), replace(IMAGE, entries=50_000)],
        0.05,
    ),
    "known ones in between": ([replace(IMAGE, entries=9, known=True), IMAGE] * 30_000, 0.05),
}


@pytest.mark.parametrize(("parts", "bound"), PLANTED.values(), ids=PLANTED.keys())
def test_the_time_left_is_near_the_truth(parts, bound):
    run = play(parts, before=Cost(0.0, 500e-6 / 24_000) if any(part.known for part in parts) else None)
    assert max(errors(run)) <= bound, (run[0], errors(run))


def test_nothing_is_guessed_before_anything_is_done():
    estimator = Estimator(2)
    estimator.update(Seen(seconds=1.0, entries=900, listed_bytes=900_000, planned=100, planned_bytes=90_000))
    assert estimator.left(Whole(10_000_000)) is None


def test_what_is_left_to_do_is_not_the_whole_archive():
    estimator = Estimator(2)
    known = {"known": 9_000, "known_bytes": 9_000_000}
    estimator.update(Seen(seconds=1.0, entries=9_000, listed_bytes=9_000_000, **known))
    assert estimator.left_bytes(Whole(10_000_000, 9_900)) == pytest.approx(100_000)
    estimator = Estimator(2)
    estimator.update(Seen(seconds=1.0))
    assert estimator.left_bytes(Whole(10_000_000)) == 10_000_000


def test_a_comparison_of_what_is_known_is_work_too():
    estimator = Estimator(1)
    for second in range(1, 11):
        known, nbytes = 100 * second, 1_000_000 * second
        done = {"planned": known, "planned_bytes": nbytes, "done": known - 10, "done_bytes": nbytes - 100_000}
        seen = Seen(
            seconds=second,
            entries=known,
            listed_bytes=nbytes,
            known=known,
            known_bytes=nbytes,
            compared=known,
            compared_bytes=nbytes,
            busy_seconds=second - 0.1,
            **done,
        )
        estimator.update(seen)
    assert estimator.left(Whole(20_000_000, 2_000)) == pytest.approx(10, rel=0.05)
