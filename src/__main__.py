"""Run the command line with `python -m brinery`."""

from .cli import main

main()
