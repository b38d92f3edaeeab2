"""What all of the user's images would take, as a table."""

from ..analysis.candidates import SOURCE
from ..analysis.projection import Projected, project
from ..analysis.warnings import trouble_of
from ..result.estimates import Estimate
from ..result.result import BenchResult
from .numbers import amount, named, plain
from .table import Column, Entry, Table, Value, left

_BYTES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"))
_FROM = {"cold": "storage", "warm": "memory", None: "memory"}
_TIMES = ((3.6e12, "h"), (6e10, "min"), (1e9, "s"))


def projection_table(result: BenchResult) -> Table | None:
    """Return space and time of all of the source by protocol; None where its size is not known."""
    found, doubt = project(result), trouble_of(result)
    if found is None:
        return None
    space, bytes_unit = _unit_of(found.source_bytes)
    longest = max(time.value for one in found.protocols for time in (one.write, one.read) if time)
    scale, time_unit = next((one for one in _TIMES if longest >= one[0]), _TIMES[-1])

    def time(estimate: Estimate | None) -> Value:
        if doubt:
            return None
        if estimate is None:
            return Entry("0", 0.0)
        ends = [plain(end / scale) for end in (estimate.low, estimate.high) if end is not None]
        span = " to ".join(ends) if estimate.low != estimate.high else None
        return Entry(plain(estimate.value / scale), estimate.value, span)

    def workers(one: Projected) -> Value:
        write, read = one.workers
        if one.protocol == SOURCE or write == read:
            return Entry(str(read), read)
        return Entry(f"write {write}, read {read}", read)

    rows = [
        (
            named(one.protocol).removeprefix("the "),
            Entry(plain(one.file_bytes / space), one.file_bytes),
            Entry(plain(one.over_source, 2), one.over_source),
            time(one.write),
            time(one.read),
            workers(one),
        )
        for one in found.protocols
    ]
    columns = (
        *left("protocol"),
        Column(f"disk, {bytes_unit}"),
        Column("x your source", spare=2),
        Column(f"write, {time_unit}", hint="time to write everything once", notes="write range"),
        Column(f"read, {time_unit}", hint="time to read everything once", notes="read range"),
        Column("workers", spare=3),
    )
    link = result.settings.weights.link_mb_per_s
    over = f", every write and read over a link of {link:g} MB/s" if link is not None else ""
    few = "the fastest and the slowest round, of fewer than five"
    ranges = "the ends of the measured intervals" if found.sure else few
    assumed = (
        "Assumed: all images are like those measured, on the same machine and disk with this many workers; "
        f"writing is a {found.write_op}, reading is every image once from {_FROM[found.cache]}{over}."
    )
    notes = (
        assumed,
        f"Source files stay where they are, and each read decodes them. Ranges: {ranges}.",
        *([f"Times are left out: {doubt}."] if doubt else []),
    )
    total = bytes_in(found.source_bytes)
    return Table(f"All {total} of your source, about {amount(found.images)} images", columns, rows, notes)


def bytes_in(nbytes: float) -> str:
    """Return bytes in the unit of a projection, such as "40 TB"."""
    space, unit = _unit_of(nbytes)
    return f"{plain(nbytes / space)} {unit}"


def _unit_of(nbytes: float) -> tuple[float, str]:
    return next((one for one in _BYTES if nbytes >= one[0]), _BYTES[-1])
