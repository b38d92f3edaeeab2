"""Make the README's picture of a report: its first screen and one of its charts, photographed in Chromium.

python bench/report_picture.py bench-out/result.json docs/report.png
"""

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

import brinery

WIDTH = 1120
PARTS = ("header", "figure:has(#scaling-convert)")
MARGIN = 24
STYLE = """
#theme, figure details { display: none !important }
figure { margin: 0 !important }
.about { margin-top: 1rem !important }
figure, header { background: var(--page) }
"""


def main(result: str, picture: str) -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = Path(folder) / "report.html"
        brinery.write_report(result, page_file)
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": 1000}, color_scheme="light")
        page.goto(page_file.as_uri())
        page.evaluate("window.brineryDrawAll()")
        page.add_style_tag(content=STYLE)
        shots = [Image.open(io.BytesIO(page.locator(part).first.screenshot())) for part in PARTS]
        browser.close()
    height = sum(shot.height for shot in shots) + MARGIN * (len(shots) + 1)
    whole = Image.new("RGB", (WIDTH, height), "white")
    top = MARGIN
    for shot in shots:
        whole.paste(shot, ((WIDTH - shot.width) // 2, top))
        top += shot.height + MARGIN
    whole.quantize(64, dither=Image.Dither.NONE).save(picture, optimize=True)
    print(f"{picture}: {Path(picture).stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(*sys.argv[1:])
