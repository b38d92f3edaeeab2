"""What the README shows, runs."""

import re
from pathlib import Path

from .images import images, jpeg, make_tar

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_the_python_example_runs(tmp_path, monkeypatch, capsys):
    make_tar(tmp_path / "photos.tar", {"a/b.jpg": jpeg(1)} | images(30))
    monkeypatch.chdir(tmp_path)
    example = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert example is not None
    exec(compile(example[1], "README.md", "exec"), {})
    assert capsys.readouterr().out == "31 (24, 32, 3) uint8 a/b.jpg\n"


def test_every_link_leads_to_a_file():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (Path(__file__).parent.parent / target).is_file(), target
