"""Results made by hand, plain and hostile, and the parts of a page that tests look at."""

import math
import re
import sqlite3
from dataclasses import replace
from html.parser import HTMLParser

from brinery.benchmark.analysis.conclude import conclude
from brinery.benchmark.result.findings import SentinelSample
from brinery.benchmark.result.result import Host, SamplerInfo
from brinery.engine.convert import convert

from ..benchmark.made import pooled, result, single
from ..images import images, jpeg, make_folder

MARKUP = "<script>alert('x')</script>&\"'\u202e"
SPEED = {"npy": 20.0, "hickle": 60.0, "json": 2000.0}  # ms for the images of a region, one worker


def bench(protocols=SPEED, cores=(1, 2, 4), rounds=5, usable=2.0, ops=("dump", "load"), seconds=12):
    """A whole result: three protocols over workers, the seed's table, a sentinel and a timeline."""
    cells = []
    for protocol, ms in protocols.items():
        for op in ops:
            if op in ("dump", "load"):
                cells.append((single(protocol, op), _rounds(ms * 2, rounds)))
            cells += [
                (pooled(protocol, op, workers), _rounds(ms / min(workers, usable), rounds))
                for workers in cores
            ]
    made = result(cells, ops=ops, usable=usable)
    sentinel = tuple(
        SentinelSample(
            "scaling",
            number,
            place,
            name,
            round(1e9 * (2 * number + shift + 1)),
            80_000_000 + 400_000 * number,
        )
        for number in range(rounds)
        for place, shift in (("open", 0), ("close", 1))
        for name in ("a", "b")
    )
    noise = replace(made.noise, sentinel=sentinel, floor=0.02)
    return conclude(replace(made, noise=noise, sampler=timeline(seconds), ceilings=()))


def _rounds(ms, rounds):
    return [ms * (1 + 0.002 * (number % 3)) for number in range(rounds)]


def timeline(seconds=12):
    """A parent at a tenth of a CPU, and two workers that follow one another."""
    columns = (
        "t_ns",
        "pid",
        "role",
        "cpu_user_ns",
        "cpu_system_ns",
        "rss_bytes",
        "pss_bytes",
        "read_bytes",
        "write_bytes",
    )
    rows = []
    for second in range(seconds):
        t = second * 1_000_000_000
        rows.append((t, 1, "parent", t // 10, 0, 100 << 20, 60 << 20, 0, second << 20))
        pid, since = (2, 0) if second < seconds // 2 else (3, seconds // 2)
        rows.append((t, pid, "worker", (second - since) * 900_000_000, 0, 50 << 20, None, 0, second << 22))
    return SamplerInfo(seconds * 10**9, 10**7, 150 << 20, None, columns, tuple(rows), begin_ns=0)


def hostile():
    """Names with markup, NaN, nulls, a voided cell, 64 workers, and nothing that a report could rely on."""
    made = bench({MARKUP: 20.0, "npy": 30.0}, cores=(1, 64), rounds=2)
    cells = list(made.cells)
    bad = math.nan
    cells[0] = replace(cells[0], valid=False, problem=MARKUP, stats=None, split=None)
    cells[1] = replace(
        cells[1], valid=False, problem=MARKUP, stats=None, memory=None, warnings=("wrong-arrays", MARKUP)
    )
    cells[2] = replace(cells[2], stats=replace(cells[2].stats, images_per_s=math.inf, cores_busy=bad))
    cells[3] = replace(cells[3], stats=replace(cells[3].stats, images_per_s=bad))
    return replace(
        made,
        host=Host(None, MARKUP, None, 2.0, 0, "", None),
        warnings=(MARKUP,),
        cells=tuple(cells),
        run=replace(made.run, argv=("brinery", MARKUP), finished=False),
        dataset=replace(made.dataset, source=MARKUP, shapes={MARKUP: 1}),
        sampler=replace(timeline(), rows=((None,) * 9, *timeline().rows)),
    )


def dataset(folder, failures=0, **options):
    """A converted folder of twenty images, some of whose neighbours are broken."""
    files = images(20)
    for number in range(failures):
        files[f"bad/{number:03}{'<b>&' if number % 2 else ''}.jpg"] = jpeg(number)[: 400 + number]
    make_folder(folder / "photos", files)
    settings = {"protocol": "npy", "workers": 1, "backend": "threading", "fsync": False} | options
    convert(folder / "photos", folder / "out", **settings)
    return folder / "out"


def poison(manifest, statement, *values):
    """Change a manifest behind brinery's back."""
    with sqlite3.connect(manifest) as connection:
        connection.execute(statement, values)


class Elements(HTMLParser):
    """The elements of a page, their attributes and the text between them."""

    def __init__(self, html):
        super().__init__()
        self.found, self.open, self.texts = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.texts.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.texts))

    def all(self, tag):
        return [attributes for name, attributes in self.found if name == tag]
