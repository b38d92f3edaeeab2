"""Structures changed field by field: an array of the right kind or a CorruptError, soon and in bounds."""

import io
import os
import random
import time
import tracemalloc

import numpy as np
import pytest

from brinery.engine.protocols.base import Placement, Spec
from brinery.engine.protocols.registry import get_serializer, known_protocols
from brinery.engine.protocols.testing import content, make_array
from brinery.errors import CorruptError

from .apart import peak, run_apart
from .fields import LARGE, Recorded, damaged, map_of

# 100,000 in all, most of them where most is followed.
SOAK = {"hdf5": 8000, "hickle": 8000, "npz": 3000}
OTHERS = 1000
TAKEN = 160  # of each label of these otherwise, 40 of the others
SECONDS = 10
ROOM = 32 << 20  # bytes besides twice the file and the array: what a compression could give
LIBRARIES = 64 << 20
LABELS = {
    protocol.name: [protocol.name, *(f"{protocol.name}+{one}" for one in protocol.abilities.compressions)]
    for protocol in known_protocols()
}


def arrays(abilities):
    """Enough of one kind for a tree of two levels, and other kinds enough for another."""
    ragged, images = abilities.ragged, abilities.keeps_source
    alike = [make_array((3, 4, 3), seed=seed) for seed in range(70)]
    wide = [make_array((2, width), "u2") for width in range(1, 140)]
    others = [] if images else [make_array((5, 7), dtype) for dtype in ("f4", "?", "c8")]
    return [*alike, *wide, *others] if ragged else alike


class Target:
    """A sound file of a protocol, and some of its samples."""

    def __init__(self, label, *, single):
        self.serializer = get_serializer(label)
        self._reader = self.serializer.single_reader if single else self.serializer.shard_reader
        file = io.BytesIO()
        if single:
            samples = arrays(self.serializer.abilities)[:1]
            places = [self.serializer.dump(content(self.serializer, samples[0]), file)]
        else:
            samples = arrays(self.serializer.abilities)
            writer = self.serializer.writer(file)
            for number, array in enumerate(samples):
                writer.add(f"photos/{number}.png", content(self.serializer, array))
            places = writer.finish()
        self.sound = file.getvalue()
        specs = [Spec(array.dtype, array.shape) for array in samples]
        kept = sorted({0, 1, len(samples) // 2, len(samples) - 1})
        self.samples = [(places[index], specs[index]) for index in kept if index < len(samples)]
        recorded = Recorded(io.BytesIO(self.sound))
        with self._reader(recorded) as reader:
            for (place, spec), index in zip(self.samples, kept, strict=False):
                found = reader.read(place, spec).tobytes()
                assert self.serializer.lossy or found == samples[index].tobytes()
        self.map = map_of(self.sound, recorded.ranges)

    def attempts(self, name):
        """Yield damaged files, each with the samples to be read from it."""
        chance = random.Random(f"{name} attempt")
        codec = getattr(self.serializer, "codec", None)
        if codec is not None and chance.random() < 0.5:
            place, spec = chance.choice(self.samples)
            record = codec.expand(self.sound[place.start : place.start + place.length], 1 << 20)
            frame = codec.compress(bytes(damaged(record, map_of(record, [(0, len(record))]), name)))
            yield frame, [(Placement(0, len(frame), None), spec)]
            return
        data = damaged(self.sound, self.map, name)
        moved = len(data) - len(self.sound)
        wanted = list(self.samples)
        if moved:
            wanted += [(place._replace(length=place.length + moved), spec) for place, spec in self.samples]
        if chance.random() < 0.1:  # a manifest can say anything
            wanted = [(altered(place, chance), spec) for place, spec in wanted]
        elif chance.random() < 0.2:
            wanted = [(place, another(spec, chance)) for place, spec in wanted]
        yield bytes(data), wanted

    def read(self, data, wanted):
        """Read samples of a file in one go; return how many came."""
        came = 0
        with self._reader(io.BytesIO(data)) as reader:
            for place, spec in wanted:
                try:
                    array = reader.read(place, spec)
                except CorruptError:
                    continue
                assert type(array) is np.ndarray
                assert (array.dtype, array.shape) == (spec.dtype, spec.shape)
                array.tobytes()
                came += 1
        return came


def altered(place, chance):
    name = chance.choice(["start", "length"])
    return place._replace(**{name: chance.choice([*LARGE[:-3], getattr(place, name) + 1])})


def another(spec, chance):
    """What a manifest could say in its place: see the catalog's own bounds."""
    shape = [chance.choice([length, chance.choice(LARGE) % 2**48]) for length in spec.shape]
    shape += [1] * chance.choice([0, 0, 1, 28])
    return Spec(np.dtype(chance.choice([spec.dtype.str, "u1", "f8", "c16", "?"])), tuple(shape))


def damage(step, labels, count):
    """Read damaged files of these protocols; return how many samples came and how many did not."""
    came = asked = 0
    tracemalloc.start(1)
    before = peak()
    for label in labels:
        targets = [Target(label, single=single) for single in (False, True)]
        for step.value in range(count):
            target = targets[step.value % 4 == 3]
            for data, wanted in target.attempts(f"{label}/{step.value}"):
                tracemalloc.reset_peak()
                held, begin = tracemalloc.get_traced_memory()[0], time.monotonic()
                came += target.read(data, wanted)
                asked += len(wanted)
                assert time.monotonic() - begin < SECONDS, label
                taken = tracemalloc.get_traced_memory()[1] - held
                assert taken < 2 * len(data) + ROOM, f"{label}: {taken} bytes"
    assert peak() - before < 2 * ROOM + LIBRARIES
    return came, asked - came


@pytest.mark.parametrize("protocol", LABELS)
def test_no_change_of_a_field_does_harm(protocol):
    soak = os.environ.get("BRINERY_SOAK")
    count = (SOAK.get(protocol, OTHERS)) if soak else (TAKEN if protocol in SOAK else TAKEN // 4)
    came, refused = run_apart(damage, LABELS[protocol], count, within=3600 if soak else 60)
    assert came > 0
    assert refused > 0
