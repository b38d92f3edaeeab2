"""The commands as a user meets them: what they print, where, and how they end."""

import json
import subprocess
import sys

import pytest

import brinery.cli

from ..images import images, jpeg, make_folder, make_tar, make_zip


@pytest.fixture
def brinery_command(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["brinery", *map(str, arguments)])
        monkeypatch.setenv("PYTHONWARNINGS", "")
        with pytest.raises(SystemExit) as ended:
            brinery.cli.main()
        output = capsys.readouterr()
        assert "Traceback" not in output.err
        return ended.value.code, output.out, output.err

    return run


@pytest.fixture
def tar(tmp_path):
    return make_tar(tmp_path / "photos.tar", images(20))


FAST = ("--workers", "1", "--backend", "threading")


def test_the_whole_path(brinery_command, tmp_path, tar):
    out = tmp_path / "out"
    code, text, _ = brinery_command("convert", tar, out, "--protocol", "hickle", *FAST)
    assert code == 0
    assert "20 images converted" in text
    code, text, _ = brinery_command("info", out)
    assert code == 0
    for word in (
        "20 samples in hickle",
        "24 x 32 x 3, 8-bit unsigned: 20",
        "images/s",
        "cores busy",
        "peak",
        "fsync",
    ):
        assert word in text
    code, text, _ = brinery_command("verify", out)
    assert (code, "20 of 20 samples intact" in text) == (0, True)
    code, text, _ = brinery_command("restore", out, tmp_path / "again", "--format", "png")
    assert (code, "20 images restored" in text) == (0, True)


def test_an_export_takes_a_dataset_and_says_what_it_read(brinery_command, tmp_path, tar):
    made, out = tmp_path / "made", tmp_path / "out"
    brinery_command("convert", tar, made, *FAST)
    code, text, _ = brinery_command("export", made, out, "--protocol", "npz", *FAST)
    assert (code, f"{out}: 20 images converted in" in text) == (0, True)
    code, text, _ = brinery_command("convert", made, out, "--protocol", "npz", *FAST)
    assert (code, "0 images converted" in text, "20 unchanged; 20 samples" in text) == (0, True, True)
    assert f"from      {made}\n" in brinery_command("info", out)[1]
    assert "45 KiB of arrays, " in brinery_command("info", out)[1]
    code, text, _ = brinery_command("export", made, out, "--protocol", "npz", "--json", *FAST)
    assert (code, json.loads(text)["unchanged"]) == (0, 20)
    code, _, err = brinery_command("export", tar, tmp_path / "other", *FAST)
    assert (code, "is no brinery dataset" in err) == (4, True)
    code, _, err = brinery_command("export", made, made / "inside", *FAST)
    assert (code, "lies inside the source" in err) == (2, True)


def test_what_could_double_or_empty_a_dataset_is_asked_for(brinery_command, tmp_path, tar):
    out, more = tmp_path / "out", make_zip(tmp_path / "more.zip", images(2))
    brinery_command("convert", tar, out, *FAST)
    code, _, err = brinery_command("convert", tar, more, out, *FAST)
    assert (code, "more.zip is another source: --add takes it in" in err) == (2, True)
    code, text, _ = brinery_command("convert", tar, more, out, "--add", *FAST)
    assert (code, "2 images converted" in text, "22 samples" in text) == (0, True, True)
    assert f"from      {more}, keys more.zip/..." in brinery_command("info", out)[1]
    make_tar(tar, images(2))
    code, _, err = brinery_command("convert", tar, out, "--prune", *FAST)
    assert (code, "18 of 22 samples" in err, "--yes drops them" in err) == (2, True, True)
    code, text, err = brinery_command("convert", tar, out, "--prune", "--yes", *FAST)
    assert (code, "4 samples" in text, "--prune drops what is gone: 18 of 22" in err) == (0, True, True)


def test_json_is_all_that_stands_on_stdout(brinery_command, tmp_path, tar):
    out = tmp_path / "out"
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "cut.jpg").write_bytes(jpeg(1)[:-200])
    code, text, err = brinery_command("convert", tar, tmp_path / "more", out, "--json", *FAST)
    document = json.loads(text)
    assert (code, document["exit_code"], document["failures"], document["samples"]) == (3, 3, 1, 20)
    assert "1 failure in this run" in err
    found = json.loads(brinery_command("info", out, "--json")[1])
    assert found["failures"][0]["key"] == "more/cut.jpg"
    assert found["sources"] == [
        {"path": str(tar), "prefix": "photos.tar/"},
        {"path": str(tmp_path / "more"), "prefix": "more/"},
    ]
    assert json.loads(brinery_command("verify", out, "--json")[1])["bad"] == []
    restored = json.loads(brinery_command("restore", out, tmp_path / "r", "--json")[1])
    assert restored["images"] == 20
    assert {one["name"] for one in json.loads(brinery_command("protocols", "--json")[1])} >= {"npy", "hickle"}
    made = json.loads(brinery_command("sample", tmp_path / "s", "--count", 3, "--size", "40x30", "--json")[1])
    assert made["images"] == len(list((tmp_path / "s").iterdir())) == 3


def test_archives_inside_of_archives_are_counted_with_the_option_that_reads_them(
    brinery_command, tmp_path, tar
):
    outer = make_tar(tmp_path / "outer.tar", {"in.tar": tar.read_bytes(), "a.txt": b"text", **images(1)})
    code, _, err = brinery_command("convert", outer, tmp_path / "out", *FAST)
    assert code == 0
    assert "1 entry skipped: no images" in err
    assert "1 entry skipped: archives; --nested reads them" in err
    code, text, err = brinery_command("convert", outer, tmp_path / "out", "--nested", "--json", *FAST)
    assert (code, json.loads(text)["samples"], json.loads(text)["archives"]) == (0, 21, 0)
    assert "--nested" not in err


def test_verify_ends_with_3_where_a_sample_is_damaged(brinery_command, tmp_path, tar):
    out = tmp_path / "out"
    brinery_command("convert", tar, out, *FAST)
    shard = out / "shards" / "000000.npy"
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    code, text, err = brinery_command("verify", out)
    assert code == 3
    assert "19 of 20" in text
    assert "checksum" in err


def test_names_from_archives_cannot_steer_the_terminal(brinery_command, tmp_path):
    tar = make_tar(tmp_path / "photos.tar", {"\x1b[2Jevil.jpg": jpeg(1)[:-200], "good.jpg": jpeg(2)})
    brinery_command("convert", tar, tmp_path / "out", *FAST)
    _, text, _ = brinery_command("info", tmp_path / "out")
    assert "\x1b" not in text
    assert "\\x1b[2Jevil.jpg" in text


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["convert", "TAR", "OUT", "--protocol", "pickel-5"], 2, "pickle-5"),
        (["convert", "TAR", "OUT", "--protocol", "npy+zip"], 2, "lz4"),
        (["convert", "TAR", "OUT", "--workers", "0"], 2, "1 or more"),
        (["convert", "TAR", "OUT", "--shard-size", "many"], 2, "size"),
        (["convert", "TAR", "OUT", "--max-failures", "few"], 2, "max-failures"),
        (["convert", "TAR", "OUT", "--mode", "blue"], 2, "gray"),
        (["convert", "TAR", "OUT", "--limit", "0"], 2, "limit"),
        (["convert", "NOWHERE", "OUT"], 2, "NOWHERE"),
        (["convert", "EMPTY", "OUT"], 4, "no image"),
        (["convert", "TEXT", "OUT"], 4, "TEXT"),
        (["convert", "NOZIP", "OUT"], 4, "NOZIP"),
        (["convert", "TAR", "FULL"], 2, "not empty"),
        (["convert", "TAR", "TEXT"], 2, "is a file"),
        (["convert", "TAR", "/proc/nothing/here"], 4, "cannot make"),
        (["convert", "TAR"], 2, "Missing argument"),
        (["info", "EMPTY"], 4, "manifest"),
        (["info", "NOWHERE"], 4, "does not exist"),
        (["verify", "TEXT"], 4, "manifest"),
        (["restore", "NOWHERE", "OUT"], 4, "does not exist"),
        (["sample", "FULL"], 2, "not empty"),
        (["sample", "OUT", "--size", "huge"], 2, "320x240"),
        (["bennch"], 2, "bench"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(brinery_command, tmp_path, tar, monkeypatch, arguments, code, says):
    (tmp_path / "EMPTY").mkdir()
    make_folder(tmp_path / "FULL", {"thesis.tex": b"years of work"})
    (tmp_path / "TEXT").write_bytes(b"just text")
    (tmp_path / "NOZIP").write_bytes(make_zip(tmp_path / "x.zip", images(2)).read_bytes()[:100])
    monkeypatch.chdir(tmp_path)
    given = [str(tar) if argument == "TAR" else argument for argument in arguments]
    ended, out, err = brinery_command(*given)
    assert ended == code, err
    assert says in err
    assert out == ""
    assert len(err.strip().splitlines()) <= 4


@pytest.mark.parametrize(
    "command",
    ["convert", "info", "failures", "verify", "restore", "bench", "compare", "protocols", "sample"],
)
def test_help_has_examples(brinery_command, command):
    code, text, _ = brinery_command(command, "--help")
    assert code == 0
    assert f"brinery {command}" in text.split("Options")[0].split("Usage:")[1].split("\n", 1)[1]


def test_help_lists_every_command(brinery_command):
    _, text, _ = brinery_command("--help")
    for command in (
        "convert",
        "info",
        "failures",
        "verify",
        "restore",
        "bench",
        "compare",
        "protocols",
        "sample",
    ):
        assert f"\n  {command} " in text


LEAK = """
import sys
from brinery import cli
sys.argv = ["brinery", "--version"]
try:
    cli.main()
finally:
    from joblib.externals.loky.backend.resource_tracker import register
    register("/nothing", "semlock")
"""


def test_what_is_cleaned_up_behind_killed_workers_is_not_told():
    done = subprocess.run([sys.executable, "-c", LEAK], capture_output=True, text=True, check=True)
    assert done.stderr == ""
