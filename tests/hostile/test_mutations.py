"""Damage of any kind, anywhere in a dataset, is noticed: right pixels or an error, nothing else."""

import os
import random

import numpy as np
import pytest

import brinery
from brinery.engine.protocols.registry import known_protocols
from brinery.errors import DatasetError

from ..images import as_pillow, encoded, make_tar, pixels
from .apart import run_apart

COUNT = 10_000 if os.environ.get("BRINERY_SOAK") else 60
PROTOCOLS = [
    label
    for protocol in known_protocols()
    for label in (protocol.name, *(f"{protocol.name}+{c}" for c in protocol.abilities.compressions[:1]))
]
FILES = (
    {f"{i}.png": encoded(pixels(i, (9, 11, 3)), "PNG") for i in range(4)}
    | {f"wide/{i}.png": encoded(pixels(i, (5, 30)), "PNG") for i in range(3)}
    | {"deep.png": encoded(pixels(1, (8, 8)).astype("uint16") * 257, "PNG")}
)
ARRAYS = {key: as_pillow(data) for key, data in FILES.items()}


def flip(data, random):
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def flip_many(data, random):
    for _ in range(random.randrange(2, 40)):
        flip(data, random)


def flip_early(data, random):
    data[random.randrange(min(len(data), 200))] ^= 1 << random.randrange(8)


def overwrite(data, random):
    at = random.randrange(len(data))
    data[at : at + 16] = random.choice([bytes(16), b"\xff" * 16, random.randbytes(16)])[: len(data) - at]


def truncate(data, random):
    del data[random.randrange(len(data)) :]


def insert(data, random):
    at = random.randrange(len(data))
    data[at:at] = random.randbytes(random.choice([1, 2, 8, 100]))


def delete(data, random):
    at = random.randrange(len(data))
    del data[at : at + random.choice([1, 2, 8, 100])]


def swap(data, random):
    size = random.choice([1, 4, 16, 64, 256])
    one, other = sorted(random.randrange(max(len(data) // size, 1)) * size for _ in range(2))
    data[one : one + size], data[other : other + size] = data[other : other + size], data[one : one + size]


def append(data, random):
    data += random.randbytes(50)


def number(data, random):
    """Lengths and offsets are where trust does the most harm."""
    width = random.choice([2, 4, 8])
    at = random.randrange(max(len(data) - width, 1))
    value = random.choice([0, 1, 127, 255, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1])
    data[at : at + width] = (value % (1 << 8 * width)).to_bytes(width, "little")


MUTATIONS = [flip, flip_many, flip_early, overwrite, truncate, insert, delete, swap, append, number]


def make(root, protocol, layout):
    options = {"shard_size": "1KiB", "workers": 1, "backend": "threading", "fsync": False}
    tar = make_tar(root / f"{layout}.tar", FILES)
    assert brinery.convert(tar, root / layout, protocol=protocol, layout=layout, **options).samples == 8
    return root / layout


def check(path, *, via, verify):
    """Read every sample; return how many came. All that comes is right, or verify did not look."""
    came = 0
    with brinery.open(path, via=via, verify=verify) as dataset:
        for index in range(len(dataset)):
            try:
                array = dataset[index]
                key = dataset.keys[index]
            except DatasetError:
                continue
            assert isinstance(array, np.ndarray)
            assert not array.flags.writeable
            if verify:
                np.testing.assert_array_equal(array, ARRAYS[key], strict=True)
                came += 1
            else:
                array.tobytes()
    return came


def mutate_shards(step, root, protocol):
    datasets = [make(root, protocol, layout) for layout in ("shards", "mirror")]
    files = [
        sorted(path for path in made.rglob("*") if path.is_file() and path.suffix not in {".sqlite", ".txt"})
        for made in datasets
    ]
    assert [check(made, via=via, verify=True) for made in datasets for via in (None, "protocol")] == [8] * 4
    seen = 0
    for step.value in range(COUNT):
        source = random.Random(f"{protocol}/{step.value}")
        made, file = datasets[step.value % 2], source.choice(files[step.value % 2])
        sound = file.read_bytes()
        data = bytearray(sound)
        source.choice(MUTATIONS)(data, source)
        file.write_bytes(data)
        for via, verify in ((None, True), ("protocol", True), ("protocol", False)):
            came = check(made, via=via, verify=verify)
            seen += verify and came < 8
        file.write_bytes(sound)
    assert check(datasets[0], via=None, verify=True) == 8
    return seen


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_mutation_of_a_shard_gives_wrong_pixels(tmp_path, protocol):
    noticed = run_apart(mutate_shards, tmp_path, protocol, within=60 + COUNT)
    assert noticed > COUNT // 4


def mutate_manifest(step, root):
    made = make(root, "npy", "shards")
    file = made / "manifest.sqlite"
    sound = file.read_bytes()
    outcomes = {"refused": 0, "partly": 0, "whole": 0}
    for step.value in range(10 * COUNT):
        source = random.Random(step.value)
        data = bytearray(sound)
        source.choice(MUTATIONS)(data, source)
        file.write_bytes(data)
        for via in (None, "protocol"):
            try:
                came = check_known(made, via)
            except DatasetError:
                outcomes["refused"] += 1
            else:
                outcomes["whole" if came == 8 else "partly"] += 1
    return outcomes


def check_known(path, via):
    """Read every sample, some of which may be lost; all that comes is an array of the dataset."""
    came = 0
    known = {array.tobytes() for array in ARRAYS.values()}
    with brinery.open(path, via=via, verify=True) as dataset:
        for index in range(min(len(dataset), 100)):
            try:
                key, array = dataset.keys[index], dataset[index]
            except DatasetError:
                continue
            assert type(key) is str
            assert array.tobytes() in known
            came += 1
    return came


def test_no_mutation_of_the_manifest_gives_wrong_pixels(tmp_path):
    outcomes = run_apart(mutate_manifest, tmp_path, within=60 + COUNT)
    assert all(outcomes.values())
