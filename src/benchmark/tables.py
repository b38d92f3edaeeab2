"""A bench's result as tables: plain text for the terminal, Markdown for report.md. Measures nothing."""

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from .matrix import BASELINES
from .result import BenchResult, CellResult

__all__ = ["REMEDIES", "Table", "all_tables", "report_markdown", "scaling_tables", "seed_table", "text_table"]

REMEDIES = {
    "wrong-arrays": "what came back was not what was stored: the cell is void; report it as a bug",
    "void-samples": "some regions did not count, see `problem` in result.json; measure again",
    "oversubscribed": "more workers than usable CPUs: behaviour under load, not scaling",
    "short-region": "a region below 100 ms: give more images with --limit, or leave out --quick",
    "few-rounds": "fewer than five rounds: raise --budget, or set --rounds 7",
    "spread": "slowest and fastest round differ by more than 10 %: stop other programs, raise --rounds",
    "start-skew": "workers began more than 5 % of the region apart: other programs hold the CPUs",
    "tail": "the last worker ended more than 25 % of the region after the first: uneven images or busy CPUs",
}

_BASELINE_NAMES = {
    BASELINES[0]: "article's loop, pickle 0",
    BASELINES[1]: "article's loop, pickle 2",
    BASELINES[2]: "source JPEG files",
}
_OP_TITLES = {
    "convert": "convert: image files to shards, by the engine's own worker",
    "dump": "dump: arrays in memory to shards",
    "load": "load: shards to arrays in memory, by the protocol's own loader",
    "load_lazy": "load_lazy: as load, but the arrays' bytes are not touched",
    "map": "map: shards to arrays through brinery.open, every byte touched",
}
_NONE = "-"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of text.

    Attributes:
        title: what it shows.
        columns: the heads; all columns but the first are aligned right.
        rows: the cells.
        notes: what its marks mean.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def all_tables(result: BenchResult) -> list[Table]:
    """Return the seed's table, if it was measured, and one scaling table for each operation."""
    seed = seed_table(result)
    return ([seed] if seed.rows else []) + scaling_tables(result)


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
                _NONE if stored is None else _digits(stored / 1000),
                _range(dump),
                _range(load),
                f"{dump.size.images if dump else _NONE} / {load.size.images if load else _NONE}",
            )
        )
    return Table(
        "Seed table: seconds for 1000 images, one process, one file an image",
        ("protocol", "dump s", "load s", "kB a file", "dump range", "load range", "images timed"),
        tuple(rows),
        (
            (
                "~ extrapolated from the images timed (dump / load). Range: 95 % interval of the median, "
                "with fewer than four rounds the fastest and the slowest."
            ),
            (
                "dump: arrays in memory to files; in the article's loop it includes reading and decoding "
                "by Pillow. load: every byte read. Source files: load is reading and decoding."
            ),
        ),
    )


def scaling_tables(result: BenchResult) -> list[Table]:
    """Return one table for each operation over workers."""
    cells = [cell for cell in result.cells if cell.layout == "shards"]
    protocols = list(dict.fromkeys(cell.protocol for cell in cells))
    tables = []
    for op in result.settings.ops:
        found = [cell for cell in cells if cell.op == op]
        if not found:
            continue
        rows: list[tuple[str, ...]] = []
        for protocol in protocols:
            own = sorted(
                (cell for cell in found if cell.protocol == protocol),
                key=lambda cell: (cell.workers, cell.pool == "loky"),
            )
            one = next((cell for cell in own if cell.pool == "loky" and cell.workers == 1), None)
            rows += [
                (protocol if place == 0 else "", *_scaling_row(cell, one)) for place, cell in enumerate(own)
            ] or [(protocol, *[_NONE] * 9)]
        tables.append(Table(_OP_TITLES[op], _SCALING_COLUMNS, tuple(rows), _scaling_notes(op, result)))
    return tables


_SCALING_COLUMNS = (
    "protocol",
    "workers",
    "images/s",
    "MB/s",
    "speed-up",
    "efficiency",
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
        return (workers, "void", *[_NONE] * 7)
    speed_up = efficiency = _NONE
    if one is not None and one.stats is not None:
        ratio = one.stats.median_ns / stats.median_ns
        speed_up = f"{ratio:.2f}"
        if cell.pool == "loky":
            efficiency = f"{ratio / cell.workers:.0%}"
    peak = cell.memory.peak_pss_bytes if cell.memory else None
    return (
        workers,
        _digits(stats.images_per_s),
        _digits(stats.pixel_bytes_per_s / 1e6),
        speed_up,
        efficiency,
        f"{stats.cores_busy:.2f}",
        _NONE if peak is None else f"{peak / (1 << 20):.0f}",
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
    if any(cell.op == op and "oversubscribed" in cell.warnings for cell in result.cells):
        notes.append(f"* oversubscribed: more workers than the {result.host.usable_cpus:g} usable CPUs.")
    if op == "map":
        notes.append("- in a whole row: the protocol stores no raw bytes to map.")
    return tuple(notes)


def text_table(table: Table) -> str:
    """Return the table in aligned columns."""
    widths = [max(map(len, column)) for column in zip(table.columns, *table.rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first = cells[0].ljust(widths[0])
        rest = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
        return "  ".join([first, *rest]).rstrip()

    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    lines = [table.title, "", line(table.columns), rule, *map(line, table.rows), *table.notes]
    return "\n".join(lines)


def report_markdown(result: BenchResult) -> str:
    """Return report.md: the tables, every warning with its remedy, method, environment, the exact command."""
    parts = ["# brinery bench", _summary(result)]
    parts += [_markdown_table(table) for table in all_tables(result)]
    parts.append("## Warnings\n\n" + "\n".join(f"- {line}" for line in _warnings(result)))
    parts.append("## Method\n\n" + "\n".join(f"- {line}" for line in _method(result)))
    parts.append("## Environment\n\n" + "\n".join(f"- {line}" for line in _environment(result)))
    parts.append(f"## Command\n\n```\n{shlex.join(result.run.argv)}\n```\n\nSeed {result.run.seed}.")
    return "\n\n".join(parts) + "\n"


def _markdown_table(table: Table) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("*", "\\*") for cell in cells) + " |"

    rule = "|" + "|".join([" --- "] + [" ---: "] * (len(table.columns) - 1)) + "|"
    rows = "\n".join([line(table.columns), rule, *map(line, table.rows)])
    notes = "\n".join(note.replace("*", "\\*").replace("~", "\\~") + "  " for note in table.notes)
    return f"## {table.title}\n\n{rows}\n\n{notes}"


def _summary(result: BenchResult) -> str:
    valid = sum(cell.valid for cell in result.cells)
    warned = sum(bool(cell.warnings) for cell in result.cells)
    rounds = ", ".join(f"{name} {done}" for name, done in result.run.rounds_done.items())
    state = "" if result.run.finished else " **Not finished: these are the rounds that were done.**"
    quick = " Quick: for a first look only." if result.run.quick else ""
    return (
        f"{result.run.started_at}, {result.run.seconds:.0f} s, brinery {result.run.brinery}. "
        f"{len(result.cells)} cells: {valid} valid, {len(result.cells) - valid} void, {warned} warned. "
        f"Rounds: {rounds}.{state}{quick}"
    )


def _warnings(result: BenchResult) -> list[str]:
    counts = Counter(code for cell in result.cells for code in cell.warnings)
    lines = list(result.warnings)
    lines += [f"{code} ({counts[code]} cells): {text}." for code, text in REMEDIES.items() if counts[code]]
    lines += [
        f"void: {cell.op} {cell.protocol}, {cell.workers} workers: {cell.problem}."
        for cell in result.cells
        if not cell.valid
    ]
    return lines or ["None."]


def _method(result: BenchResult) -> list[str]:
    settings, timer = result.settings, result.timer
    return [
        (
            f"Timed regions of about {settings.region_ns / 1e6:.0f} ms, looped over the images where one "
            f"pass is shorter; clock {timer.name}. Medians over rounds."
        ),
        (
            "Workers are started and all libraries imported before any region; they begin at one instant. "
            "Wall time is the last end less the first start."
        ),
        (
            f"Page cache {settings.cache}, no fsync. Garbage is collected before each region and not during "
            "it (convert: as Python does by itself)."
        ),
        "Each round visits every cell once in random order, in blocks by number of workers.",
        (
            "Every array that was loaded or mapped was compared with its source; what dump and "
            "convert wrote, in the first round."
        ),
        f"Peak memory: {settings.memory_method}.",
    ]


def _environment(result: BenchResult) -> list[str]:
    host, storage, data, noise = result.host, result.storage, result.dataset, result.noise
    foreign = "unknown" if noise.foreign_cpu is None else f"{noise.foreign_cpu:.1%}"
    libraries = ", ".join(f"{name} {version}" for name, version in result.software.libraries.items())
    shapes = ", ".join(f"{count} of {shape}" for shape, count in data.shapes.items())
    return [
        (
            f"{host.cpu or host.architecture}, {host.usable_cpus:g} usable CPUs, "
            f"{host.memory_bytes / (1 << 30):.1f} GiB, {host.kernel}, governor {host.governor or 'unknown'}"
        ),
        f"Scratch files on {storage.filesystem or 'an unknown file system'} ({storage.device or 'unknown'})",
        f"{result.software.python}; {libraries}",
        (
            f"{data.images} images ({data.source}): {data.source_bytes / 1e6:.1f} MB encoded, "
            f"{data.pixel_bytes / 1e6:.1f} MB of pixels; {shapes}; xxh3 {data.xxh3}"
        ),
        (
            f"Load average {noise.load_average_before:.2f} before, {noise.load_average_after:.2f} after; "
            f"CPU taken by others {foreign}"
        ),
    ]


def _source_name(result: BenchResult) -> str:
    return _BASELINE_NAMES[BASELINES[2]] if result.dataset.source == "generated" else "source image files"


def _seconds(cell: CellResult | None) -> str:
    """The total for 1000 images."""
    if cell is None:
        return _NONE
    if cell.stats is None:
        return "void"
    mark = "" if cell.size.images == 1000 else "~"
    return mark + _digits(cell.stats.median_ns / 1e6)


def _range(cell: CellResult | None) -> str:
    if cell is None or cell.stats is None:
        return _NONE
    stats = cell.stats
    low = stats.min_ns if stats.low_ns is None else stats.low_ns
    high = stats.max_ns if stats.high_ns is None else stats.high_ns
    return f"{_digits(low / 1e6)}..{_digits(high / 1e6)}"


def _storage(value: float | None) -> str:
    return _NONE if value is None else _digits(value / 1000)


def _digits(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"
