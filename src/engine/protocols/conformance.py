"""What every protocol keeps to, as tests; `testing` is the way in."""

import io
import math
import os
import pickle
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ...errors import CorruptError, UnknownProtocolError
from .base import Array, Placement, Serializer, ShardReader, Spec
from .registry import get_serializer

__all__ = ["Sample", "SerializerConformance", "content", "make_array", "same", "write_shard", "write_single"]

Sample = tuple[str, Array]


def make_array(shape: tuple[int, ...], dtype: str = "u1", seed: int = 0) -> Array:
    """Pixels that look like none in particular, C-contiguous; the same for the same arguments."""
    numbers = np.random.default_rng(seed).integers(0, 256, math.prod(shape))
    if dtype == "c8":
        return (numbers - 1j * numbers[::-1]).astype(dtype).reshape(shape)
    wide = numbers * 257 if np.dtype(dtype).itemsize > 1 and dtype != "f2" else numbers
    return wide.astype(dtype).reshape(shape)


def same(one: Array, other: Array) -> bool:
    """Whether two arrays have one dtype, shape and content."""
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


def _difference(found: Array, expected: Array, *, lossy: bool = False) -> str | None:
    """Return in which way an array is not the expected one, but for the values of a lossy one; else None."""
    for what in ("dtype", "shape"):
        one, other = getattr(found, what), getattr(expected, what)
        if one != other:
            return f"{what} {one} in place of {other}"
    if lossy or same(found, expected):
        return None
    size = expected.dtype.itemsize
    one, other = (np.frombuffer(array.tobytes(), f"V{size}") for array in (found, expected))
    wrong = np.flatnonzero(one != other)
    first = tuple(map(int, np.unravel_index(int(wrong[0]), expected.shape)))
    values = f"{found[first]} in place of {expected[first]}"
    return f"{wrong.size} of {expected.size} elements, first at {first}: {values}"


def content(serializer: Serializer, array: Array) -> Array:
    """Return what a serializer writes of an array: itself, or the bytes of an image of it.

    The image is a PGM or PPM of 8 or 16 bits: (H, W) or (H, W, 3).
    """
    if not serializer.abilities.keeps_source:
        return array
    kind, largest = {2: 5, 3: 6}[array.ndim], {"uint8": 255, "uint16": 65535}[array.dtype.name]
    head = b"P%d\n%d %d\n%d\n" % (kind, array.shape[1], array.shape[0], largest)
    return np.frombuffer(head + array.astype(array.dtype.newbyteorder(">")).tobytes(), np.uint8)


def write_shard(serializer: Serializer, path: Path, samples: Iterable[Sample]) -> list[Placement]:
    """Write a shard to a file."""
    with path.open("w+b") as file:
        writer = serializer.writer(file)
        for key, array in samples:
            writer.add(key, content(serializer, array))
        return writer.finish()


def write_single(serializer: Serializer, path: Path, array: Array) -> Placement:
    """Write one array to a file."""
    with path.open("w+b") as file:
        return serializer.dump(content(serializer, array), file)


def _is_picture(array: Array) -> bool:
    return array.size > 0 and (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3))


def _spec(array: Array) -> Spec:
    return Spec(array.dtype, array.shape)


def _payload(path: Path, placement: Placement, size: int) -> bytes:
    assert placement.payload is not None, "a mapped protocol says where every payload lies"
    with path.open("rb") as file:
        file.seek(placement.payload)
        return file.read(size)


def _complaint(label: str) -> str:
    try:
        get_serializer(label)
    except UnknownProtocolError as error:
        return str(error)
    raise AssertionError(f"{label!r} was accepted")


class _Canary:
    """Touches a file if anybody unpickles it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self._path),)


class SerializerConformance:
    """What every protocol keeps to; subclasses set `label` and add nothing.

    Attributes:
        label: the protocol under test, as in `get_serializer`.
        damages: how many damaged files the safe path is shown.
    """

    label: ClassVar[str]
    damages: ClassVar[int] = 40

    @property
    def serializer(self) -> Serializer:
        """The serializer under test."""
        return get_serializer(self.label)

    def samples(self) -> list[Sample]:
        """Grey, colour, alpha, 16 bits, every kind of dtype, edge shapes, in runs and mixed."""
        arrays = [make_array((4, 6, 3), seed=seed) for seed in range(3)]
        if self.serializer.abilities.ragged:
            arrays += [
                make_array((5, 7), dtype, 9) for dtype in ("u1", "u2", "i4", "f2", "f4", "f8", "?", "c8")
            ]
            arrays += [make_array(shape) for shape in ((2, 3, 4), (1, 1), (), (0, 4, 3), (3, 0), (6,))]
            arrays += [
                make_array((4, 6, 3), seed=7),
                make_array((150, 150, 3)),
                make_array((150, 150, 3), seed=1),
            ]
        if self.serializer.abilities.keeps_source:
            arrays = [array for array in arrays if array.dtype.kind == "u" and _is_picture(array)]
        return [(f"photos/{number:04}.jpg", array) for number, array in enumerate(arrays)]

    def check(self, path: Path, samples: Sequence[Sample], placements: Sequence[Placement]) -> None:
        """Every sample comes back by the library, by the safe path and by its payload."""
        serializer = self.serializer
        assert len(placements) == len(samples), "a placement for each sample"
        loaded = list(serializer.load_shard(path))
        assert len(loaded) == len(samples), "the library loads as many as were added"
        named = {key: array for key, array in loaded if key is not None}
        for number, (key, array) in enumerate(samples):
            again = named[key] if named else loaded[number][1]
            wrong = _difference(again, array, lossy=serializer.lossy)
            assert wrong is None, f"library: {key!r}: {wrong}"
        with path.open("rb") as file, serializer.shard_reader(file) as reader:
            for (key, array), placement in reversed(list(zip(samples, placements, strict=True))):
                again = reader.read(placement, _spec(array))
                wrong = _difference(again, named[key] if serializer.lossy else array)
                assert wrong is None, f"safe path: {key!r}: {wrong}"
                if serializer.maps:
                    assert _payload(path, placement, array.nbytes) == array.tobytes(), f"payload: {key!r}"

    def round_trip(self, path: Path, samples: Sequence[Sample]) -> None:
        """Write a shard and check it."""
        self.check(path, samples, write_shard(self.serializer, path, samples))

    def test_label_and_abilities(self) -> None:
        """The label is its own, the serializer travels, and each compression it names can be had."""
        serializer = self.serializer
        assert serializer.label == self.label
        assert serializer.file_suffix.startswith(serializer.suffix)
        assert serializer.suffix.startswith(".")
        assert get_serializer(serializer.label).label == self.label
        assert pickle.loads(pickle.dumps(serializer)).label == self.label, "it travels to workers"
        for compression in serializer.abilities.compressions:
            assert get_serializer(f"{serializer.name}+{compression}").compression is not None
        known = serializer.abilities.compressions
        assert all(compression in _complaint(f"{serializer.name}+nothing") for compression in known)

    def test_shard(self, tmp_path: Path) -> None:
        """A mixed shard comes back."""
        self.round_trip(tmp_path / "shard", self.samples())

    def test_shards_of_one_kind_of_array(self, tmp_path: Path) -> None:
        """A shard of each shape and dtype comes back."""
        for number, (key, array) in enumerate(self.samples()):
            self.round_trip(tmp_path / f"{number}", [(key, array), ("another", array)])

    def test_from_one_to_many_samples(self, tmp_path: Path) -> None:
        """A shard may hold one sample or a thousand."""
        arrays = [make_array((2, 3), seed=seed) for seed in range(7)]
        for count in (1, 2, 1000):
            samples = [(f"{number}", arrays[number % 7]) for number in range(count)]
            self.round_trip(tmp_path / f"{count}", samples)

    def test_single_files(self, tmp_path: Path) -> None:
        """A file of one array comes back."""
        serializer = self.serializer
        for number, (_, array) in enumerate(self.samples()):
            path = tmp_path / f"{number}{serializer.file_suffix}"
            placement = write_single(serializer, path, array)
            loaded = serializer.load(path)
            wrong = _difference(loaded, array, lossy=serializer.lossy)
            assert wrong is None, f"library: {wrong}"
            with path.open("rb") as file, serializer.single_reader(file) as reader:
                wrong = _difference(reader.read(placement, _spec(array)), loaded)
                assert wrong is None, f"safe path: {wrong}"
            if serializer.maps:
                assert _payload(path, placement, array.nbytes) == array.tobytes()

    def test_what_is_given_back_is_what_reading_gives(self, tmp_path: Path) -> None:
        """The manifest's checksum is of what a lossy writer gives back."""
        path, expected = tmp_path / "shard", []
        with path.open("w+b") as new:
            writer = self.serializer.writer(new)
            for key, array in self.samples():
                writer.add(key, content(self.serializer, array))
                back = writer.given_back()
                expected.append(array if back is None else back)
            placements = writer.finish()
        with path.open("rb") as file, self.serializer.shard_reader(file) as reader:
            for placement, array in zip(placements, expected, strict=True):
                wrong = _difference(reader.read(placement, _spec(array)), array)
                assert wrong is None, wrong

    def test_keys_of_any_text(self, tmp_path: Path) -> None:
        """Keys may be long, and of any characters but NUL."""
        keys = [
            "a b/ü/图像.jpg",
            "\u2028\n\t\\'\"",
            "x" * 4096,
            "😀" * 60,
            "a",
            "a.npy",
            "a/",
            " ",
            "-",
            "..",
            "/",
        ]
        self.round_trip(tmp_path / "shard", [(key, make_array((2, 2), seed=n)) for n, key in enumerate(keys)])

    def test_same_samples_give_the_same_bytes(self, tmp_path: Path) -> None:
        """Two writes of the same samples are one file."""
        one, two = tmp_path / "one", tmp_path / "two"
        first = write_shard(self.serializer, one, self.samples())
        assert write_shard(self.serializer, two, self.samples()) == first
        assert one.read_bytes() == two.read_bytes()
        write_single(self.serializer, one, self.samples()[0][1])
        write_single(self.serializer, two, self.samples()[0][1])
        assert one.read_bytes() == two.read_bytes()

    def test_arrays_may_be_reused_after_add(self, tmp_path: Path) -> None:
        """What happens to an array after `add` does not reach the file."""
        samples = [(f"{seed}", make_array((150, 150, 3), seed=seed)) for seed in range(3)]
        path = tmp_path / "shard"
        reused = np.empty_like(content(self.serializer, samples[0][1]))
        with path.open("w+b") as file:
            writer = self.serializer.writer(file)
            for key, array in samples:
                reused[...] = content(self.serializer, array)
                writer.add(key, reused)
                reused[...] = 0
            placements = writer.finish()
        self.check(path, samples, placements)

    def test_the_manifest_must_agree(self, tmp_path: Path) -> None:
        """A wrong spec or a wrong place is a CorruptError."""
        path = tmp_path / "shard"
        array = make_array((4, 6, 3))
        placement = write_shard(self.serializer, path, [("a", array), ("b", array)])[0]
        right = _spec(array)
        wrong_specs = [
            Spec(np.dtype("u1"), (4, 6, 4)),
            Spec(np.dtype("u1"), (4, 6, 10**12)),
            Spec(np.dtype("f8"), (4, 6, 3)),
            Spec(np.dtype("u1"), (0,)),
        ]
        wrong_places = [
            placement._replace(start=-1),
            placement._replace(start=10**15),
            placement._replace(length=10**15),
            placement._replace(length=-1),
        ]
        for where, spec in [(placement, spec) for spec in wrong_specs] + [(w, right) for w in wrong_places]:
            with path.open("rb") as file, self.serializer.shard_reader(file) as reader:
                assert self.safely(reader, where, spec) is None, f"{where} {spec} was read"

    def test_damaged_files_run_nothing_and_keep_to_the_manifest(self, tmp_path: Path) -> None:
        """Whatever is in a file, the safe path refuses it or returns an array of the spec."""
        path, canary = tmp_path / "shard", tmp_path / "canary"
        samples = [(f"{seed}", make_array((4, 6, 3), seed=seed)) for seed in range(3)]
        placements = write_shard(self.serializer, path, samples)
        whole = path.read_bytes()
        chance = random.Random(self.label)  # noqa: S311 - damage, not secrets
        hostile = pickle.dumps(_Canary(canary))
        files = [whole[: chance.randrange(len(whole))] for _ in range(self.damages // 4)]
        for number in range(self.damages):
            damaged = bytearray(whole)
            for _ in range(chance.choice((1, 1, 4, 32))):
                damaged[chance.randrange(len(damaged))] = chance.choice(
                    (0, 0xFF, 0x80, chance.randrange(256))
                )
            if number % 8 == 0:
                at = placements[0].start if number else 0
                damaged[at : at + len(hostile)] = hostile
            files.append(bytes(damaged))
        for data in [b"", hostile, *files]:
            with self.serializer.shard_reader(io.BytesIO(data)) as reader:
                for placement, (_, array) in zip(placements, samples, strict=True):
                    self.safely(reader, placement, _spec(array))
            with self.serializer.single_reader(io.BytesIO(data)) as reader:
                self.safely(reader, Placement(0, len(data), None), _spec(samples[0][1]))
        assert not canary.exists(), "a file's code was run"

    @staticmethod
    def safely(reader: ShardReader, placement: Placement, spec: Spec) -> Array | None:
        """Return the array, or None where the safe path refuses; it may do nothing else."""
        try:
            array = reader.read(placement, spec)
        except CorruptError:
            return None
        assert array.shape == spec.shape
        assert array.dtype == spec.dtype
        return array
