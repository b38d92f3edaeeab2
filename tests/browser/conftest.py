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


class Pages:
    """Pages opened from files, and all that they said and asked for."""

    def __init__(self, chromium):
        self._chromium = chromium
        self._contexts, self._messages, self._requests = [], [], []
        self.kept = {}

    def open(self, path, *, width=1280, height=900, scheme="light", scripts=True):
        context = self._chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, java_script_enabled=scripts
        )
        self._contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: self._messages.append(message.text))
        page.on("pageerror", lambda error: self._messages.append(str(error)))
        page.on("request", lambda request: self._requests.append(request.url))
        page.goto(path.as_uri())
        return page

    def draw(self, path, **options):
        page = self.open(path, **options)
        page.evaluate("window.brineryDrawAll()")
        return page

    def close(self):
        for context in self._contexts:
            context.close()

    def check(self):
        """No message may have come, and nothing but the files been asked for."""
        assert self._messages == []
        assert [url for url in self._requests if not url.startswith(("file://", "data:", "blob:"))] == []


@pytest.fixture
def pages(chromium):
    pages = Pages(chromium)
    yield pages
    pages.close()
    pages.check()


@pytest.fixture
def opened(pages):
    """Open a file as a page."""
    return pages.open


@pytest.fixture(scope="session")
def all_pages(chromium):
    pages = Pages(chromium)
    yield pages
    pages.close()


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
def drawn(pages, reports):
    """Open a report and draw all of its charts."""
    return lambda name, **options: pages.draw(reports[name], **options)


@pytest.fixture
def seen(all_pages, reports):
    """Return a report with all of its charts, to look at only: several tests share the page."""

    def once(name, **options):
        key = (name, *sorted(options.items()))
        if key not in all_pages.kept:
            all_pages.kept[key] = all_pages.draw(reports[name], **options)
        return all_pages.kept[key]

    yield once
    all_pages.check()
