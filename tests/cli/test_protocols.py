"""brinery protocols: what each can do, and what broke where one cannot be loaded."""

import json
from importlib import metadata
from importlib.metadata import EntryPoint

import pytest

from brinery.engine.protocols import registry

from .test_commands import brinery_command  # noqa: F401 - the fixture

BROKEN = "ModuleNotFoundError: No module named 'no_such_module_at_all'"


@pytest.fixture
def broken(monkeypatch):
    entry = EntryPoint("broken", "no_such_module_at_all:Thing", registry.GROUP)
    monkeypatch.setattr(metadata, "entry_points", lambda **_: [entry])


@pytest.mark.usefixtures("broken")
def test_a_protocol_that_cannot_be_loaded_says_what_broke(brinery_command, monkeypatch):  # noqa: F811
    monkeypatch.setenv("COLUMNS", "80")
    _, text, _ = brinery_command("protocols")
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert next(line.split() for line in lines if line.startswith("npy ")) == [
        *("npy", "yes", "yes", "yes", "gzip,", "zstd,", "lz4", "yes")
    ]
    assert "not installed" not in text
    assert "'no_such_module_at_all'" in text


@pytest.mark.usefixtures("broken")
def test_json_names_the_problem(brinery_command):  # noqa: F811
    found = {one["name"]: one for one in json.loads(brinery_command("protocols", "--json")[1])}
    assert found["broken"]["install"] is None
    assert BROKEN in found["broken"]["problem"]
    assert found["npy"]["problem"] is None
