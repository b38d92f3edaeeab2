"""What a bench measured, as tables: one process, and over workers."""

from collections.abc import Iterable, Sequence

from ...engine.protocols.registry import known_protocols
from ..analysis.sizes import sizes_of
from ..result.cell import BASELINES, Variant, protocol_title
from ..result.measured import CellResult, round_times
from ..result.result import BenchResult
from ..result.stats import over
from .numbers import amount, counted, duration, known, of_possible, plain
from .table import Column, Entry, Table, Value, left, right

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
}
_IMAGES = 1000
_REFERENCE = "pickle-5"
_SEED_COLUMNS = (
    *left("protocol"),
    Column("dump, s", hint="seconds to dump 1000 images into a file each", notes="dump range"),
    Column("load, s", hint="seconds to load 1000 files and read every byte", notes="load range"),
    Column("kB a file", hint="mean over the images of the corpus, in units of 1000 bytes"),
    Column("x your source", hint="size of the file over that of the encoded image"),
    Column("images timed", hint="by dump and by load", spare=2),
    Column(
        f"\N{MULTIPLICATION SIGN} {_REFERENCE}", hint=f"seconds to load over those of {_REFERENCE}", page=True
    ),
    Column("peak MiB", hint="memory of the process at its peak, by the larger of dump and load", page=True),
    Column("safe", numeric=False, hint="its own loader runs no code from the file", page=True),
    Column("readable outside Python", numeric=False, page=True),
)
_WORKER_COLUMNS = (
    *left("protocol"),
    *right("workers", "images/s"),
    Column("time an image", page=True),
    Column("MB/s", hint="of decoded pixels", spare=4),
    Column("speed-up", hint="throughput over that of one worker"),
    Column("efficiency", hint="speed-up over the number of workers", spare=1),
    Column("of ceiling", hint="how much of the machine's ceiling was reached"),
    Column("cores busy", hint="CPU time over wall time", spare=3),
    Column("peak MiB", spare=2),
    *(Column(head, spare=5) for head in ("read kB/image", "written kB/image")),
)


def by_protocol(result: BenchResult) -> dict[str, dict[str, CellResult]]:
    """Return the cells of one process and one file an image, by protocol and operation."""
    found: dict[str, dict[str, CellResult]] = {}
    for cell in result.cells:
        if cell.layout == "single":
            found.setdefault(cell.protocol, {})[cell.op] = cell
    order = [*BASELINES[:2], *(name for name in found if name not in BASELINES), BASELINES[2]]
    return {name: found[name] for name in order if name in found}


def best_of(cells: dict[str, dict[str, CellResult]], op: str) -> CellResult | None:
    """Return the fastest cell of an operation; the baselines do not compete."""
    found = [own[op] for name, own in cells.items() if name not in BASELINES and op in own]
    counting = [cell for cell in found if cell.valid and cell.stats and known(cell.stats.median_ns)]
    return min(counting, key=lambda cell: cell.stats.median_ns if cell.stats else 0.0, default=None)


def seed_table(result: BenchResult) -> Table | None:
    """Return seconds for 1000 images and the size of a file, by protocol; None where neither was measured."""
    cells = by_protocol(result)
    if not cells:
        return None
    abilities = {one.name: one.abilities for one in known_protocols()}
    able_of = {name: abilities.get(name.partition("+")[0]) for name in cells}
    lossy = {name for name, able in able_of.items() if able is not None and able.loses(name)}
    exact = {name: own for name, own in cells.items() if name not in lossy}
    best = {op: best_of(exact, op) for op in ("dump", "load")}
    stored_as = sizes_of(result, "single")
    sizes = {name: size / 1000 for name, size in stored_as.values.items() if known(size)}
    smallest = min((sizes[name] for name in sizes.keys() & exact.keys() - set(BASELINES)), default=None)
    reference = cells.get(_REFERENCE, {}).get("load")
    rows = []
    for name, own in cells.items():
        dump, load, stored = own.get("dump"), own.get("load"), sizes.get(name)
        title = "source JPEG files" if (name, result.dataset.source) == (BASELINES[2], "generated") else None
        is_best = stored_as.comparable and name in exact and name not in BASELINES and stored == smallest
        able = able_of[name]
        timed = " / ".join(str(cell.size.images) if cell else "-" for cell in (dump, load))
        mark, kind = "" if name == BASELINES[2] else stored_as.mark, "best" if is_best else None
        ratio = stored_as.over_source(name)
        times = [
            one.stats.median_ns if one and one.stats and one.valid else None for one in (load, reference)
        ]
        rows.append(
            (
                title or protocol_title(name) + (" (lossy)" if name in lossy else ""),
                _seconds(dump, best["dump"]),
                _seconds(load, best["load"]),
                Entry(f"{mark}{plain(stored)}", stored, kind=kind) if stored else None,
                Entry(plain(ratio, 2), ratio) if ratio else None,
                timed,
                over(*times),
                _peak(dump, load),
                _yes(able.safe_load if able else None),
                _yes(able.portable if able else None),
            )
        )
    note = interval_note(cell for own in cells.values() for cell in own.values())
    meaning = (
        "dump: arrays in memory to files; in the article's loop it includes reading and decoding by Pillow. "
        "load: every byte read. Source files: load is reading and decoding."
    )
    notes = [f"Page cache warm, no fsync. ~ extrapolated from fewer images. Range: {note}.", meaning]
    notes += [f"kB a file: {size_note(result)}."] if result.sizes else []
    return Table("Single process, one file per image: seconds for 1000 images", _SEED_COLUMNS, rows, notes)


def size_note(result: BenchResult) -> str:
    """Say of which images the sizes are."""
    one = result.sizes[0]
    if one.images == one.of_images:
        return f"files of all {counted(one.images, 'image')}, written once, untimed"
    return (
        f"~ files of the same {one.images:,} of {one.of_images:,} images for every protocol, spread evenly "
        "over their sizes, extrapolated by bytes of pixels"
    )


def workers_table(result: BenchResult, variant: Variant) -> Table:
    """Return one operation over workers, every protocol beside its run without a pool."""
    every = [cell for cell in result.cells if cell.layout == "shards"]
    shown = [cell for cell in every if Variant.of(cell) == variant]
    rows: list[Sequence[Value]] = []
    for protocol in dict.fromkeys(cell.protocol for cell in every):
        own = [cell for cell in shown if cell.protocol == protocol]
        own.sort(key=lambda cell: (cell.workers, cell.pool == "loky"))
        one = next((cell for cell in own if cell.pool == "loky" and cell.workers == 1), None)
        nothing = (protocol, *[None] * (len(_WORKER_COLUMNS) - 1))
        rows += [_workers_row(cell, one) for cell in own] or [nothing]
    meaning = (
        "MB/s: decoded pixels. Speed-up over one worker; inline: no pool at all. Cores busy: CPU time over "
        "wall time. Read and written: what storage saw by the kernel's count; 0 read is the page cache."
    )
    notes = [meaning]
    if variant.op in _BOUNDS:
        notes.append(f"Of ceiling: how much of {_BOUNDS[variant.op]} with as many workers.")
    if any("oversubscribed" in cell.warnings for cell in shown):
        notes.append(f"* oversubscribed: more workers than the {result.host.usable_cpus:g} usable CPUs.")
    if variant.op == "map":
        notes.append("- in a whole row: the protocol stores no raw bytes to map.")
    title = ", ".join([OP_TITLES.get(variant.op, variant.op), *variant.title.split(", ")[1:]])
    return Table(title, _WORKER_COLUMNS, rows, notes)


def _workers_row(cell: CellResult, one: CellResult | None) -> Sequence[Value]:
    mark = "*" if "oversubscribed" in cell.warnings else ""
    workers = Entry("inline", 0) if cell.pool == "none" else Entry(f"{cell.workers}{mark}", cell.workers)
    stats, bound = cell.stats, cell.bound
    if stats is None or not cell.valid:
        void = Entry("void", None, cell.problem, "bad")
        return (cell.protocol, workers, void, *[None] * (len(_WORKER_COLUMNS) - 3))
    ends = interval(cell)
    gain = one.stats.median_ns / stats.median_ns if one and one.stats else None
    span = f"{amount(1e9 / ends[1])} to {amount(1e9 / ends[0])}" if ends else None
    kept = gain / cell.workers if gain and cell.pool == "loky" else None
    of_ceiling = None
    if bound is not None:
        text = f"{of_possible(bound.fraction)} {_CEILINGS.get(bound.ceiling, bound.ceiling)}"
        of_ceiling = Entry(text, bound.fraction)
    return (
        cell.protocol,
        workers,
        Entry(None, stats.images_per_s, span),
        Entry(duration(stats.median_ns), stats.median_ns),
        stats.pixel_bytes_per_s / 1e6,
        gain,
        Entry(of_possible(kept), kept) if kept else None,
        of_ceiling,
        stats.cores_busy,
        _peak(cell),
        over(stats.read_bytes_per_image, 1000),
        over(stats.write_bytes_per_image, 1000),
    )


def interval(cell: CellResult) -> tuple[float, float] | None:
    """Return the ends of the interval of the time an image; with few rounds the fastest and the slowest."""
    stats = cell.stats
    if stats is None:
        return None
    low = stats.min_ns if stats.low_ns is None else stats.low_ns
    return low, stats.max_ns if stats.high_ns is None else stats.high_ns


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
    held = ", ".join(f"{coverage:.1%} ({rounds} rounds)" for rounds, coverage in sorted(shares.items()))
    parts = [f"two rounds that hold the median with a probability of {held}"] if held else []
    parts += ["a 95 % interval of the median by resampling"] if old else []
    parts += ["with fewer than five rounds the fastest and the slowest"] if few else []
    return "; ".join(parts) or "not known"


def _seconds(cell: CellResult | None, best: CellResult | None) -> Value:
    """Return the time for 1000 images."""
    if cell is None:
        return None
    if cell.stats is None or not cell.valid:
        return Entry("void", None, cell.problem, "bad")
    value, ends = cell.stats.median_ns * _IMAGES / 1e9, interval(cell)
    span = " to ".join(plain(end * _IMAGES / 1e9) for end in ends) if ends else None
    mark = "" if cell.size.images == _IMAGES or not known(value) else "~"
    return Entry(f"{mark}{plain(value)}", value, span, "best" if cell is best else None)


def _peak(*cells: CellResult | None) -> Value:
    """Return the highest memory in MiB."""
    peaks = [cell.memory.peak_pss_bytes for cell in cells if cell is not None and cell.memory is not None]
    most = max((peak for peak in peaks if peak is not None), default=None)
    return None if most is None else Entry(f"{most / (1 << 20):.0f}", most)


def _yes(value: bool | None) -> Value:
    return None if value is None else Entry("yes", "yes", kind="good") if value else Entry("no", "no")
