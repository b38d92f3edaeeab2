"""A record's fields as options of a command."""

from dataclasses import asdict, dataclass
from typing import Literal

import click
import pytest
from click.testing import CliRunner

import brinery
from brinery.cli.convert import command as convert
from brinery.cli.export import command as export
from brinery.cli.record_options import options_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What can be chosen.

    Attributes:
        colour: red, or `how_much=3` of it from `src`.
        how_much: how much of
            it.
        size: such as "2GiB".
        loud: say more.
        safe: look twice. False is faster.
    """

    colour: Literal["red", "blue"] = "red"
    how_much: float | None = None
    size: int | str = "1GiB"
    loud: bool = False
    safe: bool = True


@click.command()
@options_of(Options, {"size": "SIZE"})
def command(**options):
    click.echo(repr(Options(**options)))


def said(*arguments):
    done = CliRunner().invoke(command, arguments)
    return done.exit_code, " ".join(done.output.split())


@pytest.mark.parametrize(
    ("arguments", "made"),
    [
        ((), Options()),
        (("--colour", "blue", "--loud"), Options(colour="blue", loud=True)),
        (("--how-much", "2.5", "--size", "3KiB"), Options(how_much=2.5, size="3KiB")),
        (("--no-safe",), Options(safe=False)),
    ],
)
def test_options_make_the_record(arguments, made):
    assert said(*arguments) == (0, repr(made))


def test_a_value_of_another_type_is_refused():
    assert said("--colour", "green")[0] == 2
    assert "'many' is not a valid float" in said("--how-much", "many")[1]


@pytest.mark.parametrize(
    "line",
    [
        "--colour [red|blue] Red, or --how-much 3 of it from SRC. [default: red]",
        "--how-much N How much of it.",
        '--size SIZE Such as "2GiB". [default: 1GiB]',
        "--loud Say more.",
        "--no-safe Do not look twice. This is faster.",
    ],
)
def test_the_help_says_what_the_record_says(line):
    assert line in said("--help")[1]


@pytest.mark.parametrize(
    ("command", "record"), [(convert, brinery.ConvertOptions), (export, brinery.ExportOptions)]
)
def test_a_command_has_the_options_of_its_record(command, record):
    given = command.make_context(command.name, ["photos.brine", "other.brine"]).params
    assert given.items() >= asdict(record()).items()
    assert all(option.help for option in command.params if isinstance(option, click.Option))
