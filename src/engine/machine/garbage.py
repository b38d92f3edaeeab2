"""Keeps the garbage collector from scanning objects that existed before."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["only_new_garbage"]


@contextmanager
def only_new_garbage() -> Iterator[None]:
    """Keep existing objects out of collections for a while: imported libraries alone cost 20 ms per pass.

    Do nothing if the caller has frozen objects already, since thawing would thaw those too.
    """
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
