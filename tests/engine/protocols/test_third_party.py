"""Protocols of others that break their word: the error is theirs by name."""

import subprocess
import sys
from importlib import metadata
from importlib.metadata import EntryPoint

import pytest

import brinery
from brinery.engine.protocols import registry
from brinery.engine.protocols.npy import NpySerializer

from ...images import images, make_folder

FORGETFUL = """
from brinery.engine.protocols import registry
from brinery.engine.protocols.npy import NpySerializer
from brinery.engine.protocols.testing import SerializerConformance

class Wrong(NpySerializer):
    name = "wrong"
    def load_shard(self, path):
        for key, array in super().load_shard(path):
            array = array.copy()
            array.flat[:1] ^= 1
            yield key, array

class TestWrong(SerializerConformance):
    label = "wrong"
    serializer = Wrong()
    def samples(self):
        return super().samples()[:2]

class TestShort(TestWrong):
    def check(self, path, samples, placements):
        super().check(path, samples, placements[1:])
"""


class Forgetful(NpySerializer):
    """Loses the place of a sample, or of all."""

    name = "forgetful"
    kept = slice(1, None)

    def writer(self, file):
        writer = super().writer(file)
        finish = writer.finish
        writer.finish = lambda: finish()[self.kept]
        return writer


class Nothing(Forgetful):
    name = "nothing"
    kept = slice(0, 0)


@pytest.mark.parametrize(("protocol", "count"), [("forgetful", "3 placements"), ("nothing", "0 placements")])
def test_a_wrong_number_of_placements_is_the_protocols_error(tmp_path, monkeypatch, protocol, count):
    entry = EntryPoint(protocol, f"{__name__}:{protocol.title()}", registry.GROUP)
    monkeypatch.setattr(metadata, "entry_points", lambda **_: [entry])
    folder = make_folder(tmp_path / "in", images(4))
    with pytest.raises(brinery.errors.BrineryError) as raised:
        brinery.convert(folder, tmp_path / "out", protocol=protocol, workers=1, backend="threading")
    assert protocol in str(raised.value)
    assert f"{count} for 4 samples" in str(raised.value)


def test_a_failed_assertion_of_the_suite_says_what_differed(tmp_path):
    (tmp_path / "test_wrong.py").write_text(FORGETFUL)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-k",
        "test_shard and not kind",
        ".",
    ]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    assert "library: 'photos/0000.jpg': 1 of 72 elements, first at (0, 0, 0): " in told
    assert "assert 1 == 2" in told
