"""Write docs/api.md from the docstrings of everything that `import brinery` offers: `make api`."""

import ast
import inspect
import json
import re
import textwrap
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path
from types import FunctionType, UnionType
from typing import Any

import numpy as np

import brinery

PAGE = Path(__file__).with_name("api.md")
CHAPTERS = {
    "Convert": ("convert", "ConvertOptions"),
    "Export": ("export", "ExportOptions"),
    "Read": ("open", "Dataset"),
    "Verify and restore": ("verify", "restore"),
    "Measure and report": ("benchmark", "write_report"),
}
# Classes whose parts are described in another document.
ELSEWHERE = {
    "BenchResult": "`result.json` holds the same: [its schema](bench-result.schema.json) describes it."
}
# Records whose fields are the arguments of a function.
ARGUMENTS_OF = {"ConvertOptions": "convert", "ExportOptions": "export"}
# How special methods are called.
CALLS = {
    "__getitem__": "dataset[index]",
    "__getitems__": "dataset.__getitems__(indices)",
    "__iter__": "iter(dataset)",
}
# Verify, restore and export read by these.
INTERNAL = {"each_in_shard", "members", "shard_file", "stored", "stored_image"}
HEAD = """\
# Python API

<!-- Made by `make api` from docstrings: change those, not this file. -->

Everything that `import brinery` offers, and what it returns and raises. The import itself is light: a name
loads what it needs when it is first used. Other modules are internal and may change in any release, except
`brinery.engine.protocols.base` and `brinery.engine.protocols.testing`, from which
[a protocol of your own](protocols.md#a-protocol-of-your-own) is made.

The examples run in the order of this page, in a folder that holds `photos.tar`.
"""
FOOT = "`brinery.__version__` is the version as text."


@dataclass
class Docstring:
    """A docstring in Google's style: prose, items by section, and the code of its example."""

    prose: str
    items: dict[str, dict[str, str]] = field(default_factory=dict)
    example: str = ""


def parse(text: str | None) -> Docstring:
    head, *rest = re.split(r"(?m)^(Args|Attributes|Raises|Example):\n", inspect.cleandoc(text or ""))
    found = Docstring(head.strip())
    for section, raw in zip(rest[::2], rest[1::2], strict=True):
        body = textwrap.dedent(raw).strip()
        if section == "Example":
            found.example = body
        else:  # a line that is not indented begins an item, those below continue it
            entries = (_flat(entry).split(": ", 1) for entry in re.split(r"\n(?=\S)", body))
            found.items[section] = {name.lstrip("*"): meaning for name, meaning in entries}
    return found


class Page:
    """The page as it grows, and the classes and aliases that it still has to explain."""

    def __init__(self) -> None:
        self.parts = [HEAD]
        self.seen: set[type] = set()
        self.waiting: list[type] = []
        self.aliases: dict[str, Any] = {}

    def add(self, *lines: str) -> None:
        self.parts.append("\n".join(lines) + "\n")

    def chapter(self, title: str, names: tuple[str, ...]) -> None:
        self.add(f"## {title}")
        for name in names:
            value = getattr(brinery, name)
            if isinstance(value, type):
                self.follow(value)
            else:
                self.function(name, value)
            while self.waiting:
                self.explain(self.waiting.pop(0))

    def function(self, name: str, function: FunctionType) -> None:
        self.add(f"### brinery.{name}")
        self.add("```python", self.signature(f"brinery.{name}", function), "```")
        doc, hints = parse(function.__doc__), typing.get_type_hints(function)
        self.prose(doc)
        for hint in (*_callbacks(hints.values()), hints["return"]):
            self.follow(hint)

    def prose(self, doc: Docstring) -> None:
        self.add(doc.prose)
        for section, title in (("Args", "Arguments"), ("Raises", "Raises")):
            if section in doc.items:
                self.add(f"**{title}**", "", *(f"- `{k}`: {v}" for k, v in doc.items[section].items()))
        if doc.example:
            self.add("**Example**", "", "```python", doc.example, "```")

    def signature(self, name: str, function: FunctionType) -> str:
        """Return a call with its types as the source writes them, and the values of its defaults."""
        written = _source(function)
        assert isinstance(written, ast.FunctionDef)
        annotations = _annotations(function, written)
        parts: list[str] = []
        for parameter in inspect.signature(function).parameters.values():
            if parameter.name == "self":
                continue
            if parameter.kind is parameter.KEYWORD_ONLY and "*" not in parts:
                parts.append("*")
            hint = self.annotation(*annotations[parameter.name])
            default = "" if parameter.default is parameter.empty else f" = {_value(parameter.default)}"
            parts.append(f"{parameter.name}: {hint}{default}")
        end = f") -> {self.annotation(written.returns, _scope(function))}"
        line = f"{name}({', '.join(parts)}{end}"
        return line if len(line) <= 100 else "\n".join((f"{name}(", *(f"    {part}," for part in parts), end))

    def annotation(self, node: ast.expr | None, scope: dict[str, Any]) -> str:
        """Return a type as the source writes it, and remember its aliases."""
        assert node is not None
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return self.annotation(ast.parse(node.value, mode="eval").body, scope)
        for name in ast.walk(node):
            if isinstance(name, ast.Name) and typing.get_origin(scope.get(name.id)) is not None:
                self.aliases[name.id] = scope[name.id]
        return ast.unparse(node)

    def follow(self, hint: Any) -> None:
        """Have the classes of brinery in a type explained."""
        for part in typing.get_args(hint):
            self.follow(part)
        if isinstance(hint, type) and hint.__module__.startswith("brinery.") and hint not in self.seen:
            self.seen.add(hint)
            self.waiting.append(hint)

    def explain(self, found: type) -> None:
        self.add(f"### {'brinery.' if found.__name__ in brinery.__all__ else ''}{found.__name__}")
        doc = parse(found.__doc__)
        doc.items.pop("Args", None)  # these classes are returned, never made by users
        self.prose(doc)
        if found.__name__ in ELSEWHERE:
            self.add(ELSEWHERE[found.__name__])
        if found.__name__ in ARGUMENTS_OF:
            function = ARGUMENTS_OF[found.__name__]
            self.add(f"The fields are the arguments of [`brinery.{function}`](#brinery{function}).")
        elif is_dataclass(found):
            self.table(found, doc.items.get("Attributes", {}))
        else:
            self.methods(found)

    def table(self, found: type, words: dict[str, str]) -> None:
        """Add what a dataclass holds."""
        scope = _scope(found)
        rows = [
            (name, self.annotation(node, scope), words.get(name, "")) for name, node in _attributes(found)
        ]
        rows += [(call, hint, parse(member.__doc__).prose) for call, member, hint in self.members(found)]
        cells = (tuple(cell.replace("|", "\\|") for cell in row) for row in rows)
        self.add(
            "| attribute | type | meaning |",
            "|---|---|---|",
            *(f"| `{name}` | `{hint}` | {_flat(meaning)} |" for name, hint, meaning in cells),
        )
        if found.__name__ not in ELSEWHERE:
            for hint in typing.get_type_hints(found).values():
                self.follow(hint)

    def methods(self, found: type) -> None:
        for call, member, hint in self.members(found):
            self.add(f"#### `{call}` → `{hint}`")
            self.prose(parse(member.__doc__))
            self.follow(typing.get_type_hints(member).get("return"))

    def members(self, found: type) -> Iterator[tuple[str, FunctionType, str]]:
        """Yield the public methods and properties of a class: how they are called, and their type."""
        for name, value in vars(found).items():
            member = value.fget if isinstance(value, property) else value
            if not inspect.isfunction(member) or name in INTERNAL or member.__doc__ is None:
                continue
            if name.startswith("_") and name not in CALLS:
                continue
            node = _source(member)
            assert isinstance(node, ast.FunctionDef)
            hint = self.annotation(node.returns, member.__globals__)
            if isinstance(value, property):
                yield name, member, hint
            elif name in CALLS:
                yield CALLS[name], member, hint
            else:
                yield self.signature(name, member).split(" -> ")[0], member, hint

    def errors(self) -> None:
        """Add the tree of errors, and when each is raised."""
        doc = parse(brinery.errors.__doc__)
        head, _, tree = doc.prose.partition("\n\n")
        self.add("## Errors and warnings")
        self.add(head, "", "```", tree, "```")
        self.add("**Example**", "", "```python", doc.example, "```")
        rows = []
        for name in sorted(brinery.errors.__all__, key=tree.find):
            found = getattr(brinery.errors, name)
            meaning = parse(found.__doc__)
            more = (f" `{k}`: {v}" for k, v in meaning.items.get("Attributes", {}).items())
            rows.append(f"| `brinery.errors.{name}` | {_flat(meaning.prose + ''.join(more))} |")
        self.add("| class | when |", "|---|---|", *rows)

    def types(self) -> None:
        self.add("## Types")
        self.add("Names that stand for other types in the signatures above:")
        self.add(*(f"- `{name}`: {_spelled(value)}" for name, value in sorted(self.aliases.items())))


def render() -> str:
    """Return the page."""
    page = Page()
    named = [name for names in CHAPTERS.values() for name in names]
    rows = []
    for name in named:
        value = getattr(brinery, name)
        doc = parse(value.__doc__)
        summary = _flat(doc.prose.partition("\n\n")[0])
        rows.append(f"| [`brinery.{name}`](#brinery{name.lower()}) | {summary} |")
    rows.append("| [`brinery.errors`](#errors-and-warnings) | The errors that brinery raises. |")
    page.add("| name | does |", "|---|---|", *rows)
    for title, names in CHAPTERS.items():
        page.chapter(title, names)
    page.errors()
    page.types()
    return "\n".join((*page.parts, FOOT)) + "\n"


def _source(of: Any) -> ast.stmt:
    return ast.parse(textwrap.dedent(inspect.getsource(of))).body[0]


def _attributes(of: type) -> Iterator[tuple[str, ast.expr]]:
    """Yield the attributes that a class declares, with their types."""
    body = _source(of)
    assert isinstance(body, ast.ClassDef)
    for node in body.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id, node.annotation


def _scope(of: Any) -> dict[str, Any]:
    """Return the names that the source of a class or function knows."""
    return vars(inspect.getmodule(of))


def _annotations(
    function: FunctionType, written: ast.FunctionDef
) -> dict[str, tuple[ast.expr | None, dict[str, Any]]]:
    """Return the type of each argument as the source writes it, and the names known there.

    The arguments of a function that takes a record are the fields of the record.
    """
    if not hasattr(function, "__wrapped__"):
        arguments = (*written.args.args, *written.args.kwonlyargs)
        return {a.arg: (a.annotation, function.__globals__) for a in arguments}
    record = typing.get_type_hints(function.__wrapped__)[written.args.args[0].arg]
    parts = [part for part in record.__mro__ if is_dataclass(part)]
    return {name: (node, _scope(part)) for part in parts for name, node in _attributes(part)}


def _callbacks(hints: Any) -> Iterator[Any]:
    """Yield the arguments that calls of a user's functions get."""
    for hint in hints:
        for part in (hint, *typing.get_args(hint)):
            if typing.get_origin(part) is Callable:
                yield from typing.get_args(part)[0]


def _value(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, tuple):
        return f"({', '.join(_value(one) for one in value)})"
    return f"{value:_}" if type(value) is int else repr(value)


def _spelled(value: Any) -> str:
    """Return what an alias stands for, in the same words with every version of Python and numpy."""
    origin = typing.get_origin(value)
    if origin is typing.Literal:
        return " or ".join(f"`{json.dumps(one)}`" for one in typing.get_args(value))
    if origin in (typing.Union, UnionType):
        return " or ".join(_spelled(part) for part in typing.get_args(value))
    if origin is np.ndarray:
        return "`numpy.ndarray`"
    return f"`{value}`" if origin is not None else f"`{value.__name__}`"


def _flat(text: str) -> str:
    return " ".join(text.split())


def main() -> None:
    """Write the page."""
    PAGE.write_text(render(), "utf-8")


if __name__ == "__main__":
    main()
