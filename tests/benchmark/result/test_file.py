"""Result files: what is read back is what was written, and a damaged one is refused with the field."""

import json
import os
import sys
from dataclasses import replace

import pytest

from brinery.benchmark.result.estimates import Estimate, Parameter, ScalingFit
from brinery.benchmark.result.file import read_result, write_result
from brinery.benchmark.result.findings import Scaling
from brinery.errors import DatasetError

from ..made import pooled, result


@pytest.fixture
def made():
    return result(
        [(pooled("npy", "load", workers), [20.0 + step for step in range(5)]) for workers in (1, 2)]
    )


def test_a_result_is_read_back_as_it_was_written(made, tmp_path):
    write_result(made, tmp_path / "result.json")
    assert read_result(tmp_path / "result.json") == made
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_a_curve_that_is_no_longer_fitted_is_still_read(made, tmp_path):
    fit = ScalingFit((), 6, 5, "saturating", parameters=(Parameter("saturation", Estimate(5.0, 4.5, 5.5)),))
    old = replace(made, scaling=(Scaling("npy", "load", "warm", "buffered", fit, ()),))
    write_result(old, tmp_path / "result.json")
    assert read_result(tmp_path / "result.json").scaling[0].fit == fit


def test_what_a_later_version_adds_is_ignored_and_what_it_lacks_is_by_default(made, tmp_path):
    document = made.as_dict() | {"added": 1}
    document["cells"][0]["stats"]["bootstrap_seed"] = 7
    del document["cells"][0]["stats"]["coverage"], document["startups"]
    (tmp_path / "result.json").write_text(json.dumps(document))
    read = read_result(tmp_path / "result.json")
    assert read.cells[0].stats == replace(made.cells[0].stats, coverage=None)
    assert read.startups == ()


def breaking(document, path, value):
    *folders, last = path
    for name in folders:
        document = document[name]
    if value is None:
        del document[last]
    else:
        document[last] = value


@pytest.mark.parametrize(
    ("path", "value", "names"),
    [
        (["cells", 1, "samples", 3, "wall_ns"], "20", r"\$\.cells\[1\]\.samples\[3\]\.wall_ns"),
        (["cells", 0, "layout"], "heap", r"'heap' - at `\$\.cells\[0\]\.layout"),
        (["host", "cpu"], None, "missing required field `cpu` - at `\\$.host`"),
        (["settings", "weights", "reads_per_write"], -1, "reads per write must be 0 or more"),
        (["cells", 0, "stats", "high_ns"], 0, "high_ns of an image must be more than 0"),
        (
            ["cells", 0, "size", "pixel_bytes_per_image"],
            -1.5,
            r"-1.5 cannot be below 0 - at `\$\.cells\[0\]\.size",
        ),
        (["cells", 0, "workers"], 0, r"0 cannot be below 1 - at `\$\.cells\[0\]\.workers"),
        (["settings", "cores"], [2, 0], r"0 cannot be below 1 - at `\$\.settings\.cores\[1\]"),
        (["cells"], 3, r"\$\.cells"),
    ],
)
def test_a_damaged_result_is_refused_with_the_field(made, tmp_path, path, value, names):
    document = made.as_dict()
    breaking(document, path, value)
    (tmp_path / "result.json").write_text(json.dumps(document))
    with pytest.raises(DatasetError, match=names) as caught:
        read_result(tmp_path / "result.json")
    assert str(caught.value).startswith(f"{tmp_path / 'result.json'} is damaged: ")


def test_json_that_never_ends_its_brackets_is_no_result(tmp_path):
    (tmp_path / "deep.json").write_text("[" * 200_000)
    with pytest.raises(DatasetError, match="is no JSON"):
        read_result(tmp_path / "deep.json")


@pytest.mark.parametrize(
    "path",
    [
        ["cells", 1, "samples", 2, "images"],
        ["cells", 1, "samples", 2, "workers", 0, "phases_ns", "read"],
        ["dataset", "images"],
        ["run", "rounds_done", "scaling"],
    ],
)
def test_no_count_is_negative(made, tmp_path, path):
    document = made.as_dict()
    breaking(document, path, -3)
    (tmp_path / "result.json").write_text(json.dumps(document))
    with pytest.raises(DatasetError, match=r"-3 cannot be below 0 - at `\$\." + path[0]):
        read_result(tmp_path / "result.json")


@pytest.mark.parametrize("text", ["NaN", "1e999", str(2**64), '{"a": 1, "a": 2}'])
def test_values_that_no_result_has_are_refused(made, tmp_path, text):
    document = json.dumps(made.as_dict() | {"more": 0}).replace('"more": 0', f'"more": {text}')
    (tmp_path / "result.json").write_text(document)
    with pytest.raises(DatasetError, match="is no JSON that brinery writes"):
        read_result(tmp_path / "result.json")


def test_a_result_of_a_name_that_is_no_unicode_is_read(made, tmp_path):
    source = b"photos \xff.tar".decode("utf-8", "surrogateescape")
    write_result(replace(made, dataset=replace(made.dataset, source=source)), tmp_path / "result.json")
    assert read_result(tmp_path / "result.json").dataset.source == "photos \\udcff.tar"


def test_a_pipe_in_a_results_place_is_refused(tmp_path):
    os.mkfifo(tmp_path / "result.json")
    with pytest.raises(DatasetError, match="it is no regular file"):
        read_result(tmp_path / "result.json")


def test_a_result_has_a_largest_size(made, tmp_path, monkeypatch):
    write_result(made, tmp_path / "result.json")
    monkeypatch.setattr(sys.modules[read_result.__module__], "_MOST_BYTES", 1000)
    with pytest.raises(DatasetError, match="it has more than 1,000 bytes"):
        read_result(tmp_path / "result.json")
