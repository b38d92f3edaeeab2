"""`brinery bench`: which protocol, and how many workers."""

import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

import click

from ..errors import BrineryError, UsageError
from . import Terminated
from .compare import BadCallError, check_formats, show_comparison
from .output import ProgressBar, emit_json, json_option, put, say, terminal_width

__all__ = ["command"]


@click.command("bench")
@click.argument("src", required=False)
@click.option("--cores", default="1,2,4,8", show_default=True, metavar="N,N...", help="Numbers of workers.")
@click.option(
    "--protocols", metavar="A,B...", help="Labels such as npy,hdf5+gzip:4; default: those of the preset."
)
@click.option(
    "--preset",
    metavar="seed|scaling|choose|full",
    help="seed: one process, one file an image, nine protocols. scaling: that, then over workers. choose: "
    "the same with the protocols that images are usually kept in, and --protocols beside them. full: every "
    "protocol.  [default: choose for your own images, else scaling]",
)
@click.option(
    "--ops",
    default="convert,dump,load,map",
    show_default=True,
    metavar="A,B...",
    help="What is timed over workers: convert, dump, load, load_lazy, map.",
)
@click.option("--rounds", type=int, help="Complete rounds; wins over --budget. To decide a change: 9.")
@click.option(
    "--budget", type=float, metavar="SECONDS", help="Time to aim at.  [default: 245, 35 with --quick]"
)
@click.option(
    "--cache",
    default="warm",
    show_default=True,
    metavar="warm,cold",
    help="Where loads over workers read from.",
)
@click.option(
    "--durability",
    default="buffered",
    show_default=True,
    metavar="buffered,fsync",
    help="Whether dumps over workers are flushed to storage.",
)
@click.option(
    "--dispatch",
    default="partitioned",
    show_default=True,
    metavar="partitioned,engine",
    help="How work over workers is handed out: one task a worker, or many, as convert does.",
)
@click.option(
    "--reads-per-write",
    type=float,
    default=10.0,
    show_default=True,
    metavar="N",
    help="For the recommendation by cost: how often what is written will be read.",
)
@click.option(
    "--link", type=float, metavar="MB/S", help="Speed of the link to the files, for the cost recommendation."
)
@click.option(
    "--memory-cap",
    metavar="SIZE",
    help="Most memory for all workers, for the cost recommendation, such as 2GiB.",
)
@click.option(
    "--prices",
    metavar="GB-MONTH,CORE-HOUR[,MONTHS]",
    help="What storage and cores cost, for the cost in money over the months that the data are kept (12).",
)
@click.option(
    "--total",
    metavar="SIZE",
    help="Project disk space and hours for a whole source of this size, such as 40TB.  [default: its own "
    "size, where only a part of it is measured]",
)
@click.option(
    "--ab",
    nargs=2,
    metavar="BASE HEAD",
    help="Measure two versions of brinery in turns, in --rounds pairs of processes, and compare them: git "
    "revisions, checkouts, or environments.",
)
@click.option("--markdown", is_flag=True, help="With --ab: Markdown for a pull request.")
@click.option("--limit", type=int, default=1000, show_default=True, help="At most this many images.")
@click.option("--quick", is_flag=True, help="A first look within a minute: short regions, few rounds.")
@click.option("--scratch", metavar="DIR", help="Where temporary files go.  [default: the output folder]")
@click.option("--output", metavar="DIR", default="bench-out", show_default=True, help="For the results.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the order and the images.")
@json_option
def command(
    as_json: bool, src: str | None, ab: tuple[str, str] | None, markdown: bool, **options: Any
) -> None:
    r"""Measure what each protocol costs, and what more workers bring, on images like yours.

    SRC is a folder, tar or zip of images; without it, 1000 photo-like JPEG images are generated. Writes
    result.json, report.md and, with the extra `report` installed, report.html into the output folder. Ctrl-C
    keeps the rounds that are finished.

    With --ab both versions are measured region by region in turns. base.json and head.json go into the output
    folder, and how they compare as comparison.json, .md and .html: brinery compare says the same of the two.
    The exit code is that of brinery compare: 1 where something regressed, 2 where nothing could be decided, 3
    not comparable, 4 a call or a bench that failed.

    \b
    brinery bench
    brinery bench photos.tar --cores 1,2,4 --protocols npy,hickle,hdf5+gzip:4
    brinery bench --preset seed --rounds 7
    brinery bench --quick --output /tmp/bench
    brinery bench photos.tar --scratch /mnt/disk --budget 600
    brinery bench photos.tar --reads-per-write 50 --link 120 --memory-cap 2GiB
    brinery bench some-photos/ --total 40TB --reads-per-write 50 --prices 0.023,0.05,24
    brinery bench --ab main HEAD --protocols npy,hickle --cores 1,2 --markdown
    """
    if ab is not None:
        _compare_versions(ab, src, options, markdown=markdown, as_json=as_json)
    if markdown:
        raise click.UsageError("--markdown goes with --ab")
    from ..benchmark.compare.progress import measured_line  # noqa: PLC0415
    from ..benchmark.compare.turns import Turns  # noqa: PLC0415
    from ..benchmark.regions.session import BenchProgress  # noqa: PLC0415
    from ..benchmark.runner import BenchInterrupted, benchmark  # noqa: PLC0415 - start-up stays cheap

    code = 0
    turns = Turns.given()
    with ExitStack() as stack:
        bars: list[ProgressBar] = []

        def show(now: BenchProgress) -> None:
            if turns is not None:
                if now.done:
                    say(measured_line(now.doing))
                turns.pass_on()
                return
            if not bars:  # its clock starts with the measuring
                bars.append(stack.enter_context(ProgressBar("measuring", "regions")))
            bars[0].update(now.done, min(1.0, now.done / max(now.total, 1)))

        try:
            result = benchmark(
                src,
                progress=show,
                say=say,
                argv=("brinery", *sys.argv[1:]),
                costs=None if turns is None else turns.costs,
                **options,
            )
        except BenchInterrupted as interruption:
            result = interruption.result
            code = 143 if isinstance(interruption.__cause__, Terminated) else 130
    if code:
        say(f"brinery: interrupted; what was measured is in {options['output']}")
    if as_json:
        emit_json(result.as_dict())
    else:
        _show(result)
    if turns is None:
        _write_page(result, Path(str(options["output"])) / "report.html")
        _conclude(result, say if as_json else put)
    if code:
        click.get_current_context().exit(code)


def _compare_versions(
    versions: tuple[str, str], src: str | None, options: dict[str, Any], *, markdown: bool, as_json: bool
) -> NoReturn:
    """Measure two versions in turns, show how they compare, and leave with the answer's exit code."""
    from ..benchmark.compare.ab import run_ab  # noqa: PLC0415 - start-up stays cheap

    check_formats(markdown=markdown, as_json=as_json)
    output = Path(str(options["output"]))
    try:
        with ProgressBar("measuring", "regions") as bar:
            comparison = run_ab(
                versions,
                source=src,
                say=say,
                progress=lambda now: bar.show(now.doing, now.fraction, now.left_s),
                after_pair=lambda found: _write_comparison(found, output),
                **options,
            )
    except UsageError as error:
        raise BadCallError(str(error)) from error
    except KeyboardInterrupt:
        say(f"brinery: the pairs that were finished are in {output}")
        raise
    _write_page(comparison, output / "comparison.html")
    show_comparison(comparison, markdown=markdown, as_json=as_json)


def _write_comparison(comparison: Any, output: Path) -> None:
    """Write what is known so far; the page, which takes seconds, comes at the end."""
    from ..benchmark.result.file import write_result  # noqa: PLC0415 - start-up stays cheap
    from ..report.write import write_report  # noqa: PLC0415

    write_result(comparison, output / "comparison.json")
    write_report(comparison, output / "comparison.md")


def _write_page(result: Any, path: Path) -> None:
    """Write a page beside the result; a page that cannot be drawn costs no measurement."""
    from ..report.write import write_report  # noqa: PLC0415 - start-up stays cheap

    try:
        written = write_report(result, path)
    except BrineryError as error:
        say(f"note: no {path.name}: {error}")
    else:
        say(f"{written.path}: {written.bytes / 1e6:.2f} MB")


def _conclude(result: Any, tell: Callable[[str], None]) -> None:
    """Say what to choose, last of all, below its reason."""
    from ..benchmark.text.conclusion import conclusion_of  # noqa: PLC0415 - start-up stays cheap
    from ..benchmark.text.terminal import wrapped  # noqa: PLC0415

    concluded = conclusion_of(result)
    for text in filter(None, (concluded.reason, concluded.sentence)):
        for line in wrapped(text, terminal_width()).split("\n"):
            tell(line)


def _show(result: Any) -> None:
    from ..benchmark.text.report import all_tables  # noqa: PLC0415 - start-up stays cheap
    from ..benchmark.text.terminal import text_table  # noqa: PLC0415

    for table in all_tables(result):
        put(*text_table(table, terminal_width()).split("\n"), "")
    for warning in result.warnings:
        say(f"warning: {warning}")
