"""brinery and its peers side by side: the same images, the same number of workers, interleaved rounds.

    make peers                                   # an environment for each peer, then this script

    python bench/peers/run.py --corpora small --workers 2 --rounds 5 --output bench/results

Every peer is a process of its own in its own environment (child.py). In each round all of them, in a new
random order, convert the corpus from JPEG files to their format in warm workers, and read every byte back
in order and at random. Further rounds count start-up: a fresh process that imports, starts its workers and
converts. What was written is compared with the decoded images once. Rows go to dated JSON and Markdown.
"""

import argparse
import contextlib
import fcntl
import json
import os
import platform
import random
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tables

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
ENVIRONMENTS = CHECKOUT / ".peers"

ANSWER_SECONDS = 300
LOCK_SECONDS = 240
CORPORA = {"small": (1000, "320x240"), "large": (300, "2000x1500")}
ROWS = {  # adapter and variant: environment
    "ceilings:decode alone": "numpy",
    "ceilings:decode alone, one buffer": "numpy",
    "ceilings:raw write": "numpy",
    "ceilings:memcpy": "numpy",
    "brinery:npy": "brinery",
    "brinery:pickle-5": "brinery",
    "brinery:hdf5": "brinery",
    "brinery:hickle": "brinery",
    "npy_pwrite": "numpy",
    "h5py_threads": "h5py",
    "joblib_npy": "joblib",
    "array_record": "array-record",
    "tfrecord": "tfrecord",
    "webdataset": "webdataset",
    "tensorstore": "tensorstore",
    "zarr": "zarr",
    "lance": "lance",
    "datasets": "datasets",
    "mosaicml": "mosaicml-streaming",
    "litdata": "litdata",
    "ffcv": "ffcv",
}
SHOWN = ("corpora", "workers", "rounds", "startup_rounds", "images", "rows", "seed")


class PeerError(Exception):
    """A peer did not do what was asked; the message goes into the table."""


class Child:
    """A peer's process, spoken to in JSON lines."""

    def __init__(self, row: str, workers: int) -> None:
        environment = os.environ | {"PYTHONUNBUFFERED": "1"}
        for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "OPENBLAS_CORETYPE"):
            environment.pop(name, None)
        log = ENVIRONMENTS / f"{row.replace(':', '-').replace(' ', '-')}.log"
        python = ENVIRONMENTS / ROWS[row] / "bin" / "python"
        with log.open("w") as errors:
            self._process = subprocess.Popen(
                [python, HERE / "child.py", row, str(workers)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment,
            )

    def ask(self, action: str, **arguments: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps({"do": action, **arguments}), file=self._process.stdin, flush=True)
        if not select.select([self._process.stdout], [], [], ANSWER_SECONDS)[0]:
            self._process.kill()
            raise PeerError(f"no answer in {ANSWER_SECONDS} s")
        line = self._process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"error": "its process ended"}
        if "error" in answer:
            raise PeerError(answer["error"])
        return answer

    def close(self) -> None:
        with contextlib.suppress(PeerError):
            self.ask("close")
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@dataclass
class Row:
    """What is known of a peer in one session: seconds of each round, or why there are none."""

    name: str
    about: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, dict[int, float]] = field(default_factory=dict)
    file_bytes: int | None = None
    reason: str | None = None

    def add(self, what: str, number: int, seconds: float) -> None:
        self.seconds.setdefault(what, {})[number] = seconds


class Machine:
    """A lock on a file that other benchmarks take too; left to them now and then."""

    def __init__(self, path: Path | None) -> None:
        self._file = path.open("w") if path else None
        self._since: float | None = None

    def take(self) -> None:
        """Hold the lock, after leaving it to others where it was held for long."""
        if self._since is not None and time.monotonic() - self._since > LOCK_SECONDS:
            self.leave()
        if self._file and self._since is None:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            self._since = time.monotonic()

    def leave(self) -> None:
        """Let others have it."""
        if self._file and self._since is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self._since = None


class Session:
    """All rounds over one corpus with one number of workers."""

    def __init__(self, given: argparse.Namespace, corpus: str, workers: int, folder: Path) -> None:
        self._given = given
        self._workers = workers
        self._out = folder / "out"
        self._source = folder / corpus
        self._few = folder / f"{corpus}-few"
        self._images = len(list(self._source.iterdir()))
        self._random = random.Random(f"{given.seed} {corpus} {workers}")
        self.rows = {name: Row(name) for name in (given.rows.split(",") if given.rows else ROWS)}
        self._children: dict[str, Child] = {}
        self.facts = {
            "corpus": corpus,
            "size": CORPORA[corpus][1],
            "images": self._images,
            "source_bytes": sum(path.stat().st_size for path in self._source.iterdir()),
            "workers": workers,
            "rounds": given.rounds,
            "startup_rounds": given.startup_rounds,
        }

    def run(self, machine: "Machine") -> Iterator[None]:
        """Do the rounds; yields after each, so that what is done can be kept."""
        try:
            machine.take()
            self._start()
            for number in range(self._given.rounds):
                machine.take()
                self._each("round", number, self._round)
                yield
        finally:
            for child in self._children.values():
                child.close()
        for number in range(self._given.startup_rounds):
            machine.take()
            self._each("start-up", number, self._startup)
            yield

    def _start(self) -> None:
        for name, row in self.rows.items():
            failed = ENVIRONMENTS / f"{ROWS[name]}.failed"
            if failed.exists():
                row.reason = f"not installed: {failed.read_text()}"
            elif not (HERE / "adapters" / f"{name.partition(':')[0]}.py").exists():
                row.reason = "installed, but there is no adapter for it"
            elif not (ENVIRONMENTS / ROWS[name]).exists():
                row.reason = "not installed: run make peers"
            else:
                self._guard(row, self._warm, 0)

    def _warm(self, row: Row, _: int) -> None:
        child = self._children[row.name] = Child(row.name, self._workers)
        row.about = child.ask("hello")
        self._convert(child, self._few)
        if row.about["reads"]:
            child.ask("read", out=str(self._out))
            self._convert(child, self._source)
            told = child.ask("check", out=str(self._out))
            if told != self._expected():
                raise PeerError(f"what it reads is not what was decoded: {told}, not {self._expected()}")
        self._clear()

    def _expected(self) -> dict[str, int]:
        """Count and CRC-32 sum of the decoded images, by the first adapter that merely holds them."""
        if "expected" not in self.facts:
            code = (
                "import sys, zlib, pathlib, simplejpeg as s\n"
                "files = sorted(pathlib.Path(sys.argv[1]).iterdir())\n"
                "print(len(files), sum(zlib.crc32(s.decode_jpeg(f.read_bytes())) for f in files))"
            )
            python = ENVIRONMENTS / "numpy" / "bin" / "python"
            told = subprocess.run(
                [python, "-c", code, self._source], capture_output=True, text=True, check=True
            ).stdout.split()
            self.facts["expected"] = {"samples": int(told[0]), "crc": int(told[1])}
        return self.facts["expected"]

    def _each(self, what: str, number: int, action: Any) -> None:
        names = [name for name, row in self.rows.items() if row.reason is None]
        self._random.shuffle(names)
        begin = time.perf_counter()
        for name in names:
            self._guard(self.rows[name], action, number)
        title = f"{self.facts['corpus']}, {self._workers} workers, {what} {number + 1}"
        print(f"{title}: {time.perf_counter() - begin:.0f} s", file=sys.stderr, flush=True)

    def _guard(self, row: Row, action: Any, number: int) -> None:
        try:
            action(row, number)
        except PeerError as error:
            row.reason = f"failed: {error}"
            print(f"{row.name}: {row.reason}", file=sys.stderr, flush=True)
        finally:
            self._clear()

    def _round(self, row: Row, number: int) -> None:
        child = self._children[row.name]
        told = self._convert(child, self._source)
        row.add("convert", number, told["seconds"])
        row.file_bytes = told["file_bytes"]
        if row.about["reads"]:
            row.add("read", number, self._read(child, None))
        if row.about["reads_at"]:
            order = list(range(self._images))
            self._random.shuffle(order)
            row.add("read_at", number, self._read(child, order))

    def _read(self, child: Child, order: list[int] | None) -> float:
        told = child.ask("read", out=str(self._out), order=order)
        if told["samples"] != self._images:
            raise PeerError(f"it read {told['samples']} of {self._images} samples")
        seconds: float = told["seconds"]
        return seconds

    def _startup(self, row: Row, number: int) -> None:
        begin = time.perf_counter()
        child = Child(row.name, self._workers)
        try:
            child.ask("convert", source=str(self._source), out=str(self._out))
            row.add("startup", number, time.perf_counter() - begin)
        finally:
            child.close()

    def _convert(self, child: Child, source: Path) -> dict[str, Any]:
        self._clear()
        return child.ask("convert", source=str(source), out=str(self._out))

    def _clear(self) -> None:
        shutil.rmtree(self._out, ignore_errors=True)


def make_corpus(folder: Path, name: str, images: int | None) -> None:
    """Make a corpus by `brinery sample`, and a small one of its first files to warm up with."""
    count, size = CORPORA[name]
    brinery = ENVIRONMENTS / "brinery" / "bin" / "brinery"
    target, few = folder / name, folder / f"{name}-few"
    subprocess.run(
        [brinery, "sample", target, "--count", str(images or count), "--size", size],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    few.mkdir()
    for path in sorted(target.iterdir())[:16]:
        shutil.copy(path, few)


def host() -> dict[str, Any]:
    """The machine, as far as figures depend on it."""
    cpu = platform.processor()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line.split(": ")[1] for line in lines if line.startswith("model name"))
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def arguments() -> argparse.Namespace:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    add = parser.add_argument
    add("--corpora", default="small,large", help="small (1000 of 320x240), large (300 of 2000x1500)")
    add("--workers", default="2,1", help="numbers of workers, one session each")
    add("--rounds", type=int, default=5)
    add("--startup-rounds", type=int, default=3, help="rounds that count start-up (small corpus only)")
    add("--images", type=int, help="fewer or more images than the corpora have")
    add("--rows", help=f"which, by commas: {', '.join(ROWS)}")
    add("--seed", type=int, default=0)
    add("--folder", type=Path, default=Path("/dev/shm/brinery-peers"), help="new; deleted at the end")
    add("--output", type=Path, default=CHECKOUT / "bench" / "results")
    add("--lock", type=Path, help="hold a lock on this file while measuring, for a shared machine")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    today = datetime.now(UTC).date().isoformat()
    result: dict[str, Any] = {
        "schema": "brinery.peers/1",
        "date": today,
        "settings": {name: getattr(given, name) for name in SHOWN if getattr(given, name) is not None},
        "host": host(),
        "sessions": [],
    }
    machine = Machine(given.lock)
    given.folder.mkdir(parents=True)
    try:
        for corpus in given.corpora.split(","):
            machine.take()
            make_corpus(given.folder, corpus, given.images)
            for workers in map(int, given.workers.split(",")):
                options = argparse.Namespace(**vars(given))
                options.startup_rounds = given.startup_rounds if corpus == "small" else 0
                session = Session(options, corpus, workers, given.folder)
                result["sessions"].append({})
                for _ in session.run(machine):
                    rows = [vars(row) for row in session.rows.values()]
                    result["sessions"][-1] = {**session.facts, "rows": rows}
                    write(given.output / f"peers-{today}", result)
            shutil.rmtree(given.folder / corpus)
    finally:
        shutil.rmtree(given.folder, ignore_errors=True)


def write(target: Path, result: dict[str, Any]) -> None:
    """Write the JSON and the Markdown beside it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
    target.with_suffix(".md").write_text(tables.markdown(json.loads(json.dumps(result))))


if __name__ == "__main__":
    main()
