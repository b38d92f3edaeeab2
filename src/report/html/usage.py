"""A sampler's readings as series over time: cores busy, memory, storage, one lane a worker. Pure."""

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Band", "Lane", "Moment", "Point", "Usage", "usage_of"]

_MOST_BINS = 240
_LEVELS = 10  # lanes show tenths of a CPU


@dataclass(frozen=True, slots=True)
class Point:
    """One process at one time; counters run from the start of the process, None is not known."""

    t_s: float
    pid: int
    role: str
    cpu_s: float
    rss_bytes: int
    pss_bytes: int | None
    read_bytes: int | None
    write_bytes: int | None
    written_chars: int | None = None


@dataclass(frozen=True, slots=True)
class Band:
    """A part of the run, from and to in seconds."""

    name: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Moment:
    """All processes over one stretch of time.

    Attributes:
        t_s: its middle.
        workers: cores that workers kept busy.
        parent: cores that the parent kept busy.
        rss_bytes: sum of resident memory, shared pages counted each time.
        pss_bytes: the same counted once; None where it was not read.
        read: bytes a second from storage; None where it is not counted.
        write: bytes a second towards storage; None likewise.
        written: bytes a second through system calls that write, by workers; None likewise.
    """

    t_s: float
    workers: float
    parent: float
    rss_bytes: float
    pss_bytes: float | None
    read: float | None
    write: float | None
    written: float | None


@dataclass(frozen=True, slots=True)
class Lane:
    """A worker's use of a CPU over a stretch of time; workers that follow one another share a lane."""

    lane: int
    pid: int
    start_s: float
    end_s: float
    busy: float


@dataclass(frozen=True, slots=True)
class Usage:
    """What a run used over time.

    Attributes:
        end_s: how long it was watched.
        step_s: length of a stretch.
        moments: ascending.
        lanes: by lane, then time.
        bands: parts of the run.
        cores: how many can be busy at most.
        cores_name: what that is, such as "2 usable CPUs".
        memory_bytes: memory of the machine; None if not known.
    """

    end_s: float
    step_s: float
    moments: tuple[Moment, ...]
    lanes: tuple[Lane, ...]
    bands: tuple[Band, ...]
    cores: float
    cores_name: str
    memory_bytes: int | None


def usage_of(
    points: Sequence[Point],
    *,
    bands: Sequence[Band] = (),
    cores: float,
    cores_name: str,
    memory_bytes: int | None = None,
) -> Usage | None:
    """Return the series; None where fewer than two times were read."""
    times = sorted({point.t_s for point in points})
    if len(times) < 2:
        return None
    end = times[-1]
    own: dict[int, list[Point]] = defaultdict(list)
    for point in sorted(points, key=lambda one: one.t_s):
        own[point.pid].append(point)
    gaps = sorted(b.t_s - a.t_s for series in own.values() for a, b in itertools.pairwise(series))
    usual = gaps[len(gaps) // 2] if gaps else end
    step = max(usual, end / _MOST_BINS, 1e-3)
    count = max(1, -(-int(end * 1e6) // int(step * 1e6)))
    sums = _Sums(count, step)
    for series in own.values():
        sums.add(series)
    return Usage(
        end,
        step,
        sums.moments(end),
        _lanes(own, count, step, end),
        tuple(bands),
        cores,
        cores_name,
        memory_bytes,
    )


class _Sums:
    """Adds up processes stretch by stretch."""

    def __init__(self, count: int, step: float) -> None:
        self.count, self.step = count, step
        self.cpu = {"worker": [0.0] * count, "parent": [0.0] * count}
        self.rss = [0.0] * count
        self.pss = [0.0] * count
        self.has_pss = [False] * count
        self.rates: dict[str, list[float]] = {}

    def add(self, series: Sequence[Point]) -> None:
        role = "parent" if series[0].role == "parent" else "worker"
        _spread([(p.t_s, p.cpu_s) for p in series], self.cpu[role], self.step)
        for name in ("read_bytes", "write_bytes", "written_chars"):
            if name == "written_chars" and role == "parent":
                continue
            known = [(p.t_s, float(value)) for p in series if (value := getattr(p, name)) is not None]
            if known:
                _spread(known, self.rates.setdefault(name, [0.0] * self.count), self.step)
        first, last = self._bin(series[0].t_s), self._bin(series[-1].t_s)
        place, shared = 0, None
        for number in range(first, last + 1):
            middle = (number + 1) * self.step
            while place + 1 < len(series) and series[place + 1].t_s <= middle:
                place += 1
                shared = shared if series[place].pss_bytes is None else series[place].pss_bytes
            if place == 0 and series[0].pss_bytes is not None:
                shared = series[0].pss_bytes
            self.rss[number] += series[place].rss_bytes
            if shared is not None:
                self.pss[number] += shared
                self.has_pss[number] = True

    def moments(self, end: float) -> tuple[Moment, ...]:
        def rate(name: str, number: int, length: float) -> float | None:
            return self.rates[name][number] / length if name in self.rates else None

        found = []
        for number in range(self.count):
            length = min(self.step, end - number * self.step)
            if length <= self.step * 1e-3:
                continue
            found.append(
                Moment(
                    t_s=number * self.step + length / 2,
                    workers=self.cpu["worker"][number] / length,
                    parent=self.cpu["parent"][number] / length,
                    rss_bytes=self.rss[number],
                    pss_bytes=self.pss[number] if self.has_pss[number] else None,
                    read=rate("read_bytes", number, length),
                    write=rate("write_bytes", number, length),
                    written=rate("written_chars", number, length),
                )
            )
        return tuple(found)

    def _bin(self, t_s: float) -> int:
        return min(self.count - 1, max(0, int(t_s / self.step)))


def _spread(counter: Sequence[tuple[float, float]], into: list[float], step: float) -> None:
    """Add what a counter gained to the stretches between its readings, evenly."""
    for (begin, before), (end, after) in itertools.pairwise(counter):
        gained = after - before
        if gained <= 0 or end <= begin:
            continue
        first, last = int(begin / step), min(len(into) - 1, int(end / step))
        for number in range(first, last + 1):
            share = min(end, (number + 1) * step) - max(begin, number * step)
            if share > 0:
                into[number] += gained * share / (end - begin)


def _lanes(own: dict[int, list[Point]], count: int, step: float, end: float) -> tuple[Lane, ...]:
    workers = sorted(
        (s for s in own.values() if s[0].role != "parent" and len(s) > 1), key=lambda s: s[0].t_s
    )
    free_from: list[float] = []
    found = []
    for series in workers:
        begin, finish = series[0].t_s, series[-1].t_s
        lane = next((place for place, free in enumerate(free_from) if free <= begin), len(free_from))
        if lane == len(free_from):
            free_from.append(0.0)
        free_from[lane] = finish
        busy = [0.0] * count
        _spread([(p.t_s, p.cpu_s) for p in series], busy, step)
        stretches: list[Lane] = []
        for number in range(int(begin / step), min(count - 1, int(finish / step)) + 1):
            start, stop = max(begin, number * step), min(finish, (number + 1) * step, end)
            if stop <= start:
                continue
            level = min(1.0, round(busy[number] / (stop - start) * _LEVELS) / _LEVELS)
            if stretches and stretches[-1].busy == level:
                previous = stretches.pop()
                start = previous.start_s
            stretches.append(Lane(lane, series[0].pid, start, stop, level))
        found += stretches
    return tuple(found)
