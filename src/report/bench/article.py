"""The seed's table: one process, one file an image, honest about what was extrapolated."""

from ...benchmark.result.result import BenchResult, CellResult
from ...benchmark.result.variant import BASELINES, protocol_title
from ...benchmark.text.tables import interval_note
from ...engine.protocols.registry import known_protocols
from ..html.numbers import DASH, known, plain
from ..html.tables import Cell, Column, DataTable, Value
from .variants import interval

__all__ = ["seed_caption", "seed_table"]

_IMAGES = 1000
_REFERENCE = "pickle-5"


def seed_table(result: BenchResult) -> DataTable | None:
    """Return the table; None where nothing was measured in one process with one file an image."""
    cells = _cells(result)
    if not cells:
        return None
    abilities = {one.name: one.abilities for one in known_protocols()}
    order = [name for name in cells if name in BASELINES[:2]]
    order += [name for name in cells if name not in BASELINES] + [
        name for name in cells if name in BASELINES[2:]
    ]
    best = {op: _best(cells, op) for op in ("dump", "load")}
    smallest = min(
        (size for name, one in cells.items() if name not in BASELINES and (size := _size(one)) is not None),
        default=None,
    )
    reference = cells.get(_REFERENCE, {}).get("load")
    rows = []
    for name in order:
        dump, load = cells[name].get("dump"), cells[name].get("load")
        stored = _size(cells[name])
        able = abilities.get(name.partition("+")[0]) if name not in BASELINES else None
        rows.append(
            (
                protocol_title(name),
                _time(dump, best["dump"]),
                _time(load, best["load"]),
                Cell(
                    plain(stored),
                    stored,
                    kind="best" if stored == smallest and name not in BASELINES else None,
                )
                if stored
                else None,
                _ratio(load, reference),
                _peak(dump, load),
                _yes(None if able is None else able.safe_load),
                _yes(None if able is None else able.portable),
            )
        )
    columns = (
        Column("protocol", numeric=False),
        Column("dump, s", hint="seconds to dump 1000 images into a file each"),
        Column("load, s", hint="seconds to load 1000 files and read every byte"),
        Column("kB a file", hint="mean, in units of 1000 bytes"),
        Column(f"\N{MULTIPLICATION SIGN} {_REFERENCE}", hint=f"seconds to load over those of {_REFERENCE}"),
        Column("peak MiB", hint="memory of the process at its peak, by the larger of dump and load"),
        Column("safe", numeric=False, hint="its own loader runs no code from the file"),
        Column("elsewhere", numeric=False, hint="readable outside Python"),
    )
    notes = (
        (
            f"Seconds for {_IMAGES} images, page cache warm, no fsync. ~ extrapolated from fewer images. In "
            f"small type: {interval_note(cell for own in cells.values() for cell in own.values())}."
        ),
        (
            "The article's loop reads and decodes the image in its dump, by Pillow. Source files: loading "
            "is reading and decoding."
        ),
    )
    return DataTable("Seconds for 1000 images: one process, one file an image", columns, tuple(rows), notes)


def seed_caption(result: BenchResult) -> str:
    """Say what there is to see in the table."""
    cells = {name: own for name, own in _cells(result).items() if name not in BASELINES}
    dump, load = _best(cells, "dump"), _best(cells, "load")
    parts = []
    if load is not None and load.stats is not None:
        parts.append(
            f"{load.protocol} loads fastest, {plain(load.stats.median_ns / 1e6)} s for {_IMAGES} images"
        )
    if dump is not None and dump.stats is not None:
        parts.append(f"{dump.protocol} dumps fastest, {plain(dump.stats.median_ns / 1e6)} s")
    return f"{'; '.join(parts)}. One process, as a simple script would do it." if parts else ""


def _cells(result: BenchResult) -> dict[str, dict[str, CellResult]]:
    found: dict[str, dict[str, CellResult]] = {}
    for cell in result.cells:
        if cell.layout == "single":
            found.setdefault(cell.protocol, {})[cell.op] = cell
    return found


def _size(own: dict[str, CellResult]) -> float | None:
    sizes = [cell.size.file_bytes_per_image for op in ("load", "dump") if (cell := own.get(op)) is not None]
    return next((size / 1000 for size in sizes if size is not None and known(size)), None)


def _best(cells: dict[str, dict[str, CellResult]], op: str) -> CellResult | None:
    found = [own[op] for name, own in cells.items() if name not in BASELINES and op in own]
    counting = [cell for cell in found if cell.valid and cell.stats and known(cell.stats.median_ns)]
    return min(counting, key=lambda cell: cell.stats.median_ns if cell.stats else 0.0, default=None)


def _time(cell: CellResult | None, best: CellResult | None) -> Value:
    if cell is None:
        return None
    if cell.stats is None or not cell.valid:
        return Cell("void", None, cell.problem, "bad")
    value = cell.stats.median_ns * _IMAGES / 1e9
    found = interval(cell)
    span = f"{plain(found[0] * _IMAGES / 1e9)} to {plain(found[1] * _IMAGES / 1e9)}" if found else None
    mark = "" if cell.size.images == _IMAGES or not known(value) else "~"
    return Cell(f"{mark}{plain(value)}", value, span, "best" if cell is best else None)


def _ratio(load: CellResult | None, reference: CellResult | None) -> Value:
    if (
        load is None
        or reference is None
        or load.stats is None
        or reference.stats is None
        or not (load.valid and reference.valid)
    ):
        return None
    if not reference.stats.median_ns:
        return None
    value = load.stats.median_ns / reference.stats.median_ns
    return Cell(plain(value), value)


def _peak(*cells: CellResult | None) -> Value:
    peaks = [cell.memory.peak_pss_bytes for cell in cells if cell is not None and cell.memory is not None]
    found = [peak for peak in peaks if peak is not None]
    return Cell(f"{max(found) / (1 << 20):.0f}", max(found)) if found else None


def _yes(value: bool | None) -> Value:
    if value is None:
        return Cell(DASH)
    return Cell("yes", "yes", kind="good") if value else Cell("no", "no")
