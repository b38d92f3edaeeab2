"""Measures protocols and numbers of workers; the package itself is the function `brinery.benchmark(...)`."""

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """Lets the package and the function bear one name, whichever is imported first."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Run a bench: `runner.run_benchmark` says what it takes and returns."""
        from .runner import run_benchmark  # noqa: PLC0415 - the package imports nothing by itself

        return run_benchmark(*args, **options)


sys.modules[__name__].__class__ = _Callable
