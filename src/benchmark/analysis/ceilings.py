"""What a cell's samples and the ceilings say together: its bound, and the facts of its verdict. Pure."""

from collections.abc import Iterable

from ..result.findings import Ceiling
from ..result.measured import Bound, CellResult, Sample, foreign_share, share_of_time
from ..result.stats import median, over
from .bottleneck import Facts
from .warnings import steal_share

_COPY = 2  # a copy reads and writes, so it moves twice its bytes


class Ceilings:
    """The ceilings of a run, by name and number of workers."""

    def __init__(self, found: Iterable[Ceiling]) -> None:
        self._found = {(one.name, one.workers): one for one in found if one.valid}

    def per_s(self, name: str, workers: int) -> float | None:
        """Return what that many workers did in a second; None where it was not measured."""
        one = self._found.get((name, workers))
        return one.per_s if one else None

    def gain(self, name: str, workers: int) -> float | None:
        """Return the throughput over that of one worker."""
        return over(self.per_s(name, workers), self.per_s(name, 1))

    def cost_growth(self, name: str, workers: int) -> float | None:
        """Return the CPU time of a unit over that with one worker."""
        many, one = (self._found.get((name, count)) for count in (workers, 1))
        return over(many.cpu_ns_per_unit, one.cpu_ns_per_unit) if many and one else None


def bound_of(cell: CellResult, ceilings: Ceilings) -> Bound | None:
    """Return the ceiling nearest to a cell; None where none was measured with as many workers.

    convert: the time an image of decoding alone and of writing its bytes raw, over its own time. dump: the
    larger of bytes written over raw writes (with one file an image, over those of such files) and of files
    made over those that can be. load: the larger of bytes read over raw reads and of bytes moved in memory
    over memcpy. map: bytes touched over memcpy. A copy moves its bytes twice, also out of or into the page
    cache; touching moves them once, or not at all where they have just been copied.
    """
    stats, workers = cell.stats, cell.workers
    if stats is None:
        return None
    pixels, files = cell.size.pixel_bytes_per_image, cell.size.file_bytes_per_image or 0.0
    shares: list[tuple[str, float | None]] = []
    name = "raw-files" if cell.op == "dump" and cell.layout == "single" else _device(cell)
    device = name, over(files * stats.images_per_s, ceilings.per_s(name, workers))
    if cell.op == "convert":
        decoded, written = ceilings.per_s("decode", workers), ceilings.per_s("raw-write", workers)
        if decoded and written:
            shares.append(("decode + raw-write", (1 / decoded + files / written) * stats.images_per_s))
    elif cell.op == "dump":
        shares += [device, ("create", over(_files_per_s(cell), ceilings.per_s("create", workers)))]
    elif cell.op == "map":
        shares.append(("memcpy", _moved(pixels, stats.images_per_s, ceilings, workers)))
    elif cell.op == "load":
        shares += [device, ("memcpy", _moved(_COPY * files, stats.images_per_s, ceilings, workers))]
    known = [(name, share) for name, share in shares if share is not None]
    return Bound(*max(known, key=lambda one: one[1])) if known else None


def _device(cell: CellResult) -> str:
    """Return the ceiling of what a cell writes or reads."""
    if cell.durability == "fsync":
        return "raw-write-fsync"
    if cell.cache == "cold":
        return "raw-read-cold"
    return "raw-write" if cell.op in ("convert", "dump") else "raw-read"


def facts_of(cell: CellResult, one: CellResult | None, ceilings: Ceilings, usable: float) -> Facts | None:
    """Return what is known about a cell of worker processes; None where it has no valid sample.

    `one` is the same with one worker, where it was measured, and `usable` the CPUs that the process may use.
    """
    split, stats, workers = cell.split, cell.stats, cell.workers
    good = cell.counting
    if split is None or stats is None or not good:
        return None
    uses = [sample.machine for sample in good if sample.machine is not None]
    written = cell.op in ("convert", "dump")
    files = cell.size.file_bytes_per_image or 0.0
    moved = cell.size.pixel_bytes_per_image if cell.op == "map" else _COPY * files
    parents = [sample.parent_cpu_ns / sample.wall_ns for sample in good if sample.parent_cpu_ns is not None]
    foreign = [share for sample in good if (share := foreign_share(sample)) is not None]
    alone = one if one is not None and one.stats is not None and workers > 1 else None
    return Facts(
        workers=workers,
        user=split.user,
        system=split.system,
        run_wait=split.run_wait,
        block_wait=split.block_wait,
        other=split.other,
        switches_per_s=median([_switches_per_s(sample) for sample in good]),
        storage_bytes_per_s=_storage_rate(cell),
        gain=over(stats.images_per_s, alone.stats.images_per_s if alone and alone.stats else None),
        spin_gain=ceilings.gain("spin", workers),
        cpu_growth=over(_cpu_ns(cell), _cpu_ns(alone)),
        spin_growth=ceilings.cost_growth("spin", workers),
        memcpy_share=_moved(moved, stats.images_per_s, ceilings, workers),
        disk_share=over(files * stats.images_per_s, ceilings.per_s(_device(cell), workers)),
        create_share=over(_files_per_s(cell), ceilings.per_s("create", workers)) if written else 0.0,
        parent_busy=median(parents) if parents else None,
        steal=steal_share(uses, usable),
        throttled=share_of_time(uses, "throttled_ns"),
        io_pressure=share_of_time(uses, "io_stalled_ns"),
        device_busy=share_of_time(uses, "device_busy_ns"),
        usable=usable,
        foreign=median(foreign) if foreign else None,
    )


def _moved(bytes_per_image: float, images_per_s: float, ceilings: Ceilings, workers: int) -> float | None:
    """Return bytes moved in memory over what copying moves."""
    copied = ceilings.per_s("memcpy", workers)
    return over(bytes_per_image * images_per_s, copied * _COPY if copied else None)


def _cpu_ns(cell: CellResult | None) -> float | None:
    """Return the workers' CPU time an image."""
    counting = cell.counting if cell is not None else []
    costs = [sum(worker.cpu_ns for worker in sample.workers) / sample.images for sample in counting]
    return median(costs) if costs else None


def _switches_per_s(sample: Sample) -> float:
    switches = sum(worker.switches_voluntary for worker in sample.workers) * 1e9
    return over(switches, sum(worker.wall_ns for worker in sample.workers)) or 0.0


def _storage_rate(cell: CellResult) -> float | None:
    stats = cell.stats
    if stats is None or stats.read_bytes_per_image is None or stats.write_bytes_per_image is None:
        return None
    return (stats.read_bytes_per_image + stats.write_bytes_per_image) * stats.images_per_s


def _files_per_s(cell: CellResult) -> float | None:
    """Return the files made a second: one a pass of a worker, one a unit of a convert, or one an image."""
    if cell.stats is None:
        return None
    return cell.stats.images_per_s / (1 if cell.layout == "single" else max(1, cell.size.images))
