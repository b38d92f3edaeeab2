"""`brinery.write_report(...)`: a result, a dataset or a comparison as one file."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from ..benchmark.analysis.conclude import with_limits, with_recommendations
from ..benchmark.compare.compare import SCHEMA as COMPARE_SCHEMA
from ..benchmark.compare.compare import Comparison, compare_files
from ..benchmark.result.file import from_document, read_document, read_result, write_whole
from ..benchmark.result.result import BenchResult
from ..benchmark.text.comparison import comparison_markdown
from ..benchmark.text.report import report_markdown
from ..benchmark.text.table import csv_table
from ..engine.manifest.schema import MANIFEST_NAME
from ..engine.paths import PathLike
from ..errors import MissingLibraryError, UsageError
from .conversion.markdown import conversion_markdown
from .conversion.read import Conversion, read_conversion

if TYPE_CHECKING:
    from .html.page import Page

Source: TypeAlias = BenchResult | Conversion | Comparison
Format: TypeAlias = Literal["html", "md", "csv", "svg", "png"]
FORMATS: tuple[Format, ...] = get_args(Format)
_KINDS: dict[type, tuple[str, Callable[[Any], str]]] = {
    BenchResult: ("bench", report_markdown),
    Comparison: ("compare", comparison_markdown),
    Conversion: ("convert", conversion_markdown),
}
_SUFFIXES: dict[str, Format] = {".html": "html", ".htm": "html", ".md": "md", ".svg": "svg", ".png": "png"}


@dataclass(frozen=True, slots=True)
class Written:
    """A report that was written.

    Attributes:
        path: where it is; for csv the folder.
        kind: "bench", "convert" or "compare".
        format: "html", "md", "csv", "svg" or "png".
        bytes: its size.
        conclusion: what it says in a sentence; None for md.
        charts: the names of the charts that there are; none for md.
    """

    path: str
    kind: str
    format: Format
    bytes: int
    conclusion: str | None
    charts: tuple[str, ...]


def write_report(
    source: PathLike | Source,
    output: PathLike | None = None,
    *,
    other: PathLike | None = None,
    format: Format | None = None,  # noqa: A002 - the option's name
    chart: str | None = None,
) -> Written:
    """Write what a bench, a convert or a comparison found as one file that needs no network.

    Args:
        source: a result.json of `brinery bench`, the JSON of `brinery compare`, a dataset's folder, or the
            `BenchResult` or `Comparison` itself.
        output: the file, for "csv" the folder; by default report.html, report.md, the folder tables, or the
            chart's name, in the current folder.
        other: a second result.json: the report compares both.
        format: "html", "md", "csv" (a file for each table of the page), "svg" or "png"; by default what the
            name of `output` says, else "html".
        chart: the one chart that "svg" and "png" draw.

    Raises:
        UsageError: the format or the chart is not known; the message lists those that are.
        DatasetError: the source cannot be read, or is something else.
        MissingLibraryError: the extra `report` is not installed ("md" works without).
        StorageError: the file cannot be written.

    Example:
        written = brinery.write_report("photos.brine", "photos.html")
        print(written.path, written.conclusion)
    """
    kind = _format(output, format)
    if chart is not None and kind not in ("svg", "png"):
        raise UsageError(f"--chart chooses a picture for --format svg or png, not for {kind}")
    found = read_source(source, other) if isinstance(source, str | os.PathLike) else source
    if kind == "md":
        content = _KINDS[type(found)][1](found)
        return _save({Path(output or "report.md"): content.encode()}, found, kind)
    try:
        page = _page(found)
    except ImportError as error:
        raise MissingLibraryError(
            f"a report needs {error.name}: pip install 'brinery[report]'; --format md works without"
        ) from error
    from .html.chart import png, standalone_svg  # noqa: PLC0415 - an extra
    from .html.page import page_html  # noqa: PLC0415

    charts = page.charts
    if kind == "html":
        return _save({Path(output or "report.html"): page_html(page).encode()}, found, kind, page)
    if kind == "csv":
        folder = Path(output or "tables")
        tables = {folder / f"{name}.csv": csv_table(table).encode() for name, table in page.tables.items()}
        return _save(tables, found, kind, page)
    if chart is None or chart not in charts:
        what = f"no chart {chart!r}" if chart is not None else f"{kind} is one chart"
        raise UsageError(f"{what}: choose with --chart one of {', '.join(charts) or 'none, there is none'}")
    drawn = standalone_svg(charts[chart]).encode() if kind == "svg" else png(charts[chart])
    return _save({Path(output or f"{chart}.{kind}"): drawn}, found, kind, page)


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


def _format(output: PathLike | None, given: str | None) -> Format:
    if given is None:
        return _SUFFIXES.get(Path(output).suffix.lower(), "html") if output is not None else "html"
    if given not in FORMATS:
        raise UsageError(f"no format {given!r}: known are {', '.join(FORMATS)}")
    return given


def _page(found: Source) -> "Page":
    """Return the page; Markdown needs no library that this imports."""
    from .bench.page import bench_page  # noqa: PLC0415 - an extra
    from .comparison.page import comparison_page  # noqa: PLC0415
    from .conversion.page import conversion_page  # noqa: PLC0415

    if isinstance(found, BenchResult):
        return bench_page(found)
    return comparison_page(found) if isinstance(found, Comparison) else conversion_page(found)


def _save(files: dict[Path, bytes], found: Source, format: Format, page: "Page | None" = None) -> Written:  # noqa: A002
    """Write files, each whole or not at all; the one, or the folder of several, is what was written."""
    if not files:
        raise UsageError("there is no table to write: --format html or md says why")
    for path, content in files.items():
        write_whole(path, content, make_folder=format == "csv")
    first, total = next(iter(files)), sum(map(len, files.values()))
    charts, conclusion = (tuple(page.charts), page.conclusion) if page else ((), None)
    place, kind = str(first.parent if format == "csv" else first), _KINDS[type(found)][0]
    return Written(place, kind, format, total, conclusion, charts)
