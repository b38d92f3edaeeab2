"""A sampler's readings as series over time: cores busy, memory, storage, one lane a worker. Pure."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

_MOST_BINS = 240
_LEVELS = 10  # lanes show tenths


@dataclass(frozen=True, slots=True)
class Point:
    """One process at one time; counters run from the start of the process, None if unknown."""

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
    """All processes over one stretch of time."""

    t_s: float  # its middle
    workers: float  # cores that workers kept busy
    parent: float  # cores that the parent kept busy
    rss_bytes: float  # sum of resident memory, shared pages counted each time
    pss_bytes: float | None  # the same counted once; None where it was not read
    read: float | None  # bytes a second from storage; None where it is not counted
    write: float | None  # bytes a second towards storage; None if not counted
    written: float | None  # bytes a second through system calls that write, by workers; None if not counted


@dataclass(frozen=True, slots=True)
class Lane:
    """What a worker used over a stretch of time; workers that follow one another share a lane."""

    lane: int
    pid: int
    start_s: float
    end_s: float
    value: float  # mean over the stretch
    level: float  # tenths of the highest value that any worker reached; of a whole CPU


@dataclass(frozen=True, slots=True)
class Counted:
    """What the run counted itself, in place of sums over readings; None if it did not."""

    cores_busy: float | None = None  # CPU time over wall time, start-up left out
    peak_rss_bytes: int | None = None  # of all processes, shared pages counted in each
    peak_pss_bytes: int | None = None  # the same with shared pages counted once
    read_bytes: int | None = None  # fetched from storage, start-up left out
    write_bytes: int | None = None  # sent towards storage


_NOTHING = Counted()


@dataclass(frozen=True, slots=True)
class Usage:
    """What a run used over time."""

    end_s: float  # how long it was watched
    step_s: float  # length of a stretch
    moments: tuple[Moment, ...]  # ascending
    lanes: dict[str, tuple[Lane, ...]]  # "cpu", "memory" in bytes, "storage" in bytes a second
    bands: tuple[Band, ...]  # parts of the run
    cores: float  # how many can be busy at most
    cores_name: str  # what that is, such as "2 usable CPUs"
    memory_bytes: int | None  # memory of the machine; None if not known
    counted: Counted  # what captions tell as totals and peaks


def usage_of(
    points: Sequence[Point],
    *,
    bands: Sequence[Band] = (),
    cores: float,
    cores_name: str,
    memory_bytes: int | None = None,
    counted: Counted = _NOTHING,
) -> Usage | None:
    """Return the series; None where fewer than two times were read."""
    if len({point.t_s for point in points}) < 2:
        return None
    own: dict[int, list[Point]] = defaultdict(list)
    for point in sorted(points, key=lambda one: one.t_s):
        own[point.pid].append(point)
    end = max(point.t_s for point in points)
    gaps = sorted(b.t_s - a.t_s for series in own.values() for a, b in pairwise(series))
    step = max(gaps[len(gaps) // 2] if gaps else end, end / _MOST_BINS, 1e-3)
    edges = np.minimum(np.arange(-(-int(end * 1e6) // int(step * 1e6)) + 1) * step, end)
    edges = edges[np.append(True, np.diff(edges) > step * 1e-3)]
    series = [_Series(one, edges) for one in own.values()]
    return Usage(
        end,
        step,
        _moments(series, edges),
        _lanes(series, edges),
        tuple(bands),
        cores,
        cores_name,
        memory_bytes,
        counted,
    )


class _Series:
    """The readings of one process, and what its counters gained in each stretch between edges."""

    def __init__(self, points: Sequence[Point], edges: Floats) -> None:
        self.first, self.last = points[0], points[-1]
        self.parent = points[0].role == "parent"
        self.several = len(points) > 1
        self._points, self._edges = points, edges
        times = np.array([point.t_s for point in points])
        # The last reading that each stretch knows of; none where the process is not there.
        self.at = np.searchsorted(times, edges[1:], side="right") - 1
        self.there = (edges[1:] > min(times[0], edges[-2])) & (edges[:-1] <= times[-1])

    def gained(self, name: str) -> Floats | None:
        """Return what a counter gained in each stretch, spread evenly between readings; None if not known."""
        known = [(point.t_s, value) for point in self._points if (value := getattr(point, name)) is not None]
        if not known:
            return None
        times, values = np.array(known, dtype=np.float64).T
        total = np.append(0.0, np.cumsum(np.maximum(np.diff(values), 0.0)))
        found: Floats = np.diff(np.interp(self._edges, times, total))
        return found

    def level(self, name: str) -> Floats:
        """Return a value in each stretch as last read; NaN where it was not."""
        values = np.array([getattr(point, name) for point in self._points], dtype=np.float64)
        seen = np.maximum.accumulate(np.where(np.isnan(values), -1, np.arange(values.size)))
        filled = np.where(seen >= 0, values[seen], np.nan)
        shown: Floats = np.where(self.there, filled[self.at], np.nan)
        return shown


def _moments(series: Sequence[_Series], edges: Floats) -> tuple[Moment, ...]:
    lengths, nothing = np.diff(edges), np.zeros(edges.size - 1)

    def rates(name: str, *, parent: bool | None = None) -> list[float | None]:
        chosen = [one for one in series if parent is None or one.parent is parent]
        found = [gained for one in chosen if (gained := one.gained(name)) is not None]
        if not found:
            return [None] * lengths.size
        rates: list[float | None] = (np.sum(found, axis=0) / lengths).tolist()
        return rates

    pss = np.array([one.level("pss_bytes") for one in series])
    shared = np.where(np.isnan(pss).all(axis=0), np.nan, np.nansum(pss, axis=0)).tolist()
    rss = np.nansum([nothing, *(one.level("rss_bytes") for one in series)], axis=0)
    columns = zip(
        (edges[:-1] + lengths / 2).tolist(),
        rates("cpu_s", parent=False),
        rates("cpu_s", parent=True),
        rss.tolist(),
        [None if math.isnan(value) else value for value in shared],
        rates("read_bytes"),
        rates("write_bytes"),
        rates("written_chars", parent=False),
        strict=True,
    )
    return tuple(Moment(t, workers or 0.0, parent or 0.0, *rest) for t, workers, parent, *rest in columns)


def _lanes(series: Sequence[_Series], edges: Floats) -> dict[str, tuple[Lane, ...]]:
    workers = [one for one in sorted(series, key=lambda one: one.first.t_s) if not one.parent and one.several]
    free_from: list[float] = []
    places = []
    for one in workers:
        lane = next((n for n, free in enumerate(free_from) if free <= one.first.t_s), len(free_from))
        free_from[lane : lane + 1] = [one.last.t_s]
        places.append(lane)
    stretches = [_stretches(one, edges) for one in workers]
    found = {}
    for name, most in (("cpu", 1.0), ("memory", None), ("storage", None)):
        values = [_used(one, name, edges) for one in workers]
        top = most or max((float(np.nanmax(own, initial=0.0)) for own in values), default=0.0)
        lanes: list[Lane] = []
        for one, lane, own, spans in zip(workers, places, values, stretches, strict=True):
            lanes += _merged(lane, one.first.pid, [(*spans[n], float(own[n])) for n in spans], top or 1.0)
        found[name] = tuple(lanes)
    return found


def _stretches(one: _Series, edges: Floats) -> dict[int, tuple[float, float]]:
    """Return the parts of the stretches in which a process was there, by the stretch's place."""
    spans = {
        place: (max(one.first.t_s, low), min(one.last.t_s, high))
        for place, (low, high) in enumerate(pairwise(edges.tolist()))
    }
    return {place: (start, stop) for place, (start, stop) in spans.items() if start < stop}


def _used(one: _Series, name: str, edges: Floats) -> Floats:
    """Return what a process used in each stretch; NaN where it is not known."""
    if name == "memory":
        return one.level("rss_bytes")
    there = np.minimum(one.last.t_s, edges[1:]) - np.maximum(one.first.t_s, edges[:-1])
    names = ("cpu_s",) if name == "cpu" else ("read_bytes", "write_bytes")
    gained = [own for own in map(one.gained, names) if own is not None]
    unknown = np.full(there.size, np.nan)
    used: Floats = (
        np.divide(np.sum(gained, axis=0), there, out=unknown, where=there > 0) if gained else unknown
    )
    return np.minimum(used, 1.0) if name == "cpu" else used


def _merged(lane: int, pid: int, spans: Sequence[tuple[float, float, float]], top: float) -> list[Lane]:
    """Return stretches as lanes, those of one level after another as one."""
    found: list[Lane] = []
    for start, stop, value in spans:
        if math.isnan(value):
            continue
        level = min(1.0, round(value / top * _LEVELS) / _LEVELS)
        new = Lane(lane, pid, start, stop, value, level)
        if found and (found[-1].level, found[-1].end_s) == (level, start):
            last = found.pop()
            total = last.value * (last.end_s - last.start_s) + value * (stop - start)
            new = replace(last, end_s=stop, value=total / (stop - last.start_s))
        found.append(new)
    return found
