"""A sampler's readings as series over time: cores busy, memory, storage, one lane a worker. Pure."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise, repeat
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

_MOST_BINS = 240
_LEVELS = 10  # lanes show tenths
_NEEDED = ("t_ns", "pid", "cpu_user_ns", "cpu_system_ns", "rss_bytes")
_RATES = {"cpu": ("cpu_s",), "storage": ("read_bytes", "write_bytes")}  # counters of what lanes show


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
    write_chars: int | None = None


def points_of(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[Point]:
    """Yield the readings in a sampler's rows; a row without a time, a process, CPU time or memory is none."""
    for row in rows:
        one: dict[str, Any] = dict(zip(columns, row, strict=False))
        if all(isinstance(one.get(name), int) for name in _NEEDED):
            cpu_s = (one["cpu_user_ns"] + one["cpu_system_ns"]) / 1e9
            known: dict[str, Any] = {name: one.get(name) for name in Point.__slots__[4:]}
            yield Point(one["t_ns"] / 1e9, one["pid"], str(one.get("role")), cpu_s, **known)


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

    @property
    def cores(self) -> float:
        """Cores that all processes kept busy."""
        return self.workers + self.parent


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


@dataclass(frozen=True, slots=True)
class Usage:
    """What a run used over time."""

    end_s: float  # how long it was watched
    step_s: float  # length of a stretch
    moments: tuple[Moment, ...]  # ascending
    lanes: dict[str, tuple[Lane, ...]]  # "cpu", "memory" in bytes, "storage" in bytes a second
    bands: tuple[tuple[str, float], ...]  # parts of the run: their names, and seconds when they begin
    cores: float  # how many can be busy at most
    cores_name: str  # what that is, such as "2 usable CPUs"
    memory_bytes: int | None  # memory of the machine; None if not known
    counted: Counted  # what captions tell as totals and peaks

    def series(self, name: str, unit: float = 1.0) -> list[float | None]:
        """Return a value of every moment in a unit; None where it is not known."""
        found = (getattr(moment, name) for moment in self.moments)
        return [None if value is None else value / unit for value in found]


def usage_of(
    points: Iterable[Point],
    *,
    bands: Sequence[tuple[str, float]] = (),
    cores: float,
    cores_name: str,
    memory_bytes: int | None = None,
    counted: Counted | None = None,
) -> Usage | None:
    """Return the series; None where fewer than two times were read."""
    own: dict[int, list[Point]] = defaultdict(list)
    for point in sorted(points, key=lambda one: one.t_s):
        own[point.pid].append(point)
    times = {point.t_s for series in own.values() for point in series}
    if len(times) < 2:
        return None
    end = max(times)
    gaps = sorted(b.t_s - a.t_s for series in own.values() for a, b in pairwise(series))
    step = max(gaps[len(gaps) // 2] if gaps else end, end / _MOST_BINS, 1e-3)
    edges = np.minimum(np.arange(-(-int(end * 1e6) // int(step * 1e6)) + 1) * step, end)
    edges = edges[np.append(True, np.diff(edges) > step * 1e-3)]
    series = [_Series(one, edges) for one in own.values()]
    found = _moments(series, edges), _lanes(series), tuple(bands)
    return Usage(end, step, *found, cores, cores_name, memory_bytes, counted or Counted())


class _Series:
    """The readings of one process over the stretches between edges."""

    def __init__(self, points: Sequence[Point], edges: Floats) -> None:
        self.pid, self.parent, self.several = points[0].pid, points[0].role == "parent", len(points) > 1
        self.first_s, self.last_s = points[0].t_s, points[-1].t_s
        self._points, self._edges = points, edges
        # The part of each stretch in which the process was there.
        self.starts, self.stops = np.maximum(self.first_s, edges[:-1]), np.minimum(self.last_s, edges[1:])

    def _known(self, name: str) -> Floats:
        """Return the times at which a value was read, and the values; shape (2, readings)."""
        known = [(point.t_s, value) for point in self._points if (value := getattr(point, name)) is not None]
        return np.array(known, dtype=np.float64).reshape(-1, 2).T

    def gained(self, name: str) -> Floats:
        """Return what a counter gained in each stretch, spread evenly between readings; NaN if not known."""
        times, values = self._known(name)
        if not times.size:
            return np.full(self.starts.size, np.nan)
        total = np.append(0.0, np.cumsum(np.maximum(np.diff(values), 0.0)))
        found: Floats = np.diff(np.interp(self._edges, times, total))
        return found

    def level(self, name: str) -> Floats:
        """Return a value in each stretch as last read; NaN where it was not, or the process was not there."""
        (times, values), ends = self._known(name), self._edges[1:]
        # Before the first it is -1: the NaN behind the values.
        last = np.searchsorted(times, ends, side="right") - 1
        there = (ends > min(self.first_s, self._edges[-2])) & (self._edges[:-1] <= self.last_s)
        shown: Floats = np.where(there, np.append(values, np.nan)[last], np.nan)
        return shown

    def used(self, name: str) -> Floats:
        """Return what lanes of that name show in each stretch; NaN where it is not known."""
        if name == "memory":
            return self.level("rss_bytes")
        there, unknown = self.stops - self.starts, np.full(self.starts.size, np.nan)
        gained = _sum(map(self.gained, _RATES[name]), there.size)
        used: Floats = np.divide(gained, there, out=unknown, where=there > 0)
        return np.minimum(used, 1.0) if name == "cpu" else used


def _sum(parts: Iterable[Floats], size: int) -> Floats:
    """Return the sum of what is known in each stretch; NaN where nothing is."""
    found = np.array([*parts], dtype=np.float64).reshape(-1, size)
    return np.where(np.isnan(found).all(axis=0), np.nan, np.nansum(found, axis=0))


def _moments(series: Sequence[_Series], edges: Floats) -> tuple[Moment, ...]:
    lengths = np.diff(edges)

    workers, parents = ([one for one in series if one.parent is parent] for parent in (False, True))

    def rates(name: str, *, of: Sequence[_Series] = series) -> Floats:
        return _sum((one.gained(name) for one in of), lengths.size) / lengths

    columns = (
        edges[:-1] + lengths / 2,
        np.nan_to_num(rates("cpu_s", of=workers)),
        np.nan_to_num(rates("cpu_s", of=parents)),
        np.nansum([one.level("rss_bytes") for one in series], axis=0),
        _sum((one.level("pss_bytes") for one in series), lengths.size),
        rates("read_bytes"),
        rates("write_bytes"),
        rates("write_chars", of=workers),
    )
    table = np.column_stack(columns)
    known = table.astype(object)
    known[np.isnan(table)] = None
    return tuple(Moment(*row) for row in known.tolist())


def _lanes(series: Sequence[_Series]) -> dict[str, tuple[Lane, ...]]:
    workers = [one for one in sorted(series, key=lambda one: one.first_s) if not one.parent and one.several]
    free_from: list[float] = []
    places = []
    for one in workers:
        lane = next((n for n, free in enumerate(free_from) if free <= one.first_s), len(free_from))
        free_from[lane : lane + 1] = [one.last_s]
        places.append(lane)
    found = {}
    for name in ("cpu", "memory", "storage"):
        values = [one.used(name) for one in workers]
        highest = max((float(np.nanmax(own, initial=0.0)) for own in values), default=0.0)
        top = 1.0 if name == "cpu" else highest or 1.0
        lanes = map(_stretches, workers, places, values, repeat(top))
        found[name] = tuple(chain.from_iterable(lanes))
    return found


def _stretches(one: _Series, lane: int, values: Floats, top: float) -> list[Lane]:
    """Return what a process used where that is known, stretches of one level after another as one."""
    found: list[Lane] = []
    for start, stop, value in zip(one.starts.tolist(), one.stops.tolist(), values.tolist(), strict=True):
        if start >= stop or math.isnan(value):
            continue
        level = min(1.0, round(value / top * _LEVELS) / _LEVELS)
        new = Lane(lane, one.pid, start, stop, value, level)
        if found and (found[-1].level, found[-1].end_s) == (level, start):
            last = found.pop()
            total = last.value * (last.end_s - last.start_s) + value * (stop - start)
            new = replace(last, end_s=stop, value=total / (stop - last.start_s))
        found.append(new)
    return found
