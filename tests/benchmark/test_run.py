import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from PIL import Image

from brinery.benchmark import calibrate
from brinery.benchmark.analysis.conclude import conclude
from brinery.benchmark.compare.compare import compare_results
from brinery.benchmark.options import BenchOptions
from brinery.benchmark.result.file import read_result
from brinery.benchmark.result.recommendations import Weights
from brinery.benchmark.runner import BenchInterrupted, benchmark
from brinery.benchmark.text.report import report_markdown
from brinery.benchmark.worker import single_files as singles
from brinery.benchmark.worker.ceilings import CEILINGS
from brinery.engine.protocols.npy import NpySerializer
from brinery.engine.workers import pool
from brinery.errors import ArchiveError, DatasetError, UsageError
from brinery.report.bench.size_against_speed import tradeoff_chart

from ..cli.test_commands import brinery_command  # noqa: F401 - the fixture
from .schema import PATH, schema

GOLDEN = sorted((Path(__file__).parents[1] / "golden" / "results").glob("*.json"))


@pytest.fixture(autouse=True)
def no_workers_left():
    yield
    pool.shutdown()


@pytest.fixture(scope="module", autouse=True)
def short_regions():
    """Nothing that is looked at here depends on how long a region lasts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BenchOptions, "region_ns", 10_000_000)
        yield


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    output = tmp_path_factory.mktemp("bench")
    said = []
    made = benchmark(
        cores="1,2",
        protocols="npy,pickle-2",
        rounds=1,
        limit=12,
        quick=True,
        ops="convert,dump,load,load_lazy,map",
        durability="buffered,fsync",
        dispatch="partitioned,engine",
        reads_per_write=3,
        link=100,
        memory_cap="8GiB",
        output=output,
        say=said.append,
        argv=("brinery", "bench", "--limit", "12"),
    )
    return made, output, said


def validate(document):
    Draft202012Validator(json.loads(PATH.read_text())).validate(document)


def test_the_schema_is_that_of_the_code():
    """Where it is not: `.venv/bin/python -m tests.benchmark.schema`."""
    Draft202012Validator.check_schema(json.loads(PATH.read_text()))
    assert json.loads(PATH.read_text()) == schema()


def test_the_result_file_follows_the_schema(tiny):
    made, output, _ = tiny
    validate(json.loads((output / "result.json").read_text()))
    assert read_result(output / "result.json") == made


@pytest.mark.parametrize("path", GOLDEN, ids=[path.stem for path in GOLDEN])
def test_results_of_earlier_versions_stay_readable(path):
    validate(json.loads(path.read_text()))
    old = read_result(path)
    assert {cell.op for cell in old.cells} == {"convert", "dump", "load"}
    assert {cell.dispatch for cell in old.cells if cell.op == "convert"} == {"engine"}
    assert "npy" in report_markdown(conclude(old))
    assert compare_results(old, old).exit_code == 2  # too few rounds to tell


def test_every_cell_was_measured_and_compared(tiny):
    made, output, _ = tiny
    assert all(cell.valid for cell in made.cells), [cell.problem for cell in made.cells]
    found = {(cell.protocol, cell.op, cell.workers, cell.layout, cell.pool) for cell in made.cells}
    for protocol in ("npy", "pickle-2"):
        for op in ("convert", "dump", "load", "load_lazy"):
            for workers in (1, 2):
                assert (protocol, op, workers, "shards", "loky") in found
        assert (protocol, "load", 1, "shards", "none") in found
        assert (protocol, "dump", 1, "single", "none") in found
    assert ("npy", "map", 2, "shards", "loky") in found
    assert ("pickle-2", "map", 1, "shards", "loky") not in found
    assert all(cell.verify.checked for cell in made.cells if cell.op != "load_lazy")
    assert made.run.finished
    assert sorted(path.name for path in output.iterdir()) == ["report.md", "result.json"]


def test_every_size_is_of_all_images_and_the_same_everywhere(tiny):
    made, output, _ = tiny
    assert {(one.images, one.of_images, one.pixel_bytes) for one in made.sizes} == {
        (12, 12, made.dataset.pixel_bytes)
    }
    sizes = {one.protocol: one.file_bytes / 12 for one in made.sizes if one.layout == "shards"}
    assert set(sizes) == {"npy", "pickle-2"}
    (smallest,) = [one for one in made.recommendations if one.objective == "smallest"]
    sizes["source-files"] = made.dataset.source_bytes / 12
    assert {one.protocol: one.value for one in smallest.choices} == sizes
    chart = tradeoff_chart(made)
    named = {"the source files" if name == "source-files" else name: one for name, one in sizes.items()}
    assert {row["protocol"]: row["kB"] for row in chart.spec["data"]["values"]} == pytest.approx(
        {protocol: size / 1000 for protocol, size in named.items()}
    )
    assert "files of all 12 images" in (output / "report.md").read_text()


def test_ceilings_are_measured_with_every_number_of_workers(tiny):
    made, _, _ = tiny
    found = {(one.name, one.workers) for one in made.ceilings if one.per_s}
    assert found == {(name, workers) for name in CEILINGS for workers in (1, 2)}
    for cell in made.cells:
        if cell.pool == "loky" and cell.op != "load_lazy":
            assert cell.bound.fraction > 0


def test_every_sample_tells_where_the_workers_time_went(tiny):
    made, _, _ = tiny
    for cell in made.cells:
        split = cell.split
        parts = [split.user, split.system, split.run_wait or 0, split.block_wait or 0, split.other]
        assert sum(parts) == pytest.approx(1, abs=0.05)
        for sample in cell.samples:
            assert all(worker.other_ns is not None for worker in sample.workers)
            assert sample.machine.wall_ns > 0


def test_flushed_dumps_spend_time_in_fsync(tiny):
    made, _, _ = tiny
    flushed = [cell for cell in made.cells if cell.durability == "fsync"]
    assert {cell.op for cell in flushed} == {"dump"}
    assert all("fsync" in worker.phases_ns for cell in flushed for worker in cell.samples[0].workers)


def test_the_sentinel_opens_and_closes_every_round(tiny):
    made, _, _ = tiny
    visits = [(one.part, one.round, one.place) for one in made.noise.sentinel]
    assert dict.fromkeys(visits) == dict.fromkeys(
        [("seed", 0, "open"), ("seed", 0, "close"), ("scaling", 0, "open"), ("scaling", 0, "close")]
    )
    assert {one.name for one in made.noise.sentinel} == {"a", "b", "unsampled"}


def test_loads_tell_opening_and_reading_from_parsing(tiny):
    made, _, _ = tiny
    phases = {
        cell.op: {name for sample in cell.samples for one in sample.workers for name in one.phases_ns}
        for cell in made.cells
        if cell.layout == "shards" and cell.durability == "buffered"
    }
    assert phases == {
        "convert": {"read", "decode", "hash", "dump", "write", "fsync"},
        "dump": {"encode", "write"},
        "load": {"open_read", "parse", "materialise"},
        "load_lazy": {"open_read", "parse"},
        "map": {"map", "materialise"},
    }


def test_work_handed_out_as_convert_does_is_measured_beside(tiny):
    made, _, _ = tiny
    handed = [cell for cell in made.cells if cell.dispatch == "engine" and cell.op != "convert"]
    assert {cell.op for cell in handed} == {"dump", "load", "load_lazy", "map"}
    for cell in handed:
        assert cell.valid, cell.problem
        for sample in cell.samples:
            assert sample.parent_wall_ns >= sample.wall_ns
            assert sample.images == cell.size.images * sample.passes * cell.workers


def test_starting_workers_is_timed_apart(tiny):
    made, _, _ = tiny
    assert sum(one.workers for one in made.startups) >= 2
    assert all(one.spawn_ns > 0 and one.import_ns > 0 for one in made.startups)


def test_the_sampler_is_held_against_the_workers(tiny):
    made, _, _ = tiny
    assert all(
        worker.lifetime_cpu_ns >= worker.process_cpu_ns >= 0
        for cell in made.cells
        if cell.op != "convert" and cell.dispatch == "partitioned"
        for sample in cell.samples
        for worker in sample.workers
    )


def test_the_weights_of_the_cost_are_kept(tiny):
    made, _, _ = tiny
    assert made.settings.weights == Weights(3, 100, 8 << 30)


def test_limits_are_told_for_every_number_of_workers(tiny):
    made, _, _ = tiny
    assert {(one.protocol, one.op, one.durability, one.dispatch) for one in made.scaling} == {
        (cell.protocol, cell.op, cell.durability, cell.dispatch) for cell in made.cells if cell.pool == "loky"
    }
    assert all([verdict.workers for verdict in one.verdicts] == [1, 2] for one in made.scaling)


def test_workers_are_distinct_processes_that_start_together(tiny):
    made, _, _ = tiny
    for cell in made.cells:
        if cell.pool == "loky" and cell.dispatch == "partitioned":
            for sample in cell.samples:
                assert len({worker.pid for worker in sample.workers} - {os.getpid()}) == cell.workers
                assert sample.wall_ns >= max(worker.wall_ns for worker in sample.workers)


def test_the_plan_comes_before_the_measuring(tiny):
    _, _, said = tiny
    assert any("1 rounds" in line for line in said)
    assert any(line.startswith("expected") for line in said)


class Lying(NpySerializer):
    def load(self, path):
        return super().load(path) ^ 1


def test_wrong_arrays_void_the_cell(tmp_path, monkeypatch):
    monkeypatch.setattr(singles, "get_serializer", lambda _label: Lying())
    made = benchmark(preset="seed", protocols="npy", rounds=2, limit=4, quick=True, output=tmp_path)
    cells = {(cell.protocol, cell.op): cell for cell in made.cells}
    for op in ("dump", "load"):
        assert not cells["npy", op].valid
        assert "not what was stored" in cells["npy", op].problem
        assert cells["npy", op].stats is None
    assert cells["article-pickle-2", "load"].valid


class Broken(NpySerializer):
    def load(self, _path):
        raise RuntimeError("no luck")


def test_a_protocol_that_fails_on_the_images_is_left_out(tmp_path, monkeypatch):
    real = calibrate.get_serializer
    monkeypatch.setattr(calibrate, "get_serializer", lambda name: Broken() if name == "npy" else real(name))
    made = benchmark(preset="seed", protocols="npy,hdf5", rounds=1, limit=4, quick=True, output=tmp_path)
    assert "npy" not in {cell.protocol for cell in made.cells}
    assert any("no luck" in warning for warning in made.warnings)


def test_interruption_keeps_the_finished_rounds(tmp_path):
    def stop(now):
        if now.done == 13:  # 9 cells a round
            raise KeyboardInterrupt

    with pytest.raises(BenchInterrupted) as caught:
        benchmark(
            preset="seed", protocols="npy,hdf5,pickle-5", rounds=3, limit=4, quick=True, output=tmp_path,
            progress=stop,
        )  # fmt: skip
    made = caught.value.result
    assert made == read_result(tmp_path / "result.json")
    assert not made.run.finished
    assert made.run.rounds_done == {"seed": 1}
    assert "Not finished" in (tmp_path / "report.md").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"report.md", "result.json"}


def test_the_users_images_of_any_shape(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    for number in range(6):
        mode = ("RGB", "L", "RGBA")[number % 3]
        Image.new(mode, (20 + number, 30)).save(folder / f"é {number}.png")
    (folder / "notes.txt").write_text("no image")
    made = benchmark(
        folder, cores="2", protocols="npy,hdf5", rounds=1, quick=True, limit=5, output=tmp_path / "out",
        scratch=tmp_path / "scratch",
    )  # fmt: skip
    assert made.dataset.images == 5
    assert len(made.dataset.shapes) == 5
    assert all(cell.valid for cell in made.cells), [cell.problem for cell in made.cells]
    assert not list((tmp_path / "scratch").iterdir())


def test_a_folder_without_images(tmp_path):
    (tmp_path / "src").mkdir()
    with pytest.raises(ArchiveError, match="no image"):
        benchmark(tmp_path / "src", output=tmp_path / "out")
    with pytest.raises(UsageError, match="does not exist"):
        benchmark(tmp_path / "nothing", output=tmp_path / "out")


def test_another_file_is_no_result(tmp_path):
    (tmp_path / "a.json").write_text('{"schema": "else"}')
    with pytest.raises(DatasetError, match="no result"):
        read_result(tmp_path / "a.json")


@pytest.mark.parametrize(
    "arguments",
    [["--cores", "0"], ["--cores", "a,b"], ["--cores", "1,1"], ["--protocols", "nope"], ["--ops", "fly"]],
)
def test_bad_input_is_one_line_and_exit_code_2(brinery_command, tmp_path, arguments):  # noqa: F811
    code, text, err = brinery_command("bench", "--output", tmp_path / "out", *arguments)
    assert (code, text) == (2, "")
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_the_command_prints_tables(tmp_path):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "brinery", "bench", "--preset", "seed", "--protocols", "npy"),
            *("--limit", "4", "--rounds", "1", "--quick", "--output", str(tmp_path / "a")),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Single process, one file per image")
    assert "expected" in done.stderr
