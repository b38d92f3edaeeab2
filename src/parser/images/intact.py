"""Damage that a format's decoder does not look for, found by the format's own rules."""

from typing import Any, Protocol

from numpy.typing import NDArray

from ...errors import DecodeError
from .stored import Count, Source, Stored

__all__ = ["CheckedSource", "Faults"]


class Faults(Protocol):
    """What is wrong with the frames of an image."""

    def before(self, frame: int) -> str:
        """Return what is known of a frame before it is decoded; "" for nothing."""

    def after(self, frame: int, array: NDArray[Any]) -> str:
        """Return what its pixels show; "" for nothing."""


class CheckedSource:
    """A source whose frames are held against what their file says.

    Args:
        source: an opened image.
        faults: what is wrong with it.
        kind: its format, for messages.
        salvage: give damaged frames, flagged.
    """

    def __init__(self, source: Source, faults: Faults, kind: str, *, salvage: bool) -> None:
        self._source = source
        self._faults = faults
        self._kind = kind
        self._salvage = salvage
        self._frame = 0

    def count(self) -> Count:
        """As the source's."""
        return self._source.count()

    def seek(self, frame: int) -> tuple[int, int]:
        """Go to a later frame; return its width and height."""
        self._frame = frame
        return self._source.seek(frame)

    def alone(self) -> bool:
        """As the source's."""
        return self._source.alone()

    def read(self) -> Stored:
        """Decode the frame.

        Raises:
            DecodeError: it is damaged, and not to be salvaged.
            Exception: whatever the source raises.
        """
        fault = self._faults.before(self._frame)
        self._refuse(fault)
        stored = self._source.read()
        if not fault and not stored.salvaged:
            fault = self._faults.after(self._frame, stored.array)
            self._refuse(fault)
        return stored._replace(salvaged=stored.salvaged or bool(fault))

    def _refuse(self, fault: str) -> None:
        if fault and not self._salvage:
            raise DecodeError(f"damaged {self._kind}: {fault}")
