"""Numbers as people read them. An unknown value is a dash, and what is not a number says so."""

import math
from collections.abc import Sequence

from ..analysis.candidates import SOURCE

_POSSIBLE = 1.1  # of 1: two measurements that are level differ by some per cent
DASH = "\N{EN DASH}"
_TIMES = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns"))
_SIZES = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def cpus(value: float) -> str:
    """Return a number of CPUs, the fraction of a quota kept: 2 usable CPUs, 1.5 usable CPUs."""
    return f"{value:g} usable {'CPU' if value == 1 else 'CPUs'}"


def plain(value: float | None, digits: int = 3) -> str:
    """Round to significant digits and group thousands, without an exponent: 47,400, 3.02, 0.015."""
    if value is None:
        return DASH
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinite"
    if value == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(places, 9)}f}"


def amount(value: float | None) -> str:
    """Return a rate to three significant digits, the rest zeros: 47,400."""
    if value is None or not math.isfinite(value) or abs(value) < 1000:
        return plain(value)
    step = 10 ** (math.floor(math.log10(abs(value))) - 2)
    return f"{round(value / step) * step:,.0f}"


def percent(value: float | None, *, sign: bool = False, places: int = 0) -> str:
    """Return a share as a percentage."""
    if value is None or not math.isfinite(value):
        return plain(value)
    return f"{value:+.{places}%}" if sign else f"{value:.{places}%}"


def of_possible(value: float | None) -> str:
    """Return a share of what is possible; one that is well above it is marked: 258% (noise)."""
    return f"{percent(value)} (noise)" if is_noise(value) else percent(value)


def is_noise(value: float | None) -> bool:
    """Return whether a share of what is possible is well above it: only noise makes it so."""
    return value is not None and value > _POSSIBLE


def duration(value_ns: float | None) -> str:
    """Return a time in the unit that suits it: 23.4 µs."""
    if value_ns is None or not math.isfinite(value_ns):
        return plain(value_ns)
    scale, unit = next(((s, u) for s, u in _TIMES if abs(value_ns) >= s), _TIMES[-1])
    return f"{plain(value_ns / scale)} {unit}"


def seconds(value_ns: float | None) -> str:
    """Return a time of seconds to hours: 9.3 s, 3 min 16 s, 2 h 5 min."""
    if value_ns is None or not math.isfinite(value_ns):
        return plain(value_ns)
    whole = value_ns / 1e9
    if whole < 60:
        return f"{plain(whole)} s"
    minutes, rest = divmod(round(whole), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def size(value: float | None) -> str:
    """Return bytes in the unit that suits them: 1.28 GiB."""
    if value is None or not math.isfinite(value):
        return plain(value)
    scale, unit = next(((s, u) for s, u in _SIZES if abs(value) >= s), (1, "bytes"))
    return f"{plain(value / scale)} {unit}" if unit != "bytes" else counted(round(value), "byte")


def times(value: float | None) -> str:
    """Return a factor: 3.02 times."""
    return f"{plain(value)} times"


def over_source(value: float) -> str:
    """Return how large files are against those they were made of: 9.4 x your source."""
    return f"{plain(value, 2)} x your source"


def sentence(text: str) -> str:
    """Return a text that begins with a capital letter, the rest as it is."""
    return text[:1].upper() + text[1:]


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun: 1 worker, 2 workers."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listed(items: Sequence[str], most: int = 6) -> str:
    """Return items as a phrase: a, b and c."""
    shown = list(items[:most])
    if len(items) > most:
        shown.append(f"{len(items) - most} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else "none"


def known(value: float | None) -> bool:
    """Return whether the value is a number."""
    return value is not None and math.isfinite(value)


def named(protocol: str) -> str:
    """Return a candidate's name for people."""
    return "the source files" if protocol == SOURCE else protocol
