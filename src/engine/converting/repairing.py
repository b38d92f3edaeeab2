"""Finds the samples of a dataset that a repair does again."""

from collections.abc import Callable, Container

from ..datasets.verify import verify
from .destination import Destination
from .options import ConvertCall

__all__ = ["find_damaged"]


def find_damaged(
    destination: Destination,
    call: ConvertCall,
    lost_units: Container[int],
    progress: Callable[[int, int], None],
) -> frozenset[str]:
    """Verify a dataset, and return the members of damaged samples.

    Args:
        destination: the dataset.
        call: the options.
        lost_units: units whose shards are missing, which are done again as a whole.
        progress: called with the number of samples read and of all.
    """
    found = verify(destination.folder, workers=call.worker_count, backend=call.backend, progress=progress)
    places = [destination.manifest.place_of(bad.key) for bad in found.bad]
    damaged = frozenset(member for member, unit in places if unit not in lost_units)
    if damaged and call.warn is not None:
        call.warn(f"{len(damaged)} samples are damaged; those that the archive still holds are done again")
    return damaged
