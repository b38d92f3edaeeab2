"""`brinery report`: what a run used and what to choose, on one page."""

from dataclasses import asdict

import click

from .output import emit_json, json_option, put, say

__all__ = ["command"]


@click.command("report", short_help="draw a bench, a convert or a comparison as one page")
@click.argument("source", metavar="RESULT.json|DEST")
@click.argument("other", metavar="[B.json]", required=False)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="The file, for csv the folder.  [default: report.html, report.md, tables, or the chart's name]",
)
@click.option(
    "--format",
    "format_",
    metavar="html|md|csv|svg|png",
    help=(
        "html: one page that needs no network. md: tables. csv: a file for each table. svg, png: one chart.  "
        "[default: by FILE's name, else html]"
    ),
)
@click.option(
    "--chart", metavar="NAME", help="Which chart svg and png draw; without it, the names are listed."
)
@json_option
def command(
    source: str, other: str | None, output: str | None, format_: str | None, chart: str | None, as_json: bool
) -> int:
    r"""Draw what a bench, a convert or a comparison found, as one file that opens anywhere, offline.

    RESULT.json is what brinery bench wrote, or what brinery compare --json printed; with B.json the two
    results are compared. DEST is a dataset: the report shows its last run. Nothing is measured.

    \b
    brinery report bench-out/result.json -o report.html
    brinery report photos.brine -o photos.html
    brinery report before/result.json after/result.json -o change.html
    brinery report bench-out/result.json --format md
    brinery report bench-out/result.json --format csv -o tables
    brinery report bench-out/result.json --chart scaling-convert -o scaling.svg
    """
    from ..report.write import write_report  # noqa: PLC0415 - start-up stays cheap

    written = write_report(source, output, other=other, format=format_, chart=chart)  # type: ignore[arg-type]
    if as_json:
        emit_json(asdict(written))
        return 0
    if written.conclusion:
        put(written.conclusion)
    say(f"{written.path}: {written.bytes / 1e6:.2f} MB, {written.kind} report")
    return 0
