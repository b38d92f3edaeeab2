"""A bench's result as tables: plain text for the terminal, Markdown for report.md. Measures nothing."""

from collections.abc import Iterable
from dataclasses import replace

from ..result.findings import Scaling
from ..result.measured import CellResult, round_times
from ..result.result import BenchResult
from ..result.variant import BASELINES
from .findings import ceiling_table, growth_table, noise_table, recommendation_table, startup_table
from .table import NONE, Table, digits, text_table

__all__ = ["OP_TITLES", "Table", "all_tables", "interval_note", "scaling_tables", "seed_table", "text_table"]

_BASELINE_NAMES = {
    BASELINES[0]: "article's loop, pickle 0",
    BASELINES[1]: "article's loop, pickle 2",
    BASELINES[2]: "source JPEG files",
}
OP_TITLES = {
    "convert": "convert: image files to shards, by the engine's own worker",
    "dump": "dump: arrays in memory to shards",
    "load": "load: shards to arrays in memory, by the protocol's own loader",
    "load_lazy": "load_lazy: as load, but the arrays' bytes are not touched",
    "map": "map: shards to arrays through brinery.open, every byte touched",
}
_BOUNDS = {
    "convert": "decoding alone and writing raw, one after the other,",
    "dump": "writing raw or making files, whichever is nearer,",
    "load": "reading raw or copying in memory, whichever is nearer,",
    "map": "the bytes that memcpy moves",
}
_CEILINGS = {
    "decode + raw-write": "decode",
    "raw-write": "write",
    "raw-write-fsync": "fsync",
    "raw-files": "files",
    "raw-read": "read",
    "raw-read-cold": "cold read",
    "memcpy": "memcpy",
    "create": "create",
}
_VARIANTS = {"cold": "from a cold cache", "fsync": "with fsync", "engine": "dispatched as convert is"}


def all_tables(result: BenchResult) -> list[Table]:
    """Return every table: the seed's, those over workers, ceilings, noise, recommendations."""
    seed = seed_table(result)
    tables = [seed] if seed.rows else []
    tables += scaling_tables(result)
    if result.ceilings:
        tables.append(ceiling_table(result))
    tables.append(noise_table(result))
    optional = (startup_table(result), recommendation_table(result))
    return [*tables, *(table for table in optional if table is not None)]


def seed_table(result: BenchResult) -> Table:
    """Return seconds for 1000 images and the size of a file, by protocol: one process, one file an image."""
    cells: dict[str, dict[str, CellResult]] = {}
    for cell in result.cells:
        if cell.layout == "single":
            cells.setdefault(cell.protocol, {})[cell.op] = cell
    order = [name for name in BASELINES[:2] if name in cells]
    order += [name for name in cells if name not in BASELINES]
    order += [name for name in BASELINES[2:] if name in cells]
    rows = []
    for name in order:
        dump, load = cells[name].get("dump"), cells[name].get("load")
        stored = load.size.file_bytes_per_image if load else None
        if stored is None and dump:
            stored = dump.size.file_bytes_per_image
        rows.append(
            (
                _source_name(result) if name == BASELINES[2] else _BASELINE_NAMES.get(name, name),
                _seconds(dump),
                _seconds(load),
                NONE if stored is None else digits(stored / 1000),
                _range(dump),
                _range(load),
                f"{dump.size.images if dump else NONE} / {load.size.images if load else NONE}",
            )
        )
    return Table(
        "Seed table: seconds for 1000 images, one process, one file an image",
        ("protocol", "dump s", "load s", "kB a file", "dump range", "load range", "images timed"),
        tuple(rows),
        (
            (
                "~ extrapolated from the images timed (dump / load). "
                f"Range: {interval_note(cell for own in cells.values() for cell in own.values())}."
            ),
            (
                "dump: arrays in memory to files; in the article's loop it includes reading and decoding "
                "by Pillow. load: every byte read. Source files: load is reading and decoding."
            ),
        ),
    )


def scaling_tables(result: BenchResult) -> list[Table]:
    """Return a table for each operation over workers, cache and durability, and one of its growth."""
    cells = [cell for cell in result.cells if cell.layout == "shards"]
    protocols = list(dict.fromkeys(cell.protocol for cell in cells))
    variants = list(dict.fromkeys(_variant(cell) for cell in cells))
    variants.sort(key=lambda one: result.settings.ops.index(one[0]))
    tables = []
    for variant in variants:
        op = variant[0]
        found = [cell for cell in cells if _variant(cell) == variant]
        rows: list[tuple[str, ...]] = []
        for protocol in protocols:
            own = sorted(
                (cell for cell in found if cell.protocol == protocol),
                key=lambda cell: (cell.workers, cell.pool == "loky"),
            )
            one = next((cell for cell in own if cell.pool == "loky" and cell.workers == 1), None)
            rows += [
                (protocol if place == 0 else "", *_scaling_row(cell, one)) for place, cell in enumerate(own)
            ] or [(protocol, *[NONE] * (len(_SCALING_COLUMNS) - 1))]
        title = ", ".join([OP_TITLES[op], *_marks(variant)])
        tables.append(Table(title, _SCALING_COLUMNS, tuple(rows), _scaling_notes(op, result)))
        scaling = [one for one in result.scaling if _variant(one) == variant]
        growth = growth_table(scaling, result.host.usable_cpus)
        if growth is not None:
            first = not any(table.title.startswith(growth.title) for table in tables)
            name = f"{growth.title}: {', '.join([op, *_marks(variant)])}"
            tables.append(replace(growth, title=name, notes=growth.notes if first else ()))
    return tables


def _variant(one: CellResult | Scaling) -> tuple[str, str, str, str]:
    return (one.op, one.cache, one.durability, one.dispatch if one.op != "convert" else "")


def _marks(variant: tuple[str, ...]) -> list[str]:
    return [_VARIANTS[mark] for mark in variant if mark in _VARIANTS]


_SCALING_COLUMNS = (
    "protocol",
    "workers",
    "images/s",
    "MB/s",
    "speed-up",
    "efficiency",
    "of ceiling",
    "cores busy",
    "peak MiB",
    "read kB/image",
    "written kB/image",
)


def _scaling_row(cell: CellResult, one: CellResult | None) -> tuple[str, ...]:
    mark = "*" if "oversubscribed" in cell.warnings else ""
    workers = "inline" if cell.pool == "none" else f"{cell.workers}{mark}"
    stats = cell.stats
    if stats is None:
        return (workers, "void", *[NONE] * (len(_SCALING_COLUMNS) - 3))
    speed_up = efficiency = NONE
    if one is not None and one.stats is not None:
        ratio = one.stats.median_ns / stats.median_ns
        speed_up = f"{ratio:.2f}"
        if cell.pool == "loky":
            efficiency = f"{ratio / cell.workers:.0%}"
    peak = cell.memory.peak_pss_bytes if cell.memory else None
    return (
        workers,
        digits(stats.images_per_s),
        digits(stats.pixel_bytes_per_s / 1e6),
        speed_up,
        efficiency,
        NONE if cell.bound is None else f"{cell.bound.fraction:.0%} {_CEILINGS[cell.bound.ceiling]}",
        f"{stats.cores_busy:.2f}",
        NONE if peak is None else f"{peak / (1 << 20):.0f}",
        _storage(stats.read_bytes_per_image),
        _storage(stats.write_bytes_per_image),
    )


def _scaling_notes(op: str, result: BenchResult) -> tuple[str, ...]:
    notes = [
        (
            "MB/s: decoded pixels. Speed-up over one worker; inline: no pool at all. Cores busy: CPU "
            "time over wall time. Read and written: what storage saw by the kernel's count; 0 read is the "
            "page cache."
        )
    ]
    if op in _BOUNDS:
        notes.append(f"Of ceiling: how much of {_BOUNDS[op]} with as many workers.")
    if any(cell.op == op and "oversubscribed" in cell.warnings for cell in result.cells):
        notes.append(f"* oversubscribed: more workers than the {result.host.usable_cpus:g} usable CPUs.")
    if op == "map":
        notes.append("- in a whole row: the protocol stores no raw bytes to map.")
    return tuple(notes)


def _source_name(result: BenchResult) -> str:
    return _BASELINE_NAMES[BASELINES[2]] if result.dataset.source == "generated" else "source image files"


def _seconds(cell: CellResult | None) -> str:
    """The total for 1000 images."""
    if cell is None:
        return NONE
    if cell.stats is None:
        return "void"
    mark = "" if cell.size.images == 1000 else "~"
    return mark + digits(cell.stats.median_ns / 1e6)


def _range(cell: CellResult | None) -> str:
    if cell is None or cell.stats is None:
        return NONE
    stats = cell.stats
    low = stats.min_ns if stats.low_ns is None else stats.low_ns
    high = stats.max_ns if stats.high_ns is None else stats.high_ns
    return f"{digits(low / 1e6)}..{digits(high / 1e6)}"


def interval_note(cells: Iterable[CellResult]) -> str:
    """Say what the ends of these cells' intervals are, and how often such an interval holds the median."""
    shares: dict[int, float] = {}
    old = few = False
    for cell in cells:
        if cell.stats is None or cell.stats.low_ns is None:
            few = few or cell.stats is not None
        elif cell.stats.coverage is None:
            old = True
        else:
            shares[len(round_times(cell.samples))] = cell.stats.coverage
    parts = []
    if shares:
        held = ", ".join(f"{share:.1%} ({rounds} rounds)" for rounds, share in sorted(shares.items()))
        parts.append(f"two rounds that hold the median with a probability of {held}")
    if old:
        parts.append("a 95 % interval of the median by resampling")
    if few:
        parts.append("with fewer than five rounds the fastest and the slowest")
    return "; ".join(parts) or "not known"


def _storage(value: float | None) -> str:
    return NONE if value is None else digits(value / 1000)
