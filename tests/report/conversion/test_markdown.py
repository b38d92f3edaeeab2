"""The Markdown of a convert shows what a manifest says, and nothing of it becomes part of the page."""

from markdown_it import MarkdownIt

from brinery.report.conversion.markdown import conversion_markdown
from brinery.report.write import read_source

from ..made import dataset, poison

HOSTILE = "<img src=x>![a](b)[c](d)|`e`**f**\n\n# g\u202e\x1b[31m"
SHOWN = HOSTILE.replace("\n", "\\n").replace("\u202e", "\\u202e").replace("\x1b", "\\x1b")
TEXTS = [("failures", name) for name in ("key", "stage", "error", "message")]
TEXTS += [("skipped", "reason"), ("runs", "started"), ("runs", "outcome"), ("runs", "backend")]
PARSER = MarkdownIt("commonmark").enable("table")


def test_nothing_of_a_manifest_becomes_part_of_its_report(tmp_path):
    out = dataset(tmp_path, failures=2)
    poison(
        out / "manifest.sqlite",
        "INSERT INTO skipped VALUES ('key', 0, 100, 'no image', 1, 1, NULL, 1)",
    )
    plain = {token.type for token in PARSER.parse(conversion_markdown(read_source(out)))}
    for table, column in TEXTS:
        poison(out / "manifest.sqlite", f"UPDATE {table} SET {column} = ?", HOSTILE)
    report = conversion_markdown(read_source(out))
    assert {token.type for token in PARSER.parse(report)} == plain
    inline = [token for block in PARSER.parse(report) for token in block.children or ()]
    assert {token.type for token in inline} <= {"text", "softbreak"}
    assert "".join(token.content for token in inline).count(SHOWN) >= len(TEXTS)
