"""docs/api.md: made from docstrings, whole, and its examples run."""

import importlib.util
import re
from pathlib import Path

import pytest

import brinery
from brinery.benchmark.analysis.conclude import conclude
from brinery.benchmark.options import make_bench_options
from brinery.benchmark.result.file import read_result

from .images import images, make_tar

DOCS = Path(__file__).parent.parent / "docs"
GOLDEN = Path(__file__).parent / "golden" / "results" / "bench-0.1.0-ceilings.json"
PAGE = (DOCS / "api.md").read_text("utf-8")
ITEMS = re.compile(r"^- `(\w+)`: (.*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def make_api():
    spec = importlib.util.spec_from_file_location("make_api", DOCS / "make_api.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def section(name):
    """Return what the page says of a public name, up to the next heading."""
    found = re.search(rf"^### {re.escape(name)}\n(.*?)(?=^##+ |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, name
    return found[1]


def test_the_page_is_what_the_docstrings_give(make_api):
    assert make_api.render() == PAGE, "run make api"


@pytest.mark.parametrize("name", [name for name in brinery.__all__ if name not in ("errors", "__version__")])
def test_every_public_name_has_its_section(name):
    assert section(f"brinery.{name}").strip()


def test_every_error_stands_in_the_table():
    assert [name for name in brinery.errors.__all__ if f"| `brinery.errors.{name}` | " not in PAGE] == []


@pytest.mark.parametrize(
    "name", ["convert", "export", "open", "verify", "restore", "benchmark", "write_report"]
)
def test_every_argument_of_a_function_is_explained(name):
    text = section(f"brinery.{name}")
    signature = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    arguments = re.findall(r"(\w+): [^,]", signature)
    explained = dict(ITEMS.findall(text.split("**Raises**")[0]))
    assert arguments == list(explained)
    assert all(explained.values())


def test_every_attribute_of_a_result_is_explained():
    assert re.findall(r"^\| `\w+` \| `.*` \|  \|$", PAGE, re.MULTILINE) == []


def kept_bench(source, **options):
    """Check the call; return a result that was measured before, since measuring takes half a minute."""
    assert make_bench_options(source, **options).source.is_file()
    return conclude(read_result(GOLDEN))


def test_the_examples_run_one_after_the_other(tmp_path, monkeypatch, capsys):
    make_tar(tmp_path / "photos.tar", images(31))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(brinery, "benchmark", kept_bench)
    examples = re.findall(r"\*\*Example\*\*\n\n```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(examples) == len(
        {"benchmark", "convert", "errors", "export", "open", "restore", "verify", "write_report", "Dataset"}
    )
    names = {"brinery": brinery}
    for number, code in enumerate(examples):
        exec(compile(code, f"example {number} of api.md", "exec"), names)
    said = capsys.readouterr().out
    assert said.startswith(
        "31 arrays, 0 failures\n31 arrays in hdf5+gzip\n31 (24, 32, 3) uint8\n31 files in "
    )
    assert "fastest-load npy" in said
    assert said.endswith("missing.tar does not exist 2\n")
