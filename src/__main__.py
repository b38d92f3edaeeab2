"""The program's first lines, for `brinery` and `python -m brinery` alike."""

import os
import sys

__all__ = ["main"]


def main() -> None:
    """Run a command, with nothing importable but what is installed or named by an absolute PYTHONPATH."""
    _leave_out_the_current_folder()
    import signal  # noqa: PLC0415 - the current folder might hold one of that name

    # Until a command can end in good order, Ctrl-C just ends: a traceback helps nobody.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from .cli import main as run  # noqa: PLC0415 - takes a tenth of a second

    run()


def _leave_out_the_current_folder() -> None:
    """Take the current folder off the path, and what PYTHONPATH names relative to it; for children too.

    The interpreters that a command starts, workers and their trackers, would import from it first.
    """
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    absolute = [entry for entry in given if os.path.isabs(entry)]  # noqa: PTH117 - no library is imported yet
    if __name__ == "__main__" and not sys.flags.safe_path:
        del sys.path[0]  # python -m puts the current folder there
    here = {os.path.abspath(entry) for entry in given if entry not in absolute}  # noqa: PTH100 - as above
    if os.environ.get("PYTHONPATH") and not sys.flags.ignore_environment:
        named = set(absolute)
        sys.path[:] = [entry for entry in sys.path if entry not in here or entry in named]
        os.environ["PYTHONPATH"] = os.pathsep.join(absolute)
    os.environ["PYTHONSAFEPATH"] = "1"


if __name__ == "__main__":
    main()
