"""A small result made by hand."""

from brinery.benchmark.analysis.summary import cell_results
from brinery.benchmark.ledger import Ledger
from brinery.benchmark.result.cell import Cell
from brinery.benchmark.result.measured import Sample, WorkerSample
from brinery.benchmark.result.result import (
    BenchResult,
    CorpusInfo,
    Host,
    Noise,
    Run,
    SamplerInfo,
    Settings,
    Software,
    Storage,
    Timer,
)


def sample(cell, round_number, ms, images=100, **changes):
    """A region whose workers all take so many ms and are on the CPU throughout."""
    wall = round(ms * 1e6)
    workers = tuple(
        WorkerSample(1000 + number, 0, wall, wall, 0, 1, 1, 0, 231_000 * images, {"encode": wall})
        for number in range(cell.workers)
    )
    values = {
        "round": round_number,
        "order": 0,
        "valid": True,
        "problem": None,
        "images": images,
        "passes": 1,
        "pixel_bytes": 230_400 * images,
        "file_bytes": 231_000 * images,
        "wall_ns": wall,
        "skew_ns": 0,
        "tail_ns": 0,
        "parent_wall_ns": None,
        "parent_cpu_ns": None,
        "peak_pss_bytes": 100 << 20,
        "workers": workers,
    }
    return Sample(**values | changes)


def result(cells, ops=("dump", "load", "map"), usable=2.0):
    """A result of cells, given as pairs of Cell and the ms of its rounds."""
    ledger = Ledger()
    for cell, times in cells:
        ledger.expect(cell, 100)
        for number, ms in enumerate(times):
            ledger.add(cell, sample(cell, number, ms), 100, 0)
    return BenchResult(
        run=Run(("brinery", "bench"), "scaling", 5, False, "0.1.0", None, "2026-01-01T00:00:00+00:00", 12.0,
                True, 5, {"seed": 5, "scaling": 5}),
        host=Host("A CPU", "x86_64", 2, usable, 8 << 30, "Linux 6", None),
        storage=Storage("/data", "ext4", "/dev/vda", 1 << 40),
        software=Software("CPython 3.11.0", {"numpy": "2.0.0"}),
        timer=Timer("perf_counter_ns", 1),
        dataset=CorpusInfo("generated", "0" * 16, 1000, 0, False, 24_000_000, 230_400_000,
                           {"240x320x3 uint8": 1000}),
        settings=Settings((1, 2, 4), ("npy", "json"), ops, None, 240.0, 1000, 150_000_000,
                          "warm", "none", "PSS"),
        noise=Noise(0.1, 0.2, 0.01),
        sampler=SamplerInfo(1000, 1, 1, 1, ("t_ns",), ((1,),)),
        warnings=(),
        cells=cell_results(ledger, usable),
    )  # fmt: skip


def pooled(protocol, op, workers):
    return Cell(protocol, op, workers, "shards", "loky")


def single(protocol, op):
    return Cell(protocol, op, 1, "single", "none")
