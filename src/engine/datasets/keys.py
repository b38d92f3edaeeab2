"""The keys of a dataset, looked up as they are asked for."""

from collections.abc import Callable, Iterator, Sequence
from typing import overload

from ..manifest.reader import Catalog

__all__ = ["Keys"]


class Keys(Sequence[str]):
    """The keys of a dataset, a sequence of str in its order; each is looked up when it is asked for.

    Args:
        catalog: where they are looked up.
        check_open: raises DatasetError if the dataset is closed.
    """

    def __init__(self, catalog: Catalog, check_open: Callable[[], None]) -> None:
        self._catalog = catalog
        self._check_open = check_open

    def __len__(self) -> int:
        self._check_open()
        return len(self._catalog)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        self._check_open()
        if isinstance(index, slice):
            wanted = range(*index.indices(len(self)))
            if wanted.step == 1:
                return list(self._catalog.keys(wanted.start, wanted.stop))
            return [self[i] for i in wanted]
        position = self._catalog.shards.position(index)
        return next(self._catalog.keys(position, position + 1))

    def __iter__(self) -> Iterator[str]:
        self._check_open()
        return self._catalog.keys()

    def __contains__(self, key: object) -> bool:
        self._check_open()
        return isinstance(key, str) and self._catalog.find(key) is not None

    def index(self, value: str, start: int = 0, stop: int | None = None) -> int:
        """Return the position of a key.

        Raises:
            ValueError: the dataset has no such key, or it lies outside `start` and `stop`.
        """
        self._check_open()
        entry = self._catalog.find(value)
        if entry is None:
            raise ValueError(f"{value!r} is no key of this dataset")
        position = self._catalog.index_of(entry)
        if position not in range(*slice(start, stop).indices(len(self))):
            raise ValueError(f"{value!r} lies outside the range asked for")
        return position
