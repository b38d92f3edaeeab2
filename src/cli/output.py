"""What all commands share: JSON on stdout, people's text and progress on stderr."""

import os
import shutil
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

import click

__all__ = [
    "ProgressBar",
    "backend_option",
    "counted",
    "emit_json",
    "json_option",
    "put",
    "say",
    "terminal_width",
    "workers_option",
]

Function = TypeVar("Function", bound=Callable[..., Any])

_FIRST_SECONDS = 1.0
_PLAIN_SECONDS = 10.0
_LONGEST_LINE = 4000
_SHORTEST_BAR, _LONGEST_BAR = 5, 40
_TEXT = 75  # columns of a line of progress beside its bar


def json_option(function: Function) -> Function:
    """Add --json to a command."""
    help_text = "One JSON document on stdout; text and progress go to stderr."
    return click.option("--json", "as_json", is_flag=True, help=help_text)(function)


def workers_option(function: Function) -> Function:
    """Add --workers to a command."""
    help_text = "At most. Default: one for every usable CPU."
    return click.option("--workers", type=int, help=help_text)(function)


def backend_option(function: Function) -> Function:
    """Add --backend to a command."""
    from ..engine.choices import BACKEND_NAMES  # noqa: PLC0415 - start-up stays cheap

    help_text = "Processes, or threads. Threads work too where no process can be started."
    choice = click.Choice(BACKEND_NAMES)
    return click.option("--backend", type=choice, default="loky", show_default=True, help=help_text)(function)


def emit_json(document: Any) -> None:
    """Write a document to stdout."""
    import json  # noqa: PLC0415 - most of what a command prints, such as its help, is text

    click.echo(json.dumps(document, indent=2, default=str))


def say(text: str) -> None:
    """Write a line for people to stderr."""
    click.echo(_line(text), err=True)


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun: "1 image", "12,000 images"; `many` is an irregular plural."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def terminal_width() -> int | None:
    """Return how many letters a line on stdout may have; None where it goes to a file or a pipe.

    The variable COLUMNS says it for those too.
    """
    if sys.stdout.isatty() or "COLUMNS" in os.environ:
        return shutil.get_terminal_size().columns
    return None


def put(*lines: str) -> None:
    """Write lines for people to stdout."""
    for text in lines:
        click.echo(_line(text))


def _line(text: str) -> str:
    """Return a text as one line that steers no terminal: names and messages come from anybody."""
    from ..engine.printable import printable  # noqa: PLC0415 - start-up stays cheap

    shown = printable(text[:_LONGEST_LINE])
    left = len(text) - _LONGEST_LINE
    return f"{shown} ... ({left:,} more letters)" if left > 0 else shown


class ProgressBar:
    """Progress on stderr: a bar with rate and ETA on a terminal, else a plain line now and then.

    Lines come after a second and every ten seconds from then on.

    Args:
        label: what is going on.
        unit: what is counted, such as "images".
    """

    def __init__(self, label: str, unit: str) -> None:
        from ..engine import printable  # noqa: F401, PLC0415 - a later import may find no file descriptor left

        self._label = label
        self._unit = unit
        self._begin = self._last = time.monotonic()
        self._told = False
        self._first: tuple[float, float] | None = None
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._bar, self._task = _rich_bar(self._label)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, done: int, fraction: float | None) -> None:
        """Show how many are done, and which part of the whole if that is known.

        What is left is expected to go on as it did since the first call: before that, workers start.
        """
        now = time.monotonic()
        rate = done / max(now - self._begin, 1e-9)
        left = None
        if fraction is not None:
            since, before = self._first = self._first or (now, fraction)
            if fraction > before:
                left = (1 - fraction) * (now - since) / (fraction - before)
        self.show(f"{done:,} {self._unit}, {rate:,.0f}/s", fraction, left)

    def show(self, text: str, fraction: float | None, left: float | None) -> None:
        """Show a text, the part of the whole, and the seconds that are left, if they are known."""
        now = time.monotonic()
        if left is not None:
            text += f", {_clock(left)} left"
        percent = "" if fraction is None else f" {fraction:.0%}"
        if self._bar is not None:
            total = None if fraction is None else 1
            self._bar.update(self._task, total=total, completed=fraction, text=f"{percent} {text}".strip())
        elif now - self._last >= (_PLAIN_SECONDS if self._told else _FIRST_SECONDS):
            self._last, self._told = now, True
            say(f"{self._label}{percent}: {text}")


def _rich_bar(label: str) -> tuple[Any, Any]:
    from rich.console import Console  # noqa: PLC0415 - start-up stays cheap
    from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415

    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(max(_SHORTEST_BAR, min(_LONGEST_BAR, console.width - _TEXT))),
        TextColumn("{task.fields[text]}", markup=False),
        console=console,
        transient=True,
    )
    return bar, bar.add_task(label, total=None, text="starting")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
