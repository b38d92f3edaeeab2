"""A protocol that another package registers is measured like any other, in worker processes too.

The command is a user's own, from the shell, and what it prints is one JSON document.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "bench" / "ab_false_alarms.py"


def planted():
    spec = importlib.util.spec_from_file_location("planted_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_third_partys_protocol_is_measured_and_the_result_printed_as_json(tmp_path):
    folder = tmp_path / "package"
    planted().make_folder(folder, 1.0)
    shutil.rmtree(folder / "brinery")  # the installed one is meant
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "brinery", "bench", "--protocols", "planted", "--cores", "2"),
            *("--ops", "dump,load", "--rounds", "1", "--limit", "6", "--quick", "--json"),
            *("--output", str(tmp_path / "out")),
        ],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["schema"] == "brinery.bench/1"
    cells = [cell for cell in document["cells"] if cell["protocol"] == "planted"]
    assert {(cell["op"], cell["pool"]) for cell in cells} == {
        ("dump", "none"), ("load", "none"), ("dump", "loky"), ("load", "loky"),
    }  # fmt: skip
    assert all(cell["valid"] and cell["verify"]["checked"] for cell in cells)
