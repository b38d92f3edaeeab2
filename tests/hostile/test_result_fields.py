"""Results of a bench changed leaf by leaf: a report, a comparison, or an error that names the place."""

import copy
import json
import os
import random
from collections import Counter

import pytest

import brinery
from brinery.benchmark.compare.compare import compare_results
from brinery.benchmark.result.file import read_result
from brinery.benchmark.text.comparison import comparison_markdown, comparison_text
from brinery.errors import BrineryError

from ..report.made import bench

COUNT = 20_000 if os.environ.get("BRINERY_SOAK") else 150
VALUES = [
    *(None, True, 0, -1, 1, 2**31, 2**63 - 1, 2**64 - 1, 2**64, -(2**63), 10**400),
    *(0.0, -0.0, 0.5, -1.5, 5e-324, 1e308, -1e308, float("nan"), float("inf")),
    *("", "x", "0", "\ud800", "\x1b[31m\u202e\n", "<script>|`*", "x" * 10_000),
    *([], [[]], [None], {}, {"a": 1}),
]


def leaves(value, path=()):
    """The path of everything in a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield from leaves(item, (*path, name))
    if path:
        yield path


@pytest.fixture(scope="module")
def sound():
    return json.loads(json.dumps(bench(cores=(1, 2), rounds=3, seconds=4).as_dict()))


def alike(value, chance):
    """Another value, of the same kind more often than not."""
    kind = float if isinstance(value, int | float) and not isinstance(value, bool) else type(value)
    same = [one for one in VALUES if isinstance(one, (int, float) if kind is float else kind)]
    return chance.choice(same if same and chance.random() < 0.7 else VALUES)


def changed(sound, places, chance):
    document = copy.deepcopy(sound)
    for _ in range(chance.choice([1, 1, 1, 2, 4])):
        *folders, last = chance.choice(places)
        holder = document
        try:
            for name in folders:
                holder = holder[name]
            if chance.random() < 0.05:
                del holder[last]
            else:
                holder[last] = alike(holder[last], chance)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took its place away
    return document


def test_no_leaf_of_a_result_leads_astray(sound, tmp_path):
    places = [*leaves(sound)]
    (tmp_path / "sound.json").write_text(json.dumps(sound))
    base = read_result(tmp_path / "sound.json")
    ends = Counter()
    for number in range(COUNT):
        (tmp_path / "result.json").write_text(json.dumps(changed(sound, places, random.Random(number))))
        try:
            page = tmp_path / "report.md"
            brinery.write_report(tmp_path / "result.json", page)
            assert not {letter for letter in page.read_text() if not letter.isprintable()} - {"\n"}
            if number % 75 == 0:
                brinery.write_report(tmp_path / "result.json", tmp_path / "report.html")
            ends["report"] += 1
        except BrineryError as error:
            assert str(tmp_path / "result.json") in str(error)  # noqa: PT017 - some are no error
            ends["refused"] += 1
            continue
        for pair in (
            (base, read_result(tmp_path / "result.json")),
            (read_result(tmp_path / "result.json"), base),
        ):
            found = compare_results(*pair, names=("a", "b"))
            comparison_markdown(found).encode()
            comparison_text(found).encode()
            json.dumps(found.as_dict())
            ends["comparison"] += 1
    assert all(ends[name] for name in ("report", "refused", "comparison"))
