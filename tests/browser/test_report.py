"""The report in a real browser: drawn, sorted, zoomed, read by keyboard, without scripts, in both themes."""

import gzip
import json

import pytest

from brinery.report.write import write_report

from ..report.made import bench

pytest.importorskip("playwright", reason="playwright is not installed")
pytest.importorskip("altair", reason="altair is not installed")

EVERY = ["bench", "hostile", "convert", "compare"]
WIDTHS = [1280, 320]


@pytest.mark.parametrize("name", EVERY)
def test_every_chart_is_drawn(seen, name):
    page = seen(name)
    charts = page.locator(".chart")
    assert charts.count() > 0
    assert page.locator(".chart.live > .vega-embed svg, .chart.live > div svg").count() == charts.count()
    for chart in charts.all():
        marks = chart.evaluate("one => one.querySelectorAll(':scope > div path, :scope > div text').length")
        assert marks > 5, chart.get_attribute("id")
        assert not chart.locator(":scope > .drawn").is_visible()


def test_a_chart_is_drawn_when_it_comes_near(opened, reports):
    page = opened(reports["bench"])
    assert page.locator("#rounds.live").count() == 0
    page.locator("#rounds").scroll_into_view_if_needed()
    page.wait_for_selector("#rounds.live")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", EVERY)
def test_a_page_is_no_wider_than_its_window(drawn, seen, name, width):
    page = seen(name) if width == 1280 else drawn(name, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for chart in page.locator(".chart").all():
        inner = chart.evaluate("one => one.querySelector(':scope > div').scrollWidth - one.clientWidth")
        assert inner <= 8, chart.get_attribute("id")


@pytest.mark.parametrize("name", ["convert", "bench"])
def test_words_fit_a_phone(drawn, name):
    page = drawn(name, width=390)
    page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true; })")
    wide = """() => [...document.querySelectorAll(".scroller:has(.words)")]
        .filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.ariaLabel)"""
    assert page.locator(".words").count() > 0
    for cell in page.locator(".words td[data-label]").all()[:2]:
        shown = cell.evaluate("one => getComputedStyle(one, '::before').content")
        assert cell.get_attribute("data-label") in shown
    assert page.evaluate(wide) == []


def test_no_table_scrolls_in_a_wide_window(drawn):
    page = drawn("bench")
    page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true; })")
    wide = """() => [...document.querySelectorAll(".scroller:has(table)")]
        .filter((one) => one.scrollWidth > one.clientWidth || one.scrollHeight > one.clientHeight)
        .map((one) => one.ariaLabel)"""
    assert page.evaluate(wide) == []


def test_a_narrower_window_lets_pictures_flow(drawn):
    page = drawn("bench")
    tops = """() => new Set([...document.querySelectorAll('#efficiency > div text')]
        .filter((one) => ['dump', 'load'].includes(one.textContent))
        .map((one) => Math.round(one.getBoundingClientRect().top))).size"""
    assert page.evaluate(tops) == 1
    page.set_viewport_size({"width": 320, "height": 900})
    page.wait_for_timeout(400)
    page.locator("#efficiency").scroll_into_view_if_needed()
    page.wait_for_selector("#efficiency.live")
    assert page.evaluate(tops) == 2


def test_a_head_sorts_by_value_and_says_so(opened, reports):
    page = opened(reports["bench"])
    table = page.locator("#seed table")
    head = table.locator("thead th").nth(2)
    column = "rows => rows.map(row => row.cells[2].firstChild.textContent)"
    button = head.locator("button")
    button.focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert table.locator("tbody tr").evaluate_all(column) == ["~0.401", "~1.20", "~40.1"]
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert table.locator("tbody tr").evaluate_all(column) == ["~40.1", "~1.20", "~0.401"]
    first = table.locator("thead th").first
    first.locator("button").click()
    assert (first.get_attribute("aria-sort"), head.get_attribute("aria-sort")) == ("ascending", "none")
    assert table.locator("tbody th").all_inner_texts() == ["hickle", "json", "npy"]


def test_what_is_not_known_stays_last(opened, reports):
    page = opened(reports["hostile"])
    table = page.locator("#seed table")
    for _ in range(2):
        table.locator("thead button").nth(1).click()
        assert table.locator("tbody tr").last.locator("td").first.inner_text().split()[0] in ("void", "not")


TIMELINES = ["timeline-cpu", "timeline-memory", "timeline-storage", "timeline-workers"]
AXIS = (
    "id => [...document.querySelectorAll(`#${id} > div .role-axis-label text`)].map(one => one.textContent)"
)


def test_timelines_zoom_together_by_button_key_and_mouse(drawn):
    page = drawn("bench")
    shown = page.locator(".zoom output")
    assert shown.inner_text() == "0.0 to 11.0 s"
    whole = [page.evaluate(AXIS, one) for one in TIMELINES]
    page.get_by_role("button", name="Zoom in").click()
    assert shown.inner_text() == "2.8 to 8.3 s"
    page.wait_for_timeout(150)
    assert all(page.evaluate(AXIS, one) != before for one, before in zip(TIMELINES, whole, strict=True))
    page.locator("figure:has(#timeline-cpu) > .scroller").focus()
    page.keyboard.press("ArrowRight")
    assert shown.inner_text() == "4.6 to 10.1 s"
    page.keyboard.press("0")
    assert shown.inner_text() == "0.0 to 11.0 s"
    page.locator("#timeline-memory").scroll_into_view_if_needed()
    box = page.locator("#timeline-memory").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 80)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 3 / 4, box["y"] + 80)
    page.mouse.up()
    low, high = (float(word) for word in shown.inner_text().removesuffix(" s").split(" to "))
    assert (4.5 < low < 6.0, 7.5 < high < 9.0) == (True, True)
    page.wait_for_timeout(150)
    assert all(page.evaluate(AXIS, one) != before for one, before in zip(TIMELINES, whole, strict=True))


def test_the_theme_is_the_systems_or_the_chosen_one(drawn):
    page = drawn("bench", scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    ink = "getComputedStyle(document.querySelector('#tradeoff > div text')).fill"
    dark = (page.evaluate(ground), page.evaluate(ink))
    button = page.locator("#theme")
    button.click()
    assert button.inner_text() == "Theme: light"
    light = (page.evaluate(ground), page.evaluate(ink))
    assert light[0] == "rgb(255, 255, 255)"
    assert all(a != b for a, b in zip(dark, light, strict=True))
    button.click()
    assert (page.evaluate(ground), page.evaluate(ink)) == dark
    page.emulate_media(media="print")
    assert page.evaluate(ground) == "rgb(255, 255, 255)"


def test_the_keyboard_reaches_everything(drawn):
    page = drawn("bench")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.tagName + '.' + document.activeElement.className"))
    assert {"BUTTON.", "A.", "SUMMARY.", "DIV.scroller"} <= reached
    summary = page.locator("figure:has(#tradeoff) summary")
    summary.focus()
    page.keyboard.press("Enter")
    assert page.locator("figure:has(#tradeoff) details table").is_visible()


def test_a_tooltip_tells_what_a_mark_is(drawn):
    page = drawn("bench")
    page.locator("#tradeoff > div path[aria-label], #tradeoff > div .mark-symbol path").first.hover(
        force=True
    )
    tip = page.locator("#vg-tooltip-element.visible")
    tip.wait_for()
    assert "kB an image" in tip.inner_text()


def test_the_raw_result_is_saved_as_json(seen):
    page = seen("bench")
    with page.expect_download() as saving:
        page.locator("a.download").click()
    saved = saving.value
    assert saved.suggested_filename == "result.json"
    assert json.loads(saved.path().read_text())["schema"] == "brinery.bench/1"


def test_every_table_is_saved_as_csv(drawn, tmp_path):
    page = drawn("bench")
    write_report(bench(), tmp_path, format="csv")
    buttons = page.locator("button.csv")
    count = buttons.count()
    assert count == page.locator("main table").count() == len(list(tmp_path.iterdir()))
    page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true; })")
    for place in (0, count // 2, count - 1):
        with page.expect_download() as saving:
            buttons.nth(place).click()
        saved = saving.value
        assert saved.path().read_bytes() == (tmp_path / saved.suggested_filename).read_bytes()


@pytest.mark.parametrize("name", EVERY)
def test_without_scripts_all_tables_and_drawings_are_there(opened, reports, name):
    page = opened(reports[name], scripts=False)
    charts = page.locator(".chart").all()
    for chart in charts:
        drawing = chart.locator(":scope > .drawn")
        assert drawing.is_visible(), chart.get_attribute("id")
        assert drawing.bounding_box()["height"] > 30
    assert page.locator("figure details table").count() == len(charts)
    page.locator("figure summary").first.click()
    assert page.locator("figure details table").first.is_visible()
    assert page.locator("h1").inner_text()
    with page.expect_download() as saving:
        page.locator("a.download").click()
    with gzip.open(saving.value.path()) as file:
        assert json.load(file)


def test_a_hostile_name_is_text(seen):
    page = seen("hostile")
    assert (
        page.locator("script").count() == 5
    )  # tables, data, packed library, unpacked library, the page's own
    assert page.locator("#seed").get_by_text("alert('x')").count() > 0
    assert page.evaluate("typeof window.hostile") == "undefined"


@pytest.mark.parametrize(
    ("name", "scheme"),
    [("bench", "light"), ("bench", "dark"), ("convert", "light"), ("compare", "dark"), ("hostile", "light")],
)
def test_axe_finds_no_serious_fault(drawn, seen, name, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    page = seen(name) if scheme == "light" else drawn(name, scheme=scheme)
    page.locator("details").evaluate_all("all => all.slice(0, 2).forEach((one) => { one.open = true; })")
    found = axe.Axe().run(page).response["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert [
        (one["id"], one["nodes"][0]["html"][:200], one["nodes"][0].get("failureSummary")) for one in serious
    ] == []
