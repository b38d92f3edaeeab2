"""`brinery compare`: did anything become slower?"""

from typing import Any, NoReturn

import click

from .output import emit_json, json_option, put, terminal_width

__all__ = ["BadCallError", "check_formats", "command", "show_comparison"]


class BadCallError(click.UsageError):
    """The call is wrong where 2 would be an answer."""

    exit_code = 4


class _Compare(click.Command):
    """Ends with 4 where the call is wrong: 1, 2 and 3 are answers here."""

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        try:
            return super().make_context(*args, **options)
        except click.UsageError as error:
            raise BadCallError(error.format_message(), error.ctx) from error


@click.command("compare", cls=_Compare, short_help="compare two bench results cell by cell")
@click.argument("a", metavar="A.json")
@click.argument("b", metavar="B.json")
@click.option(
    "--markdown", is_flag=True, help="Markdown for a pull request; what is the same is folded away."
)
@json_option
def command(a: str, b: str, markdown: bool, as_json: bool) -> None:
    r"""Compare two results of brinery bench, A before and B after, cell by cell.

    A cell regressed, became faster, is the same, or the answer is open. Machine, versions, images and
    settings must be the same. Ends with 1 where something regressed, 2 where nothing could be decided, 3
    where the results are not comparable, 4 where the call is wrong or a file is no result, else with 0.

    \b
    brinery compare before/result.json after/result.json
    brinery compare before/result.json after/result.json --markdown >> comment.md
    brinery compare before/result.json after/result.json --json
    """
    from ..benchmark.compare.compare import compare_files  # noqa: PLC0415 - start-up stays cheap

    check_formats(markdown=markdown, as_json=as_json)
    show_comparison(compare_files(a, b), markdown=markdown, as_json=as_json)


def check_formats(*, markdown: bool, as_json: bool) -> None:
    """Raise BadCallError where two formats are asked for at once."""
    if markdown and as_json:
        raise BadCallError("--markdown and --json exclude each other")


def show_comparison(comparison: Any, *, markdown: bool, as_json: bool) -> NoReturn:
    """Print a comparison and leave with its exit code."""
    from ..benchmark.text.comparison import comparison_markdown, comparison_text  # noqa: PLC0415 - start-up

    if as_json:
        emit_json(comparison.as_dict())
    else:
        text = comparison_markdown(comparison) if markdown else comparison_text(comparison, terminal_width())
        put(*text.rstrip("\n").split("\n"))
    click.get_current_context().exit(comparison.exit_code)
