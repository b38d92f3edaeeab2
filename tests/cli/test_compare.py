"""brinery compare as a user meets it."""

import json
from dataclasses import replace

import pytest

from brinery.benchmark.result.file import write_result

from ..benchmark.made import pooled, result
from .test_commands import brinery_command  # noqa: F401 - the fixture

pytest.importorskip("scipy")

CELLS = [pooled("npy", op, workers) for op in ("dump", "load") for workers in (1, 2)]


@pytest.fixture
def file(tmp_path):
    def make(name, factor=1.0, rounds=7, cells=CELLS, **changes):
        """Write a result whose dumps take `factor` times 150 ms."""
        made = result(
            [
                (
                    cell,
                    [(150 + number % 3) * (factor if cell.op == "dump" else 1) for number in range(rounds)],
                )
                for cell in cells
            ]
        )
        made = replace(
            made, **{part: replace(getattr(made, part), **values) for part, values in changes.items()}
        )
        write_result(made, tmp_path / name)
        return tmp_path / name

    return make


def test_the_answer_is_the_exit_code(brinery_command, file):  # noqa: F811
    base = file("base.json")
    for other, code, says in [
        (base, 0, "Nothing regressed in 4 cells"),
        (file("slow.json", 1.2), 1, "2 of 4 cells regressed"),
        (file("fast.json", 0.8), 0, "2 faster"),
        (file("few.json", 1.2, rounds=3), 2, "Nothing could be decided"),
        (file("other.json", cells=[pooled("hdf5", "load", 1)]), 2, "none in common"),
        (file("host.json", host={"cpu": "B CPU"}), 3, "CPU: A CPU in A, B CPU in B"),
    ]:
        ended, text, err = brinery_command("compare", base, other)
        assert (ended, err) == (code, "")
        assert says in text.split("\n\n")[-1].replace("\n", " ")


@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_terminal_gets_lines_that_fit_and_the_answer_last(brinery_command, file, monkeypatch, width):  # noqa: F811
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.chdir(file("base.json").parent)  # a path is never broken, whatever its length
    _, text, _ = brinery_command("compare", "base.json", file("slow.json", 1.2).name)
    assert max(map(len, text.splitlines())) <= width
    assert "2 of 4 cells regressed" in text.split("\n\n")[-1].replace("\n", " ")
    assert ("Not shown" in text) == (width == 80)


@pytest.mark.parametrize("made", [None, "just text", "{}", '{"schema": "brinery.bench/99"}', "[1]", ""])
def test_what_is_no_result_ends_with_4(brinery_command, file, tmp_path, made):  # noqa: F811
    other = tmp_path / "other.json"
    if made is not None:
        other.write_text(made)
    code, text, err = brinery_command("compare", file("base.json"), other)
    assert (code, text) == (4, "")
    assert "other.json" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("change", [{"samples": None}, {"samples": [{"round": "x"}]}, {"size": 3}])
def test_a_damaged_result_ends_with_4(brinery_command, file, tmp_path, change):  # noqa: F811
    document = json.loads(file("base.json").read_text())
    document["cells"][0].update(change)
    (tmp_path / "other.json").write_text(json.dumps(document))
    code, _, err = brinery_command("compare", tmp_path / "base.json", tmp_path / "other.json")
    assert code == 4
    assert "damaged" in err


@pytest.mark.parametrize(
    "arguments",
    [[], ["base.json"], ["a", "b", "c"], ["a", "b", "--speed"], ["a", "b", "--json", "--markdown"]],
)
def test_a_wrong_call_ends_with_4_since_2_is_an_answer(brinery_command, arguments):  # noqa: F811
    code, text, err = brinery_command("compare", *arguments)
    assert (code, text) == (4, "")
    assert "Error" in err


def test_help_is_no_wrong_call(brinery_command):  # noqa: F811
    code, text, _ = brinery_command("compare", "--help")
    assert code == 0
    assert "brinery compare before/result.json after/result.json" in text


def test_json_names_every_cell_with_its_numbers(brinery_command, file):  # noqa: F811
    code, text, err = brinery_command("compare", file("a.json"), file("b.json", 1.2), "--json")
    document = json.loads(text)
    assert (code, document["exit_code"], document["schema"], err) == (1, 1, "brinery.compare/1", "")
    assert document["counts"] == {"regressed": 2, "faster": 0, "same": 2, "inconclusive": 0}
    first = document["cells"][0]
    assert (first["protocol"], first["op"], first["workers"], first["verdict"]) == (
        "npy",
        "dump",
        1,
        "regressed",
    )
    assert first["ratio"]["value"] == pytest.approx(1.2)
    assert first["ratio"]["low"] < 1.2 < first["ratio"]["high"]
    code, text, _ = brinery_command(
        "compare", file("a.json"), file("c.json", dataset={"xxh3": "f" * 16}), "--json"
    )
    document = json.loads(text)
    assert (code, document["comparable"], document["cells"]) == (3, False, [])
    assert document["differences"][0]["item"] == "dataset"


def test_markdown_is_for_a_pull_request(brinery_command, file):  # noqa: F811
    code, text, _ = brinery_command("compare", file("a.json"), file("b.json", 1.2), "--markdown")
    assert code == 1
    assert text.startswith("### brinery compare\n")
    assert "<details><summary>2 same</summary>" in text


def test_a_result_cannot_steer_the_terminal(brinery_command, file):  # noqa: F811
    odd = [pooled("\x1b[2Jnpy", "dump", 1)]
    for style in ((), ("--markdown",)):
        _, text, _ = brinery_command("compare", file("a.json", cells=odd), file("b.json", cells=odd), *style)
        assert "\x1b" not in text
