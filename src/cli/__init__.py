"""The command line: one file a command, loaded when it is called."""

import io
import os
import signal
import sys
import warnings
from importlib import import_module
from typing import Any

import click

from .. import __version__
from ..errors import BrineryError, BrineryWarning

__all__ = ["main"]

_COMMANDS = {
    "convert": "convert archives of images into a dataset",
    "export": "write a dataset's arrays into another protocol",
    "info": "show what a dataset holds and what its runs used",
    "failures": "list what failed and why, or copy those files",
    "verify": "re-read every sample and compare its checksum",
    "restore": "turn a dataset's arrays back into image files",
    "bench": "measure which protocol and how many workers suit data and machine",
    "compare": "compare two bench results cell by cell",
    "report": "draw a bench, a convert or a comparison as one page",
    "protocols": "list the protocols and what they can do",
    "sample": "make a corpus of photo-like JPEG images",
}
_TRACKER = "ignore:resource_tracker"  # what it cleans up behind killed workers is no news to the user


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived: end like an interrupt, with another exit code."""


class _Lazy(click.Group):
    """Imports a command's module when that command runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f".{cmd_name}", __name__).command
        command.help = _with_examples(command.help)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        name = args[0]
        if name not in _COMMANDS and not name.startswith("-"):
            from difflib import get_close_matches  # noqa: PLC0415 - only on a typing error

            near = get_close_matches(name, _COMMANDS, 1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(_COMMANDS)}"
            raise click.UsageError(f"no command {name!r}: {hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="brinery")
def _cli() -> None:
    r"""Turn image archives into array datasets of any protocol, in parallel, and measure which one suits.

    \b
    brinery convert photos.tar photos.brine --protocol hickle
    brinery info photos.brine
    brinery bench photos.tar --cores 1,2,4
    """


def _with_examples(text: str | None) -> str:
    """Let click keep the lines of examples: raw docstrings spell its mark of a verbatim block."""
    return (text or "").replace("\\b\n", "\b\n")


_cli.help = _with_examples(_cli.help)


def main() -> None:
    """Run a command and leave with its exit code."""
    _open_standard_streams()
    os.environ.setdefault("PYTHONWARNINGS", _TRACKER)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy would start a thread a CPU, for nothing
    _say_own_warnings()
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = _cli.main(standalone_mode=False)
    except click.exceptions.Abort as abort:
        code = _interrupted(abort.__cause__)  # click wraps interrupts
    except click.ClickException as error:
        _say_what_is_wrong(error)
        code = error.exit_code
    except BrineryError as error:
        _say(f"brinery: {error}")
        code = error.exit_code
    except KeyboardInterrupt as interrupt:
        code = _interrupted(interrupt)
    except RuntimeError as error:  # what a signal raises while a class is being made arrives as the cause
        if not isinstance(error.__cause__, KeyboardInterrupt):
            raise
        code = _interrupted(error.__cause__)
    except BrokenPipeError:
        sys.stderr.close()
        code = 141
    except OSError as error:  # stdout or stderr cannot be written
        click.echo(f"brinery: {error.strerror or error}", err=True)
        code = 4
    sys.exit(code if isinstance(code, int) else 0)


def _open_standard_streams() -> None:
    """Open /dev/null where a standard stream is closed: libraries would print into a shard of its number."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, "r" if descriptor == 0 else "w", closefd=False))


def _say(text: str) -> None:
    from .output import say  # noqa: PLC0415 - start-up stays cheap

    say(text)


def _say_what_is_wrong(error: click.ClickException) -> None:
    """Print how a command is used and what was wrong with the call."""
    text = io.StringIO()
    error.show(text)
    for line in text.getvalue().rstrip("\n").split("\n"):
        _say(line)


def _say_own_warnings() -> None:
    """Print brinery's own warnings as lines for people; others keep the form that Python gives them."""
    others = warnings.showwarning
    warnings.simplefilter("default", BrineryWarning)  # whatever PYTHONWARNINGS makes of others

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if issubclass(category, BrineryWarning):
            _say(f"warning: {message}")
        else:
            others(message, category, *place, **more)

    warnings.showwarning = show


def _interrupt(number: int, _frame: Any) -> None:
    """End in good order; a second signal ends at once, as a kill does."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise Terminated if number == signal.SIGTERM else KeyboardInterrupt


def _interrupted(cause: BaseException | None) -> int:
    how, code = ("terminated", 143) if isinstance(cause, Terminated) else ("interrupted", 130)
    click.echo(f"brinery: {how}; what was committed stays, the same command goes on from there", err=True)
    return code
