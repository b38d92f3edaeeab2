"""What runs in a worker for one region: prepare, meet the others, do the work, report."""

import gc
import mmap
import os
import re
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import psutil

from ...engine.machine.counters import Counters, read_counters
from ...engine.protocols.registry import get_serializer
from ...errors import BrineryError
from ..cells import CEILING
from ..result.cell import BASELINES
from ..result.measured import MachineUse, WorkerSample
from .corpus import load_corpus
from .machine import Watch
from .page_cache import drop, fetched, fill
from .shards import Action, Part, shard_name, single_name, write_shard, write_single
from .single_files import make_action, stage_article

_POLL_S = 0.001
_LEAD_NS = 12_000_000  # between the last arrival and the start, so that everyone has seen it
_PATIENCE_S = 300.0
_SLOT = struct.Struct("=q")
_GAVE_UP = -1
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)
_UNREADABLE = "what was stored does not load: {}: {}"


@dataclass(frozen=True, slots=True)
class Meeting:
    """A file with a slot for every worker, where each says that it is ready."""

    path: str
    workers: int

    def gather(self, worker: int) -> int:
        """Return an instant that is the same for all, a little after the last one came; until then they idle.

        BrineryError is raised where another worker gave up, or did not come.
        """
        with Path(self.path).open("r+b") as file, mmap.mmap(file.fileno(), 0) as slots:
            _SLOT.pack_into(slots, worker * _SLOT.size, time.perf_counter_ns())
            patience = time.monotonic() + _PATIENCE_S
            while True:
                times = [value for (value,) in _SLOT.iter_unpack(slots[: self.workers * _SLOT.size])]
                if _GAVE_UP in times:
                    raise BrineryError("another worker gave up before the start")
                if 0 not in times:
                    break
                if time.monotonic() > patience:
                    raise BrineryError("another worker did not come to the start")
                time.sleep(_POLL_S)
        return int(max(times)) + _LEAD_NS

    def give_up(self, worker: int) -> None:
        """Make the others stop waiting."""
        with Path(self.path).open("r+b") as file, mmap.mmap(file.fileno(), 0) as slots:
            _SLOT.pack_into(slots, worker * _SLOT.size, _GAVE_UP)

    @classmethod
    def make(cls, path: Path, workers: int) -> "Meeting":
        """Lay out an empty one."""
        path.write_bytes(bytes(workers * _SLOT.size))
        return cls(str(path), workers)


def _sleep_until(instant_ns: int) -> None:
    left = instant_ns - time.perf_counter_ns()
    if left > 0:
        time.sleep(left / 1e9)


_NOTHING = Part("", "")  # of tasks that only meet


@dataclass(frozen=True, slots=True)
class Task:
    """One worker's part of a region; small enough to travel."""

    worker: int  # its number, from 0
    meeting: Meeting | None  # where the workers meet, None for a region without a pool
    part: Part = _NOTHING  # what to do
    protocols: tuple[str, ...] = ()  # whose libraries to import (warm-up only)


@dataclass(frozen=True, slots=True)
class Report:
    """What one worker did."""

    sample: WorkerSample  # its counters
    images: int = 0  # handled
    pixel_bytes: int = 0  # of their arrays
    file_bytes: int = 0  # of the files written or read
    checked: int = 0  # arrays compared with the source
    wrong: int = 0  # how many were not the same
    problem: str | None = None  # the first of them, or why the region failed
    void: str | None = None  # why it does not count though its arrays are right
    machine: MachineUse | None = None  # what else went on, by the first worker
    import_ns: int | None = None  # what importing every library took (warm-up only)


def run_action(task: Task) -> Report:
    """Do a part of a region; whatever goes wrong is reported, so that the bench goes on."""
    try:
        action = make_action(task.part)
        gc.collect()
    except Exception as error:  # noqa: BLE001 - a protocol's own library may raise anything
        return _failed(error, task)
    cold, void = task.part.cache == "cold", None
    folder = str(Path(task.part.corpus).parent)
    gc.disable()
    try:
        if cold:
            stayed = drop(action.sources)
            if stayed is not None:
                raise BrineryError(stayed)  # noqa: TRY301 - reported like the rest
        else:
            void = fill(action.sources)
            if task.part.passes > 1:
                action.warm()
        reset_peak()
        start = task.meeting.gather(task.worker) if task.meeting is not None else 0
        watch = Watch(folder) if task.worker == 0 else None
        _sleep_until(start)
        before, cpu = read_counters(), time.process_time_ns()
        action.run()
        after, cpu_after = read_counters(), time.process_time_ns()
        machine = watch.use() if watch is not None else None
    except Exception as error:  # noqa: BLE001 - as above
        action.clean()
        return _failed(error, task)
    finally:
        gc.enable()
    spent = after - before
    action.divide_loading(spent.user_ns)
    sample = replace(
        worker_sample(before.time_ns, spent, action.phases),
        process_cpu_ns=cpu_after - cpu,
        lifetime_cpu_ns=cpu_after,
    )
    if task.part.op != CEILING:
        sample = _with_memory(sample)
    report = replace(_checked(action, sample), machine=machine)
    action.clean()
    reset_peak()
    if sample.swap_bytes and void is None:
        void = f"swapped: {sample.swap_bytes >> 10} KiB of a worker's memory lay in swap"
    return replace(report, void=void or (fetched(sample.read_bytes, report.file_bytes) if cold else None))


def _checked(action: Action, sample: WorkerSample) -> Report:
    """Compare what an action loaded or wrote, and report what it did."""
    try:
        action.check()
    except Exception as error:  # noqa: BLE001 - a protocol's own library may raise anything
        action.problems.append(_UNREADABLE.format(type(error).__name__, error))
    return Report(
        sample,
        images=action.images,
        pixel_bytes=action.pixel_bytes,
        file_bytes=action.file_bytes,
        checked=action.checked,
        wrong=len(action.problems),
        problem=next(iter(action.problems), None),
    )


def run_compare(part: Part, shard: tuple[Path, list[int]]) -> Report:
    """Load a shard, given with the numbers of its images, and compare every array with the corpus."""
    path, numbers = shard
    action = make_action(part)
    try:
        action.in_order(numbers, get_serializer(part.protocol).load_shard(path))
    except Exception as error:  # noqa: BLE001 - a protocol's own library may raise anything
        action.problems.append(_UNREADABLE.format(type(error).__name__, error))
    report = _checked(action, _nobody())
    reset_peak()
    return report


def run_prepare(task: Task) -> Report:
    """Prepare for the pieces of a part: arrays in memory, files in the page cache, one pass done."""

    def ready() -> None:
        action = make_action(task.part)
        stayed_out = fill(action.sources)
        if stayed_out is not None:
            raise BrineryError(stayed_out)
        action.turn = -1 - task.worker
        action.one_pass(0)
        action.clean()
        reset_peak()

    return _meet(task, ready)


def run_piece(part: Part) -> Report:
    """Do one pass, a task of its own; what it wrote stays for the parent to delete after the region."""
    try:
        action = make_action(part)
        before = read_counters()
        action.run()
        spent = read_counters() - before
    except Exception as error:  # noqa: BLE001 - as in run_action
        return _failed(error)
    action.divide_loading(spent.user_ns)
    return _checked(action, worker_sample(before.time_ns, spent, action.phases))


def worker_sample(begin_ns: int, spent: Counters, phases: dict[str, int]) -> WorkerSample:
    """Return a worker's part of a region by its thread's counters."""
    counters = spent._asdict()
    wall = counters.pop("time_ns")
    known = spent.cpu_ns + (spent.run_wait_ns or 0) + (spent.block_wait_ns or 0)
    return WorkerSample(
        os.getpid(), begin_ns, wall, phases_ns=phases, other_ns=max(0, wall - known), **counters
    )


def run_warm_up(task: Task) -> Report:
    """Import every library in this worker by one small use; return its process and when it started."""
    begin = time.perf_counter_ns()
    ready = begin

    def use() -> None:
        nonlocal ready
        assert task.part is not None
        zeros, corpus = np.zeros((8, 8, 3), np.uint8), task.part.corpus
        for label in task.protocols:
            serializer, array = get_serializer(label), zeros
            if serializer.abilities.keeps_source:
                images = load_corpus(corpus)
                array = images.images[0].content(serializer, images.folder)
            path = Path(task.part.scratch) / f"warm{serializer.file_suffix}"
            write_single(serializer, array, path)
            serializer.load(path)
            write_shard(serializer, ["a"], [array], path)
            list(serializer.load_shard(path))
            path.unlink()
        ready = time.perf_counter_ns()
        gc.collect()
        gc.freeze()  # what the libraries made is not looked through again before every region
        reset_peak()

    report = _meet(task, use)
    return replace(report, sample=replace(report.sample, begin_ns=begin), import_ns=ready - begin)


def run_memory(task: Task) -> Report:
    """Return how much memory this worker has used since its last report."""
    report = _meet(task, lambda: None)
    return report if report.problem else replace(report, sample=_with_memory(report.sample))


def run_stage(part: Part) -> None:
    """Write the files of a part's slices into its folder `files`, for loads to read."""
    if part.protocol in BASELINES:
        stage_article(part)
        return
    corpus, serializer, folder = load_corpus(part.corpus), get_serializer(part.protocol), Path(part.files)
    for piece in part.slices:
        numbers = piece.indices(len(corpus.images))
        images = [corpus.images[number] for number in numbers]
        if part.layout == "shards":
            keys = [image.key for image in images]
            arrays = [image.content(serializer, corpus.folder) for image in images]
            write_shard(serializer, keys, arrays, folder / shard_name(piece, serializer.file_suffix))
        else:
            for number, image in zip(numbers, images, strict=True):
                path = folder / single_name(number, serializer.file_suffix)
                write_single(serializer, image.content(serializer, corpus.folder), path)


def _meet(task: Task, do: Callable[[], None]) -> Report:
    """Do something small in every worker: each can take one task only, since it waits for the others."""
    try:
        do()
    except Exception as error:  # noqa: BLE001 - reported, as in run_action
        return _failed(error, task)
    try:
        if task.meeting is not None:
            _sleep_until(task.meeting.gather(task.worker))
    except BrineryError as error:
        return Report(_nobody(), problem=str(error))
    return Report(_nobody())


def _failed(error: Exception, task: Task | None = None) -> Report:
    if task is not None and task.meeting is not None:
        task.meeting.give_up(task.worker)
    return Report(_nobody(), problem=f"{type(error).__name__}: {error}")


def _nobody() -> WorkerSample:
    """Return the counters of a worker that timed nothing."""
    return WorkerSample(os.getpid(), 0, 0, 0, 0, 0, 0, None, None, {})


def reset_peak() -> bool:
    """Set this process's peak of resident memory to what it has now (proc(5), clear_refs)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        return True
    return False


def _with_memory(sample: WorkerSample) -> WorkerSample:
    """Add this process's memory; its peak only where the kernel allows to reset it, which is tried again."""
    try:
        peak = _PEAK.search(Path("/proc/self/status").read_text(encoding="utf-8"))
        memory = psutil.Process().memory_full_info()
    except (OSError, psutil.Error):
        return sample
    return replace(
        sample,
        peak_rss_bytes=int(peak[1]) * 1024 if reset_peak() and peak else None,
        rss_bytes=memory.rss,
        pss_bytes=getattr(memory, "pss", None),
        swap_bytes=getattr(memory, "swap", None),
    )
