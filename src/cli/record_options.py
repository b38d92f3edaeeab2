"""Options of a command from the fields of a record."""

import re
from collections.abc import Callable, Mapping
from dataclasses import Field, fields
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin

import click

from ..engine.option_records import meanings

__all__ = ["options_of"]

Function = TypeVar("Function", bound=Callable[..., Any])

_NAMED = re.compile(r'`(\w+)(?:="?([^"`]+)"?)?`')


def options_of(record: Any, placeholders: Mapping[str, str]) -> Callable[[Function], Function]:
    """Return a decorator that adds an option for each field of a record, with its type, default and meaning.

    Args:
        record: a dataclass whose docstring explains its fields. True and False are flags, and a field that
            is True by default gets the flag `--no-FIELD`.
        placeholders: what stands for an option's value in the help; a number's is N.
    """
    explained = meanings(record)
    names = {field.name: f"--{field.name.replace('_', '-')}" for field in fields(record)}

    def spelled(named: re.Match[str]) -> str:
        name, value = named.groups()
        option = names.get(name, name.upper())
        return f"{option} {value}" if value else option

    def decorate(function: Function) -> Function:
        for field in reversed(fields(record)):
            text = _NAMED.sub(spelled, " ".join(explained.get(field.name, "").split()))
            function = _option(field, names[field.name], text, placeholders.get(field.name))(function)
        return function

    return decorate


def _option(
    field: Field[Any], name: str, text: str, placeholder: str | None
) -> Callable[[Function], Function]:
    if field.default is True:
        text = f"Do not {text}".replace("False is", "This is")
        return click.option(
            f"--no-{name[2:]}", field.name, is_flag=True, flag_value=False, default=True, help=text
        )
    text = text[:1].upper() + text[1:]
    if field.default is False:
        return click.option(name, is_flag=True, help=text)
    kinds = [kind for kind in get_args(field.type) or (field.type,) if kind is not NoneType]
    kind = click.Choice(get_args(field.type)) if get_origin(field.type) is Literal else kinds[-1]
    placeholder = placeholder or ("N" if kind in (int, float) else None)
    return click.option(
        name, type=kind, default=field.default, show_default=True, metavar=placeholder, help=text
    )
