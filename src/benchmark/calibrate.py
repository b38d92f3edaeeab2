"""What an image costs, roughly: a few images of each protocol, so that the plan can size the regions."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import msgspec

from ..engine.protocols.registry import get_serializer
from .cells import Cost, Slice
from .result.cell import BASELINES
from .worker.corpus import Corpus, digest
from .worker.shards import Part, shard_name, single_name, write_shard, write_single
from .worker.single_files import make_action
from .worker.tasks import run_stage

_LONG_ENOUGH_NS = 15_000_000
_LONG_ENOUGH_SHARD_NS = 60_000_000  # to open and close a shard may take several ms
_MOST_IMAGES = 32


@dataclass(frozen=True, slots=True)
class Costs:
    """What was found."""

    protocols: dict[str, Cost]  # by label
    baselines: dict[str, Cost]  # by name; the article's loops, and reading and decoding for the source files
    failed: dict[str, str]  # why a protocol cannot be measured on these images, by label

    @property
    def decode_ns(self) -> float:
        """Reading and decoding one image."""
        return self.baselines[BASELINES[2]].load_single


def calibrate(corpus: Corpus, protocols: Iterable[str], scratch: Path) -> Costs:
    """Time a few images of everything, in this process."""
    found, failed = dict[str, Cost](), dict[str, str]()
    for label in protocols:
        try:
            found[label] = _protocol(corpus, label, scratch)
        except Exception as error:  # noqa: BLE001 - a protocol's own library may raise anything
            failed[label] = f"{type(error).__name__}: {error}"
    return Costs(found, {name: _baseline(corpus, name, scratch) for name in BASELINES}, failed)


def share_costs(costs: Costs, path: Path) -> Costs:
    """Return the costs that the file holds in place of these; write the file first if it is missing.

    Two versions in turns do the same work so, whatever their calibrations found.
    """
    if not path.exists():
        path.write_bytes(msgspec.json.encode(costs))
        return costs
    known = msgspec.json.decode(path.read_bytes(), type=Costs)
    protocols = {name: known.protocols.get(name, own) for name, own in costs.protocols.items()}
    return Costs(protocols, costs.baselines | known.baselines, costs.failed)


def _protocol(corpus: Corpus, label: str, scratch: Path) -> Cost:
    serializer = get_serializer(label)
    suffix = serializer.file_suffix
    images = corpus.images[:_MOST_IMAGES]
    arrays = [image.content(serializer, corpus.folder) for image in images]
    keys = [image.key for image in images]
    shard = scratch / shard_name(Slice(0, len(images)), suffix)

    def dump_single(number: int) -> None:
        write_single(serializer, arrays[number], scratch / single_name(number, suffix))

    def dump(count: int) -> None:
        write_shard(serializer, keys[:count], arrays[:count], shard)

    def load(_: int) -> None:
        for _key, array in serializer.load_shard(shard):
            digest(array)

    single, count = _each(dump_single, len(images))
    loaded, _ = _each(lambda number: digest(serializer.load(scratch / single_name(number, suffix))), count)
    dumped, count = _whole(dump, len(images))
    load(0)
    read = min(_time(load, 0) for _ in range(2)) / count
    for path in scratch.iterdir():
        path.unlink()
    return Cost(single, loaded, dumped, read)


def _baseline(corpus: Corpus, name: str, scratch: Path) -> Cost:
    count, folder, dumped = min(8, len(corpus.images)), str(scratch), 1.0
    loads = Part(name, "load", "single", (Slice(0, count),), 1, corpus.index, folder, folder)
    if name != BASELINES[2]:
        dumps = replace(loads, op="dump")
        make_action(dumps).run()
        dump = make_action(dumps)
        dumped = _time(lambda _: dump.run(), 0) / count
        run_stage(loads)
    load = make_action(loads)
    loaded = _time(lambda _: load.run(), 0) / count
    for path in scratch.iterdir():
        path.unlink()
    return Cost(dumped, loaded, dumped, loaded)


def _time(do: Callable[[int], object], argument: int) -> float:
    begin = time.perf_counter_ns()
    do(argument)
    return float(max(1, time.perf_counter_ns() - begin))


def _each(do: Callable[[int], object], most: int) -> tuple[float, int]:
    """Return the time of one of several alike, the first left out where it can be, and how many were done."""
    times = [_time(do, 0)]
    while len(times) < most and sum(times[1:]) < _LONG_ENOUGH_NS and times[0] < 10 * _LONG_ENOUGH_NS:
        times.append(_time(do, len(times)))
    return fmean(times[1:] or times), len(times)


def _whole(do: Callable[[int], object], most: int) -> tuple[float, int]:
    """Return the time an image of doing more and more at once, and how many the last were.

    The first time ever is left out, and what takes long is done again: neither an import nor a pause of the
    machine may pass for what an image costs.
    """
    do(1)
    count = 1
    while True:
        spent = _time(do, count)
        if spent >= _LONG_ENOUGH_SHARD_NS:
            spent = min(spent, _time(do, count))
        if count >= most or spent >= _LONG_ENOUGH_SHARD_NS:
            return spent / count, count
        count = min(most, 2 * count)
