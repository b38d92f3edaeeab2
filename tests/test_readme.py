"""What the README shows, runs; what the documents name, is there."""

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

from .images import images, jpeg, make_tar

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
DOCUMENTS = [path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"))]


def test_the_python_example_runs(tmp_path, monkeypatch, capsys):
    make_tar(tmp_path / "photos.tar", {"a/b.jpg": jpeg(1)} | images(30))
    monkeypatch.chdir(tmp_path)
    example = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert example is not None
    exec(compile(example[1], "README.md", "exec"), {})
    assert capsys.readouterr().out == "31 (24, 32, 3) uint8 a/b.jpg\n"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_leads_to_a_file(document):
    folder, text = (ROOT / document).parent, (ROOT / document).read_text()
    targets = re.findall(r"\]\((?!http)([^)#]+)(?:#[^)]*)?\)", text)
    assert [target for target in targets if not (folder / target).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_heading_that_is_linked_exists(document):
    folder, text = (ROOT / document).parent, (ROOT / document).read_text()
    missing = []
    for target, anchor in re.findall(r"\]\((?!http)([^)#]*)#([^)]*)\)", text):
        other = (folder / target).read_text() if target else text
        titles = [title.lower() for title in re.findall(r"(?m)^#+ (.*)$", other)]
        if anchor not in {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}:
            missing.append(f"{target}#{anchor}")
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_of_the_project_that_is_named_exists(document):
    named = re.findall(r"`((?:src|tests|docs|bench)/[\w/.-]*)`", (ROOT / document).read_text())
    assert [name for name in named if not (ROOT / name).exists()] == []


def tables(text):
    """Every table of a document: its heads and rows, without marks."""
    lines = [re.sub(r"[*\\~]", "", line) for line in text.splitlines()]
    starts = [
        at for at, (one, two) in enumerate(pairwise(lines)) if one.startswith("|") and two.startswith("|--")
    ]
    for at in starts:
        end = next(place for place in range(at, len(lines)) if not lines[place].startswith("|"))
        cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[at:end]]
        yield cells[0], cells[2:]


def shown(value):
    """A number of a result as README writes it."""
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else value if isinstance(value, str) else str(value)


def test_the_figures_beside_peers_are_those_of_the_results():
    heads, rows = next(tables(README))
    results = (ROOT / "bench/results/peers-2026-11-28.md").read_text().split("1 worker, 5 rounds")[0]
    measured = {row[0]: row for _, found in tables(results) for row in found}
    assert len(heads) == len(rows) == 5
    assert [row[1:] for row in rows] == [[measured[row[0]][place] for place in (2, 4, 6, 8)] for row in rows]


def test_the_figures_of_the_bench_are_those_of_its_data():
    data = json.loads((ROOT / "bench/results/2026-11-28-2-cores.json").read_text())["tables"]
    assert data[0]["columns"][:4] == ["protocol", "dump s", "load s", "kB a file"]
    seed = {row[0]: [float(cell) if cell else cell for cell in row[1:4]] for row in data[0]["rows"]}
    rates = {
        (table["title"].split(":")[0], row[0], row[1]): shown(row[2])
        for table in data[1:]
        for row in table["rows"]
    }
    _, by_protocol, over_workers = list(tables(README))[:3]
    for name, *cells in by_protocol[1]:
        assert [None if cell == "-" else float(cell) for cell in cells] == seed[name], name
    cells = [(op, int(workers)) for op, workers in (head.split(", ") for head in over_workers[0][1:])]
    for name, *figures in over_workers[1]:
        assert figures == [rates.get((op, name, workers), "-") for op, workers in cells], name
