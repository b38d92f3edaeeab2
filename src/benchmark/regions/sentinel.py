"""The sentinel: the same small work from the first round to the last, to see what the machine itself does.

It opens and closes every round in a worker process, under two names and once without the sampler. Its trend
is the drift, what the two names differ by is the noise floor, and with and without the sampler tells what the
sampler costs.
"""

import random
from contextlib import nullcontext
from dataclasses import replace
from typing import get_args

from ...engine.machine.sampler import Sampler
from ...engine.workers import pool
from ...errors import WorkerError
from ..cells import CHUNK_BYTES, Slice
from ..result.findings import Place, SentinelName, SentinelSample
from ..result.measured import WorkerSample
from ..worker.shards import Part
from ..worker.tasks import Task, run_action, run_stage
from .session import Session

_PROTOCOL = "npy"  # stores every array, and loads by reading and copying
_REGION_NS = 80_000_000
_QUICK_NS = 40_000_000
_NAMES: tuple[SentinelName, ...] = get_args(SentinelName)
_OVERHEAD_NS = 40_000_000
_PER_NS = 2.0  # bytes that are loaded, roughly
_IMAGE_BYTES = 20_000  # what else an image costs, in bytes of the same time


class Sentinel:
    """Loads one shard of npy arrays again and again."""

    def __init__(self, session: Session, sampler: Sampler) -> None:
        self._session = session
        self._sampler = sampler
        self._region_ns = _QUICK_NS if session.options.quick else _REGION_NS
        self._part = Part(_PROTOCOL, "load", corpus=session.corpus.index)
        self.samples: list[SentinelSample] = []  # every run, in order of time
        # how long a visit is expected to take
        self.visit_ns = len(_NAMES) * float(self._region_ns + _OVERHEAD_NS)

    def stage(self) -> None:
        """Write its shard. How often it is loaded depends on the images alone: other runs do the same."""
        session, corpus = self._session, self._session.corpus
        count = max(1, min(len(corpus.images), int(CHUNK_BYTES // max(corpus.pixel_bytes, 1))))
        each = count * (corpus.pixel_bytes + _IMAGE_BYTES)
        passes = max(1, round(self._region_ns * _PER_NS / each))
        folder = str(session.scratch.folder("sentinel"))
        self._part = replace(self._part, slices=(Slice(0, count),), passes=passes, files=folder)
        run_stage(self._part)

    def visit(self, part: str, number: int, place: Place, workers: int) -> None:
        """Run it under each name, in random order, in one worker of the pool that is there.

        One of two versions in turns runs it once a round: the noise floor is then what both differ by.
        """
        order = list(_NAMES)
        if self._session.options.one_of_two:
            order = order[:1] if place == "open" else []
        random.Random(f"{self._session.options.seed}/{part}/{number}/{place}").shuffle(order)  # noqa: S311
        for name in order:
            with self._sampler.paused() if name == "unsampled" else nullcontext():
                sample = self._run(workers)
            if sample is not None:
                found = SentinelSample(part, number, place, name, sample.begin_ns, sample.wall_ns)
                self.samples.append(found)

    def _run(self, workers: int) -> WorkerSample | None:
        try:
            (report,) = pool.run(run_action, [Task(0, None, self._part)], workers=workers)
        except WorkerError:
            return None
        return report.sample if report.problem is None and report.void is None else None
