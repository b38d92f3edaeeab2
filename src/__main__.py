"""The program's first lines, for `brinery` and `python -m brinery` alike."""

import signal

# Until a command can end in good order, Ctrl-C just ends: a traceback helps nobody.
signal.signal(signal.SIGINT, signal.SIG_DFL)

from .cli import main  # noqa: E402 - takes a tenth of a second

__all__ = ["main"]

if __name__ == "__main__":
    main()
