"""Pages as text: what stands in them without a browser, and that nothing hostile gets out of its place."""

import base64
import gzip
import json
import re

import pytest

from brinery.report.bench.page import bench_page
from brinery.report.conversion.page import conversion_page
from brinery.report.conversion.read import read_conversion

from ...images import images, make_folder
from ..made import MARKUP, Elements, bench, dataset, hostile, poison

pytest.importorskip("altair")

from brinery.report.html import page as page_module
from brinery.report.html.chart import Chart, standalone_svg
from brinery.report.html.stacked_bars import Stack, stacked_rows

JAVASCRIPT = page_module.javascript
SECTIONS = [
    "choose",
    "seed",
    "size",
    "workers",
    "time",
    "phases",
    "timeline",
    "stability",
    "method",
    "raw",
    "glossary",
]


@pytest.fixture(autouse=True)
def light(monkeypatch):
    """The charts' library is the same in every page: a test of text need not pack it."""
    monkeypatch.setattr(page_module, "javascript", lambda: "0;")


def html_of(page):
    return page_module.page_html(page)


@pytest.fixture(scope="module")
def elements():
    patch = pytest.MonkeyPatch()
    patch.setattr(page_module, "javascript", lambda: "0;")
    yield Elements(html_of(bench_page(bench())))
    patch.undo()


def test_the_sections_come_in_their_order(elements):
    assert [one["id"] for one in elements.all("section")] == SECTIONS
    assert [one["href"] for one in elements.all("a")][1 : len(SECTIONS) + 1] == [
        f"#{name}" for name in SECTIONS
    ]


def test_every_chart_has_a_drawing_a_caption_and_a_table(elements):
    charts = [one for one in elements.all("div") if one.get("class") == "chart"]
    drawings = [one for one in elements.all("svg") if one.get("class") == "drawn"]
    assert len(charts) == len(drawings) == len(elements.all("figure")) == len(elements.all("figcaption"))
    captions = {one["id"] for one in elements.all("figcaption")}
    assert {one["aria-describedby"] for one in charts} == captions
    assert elements.text.count("Data table") == len(charts)


def test_every_figure_of_the_head_stands_by_itself(elements):
    facts = [one for one in elements.all("div") if one.get("class") == "fact"]
    assert len(facts) == len(bench_page(bench()).facts) > 2


@pytest.mark.parametrize("longest", [0.004, 3.0, 18.0, 118.0, 950.0])
def test_axes_read_as_people_write_numbers(longest):
    stacks = [Stack("npy", {"read": longest / 3, "dump": longest * 2 / 3}, end=f"{longest:g} s")]
    svg = standalone_svg(Chart("c", "c", "c", stacked_rows(stacks, ["read", "dump"], title="s"), None))
    labels = re.findall(r">([^<>]+)</text>", svg)
    assert [label for label in labels if re.search(r"\de", label)] == []
    assert f"{longest:g} s" in labels


def test_ids_are_unique_and_every_reference_leads_somewhere(elements):
    ids = [attributes["id"] for _, attributes in elements.found if attributes.get("id")]
    assert len(ids) == len(set(ids))
    for _, attributes in elements.found:
        for name in ("aria-labelledby", "aria-describedby"):
            assert attributes.get(name) is None or attributes[name] in ids
        if (attributes.get("href") or "").startswith("#"):
            assert attributes["href"][1:] in ids


def test_nothing_may_be_fetched(elements):
    policy = next(one["content"] for one in elements.all("meta") if one.get("http-equiv"))
    assert policy.startswith("default-src 'none';")
    assert "unsafe-eval" not in policy
    assert re.findall(r"script-src (.*)", policy)[0].count("sha256-") == 2
    for tag, attributes in elements.found:
        assert "src" not in attributes, tag
        assert (attributes.get("href") or "#").startswith(("#", "data:"))
        assert not [name for name in attributes if name.startswith("on")]


def test_the_seeds_table_is_honest(elements):
    text = elements.text
    assert "~ extrapolated from fewer images" in text
    assert "hold the median with a probability of 93.8% (5 rounds)" in text
    assert "~0.401" in text  # npy loads 100 images in 40.08 ms


def test_the_raw_result_is_in_the_page(elements):
    link = next(one for one in elements.all("a") if one.get("download"))
    packed = base64.b64decode(link["href"].partition(",")[2])
    assert json.loads(gzip.decompress(packed))["schema"] == "brinery.bench/1"


def test_a_hostile_result_renders_and_shows_the_truth():
    html = html_of(bench_page(hostile()))
    found = Elements(html)
    scripts = [one for one in found.all("script") if not one.get("type")]
    assert len(scripts) == 1
    assert "<script>alert" not in html
    assert "alert('x')" in found.text
    assert "\u202e" not in html
    assert "\\u202e" in found.text
    for word in ("void", "not finished", "wrong-arrays", "too few rounds", "not a number"):
        assert word in found.text, word
    assert "nan" not in re.findall(r"[a-z]+", found.text)
    assert "None" not in found.text.replace("None.", "")


@pytest.fixture(scope="module")
def fifteen():
    """The page of fifteen protocols on up to 64 CPUs, with the charts' library."""
    protocols = {f"protocol-{n}": 10.0 + n for n in range(15)}
    ops = ("convert", "dump", "load", "map")
    made = bench(protocols, (1, 2, 4, 64), 7, 64.0, ops, seconds=250)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page_module, "javascript", JAVASCRIPT)
        return html_of(bench_page(made))


@pytest.mark.parametrize(
    "made",
    [
        bench({"npy": 20.0}, cores=(1,), rounds=1),
        bench({"npy": 20.0}, cores=(64,), usable=1.0),
    ],
    ids=["one protocol, one core, one round", "64 workers on one CPU"],
)
def test_few(made):
    is_a_page(html_of(bench_page(made)))


def test_many(fifteen):
    is_a_page(fifteen)


def is_a_page(html):
    found = Elements(html)
    assert next(one for one in found.all("section"))["id"] in SECTIONS
    assert "Traceback" not in found.text


def test_a_result_without_anything_is_a_page_that_says_so():
    from dataclasses import replace

    empty = replace(bench(), cells=(), scaling=(), recommendations=(), ceilings=())
    empty = replace(
        empty,
        sampler=replace(empty.sampler, rows=()),
        noise=replace(empty.noise, sentinel=(), floor=None),
        run=replace(empty.run, rounds_done={}),
    )
    found = Elements(html_of(bench_page(empty)))
    assert "No protocol can be named." in found.text
    assert "no round done" in found.text.lower()


def test_a_convert_shows_failures_by_reason_with_their_keys(tmp_path):
    out = dataset(tmp_path, failures=200)
    poison(out / "manifest.sqlite", "UPDATE failures SET message = 'cut off'")
    poison(out / "manifest.sqlite", "UPDATE failures SET message = ? WHERE key LIKE '%001%'", MARKUP)
    html = html_of(conversion_page(read_conversion(out)))
    found = Elements(html)
    assert "200 failed" in found.text
    assert "<b>&amp;" not in html.split("<body")[1].replace("&lt;b&gt;&amp;", "")
    assert "<script>alert" not in html
    assert "199 images in decode: DecodeError, cut off" in found.text
    assert "bad/003<b>&.jpg" in found.text
    assert "And 187 more: brinery failures" in found.text
    assert "\nbrinery convert --retry-failed" in html
    sections = [one["id"] for one in found.all("section")]
    assert {"faster", "phases", "shards", "failures", "method"} <= set(sections)


def test_settings_have_their_units(tmp_path):
    out = dataset(tmp_path, shard_size="8MiB", max_pixels=1_000_000)
    poison(out / "manifest.sqlite", "UPDATE samples SET dtype = '<u2'")
    (table,) = (
        one for one in conversion_page(read_conversion(out)).tables.values() if "Settings" in one.title
    )
    said = dict(table.rows)
    assert said["shape"].partition(",")[2].startswith(" 16-bit unsigned, little-endian")
    assert said["shard size"] == "8.00 MiB"
    assert (said["--max-pixels"], said["--timeout"], said["--fsync"]) == ("1,000,000", "none", "no")


def test_reasons_without_number_are_folded_together(tmp_path):
    out = dataset(tmp_path, failures=40)
    poison(out / "manifest.sqlite", "UPDATE failures SET message = 'cannot read ' || hex(key)")
    found = read_conversion(out)
    assert len(found.failures) <= 25
    assert sum(group.members for group in found.failures) == 40


def test_a_convert_of_names_with_markup(tmp_path):
    make_folder(tmp_path / "photos", {f"{key}": data for key, data in images(3).items()})
    (tmp_path / "photos" / "<img src=x onerror=alert(1)>.jpg").write_bytes(b"broken")
    import brinery

    brinery.convert(tmp_path / "photos", tmp_path / "out", workers=1, backend="threading")
    html = html_of(conversion_page(read_conversion(tmp_path / "out")))
    assert "<img" not in html
    assert "<img src=x onerror=alert(1)>.jpg" in Elements(html).text


def test_a_dataset_whose_run_left_no_figures(tmp_path):
    out = dataset(tmp_path)
    poison(out / "manifest.sqlite", "UPDATE runs SET summary = NULL")
    found = Elements(html_of(conversion_page(read_conversion(out))))
    assert "20 images in npy, none failed." in found.text
    assert "No run of this dataset left figures behind." in found.text


def test_fifteen_protocols_on_four_numbers_of_workers_stay_below_two_megabytes(fifteen):
    from brinery.report.bench import page as bench_module

    raw = len(re.findall(r"data:application/gzip;base64,([^\"]*)", fifteen)[0])
    assert fifteen.count('class="drawn"') == 22
    assert len(fifteen.encode()) - raw + bench_module._MOST_RAW < 2_000_000  # however little it can be packed


def test_a_result_too_large_for_the_page_leaves_out_each_workers_counters_and_says_so(monkeypatch):
    from brinery.report.bench import page as bench_module

    monkeypatch.setattr(bench_module, "_MOST_RAW", 10)
    found = Elements(html_of(bench_page(bench())))
    link = next(one for one in found.all("a") if one.get("download"))
    document = json.loads(gzip.decompress(base64.b64decode(link["href"].partition(",")[2])))
    assert link["download"] == "result-without-workers.json.gz"
    assert {len(sample["workers"]) for cell in document["cells"] for sample in cell["samples"]} == {0}
    assert "the counters of each worker in each sample are left out here" in found.text
