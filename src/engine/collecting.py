"""Keeps the garbage collector from looking through what was there before."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["only_new_garbage"]


@contextmanager
def only_new_garbage() -> Iterator[None]:
    """Leave objects that exist out of collections for a while: imported libraries alone cost 20 ms a pass.

    Where the caller has frozen objects already, nothing is changed, since thawing would thaw those too.
    """
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
