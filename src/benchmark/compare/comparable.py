"""What two results must have in common before their times may be compared.

Host: CPU model, architecture, usable CPUs, kernel to its minor version, memory to 5 %; the file system of the
scratch files. Software: Python and the libraries within the timed regions. Dataset: its checksum and encoded
bytes. Method: clock and length of a region; cache and durability are part of a cell's identity. Not among
them, since they are what a comparison is about or what its statistics bear: brinery's version and commit,
rounds reached, load, clock speeds, paths, which cells were asked for.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ...engine.protocols.registry import libraries_of
from ..result.result import BenchResult

_LIBRARIES = ("h5py", "hickle", "joblib", "numpy", "pillow", "simplejpeg", "xxhash")
_MEMORY_SHARE = 1.05  # kernels of one machine report memory that differs by less
_UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Difference:
    """An item in which two results differ, and what it is in each."""

    item: str
    a: str
    b: str


def differences(a: BenchResult, b: BenchResult, *, software: bool = True) -> tuple[Difference, ...]:
    """Return what keeps two results from being compared; versions do not where they are what is compared."""
    found = [*_host(a, b), *_dataset(a, b), *_method(a, b)]
    if software:
        found += _software(a, b)
    return tuple(Difference(item, one, other) for item, one, other in found if one != other)


def _host(a: BenchResult, b: BenchResult) -> Iterator[tuple[str, str, str]]:
    yield "CPU", a.host.cpu or _UNKNOWN, b.host.cpu or _UNKNOWN
    yield "architecture", a.host.architecture, b.host.architecture
    yield "usable CPUs", f"{a.host.usable_cpus:g}", f"{b.host.usable_cpus:g}"
    yield "kernel", _minor(a.host.kernel), _minor(b.host.kernel)
    less, more = sorted((a.host.memory_bytes, b.host.memory_bytes))
    if more > less * _MEMORY_SHARE:
        one, other = (f"{result.host.memory_bytes / (1 << 30):.1f} GiB" for result in (a, b))
        yield "memory", one, other
    yield "file system", a.storage.filesystem or _UNKNOWN, b.storage.filesystem or _UNKNOWN


def _software(a: BenchResult, b: BenchResult) -> Iterator[tuple[str, str, str]]:
    yield "Python", a.software.python, b.software.python
    used = {name for result in (a, b) for cell in result.cells for name in libraries_of(cell.protocol)}
    for name in (*_LIBRARIES, *sorted(used.difference(_LIBRARIES))):
        one, other = (result.software.libraries.get(name, "not installed") for result in (a, b))
        yield name, one, other


def _dataset(a: BenchResult, b: BenchResult) -> Iterator[tuple[str, str, str]]:
    if (a.dataset.xxh3, a.dataset.images) != (b.dataset.xxh3, b.dataset.images):
        one, other = (f"{data.images} images with xxh3 {data.xxh3}" for data in (a.dataset, b.dataset))
        yield "dataset", one, other
    yield "encoded bytes of the dataset", str(a.dataset.source_bytes), str(b.dataset.source_bytes)


def _method(a: BenchResult, b: BenchResult) -> Iterator[tuple[str, str, str]]:
    yield "clock", a.timer.name, b.timer.name
    yield "region", f"{a.settings.region_ns / 1e6:g} ms", f"{b.settings.region_ns / 1e6:g} ms"


def _minor(kernel: str) -> str:
    """Return "Linux 6.18" of "Linux 6.18.5-generic"."""
    match = re.match(r"\S+ \d+(\.\d+)?", kernel)
    return match[0] if match else kernel
