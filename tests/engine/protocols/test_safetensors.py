"""safetensors: files as the library writes them, with or without room between header and arrays."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save

from brinery.engine.protocols.base import Spec
from brinery.engine.protocols.registry import get_serializer
from brinery.engine.protocols.testing import make_array, same, write_shard, write_single
from brinery.errors import MemberError

SERIALIZER = get_serializer("safetensors")
DTYPES = ("?", "u1", "i1", "u2", "i2", "f2", "u4", "i4", "f4", "u8", "i8", "f8", "c8")
LARGE = [(f"{n} ü.jpg", make_array((160, 150, 3), seed=n)) for n in range(3)]
HUGE = [(f"{n}.png", make_array((700, 500, 3), seed=n)) for n in range(3)]


def split(data):
    """The header as written, as a dict, and what follows it."""
    end = 8 + int.from_bytes(data[:8], "little")
    return data[8:end], json.loads(data[8:end]), data[end:]


def write(path, samples):
    placements = write_shard(SERIALIZER, path, samples)
    data = path.read_bytes()
    for (_, array), place in zip(samples, placements, strict=True):
        assert data[place.payload : place.payload + array.nbytes] == array.tobytes()
    return data


@pytest.mark.parametrize(
    "samples",
    [
        [(f"{n}", make_array((5, 7), dtype, n)) for n, dtype in enumerate(DTYPES * 2)],
        [("odd", make_array((301, 301))), *HUGE, ("wide", make_array((300, 300), "f4"))],
        LARGE,
        [*LARGE, *((f"{'x' * 200}{n}", make_array((2, 2))) for n in range(3000))],
        [('\0\n\x7fü"\\/\u2028', make_array((2,))), ("", make_array(())), ("none", make_array((0, 3)))],
    ],
    ids=["small", "large ones that would not be aligned", "too few for the room", "too many", "names"],
)
def test_it_is_what_the_library_writes(tmp_path, samples):
    assert write(tmp_path / "shard", samples) == save(dict(samples))


def test_large_arrays_stand_in_their_order_behind_a_header_that_ends_in_spaces(tmp_path):
    samples = [HUGE[1], HUGE[0], HUGE[2], ("wide", make_array((160, 150), "f4"))]
    text, entries, arrays = split(write(tmp_path / "shard", samples))
    assert list(entries) == [key for key, _ in samples]
    assert arrays == b"".join(array.tobytes() for _, array in samples)
    assert (8 + len(text)) % 64 == 0
    assert len(text) < len(arrays) // 32
    loaded = load_file(tmp_path / "shard")
    assert all(same(loaded[key], array) for key, array in samples)

    text, _, arrays = split(write(tmp_path / "shard", HUGE))
    library_text, _, library_arrays = split(save(dict(HUGE)))
    assert (text.rstrip(), arrays) == (library_text.rstrip(), library_arrays)


def test_few_arrays_of_any_size_keep_their_order(tmp_path, monkeypatch):
    monkeypatch.setattr("brinery.engine.protocols.safetensors._ROOM_FOR", HUGE[0][1].nbytes)
    _, entries, _ = split(write(tmp_path / "shard", HUGE[::-1]))
    assert list(entries) == [key for key, _ in HUGE[::-1]]


def test_large_arrays_reach_the_file_before_the_shard_is_complete(tmp_path):
    with (tmp_path / "shard").open("w+b", buffering=0) as file:
        writer = SERIALIZER.writer(file)
        sizes = []
        for key, array in LARGE:
            writer.add(key, array)
            sizes.append((tmp_path / "shard").stat().st_size)
    assert np.diff(sizes).tolist() == [LARGE[0][1].nbytes] * 2


def test_a_file_of_one_array_is_what_the_library_writes(tmp_path):
    for array in (LARGE[0][1], make_array((), "c8")):
        place = write_single(SERIALIZER, tmp_path / "single", array)
        data = (tmp_path / "single").read_bytes()
        assert data == save({"image": array})
        assert data[place.payload :] == array.tobytes()


@pytest.mark.parametrize("large", [False, True])
def test_keys_that_the_format_keeps_for_itself_are_escaped(tmp_path, large):
    keys = ["__metadata__", "\\__metadata__", "\\\\__metadata__", "\\a", "a__metadata__"]
    names = ["\\__metadata__", "\\\\__metadata__", "\\\\\\__metadata__", "\\a", "a__metadata__"]
    arrays = [make_array((160, 150, 3) if large else (3,), seed=n) for n in range(5)]
    write(tmp_path / "shard", list(zip(keys, arrays, strict=True)))
    assert all(
        same(load_file(tmp_path / "shard")[name], array) for name, array in zip(names, arrays, strict=True)
    )
    again = dict(SERIALIZER.load_shard(tmp_path / "shard"))
    assert all(same(again[key], array) for key, array in zip(keys, arrays, strict=True))


def test_what_the_format_cannot_hold_fails_alone(tmp_path):
    with (tmp_path / "shard").open("w+b") as file:
        writer = SERIALIZER.writer(file)
        for dtype in ("c16", "g"):
            with pytest.raises(MemberError, match="safetensors has no numbers of dtype"):
                writer.add("a", make_array((2,)).astype(dtype))
        writer.add("a", make_array((2,)))
        with pytest.raises(MemberError, match="'a' already"):
            writer.add("a", make_array((3,)))
        with pytest.raises(MemberError, match="100000000 bytes"):
            writer.add("x" * 100_000_000, make_array((2,)))
        (place,) = writer.finish()
        file.flush()
        assert list(load_file(tmp_path / "shard")) == ["a"]
        assert same(SERIALIZER.shard_reader(file).read(place, Spec(np.dtype("u1"), (2,))), make_array((2,)))


def test_a_shard_without_samples_is_read_by_the_library(tmp_path):
    write(tmp_path / "shard", [])
    assert load_file(tmp_path / "shard") == {}
