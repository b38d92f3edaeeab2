"""Writes docs/bench-result.schema.json from the dataclasses: `.venv/bin/python -m tests.benchmark.schema`."""

import inspect
import json
import re
import types
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Literal, Union, get_args, get_origin, get_type_hints

from brinery.benchmark.result.result import SCHEMA, BenchResult

PATH = Path(__file__).parents[2] / "docs" / "bench-result.schema.json"
PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
EARLIER = {
    "Stats": {
        "bootstrap_seed": {
            "type": "integer",
            "deprecated": True,
            "description": "In results of 0.1.0 alone, whose intervals of the median come from resampling.",
        }
    }
}
COMMENT = (
    "Units stand in the names. What the system did not tell is null, never 0. Results of earlier versions "
    "lack what is not required."
)


def schema():
    """Return the schema of a result; what has a default came later, so it is not required."""
    definitions = {}
    whole = of_class(BenchResult, definitions)
    whole["properties"]["schema"]["const"] = SCHEMA
    whole["required"].append("schema")
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA,
        "title": "Result of brinery bench",
        "$comment": COMMENT,
    }
    return {**head, **whole, "$defs": definitions}


def of_class(kind, definitions):
    hints = get_type_hints(kind)
    about = {name: text for base in reversed(kind.__mro__[:-1]) for name, text in attributes(base).items()}
    properties = {}
    for field in fields(kind):
        properties[field.name] = of_type(hints[field.name], definitions)
        if field.name in about:
            properties[field.name]["description"] = about[field.name]
    properties |= EARLIER.get(kind.__name__, {})
    required = [one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING]
    return {
        "type": "object",
        "description": " ".join(re.split(r"\n\n    (?:Attributes|Raises):", kind.__doc__)[0].split()),
        "required": required,
        "additionalProperties": False,
        "properties": properties,
    }


def of_type(kind, definitions):
    origin, arguments = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        if kind.__name__ not in definitions:
            definitions[kind.__name__] = {}
            definitions[kind.__name__] = of_class(kind, definitions)
        return {"$ref": f"#/$defs/{kind.__name__}"}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        if all(one in PLAIN for one in arguments):
            return {"type": [PLAIN[one] for one in arguments]}
        return {"anyOf": [of_type(one, definitions) for one in arguments]}
    if origin is tuple:
        return {"type": "array", "items": of_type(arguments[0], definitions)}
    if origin is dict:
        return {"type": "object", "additionalProperties": of_type(arguments[1], definitions)}
    return {"type": PLAIN[kind]}


def attributes(kind):
    """Return what the fields of a class are, by name: as its docstring, or a comment at the field, says."""
    _, _, listed = (kind.__doc__ or "").partition("Attributes:\n")
    told = dict(re.findall(r"^ {8}(\w+): (.*(?:\n {12}.*)*)", listed, re.MULTILINE))
    source = inspect.getsource(kind)
    told |= re.findall(r"^    (\w+): .*?  # (.*)$", source, re.MULTILINE)
    above = re.findall(r"((?:^    # .*\n)+)    (\w+): ", source, re.MULTILINE)
    told |= {name: comment.replace("# ", "") for comment, name in above}
    return {name: sentence(" ".join(about.split())) for name, about in told.items()}


def sentence(text):
    first = text if text.startswith('"') else text[:1].upper() + text[1:]
    return first if first.endswith(".") else first + "."


if __name__ == "__main__":
    PATH.write_text(json.dumps(schema(), indent=2) + "\n", encoding="utf-8")
