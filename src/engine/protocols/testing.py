"""The conformance suite that every protocol passes, built-in or not.

A package that brings a protocol subclasses it in its own tests, run by pytest:

    from brinery.engine.protocols.testing import SerializerConformance

    class TestMine(SerializerConformance):
        label = "mine"

Where a protocol takes compressions, one subclass for each label (`mine+zstd`) covers them.
"""

import sys

if "pytest" in sys.modules:  # so that a failed assertion of the suite says what its values were
    sys.modules["pytest"].register_assert_rewrite(f"{__package__}.conformance")

from .conformance import Sample, SerializerConformance, content, make_array, same, write_shard, write_single

__all__ = ["Sample", "SerializerConformance", "content", "make_array", "same", "write_shard", "write_single"]
