"""What ends an export, or kills a worker of one, costs what it costs a convert."""

import os
import signal

import pytest

import brinery

from ..engine.test_convert import contents
from .running import assert_resumes, finish, make_archive, start, wait_for_samples

# Reading takes a while, and one sample, if it is named, kills who reads it.
SITE = """
import os, signal, time
from brinery.engine.datasets.dataset import Dataset

stored = Dataset.stored

def read(self, sample):
    time.sleep(0.01)
    if sample.key == os.environ.get("POISON"):
        os.kill(os.getpid(), signal.SIGKILL)
    return stored(self, sample)

Dataset.stored = read
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A dataset in npz, and what a convert of the same tar to npy makes."""
    root = tmp_path_factory.mktemp("made")
    tar, whole = make_archive(root)
    brinery.convert(tar, root / "made", protocol="npz", workers=2, backend="threading", shard_size="256KiB")
    return root / "made", whole


def start_slowly(made, out, **environment):
    (out.parent / "sitecustomize.py").write_text(SITE)
    return start(made[0], out, env=os.environ | {"PYTHONPATH": str(out.parent)} | environment)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 143)])
def test_an_export_that_is_ended_goes_on_and_ends_with_the_same_bytes(made, tmp_path, number, code):
    process = start_slowly(made, tmp_path / "out")
    wait_for_samples(process, tmp_path / "out")
    process.send_signal(number)
    finish(process, code)
    assert_resumes(made, tmp_path / "out")


def test_a_sample_that_kills_its_reader_costs_itself(made, tmp_path):
    _, _, err = finish(start_slowly(made, tmp_path / "out", POISON="100.jpg"), 3)
    assert "100.jpg has failed: the worker process that decodes it dies" in err
    _, rows = contents(tmp_path / "out")
    assert rows["failures"] == [("100.jpg", "decode", "WorkerDied")]
    assert len(rows["samples"]) == len(made[1][1]["samples"]) - 1
    assert brinery.verify(tmp_path / "out", backend="threading").exit_code == 0
