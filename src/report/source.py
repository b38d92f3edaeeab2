"""What a report is made of: a bench's result, a dataset, or a comparison, told apart by what they hold."""

from pathlib import Path
from typing import TypeAlias

from ..benchmark.analysis.conclude import with_limits, with_recommendations
from ..benchmark.compare.compare import SCHEMA as COMPARE_SCHEMA
from ..benchmark.compare.compare import Comparison, compare_files
from ..benchmark.result.file import from_document, read_document, read_result
from ..benchmark.result.result import BenchResult
from ..engine.manifest.schema import MANIFEST_NAME
from ..engine.paths import PathLike
from ..errors import MissingLibraryError, UsageError
from .conversion.read import Conversion, read_conversion

Source: TypeAlias = BenchResult | Conversion | Comparison


def read_source(path: PathLike, other: PathLike | None = None) -> Source:
    """Read what a report is made of.

    Args:
        path: a result.json, the JSON of a comparison, or a dataset's folder or manifest.
        other: a second result.json, to compare the first with.

    Raises:
        DatasetError: it cannot be read, or is something else.
        UsageError: two files that are not both results of a bench.
    """
    if other is not None:
        if folders := [one for one in (path, other) if Path(one).is_dir()]:
            what = "two results of brinery bench can be compared, not datasets"
            raise UsageError(f"{folders[0]} is a folder: {what}")
        return compare_files(path, other)
    place = Path(path)
    if place.name == MANIFEST_NAME:
        place = place.parent
    if place.is_dir():
        if (place / MANIFEST_NAME).is_file() or not (place / "result.json").is_file():
            return read_conversion(place)
        place /= "result.json"
    elif (document := read_document(place)).get("schema") == COMPARE_SCHEMA:
        return from_document(Comparison, document, str(path))
    # What follows from the cells, whatever the version that wrote the result concluded.
    result = with_limits(read_result(place))
    try:
        return with_recommendations(result)
    except MissingLibraryError:
        return result
