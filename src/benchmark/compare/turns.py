"""Two benches in turns: each measures one region, then waits while the other measures the same one.

The program that compares them has two pipes to each: a bench writes a byte where its turn ends, and reads one
where the next begins. A bench that knows of no turns has one, to its end.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import BrineryError

_VARIABLE = "BRINERY_BENCH_TURNS"
_CLEAN_UP_SECONDS = 30.0  # what a bench that is interrupted may take to end


@dataclass(frozen=True, slots=True)
class Turns:
    """A bench's own end of the conversation with the program that compares."""

    begins: int  # file descriptor to read from
    ends: int  # to write to
    costs: Path  # file of what an image costs, so that both plan the same work

    @classmethod
    def given(cls) -> "Turns | None":
        """Return what this process was started with; None where it measures alone."""
        text = os.environ.get(_VARIABLE)
        if not text:
            return None
        begins, ends, costs = text.split(",", 2)
        turns = cls(int(begins), int(ends), Path(costs))
        for pipe in (turns.begins, turns.ends):
            os.set_inheritable(pipe, False)
        return turns

    def pass_on(self) -> None:
        """End a turn, and return where the next begins; BrineryError if the program that compares is gone."""
        try:
            os.write(self.ends, b".")
            again = os.read(self.begins, 1)
        except BrokenPipeError:
            again = b""
        if not again:
            raise BrineryError("the comparison of two versions has ended, and this round of it too")


class Player:
    """A bench in a process of its own, as the program that compares sees it."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], log: Path, costs: Path
    ) -> None:
        self._command, self._environment, self._costs = list(command), dict(environment), costs
        self._process: subprocess.Popen[bytes] | None = None
        self._pipes: tuple[int, ...] = ()  # to see where a turn ends, and to begin one
        self.log = log  # what it says
        self.turns = 0  # that it had: one to prepare, then one for each region

    def said(self) -> str:
        """Return what it has said so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def play(self) -> bool:
        """Give it a turn; return whether it wants another."""
        self.turns += 1
        if self._process is None:
            self._start()
        else:
            try:
                os.write(self._pipes[1], b".")
            except BrokenPipeError:
                return False
        return bool(os.read(self._pipes[0], 1))

    def end(self) -> int:
        """Wait for its end and return its exit code."""
        assert self._process is not None
        code = self._process.wait()
        self._close()
        return code

    def stop(self) -> None:
        """End it now, if it was started: it may clean up."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_CLEAN_UP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._close()

    def _start(self) -> None:
        begins, to_begin = os.pipe()
        to_see, ends = os.pipe()
        self._pipes = (to_see, to_begin)
        self._environment[_VARIABLE] = f"{begins},{ends},{self._costs}"
        try:
            with self.log.open("wb") as text:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=text,
                    stderr=subprocess.STDOUT,
                    env=self._environment,
                    pass_fds=(begins, ends),
                )
        finally:
            os.close(begins)
            os.close(ends)

    def _close(self) -> None:
        for pipe in self._pipes:
            os.close(pipe)
        self._pipes = ()
