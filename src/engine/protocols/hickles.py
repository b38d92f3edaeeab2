"""hickle: hdf5's stacks as hickle lays them out, so that `hickle.load` gives a dict of dicts.

Format: hickle 5 (https://github.com/telegraphic/hickle), HDF5 files whose nodes bear the types of what was
dumped. A shard is `hickle.dump({"240x320x3-uint8": {"images": stack, "keys": keys}}, file)`: the group `data`
holds `"240x320x3-uint8"`, with the quotes, and that `"images"` and `"keys"`. A file of one array is
`hickle.dump(array, file)`. hickle.load unpickles types: it is for files that one has written oneself.
"""

from collections.abc import Callable, Iterator
from functools import partial
from os import PathLike
from typing import Any, BinaryIO

import numpy as np

from .base import (
    Abilities,
    Array,
    OutputFile,
    Placement,
    Serializer,
    ShardReader,
    ShardWriter,
    Spec,
)
from .hdf5 import StackedWriter, chunk_options, open_hdf5, payload_of
from .optional import library
from .safe_hdf5 import SafeHdf5
from .stacks import group_name

__all__ = ["HickleSerializer"]

_ROOTS = frozenset({"data", "hickle_types_table"})


def _quoted(name: str) -> str:
    """Return how hickle spells a dict's str key as the name of a node."""
    return f'"{name}"'


def _replace(parent: Any, name: str, place: Callable[[], object]) -> None:
    """Put another dataset where hickle dumped an empty one: it would copy all, and chunk all alike."""
    attributes = dict(parent[name].attrs)
    del parent[name]
    place()
    parent[name].attrs.update(attributes)


class _HickleWriter(StackedWriter):
    """Hands all stacks to hickle at once."""

    def _write(self, container: Any, streamed: Any) -> dict[str, int | None]:
        payloads: dict[str, int | None] = {}
        later = {stack.name for stack in self._stacks if self._compression or stack is self._stacks.streamed}
        tree = {
            stack.name: {
                "images": np.empty((0, *stack.shape), stack.dtype) if stack.name in later else stack.images(),
                "keys": stack.key_array(),
            }
            for stack in self._stacks
        }
        library("hickle").dump(tree, container)
        for stack in self._stacks:
            group = container["data"][_quoted(stack.name)]
            name = _quoted("images")
            if stack.name in later:
                _replace(group, name, partial(self._place, group, name, stack, streamed))
            payloads[stack.name] = payload_of(group[name])
        return payloads


_STACKS = """\
    for key, image in zip(group["keys"], group["images"]):
        samples[key.decode()] = image
"""


class HickleSerializer(Serializer):
    """hickle, which writes HDF5 with Python's types beside."""

    name = "hickle"
    suffix = ".hkl"
    abilities = Abilities(raw_payload=True, safe_load=False, portable=True, compressions=("gzip", "lzf"))

    def writer(self, file: OutputFile) -> ShardWriter:
        """Start a shard; samples are held in memory until it is finished, but for the first stack's."""
        return _HickleWriter(file, self.compression)

    def dump(self, array: Array, file: OutputFile) -> Placement:
        """Write what `hickle.dump(array, file)` does."""
        options = chunk_options(self.compression, array.shape, array.dtype.itemsize)
        with open_hdf5(file) as container:
            library("hickle").dump(array[:0] if options else array, container)
            if options:
                create = container.create_dataset
                _replace(container, "data", partial(create, "data", data=array, track_times=False, **options))
            return Placement(0, 0, payload_of(container["data"]))

    def load(self, path: str | PathLike[str]) -> Array:
        """Load the array with `hickle.load`, which can run code: only files of one's own."""
        array: Array = library("hickle").load(path)
        return array

    def load_shard(self, path: str | PathLike[str]) -> Iterator[tuple[str | None, Array]]:
        """Load the dict of dicts with `hickle.load`, which can run code: only files of one's own."""
        for group in library("hickle").load(path).values():
            for row, key in enumerate(group["keys"]):
                yield key.decode("utf-8"), group["images"][row, ...]

    def lines(self, file: str, *, single: bool) -> str:
        """Call `hickle.load`."""
        if single:
            return f'import hickle\n\narray = hickle.load("{file}")\n'
        return f'import hickle\n\nsamples = {{}}\nfor group in hickle.load("{file}").values():\n{_STACKS}'

    def shard_reader(self, file: BinaryIO) -> ShardReader:
        """Read rows of checked stacks; hickle takes no part in it."""
        return SafeHdf5(file, _path_of, roots=_ROOTS, stacked=True)

    def single_reader(self, file: BinaryIO) -> ShardReader:
        """Read the checked dataset `data`; hickle takes no part in it."""
        return SafeHdf5(file, lambda _: ("data",), roots=_ROOTS, stacked=False)


def _path_of(spec: Spec) -> tuple[str, ...]:
    return "data", _quoted(group_name(spec.shape, spec.dtype)), _quoted("images")
