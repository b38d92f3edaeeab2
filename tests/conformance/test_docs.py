"""The lines in docs/protocols.md read real shards."""

import re
from pathlib import Path

import numpy as np
import pytest

from brinery.engine.protocols.registry import get_serializer, known_protocols
from brinery.engine.protocols.testing import make_array, same, write_shard

DOCS = Path(__file__).parents[2] / "docs" / "protocols.md"
FOUND = re.findall(r"<!-- (shard|also): (\S+) -->\n```python\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
BLOCKS = [(label, block) for _, label, block in FOUND]
SAMPLES = [(f"photos/{n} ü.jpg", make_array((4, 6, 3), seed=n)) for n in range(3)]


@pytest.mark.parametrize(("label", "block"), BLOCKS, ids=[f"{n}-{b[0]}" for n, b in enumerate(BLOCKS)])
def test_the_lines_read_a_shard(label, block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    serializer = get_serializer(label)
    write_shard(serializer, Path(f"000000{serializer.file_suffix}"), SAMPLES)
    names = {}
    exec(block, names)
    if "samples" in names:
        assert list(names["samples"]) == [key for key, _ in SAMPLES]
    arrays = list(names["samples"].values()) if "samples" in names else names["arrays"]
    assert len(arrays) == len(SAMPLES)
    assert all(same(np.asarray(again), array) for again, (_, array) in zip(arrays, SAMPLES, strict=True))


@pytest.mark.parametrize(
    ("label", "block"), [(label, block) for kind, label, block in FOUND if kind == "shard"]
)
def test_a_dataset_tells_the_same_lines(label, block):
    serializer = get_serializer(label)
    assert block == serializer.lines(f"000000{serializer.file_suffix}", single=False)


def test_every_format_has_its_lines():
    names = {
        info.name for info in known_protocols() if info.origin == "built-in" and "pickle" not in info.name
    }
    assert names | {"pickle-5"} <= {label for label, _ in BLOCKS}


def test_the_table_tells_the_abilities():
    text = DOCS.read_text("utf-8")
    rows = {
        row.split("`")[1]: [cell.strip() for cell in row.split("|")]
        for row in text.splitlines()
        if row.startswith("| `")
    }
    for info in known_protocols():
        if info.origin != "built-in" or info.name not in rows or len(rows[info.name]) < 7:
            continue
        cells = rows[info.name]
        assert cells[2] == f"`{info.suffix}`"
        assert cells[4].startswith("yes") == info.abilities.safe_load
        assert cells[5].startswith("yes") == info.abilities.portable
        assert all(f"`{compression}`" in text for compression in info.abilities.compressions)
