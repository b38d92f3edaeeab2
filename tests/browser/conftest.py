"""Chromium, and pages that it opens from files: no network, every message and request kept."""

import shutil
from pathlib import Path

import pytest

from brinery.benchmark.compare.compare import compare_results
from brinery.report.write import write_report

from ..report.made import bench, dataset, hostile

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def chromium():
    if not CHROMIUM.exists() and shutil.which("chromium") is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM) if CHROMIUM.exists() else shutil.which("chromium"), args=ARGUMENTS
        )
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium):
    """Open a file as a page; at the end no message may have come and nothing but the file been asked for."""
    contexts, messages, requests = [], [], []

    def open_page(path, *, width=1280, height=900, scheme="light", scripts=True):
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, java_script_enabled=scripts
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert messages == []
    assert [url for url in requests if not url.startswith(("file://", "data:", "blob:"))] == []


class Reports(dict):
    """Paths of reports by name, each written when it is first asked for."""

    def __init__(self, folder):
        super().__init__()
        self._folder = folder

    def __missing__(self, name):
        self[name] = self._folder / f"{name}.html"
        write_report(getattr(self, f"_{name}")(), self[name])
        return self[name]

    def _bench(self):
        return bench()

    def _hostile(self):
        return hostile()

    def _convert(self):
        return dataset(self._folder, failures=200, workers=2, backend="loky")

    def _compare(self):
        slower = bench({"npy": 30.0, "hickle": 60.0, "json": 2000.0})
        return compare_results(bench(), slower, names=("before", "after"))


@pytest.fixture(scope="session")
def reports(tmp_path_factory):
    """The reports of a bench, of a hostile bench, of a convert and of a comparison."""
    return Reports(tmp_path_factory.mktemp("reports"))


@pytest.fixture
def drawn(opened, reports):
    """Open a report and draw all of its charts."""

    def open_drawn(name, **options):
        page = opened(reports[name], **options)
        page.evaluate("window.brineryDrawAll()")
        return page

    return open_drawn
