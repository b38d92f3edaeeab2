"""What is left of a conversion that meets a fault, for brinery and its peers, each in its own environment.

    python bench/peers/install.py
    sudo python bench/peers/faults.py            # root mounts the small disk; writes bench/peers/faults.md

Four times a peer converts 320 x 240 photographs with two workers: undisturbed; killed with all its processes
when half of the output is there; with one truncated image among 200; onto a disk that holds 60 % of the
output. After each fault a new process opens what is there and compares every array with the image; then
the cause is mended where it can be, and the same conversion is run again.
"""

import argparse
import contextlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parents[1] / ".peers"
PEERS = {
    "brinery:npy": "brinery",
    "array_record": "array-record",
    "zarr": "zarr",
    "webdataset": "webdataset",
    "mosaicml": "mosaicml-streaming",
    "litdata": "litdata",
    "ffcv": "ffcv",
    "lance": "lance",
    "datasets": "datasets",
}
TITLES = {
    "brinery:npy": "**brinery** (npy)",
    "array_record": "ArrayRecord",
    "zarr": "zarr-python, sharded",
    "webdataset": "WebDataset",
    "mosaicml": "MosaicML streaming",
    "litdata": "LitData",
    "ffcv": "FFCV",
    "lance": "Lance",
    "datasets": "Hugging Face datasets",
}
WORKERS = 2
IMAGES = 1000
FEW, BROKEN = 200, 123
PATIENCE = 90.0  # seconds until a conversion counts as hung

_INTRODUCTION = """# Faults, side by side

`python bench/peers/faults.py` on {}, {}. {:,} photographs of 320 x 240 and {} workers; for
the column of one bad image, {} of which number {} is cut off in its middle. Every entry was seen: after
the fault a new process opened what was left and compared each array with its image. The adapters are those
of the comparison of speeds, written as each library's documentation shows. Whoever catches errors and keeps
a ledger by hand gets further with any of them.
"""
_COLUMNS = (
    "killed half-way: opens as",
    "run again",
    "one bad image: ends",
    "opens as",
    "mended, run again",
    "disk full: ends",
    "opens as",
    "with room, run again",
)
_LEGEND = """*right*: arrays that are the image they stand for. *wrong*: arrays that are not, such as zeros
where nothing was written. *no error*: who opens it is told nothing of what is missing. A percentage is the
second run's time as a share of the undisturbed one's, start-up included: well below 100 % means that finished
work was kept.

brinery opens what was committed before the fault; `brinery info` says that the run did not finish, and a bad
image is a row of the table `failures`.
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a conversion ended ("finished", "failed", "killed", "hung"), when, and its last line."""

    outcome: str
    seconds: float
    said: str = ""


@dataclass(frozen=True, slots=True)
class Left:
    """What opens afterwards: arrays that come, those that are right, and what ended the reading."""

    came: int
    right: int
    error: str | None


class Peer:
    """One adapter in its environment."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._python = ENVIRONMENTS / PEERS[name] / "bin" / "python"

    @property
    def missing(self) -> str | None:
        """Why there is no environment, None where there is one."""
        if self._python.exists():
            return None
        failed = ENVIRONMENTS / f"{PEERS[self._name]}.failed"
        return failed.read_text().strip() if failed.exists() else "not installed"

    def convert(self, out: Path, folder: Path, kill_at: int | None = None) -> Ran:
        """Convert; with `kill_at`, kill all its processes when the output has so many bytes."""
        begin = time.monotonic()
        command = [*self._command("convert", out, folder), str(WORKERS)]
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True, cwd=out.parent
            )
            outcome = None
            while process.poll() is None:
                elapsed = time.monotonic() - begin
                if kill_at is not None and _size(out) >= kill_at:
                    outcome = "killed"
                elif elapsed > PATIENCE:
                    outcome = "hung"
                if outcome is not None:
                    break
                time.sleep(0.01)
            with contextlib.suppress(ProcessLookupError):  # workers that outlive it, too
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            seconds = time.monotonic() - begin
            said.seek(0)
            lines = said.read().decode(errors="replace").strip().splitlines()
        last = next((line for line in reversed(lines) if line and not line.startswith(" ")), "")
        return Ran(outcome or ("failed" if process.returncode else "finished"), seconds, last[:200])

    def read(self, out: Path, folder: Path) -> Left:
        """Open what is there in a new process."""
        try:
            done = subprocess.run(
                self._command("read", out, folder),
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Left(0, 0, "hangs")
        if done.returncode:
            lines = done.stderr.strip().splitlines()
            return Left(0, 0, (lines[-1] if lines else f"exit code {done.returncode}")[:200])
        return Left(**json.loads(done.stdout.splitlines()[-1]))

    def _command(self, action: str, out: Path, folder: Path) -> list[str]:
        return [str(self._python), str(HERE / "faulty.py"), self._name, action, str(out), str(folder)]


def _size(path: Path) -> int:
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(f"{folder}/{name}").st_size
    return total if total or not path.is_file() else path.stat().st_size


def observe(peer: Peer, root: Path, photos: Path, few: Path, mended: Path) -> dict[str, Any]:
    """Put a peer through all four conversions."""
    seen: dict[str, Any] = {}

    def note(name: str, result: Ran | Left) -> None:
        seen[name] = asdict(result)
        print(f"    {name}: {result}", flush=True)

    whole = root / "whole" / "out"
    whole.parent.mkdir()
    note("undisturbed", peer.convert(whole, photos))
    note("undisturbed read", peer.read(whole, photos))
    size = _size(whole)
    seen["bytes"] = size
    shutil.rmtree(whole.parent)

    killed = root / "killed" / "out"
    killed.parent.mkdir()
    note("killed", peer.convert(killed, photos, kill_at=size // 2))
    note("killed read", peer.read(killed, photos))
    note("killed again", peer.convert(killed, photos))
    note("killed again read", peer.read(killed, photos))
    shutil.rmtree(killed.parent)

    bad = root / "bad" / "out"
    bad.parent.mkdir()
    note("bad", peer.convert(bad, few))
    note("bad read", peer.read(bad, few))
    note("bad again", peer.convert(bad, mended))
    note("bad again read", peer.read(bad, mended))
    shutil.rmtree(bad.parent)

    with _disk(root / "disk", size * 6 // 10) as disk:
        full = disk / "out"
        note("full", peer.convert(full, photos))
        note("full read", peer.read(full, photos))
        subprocess.run(["mount", "-o", f"remount,size={size * 3}", disk], check=True)
        note("full again", peer.convert(full, photos))
        note("full again read", peer.read(full, photos))
    return seen


@contextlib.contextmanager
def _disk(folder: Path, size: int) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def table(results: dict[str, Any]) -> str:
    """The Markdown of all that was seen."""
    lines = [_INTRODUCTION.format(results["host"], results["date"], IMAGES, WORKERS, FEW, BROKEN), ""]
    lines.append("| | " + " | ".join(_COLUMNS) + " |")
    lines.append("|---" * (len(_COLUMNS) + 1) + "|")
    for name, seen in results["peers"].items():
        if "missing" in seen:
            lines.append(f"| {TITLES[name]} | could not be installed: {_cell(seen['missing'])} |" + " |" * 7)
            continue
        cells = [
            _left(seen["killed read"], IMAGES, failed=True),
            _again(seen, "killed again", IMAGES),
            _ran(seen["bad"]),
            _left(seen["bad read"], FEW - 1, failed=seen["bad"]["outcome"] != "finished"),
            _again(seen, "bad again", FEW),
            _ran(seen["full"]),
            _left(seen["full read"], IMAGES, failed=True),
            _again(seen, "full again", IMAGES),
        ]
        lines.append(f"| {TITLES[name]} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", _LEGEND])


def _ran(ran: dict[str, Any]) -> str:
    if ran["outcome"] == "failed":
        return f"error: {_cell(ran['said'])}"
    return {"finished": "finishes", "hung": f"hangs ({PATIENCE:.0f} s)"}.get(ran["outcome"], ran["outcome"])


def _left(left: dict[str, Any], of: int, *, failed: bool) -> str:
    came, right, error = left["came"], left["right"], left["error"]
    if error and not came:
        return f"nothing: {_cell(error)}"
    text = f"{right:,} of {of:,} right"
    if came > right:
        text += f", **{came - right:,} wrong**"
    if error:
        return f"{text}, then {_cell(error)}"
    return f"{text}, no error" if failed and right != of else text


def _again(seen: dict[str, Any], name: str, of: int) -> str:
    ran, left = seen[name], seen[f"{name} read"]
    if ran["outcome"] != "finished":
        return f"{_ran(ran)}; opens as {_left(left, of, failed=True)}"
    share = ran["seconds"] / seen["undisturbed"]["seconds"]
    shown = f" ({share:.0%})" if of == IMAGES else ""
    return f"{_left(left, of, failed=False)}{shown}"


def _cell(text: str) -> str:
    text = " ".join(text.split()).replace("|", "\\|")
    text = re.sub(r"/?tmp/\S*?/(?=out\b)", "", text)
    text = re.sub(r"(?<!\S)/(?:[\w.-]+/)+[\w.-]*", "...", text)  # where somebody built the library
    return f"`{text[:100]}`"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peers", nargs="*", help="default: all")
    parser.add_argument("--results", type=Path, default=HERE / "results" / "faults.json")
    parser.add_argument("--folder", type=Path, help="where to work, and leave the photographs for next time")
    arguments = parser.parse_args()
    results = json.loads(arguments.results.read_text()) if arguments.results.exists() else {"peers": {}}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        root = Path(name)
        photos, few, mended = _corpora(arguments.folder or root)
        for peer_name in arguments.peers or PEERS:
            peer = Peer(peer_name)
            print(peer_name, flush=True)
            if peer.missing is not None:
                results["peers"][peer_name] = {"missing": peer.missing}
            else:
                place = root / peer_name.replace(":", "-")
                place.mkdir()
                results["peers"][peer_name] = observe(peer, place, photos, few, mended)
                shutil.rmtree(place, ignore_errors=True)
            _write(results, arguments.results)


def _write(results: dict[str, Any], path: Path) -> None:
    results["peers"] = {name: results["peers"][name] for name in PEERS if name in results["peers"]}
    kernel = platform.release().partition("-")[0]
    results["host"] = f"{os.cpu_count()} CPUs, Linux {kernel}, Python {platform.python_version()}"
    results["date"] = datetime.now(UTC).date().isoformat()
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")
    (HERE / "faults.md").write_text(table(results))


def _corpora(root: Path) -> tuple[Path, Path, Path]:
    """All photographs, some of them with one cut off, and the same with that one mended."""
    brinery = ENVIRONMENTS / "brinery" / "bin" / "brinery"
    photos, few, mended = root / "photos", root / "few", root / "mended"  # made in this order
    if mended.exists():
        return photos, few, mended
    subprocess.run([brinery, "sample", photos, "--count", str(IMAGES)], check=True, stderr=sys.stdout)
    for folder in (few, mended):
        folder.mkdir()
        for path in sorted(photos.iterdir())[:FEW]:
            shutil.copy2(path, folder / path.name)
    broken = sorted(few.iterdir())[BROKEN]
    broken.write_bytes(broken.read_bytes()[: broken.stat().st_size // 2])
    return photos, few, mended


if __name__ == "__main__":
    main()
