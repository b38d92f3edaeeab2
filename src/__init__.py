"""Decode image archives on all cores into array datasets of any serialization protocol."""

import sys
from importlib import import_module

if __name__ != "brinery":
    raise ImportError(f"this package is called brinery, not {__name__}: install it, or import brinery")

TYPE_CHECKING = False  # type checkers know the name; importing typing would be most of this package's import
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from . import errors as errors
    from .benchmark.result.result import BenchResult as BenchResult
    from .benchmark.runner import benchmark as benchmark
    from .engine.convert import ConvertProgress as ConvertProgress
    from .engine.convert import ConvertResult as ConvertResult
    from .engine.convert import convert as convert
    from .engine.convert import export as export
    from .engine.datasets.dataset import Dataset
    from .engine.datasets.dataset import open_dataset as open  # noqa: A004
    from .engine.datasets.restore import RestoreResult, restore
    from .engine.datasets.verify import VerifyResult, verify
    from .engine.options import ConvertOptions as ConvertOptions
    from .engine.options import ExportOptions as ExportOptions
    from .report.write import write_report as write_report
else:
    ModuleType = type(sys)  # importing types would take as long as this file

__version__ = "0.1.0"

# Public names load their module on first use, so that importing brinery stays cheap.
_LAZY = {
    "BenchResult": (".benchmark.result.result", "BenchResult"),
    "ConvertOptions": (".engine.options", "ConvertOptions"),
    "ExportOptions": (".engine.options", "ExportOptions"),
    "ConvertProgress": (".engine.convert", "ConvertProgress"),
    "ConvertResult": (".engine.convert", "ConvertResult"),
    "Dataset": (".engine.datasets.dataset", "Dataset"),
    "RestoreResult": (".engine.datasets.restore", "RestoreResult"),
    "VerifyResult": (".engine.datasets.verify", "VerifyResult"),
    "benchmark": (".benchmark.runner", "benchmark"),
    "convert": (".engine.convert", "convert"),
    "export": (".engine.convert", "export"),
    "open": (".engine.datasets.dataset", "open_dataset"),
    "restore": (".engine.datasets.restore", "restore"),
    "verify": (".engine.datasets.verify", "verify"),
    "write_report": (".report.write", "write_report"),
}

__all__ = [
    "BenchResult",
    "ConvertOptions",
    "ConvertProgress",
    "ConvertResult",
    "Dataset",
    "ExportOptions",
    "RestoreResult",
    "VerifyResult",
    "__version__",
    "benchmark",
    "convert",
    "errors",
    "export",
    "open",
    "restore",
    "verify",
    "write_report",
]


def __getattr__(name: str) -> "Any":
    if name == "errors":
        return import_module(".errors", __name__)
    try:
        module, attribute = _LAZY[name]
    except KeyError:
        raise AttributeError(f"module 'brinery' has no attribute {name!r}") from None
    value = getattr(import_module(module, __name__), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))


class _Package(ModuleType):
    """Keeps `brinery.benchmark` the function where importing the subpackage would bind the module."""

    def __setattr__(self, name: str, value: object) -> None:
        if name != "benchmark" or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
