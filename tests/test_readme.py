"""What the README shows, runs; what the documents name, is there."""

import re
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
