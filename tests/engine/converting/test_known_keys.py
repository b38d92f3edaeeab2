"""What a manifest knows of a key is the same in whatever order keys are asked for."""

import random

import pytest

from brinery.engine.converting.manifest_writer import Manifest
from brinery.engine.converting.planner import Known
from brinery.engine.records import Failure, Sample, Shard, Skipped, Source, UnitResult, shard_id

UNITS, MEMBERS = 3, 60


def sample(ordinal, record, key, frame=0):
    where = (
        shard_id(ordinal // MEMBERS, 0),
        record,
        ordinal,
        f"{key}#{frame}" if frame else key,
        key if frame else None,
        frame,
        2,
    )
    return Sample(*where, 0, 3, 0, "|u1", "[3]", "0" * 16, 1, False, ordinal, 7, None)


def unit(number):
    samples, failures, skipped = [], [], []
    for place in range(MEMBERS):
        ordinal = number * MEMBERS + place
        key, source = f"{ordinal:04}.gif", Source(ordinal, 7)
        if place % 10 == 3:
            failures.append(Failure(key, ordinal, "decode", "DecodeError", "broken", source))
        elif place % 10 == 7:
            skipped.append(Skipped(key, ordinal, "no image", source))
        else:
            samples += [sample(ordinal, len(samples) + frame, key, frame) for frame in (0, 1)]
    shard = Shard(0, f"{number:06}.npy", 1, 1, len(samples))
    return UnitResult(number, MEMBERS, (shard,), tuple(samples), tuple(failures), tuple(skipped))


def kind(ordinal):
    return {3: "failure", 7: "skipped"}.get(ordinal % 10, "sample")


@pytest.fixture
def manifest(tmp_path):
    written = Manifest(tmp_path, {}, fsync=False)
    written.commit([unit(number) for number in range(UNITS)], [])
    written.close()
    opened = Manifest(tmp_path, {}, fsync=False)
    yield opened
    opened.close()


@pytest.mark.parametrize("order", ["listing", "backwards", "shuffled"])
def test_every_key_is_known_in_any_order(manifest, order):
    ordinals = list(range(UNITS * MEMBERS))
    if order == "backwards":
        ordinals.reverse()
    elif order == "shuffled":
        random.Random(0).shuffle(ordinals)
    for ordinal in ordinals:
        known = manifest.known(f"{ordinal:04}.gif")
        assert known == Known(kind(ordinal), ordinal, ordinal // MEMBERS, ordinal, 7)
        assert manifest.known(f"{ordinal:04}.jpg") is None


def test_what_a_commit_replaces_is_forgotten(manifest):
    assert manifest.known("0000.gif").kind == "sample"
    assert manifest.known("0001.gif").kind == "sample"  # from here on it has read ahead
    broken = Failure("0002.gif", 2, "decode", "DecodeError", "broken now", Source(1, 8))
    manifest.commit([UnitResult(9, 1, failures=(broken,))], [])
    assert manifest.known("0002.gif") == Known("failure", 2, 9, 1, 8)
