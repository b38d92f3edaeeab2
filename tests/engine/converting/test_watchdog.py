"""The budget of CPU time that every image has, and who is killed for passing it."""

import subprocess
import sys
import time

import psutil
import pytest

from brinery.engine.converting import watchdog
from brinery.engine.converting.claims import ClaimWriter, read_claims
from brinery.engine.converting.watchdog import Watchdog, allowed_seconds

MEGA = 1_000_000
SPIN = "while True: pass"
SLEEP = "import time; time.sleep(60)"


def test_the_budget_grows_with_bytes_and_pixels():
    assert allowed_seconds(10_000, 76_800) < 6
    assert allowed_seconds(100_000, 178 * MEGA) < 10  # a bomb
    assert allowed_seconds(34, 176 * MEGA) < 6
    assert allowed_seconds(40 * MEGA, 100 * MEGA) > 100  # a large photograph, honestly slow
    assert allowed_seconds(1000 * MEGA, 0) > 300  # a member of a gigabyte that is still being unpacked


@pytest.fixture
def claims(tmp_path):
    """A claim of this process, from which those of others are made."""
    writer = ClaimWriter(str(tmp_path))
    yield writer
    writer.close()


def test_a_claim_tells_what_the_image_says_of_itself(tmp_path, claims):
    claims.claim(1, 2, 300)
    assert [(one.size, one.pixels) for one in read_claims(tmp_path)] == [(300, 0)]
    claims.declare(40)
    claims.declare(50)
    assert [one.pixels for one in read_claims(tmp_path)] == [90]
    claims.decoded()
    assert [one.pixels for one in read_claims(tmp_path)] == [None]
    claims.claim(1, 3, 400)
    assert [(one.ordinal, one.size, one.pixels) for one in read_claims(tmp_path)] == [(3, 400, 0)]
    claims.release()
    assert read_claims(tmp_path) == []


@pytest.mark.parametrize(
    ("code", "decoded", "dies"),
    [(SPIN, False, True), (SPIN, True, False), (SLEEP, False, False)],
    ids=["spins", "spins but is decoded", "sleeps"],
)
def test_who_spends_too_much_is_killed(tmp_path, claims, monkeypatch, code, decoded, dies):
    monkeypatch.setattr(watchdog, "_BASE_SECONDS", 0.4)
    monkeypatch.setattr(watchdog, "_SLOW_SECONDS", 0.1)
    monkeypatch.setattr(watchdog, "_SELDOM_SECONDS", 0.05)
    process = subprocess.Popen([sys.executable, "-c", code])
    claims.claim(0, 0, 1000)
    if decoded:
        claims.decoded()
    (tmp_path / "here").mkdir()
    for path in tmp_path.iterdir():
        if path.is_file():
            (tmp_path / "here" / str(process.pid)).write_bytes(path.read_bytes())
    with Watchdog(str(tmp_path / "here"), None) as dog:
        end = time.monotonic() + (20 if dies else 1.5)
        while time.monotonic() < end and process.poll() is None:
            time.sleep(0.05)
        assert (process.pid in dog.killed) == dies
    assert psutil.pid_exists(process.pid) or dies
    process.kill()
    process.wait()
