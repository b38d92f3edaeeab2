"""A quantity has one number, wherever it is shown: page, captions, Markdown, `brinery info`."""

import json
import sqlite3
from dataclasses import fields

import pytest
from click.testing import CliRunner

from brinery.cli.info import command
from brinery.report.conversion.markdown import conversion_markdown
from brinery.report.conversion.page import conversion_page
from brinery.report.conversion.read import read_conversion
from brinery.report.html.chart import Chart

from ..made import dataset

MIB = 1 << 20
COUNTED = {  # none of it is what the sampler's readings add up to
    "wall_ns": 20 * 10**9,
    "worker_cpu_ns": 6 * 10**9,
    "parent_cpu_ns": 120 * 10**6,
    "read_bytes": 748 << 10,
    "write_bytes": 33 * MIB,
    "peak_pss_bytes": 131 * MIB,
    "peak_rss_bytes": 177 * MIB,
}


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    made = dataset(tmp_path_factory.mktemp("one"))
    with sqlite3.connect(made / "manifest.sqlite") as connection:
        (text,) = connection.execute("SELECT summary FROM runs").fetchone()
        summary = json.loads(text) | COUNTED
        connection.execute("UPDATE runs SET wall_ns = 20000000000, summary = ?", (json.dumps(summary),))
    return made


@pytest.fixture(scope="module")
def told(out):
    """Every text that a reader sees, by where it stands."""
    found = read_conversion(out)
    page = conversion_page(found)
    charts = {
        item.name: item.caption for one in page.sections for item in one.body if isinstance(item, Chart)
    }
    facts = {fact.label: f"{fact.value} {fact.note}" for fact in page.facts}
    info = CliRunner().invoke(command, [str(out)], standalone_mode=False)
    assert info.exception is None
    return {"markdown": conversion_markdown(found), "info": info.output, **charts, **facts}


@pytest.mark.parametrize(
    ("place", "phrase"),
    [
        ("Cores busy", "0.306 of 1 worker"),
        ("timeline-cpu", "On average 0.306 of 1 worker were busy"),
        ("markdown", "| cores busy | 0.306 |"),
        ("info", "0.31 cores busy"),
        ("Peak memory", "131 MiB PSS"),
        ("timeline-memory", "Resident memory peaks at 177 MiB"),
        ("timeline-memory", "at 131 MiB. "),
        ("markdown", "| peak memory (PSS) | 131 MiB |"),
        ("info", "131 MiB at the peak"),
        ("timeline-storage", "About 33.0 MiB went towards storage"),
        ("timeline-storage", "and 748 KiB came from it"),
        ("markdown", "| read from storage | 748 KiB |"),
        ("markdown", "| written towards storage | 33.0 MiB |"),
        ("info", "748 KiB from storage"),
        ("info", "33 MiB to storage"),
    ],
)
def test_a_quantity_has_one_number(told, place, phrase):
    assert phrase in told[place]


def test_every_total_of_the_sampler_has_its_own_count(out):
    counted = read_conversion(out).usage.counted
    assert all(getattr(counted, field.name) is not None for field in fields(counted))
