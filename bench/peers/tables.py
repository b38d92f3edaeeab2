"""The comparison as Markdown: medians over rounds, and ratios within rounds to brinery's npy.

python bench/peers/tables.py bench/results/peers-DATE.json     # writes the .md beside it anew
"""

import json
import statistics
import sys
from pathlib import Path
from typing import Any

BASE = "brinery:npy"
DECODE, WRITE = "ceilings:decode alone, one buffer", "ceilings:raw write"

_INTRODUCTION = """\
JPEG files in memory-backed storage to arrays in memory-backed storage, all decoded by simplejpeg, with as
many workers each; medians of interleaved rounds in random order. *Ratio* is brinery's npy to the row, the
median of the ratios within rounds (2.00: npy is twice as fast). *With start-up* is a fresh process that
imports its libraries, starts its workers and converts. Reading goes through one process, opens the dataset,
and touches every byte; what was written was compared with the decoded images before.
"""


def markdown(result: dict[str, Any]) -> str:
    host = result["host"]
    options = [f"--{name.replace('_', '-')} {value}" for name, value in result["settings"].items()]
    command = " ".join(["python bench/peers/run.py", *options])
    machine = (
        f"{host['cores']} cores of {host['cpu']}, {host['memory_bytes'] / 2**30:.0f} GiB, "
        f"Linux {host['kernel']}, Python {host['python']}"
    )
    lines = [
        f"# brinery and its peers, {result['date']}",
        "",
        f"`{command}`; {machine}.",
        "",
        *_INTRODUCTION.splitlines(),
    ]
    for session in result["sessions"]:
        if session:
            lines += ["", *_session(session)]
    return "\n".join(lines) + "\n"


def _session(session: dict[str, Any]) -> list[str]:
    images = session["images"]
    rows = {row["name"]: row for row in session["rows"]}
    base = rows.get(BASE, {"seconds": {}})["seconds"]
    startup = any("startup" in row["seconds"] for row in rows.values())
    done = [row for row in rows.values() if row["reason"] is None and "convert" in row["seconds"]]
    done.sort(key=lambda row: statistics.median(row["seconds"]["convert"].values()))
    head = "| row | version | images/s | ratio |"
    rule = "|---|---|---:|---:|"
    if startup:
        head, rule = head + " with start-up | ratio |", rule + "---:|---:|"
    head += " read, images/s | ratio | at random | ratio | file bytes |"
    rule += "---:|---:|---:|---:|---:|"
    workers = f"{session['workers']} {'worker' if session['workers'] == 1 else 'workers'}"
    title = f"## {images} images of {session['size']}, {workers}, {session['rounds']} rounds"
    lines = [title, "", head, rule]
    kinds = ["convert", *(["startup"] if startup else []), "read", "read_at"]
    for row in done:
        ceiling = row["name"].startswith("ceilings")
        cells = [_title(row), "" if ceiling else f"{row['about']['package']} {row['about']['version']}"]
        for kind in kinds:
            if ceiling and kind == "startup":
                cells += ["", ""]
                continue
            cells += [
                _rate(row["seconds"].get(kind), images),
                _ratio(row["seconds"].get(kind), base.get(kind)),
            ]
        cells.append("" if ceiling else f"{row['file_bytes']:,}")
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", *_limit(rows, images)]
    lines += [f"- {row['name']}: {row['reason']}" for row in rows.values() if row["reason"]]
    return lines


def _title(row: dict[str, Any]) -> str:
    title = row["about"]["title"]
    if row["name"].startswith("brinery"):
        return f"**{title}**"
    return f"*{title}*" if row["name"].startswith("ceilings") else title


def _rate(seconds: dict[str, float] | None, images: int) -> str:
    return f"{images / statistics.median(seconds.values()):,.0f}" if seconds else "-"


def _ratio(seconds: dict[str, float] | None, base: dict[str, float] | None) -> str:
    shared = sorted(set(seconds or ()) & set(base or ()))
    if not shared or not seconds or not base:
        return "-"
    return f"{statistics.median(seconds[number] / base[number] for number in shared):.2f}"


def _limit(rows: dict[str, Any], images: int) -> list[str]:
    """brinery's formats against the limit: decoding alone, then writing the same bytes raw."""
    if not {DECODE, WRITE} <= rows.keys():
        return []
    decode, write = (rows[name]["seconds"].get("convert", {}) for name in (DECODE, WRITE))
    limit = {number: decode[number] + write[number] for number in sorted(set(decode) & set(write))}
    if not limit:
        return []
    told = [
        f"{name.partition(':')[2]} {_ratio(limit, row['seconds']['convert'])}"
        for name, row in rows.items()
        if name.startswith("brinery") and "convert" in row["seconds"]
    ]
    rate = images / statistics.median(limit.values())
    return [
        f"The limit, decoding alone and then a raw write: {rate:,.0f} images/s; of it: {', '.join(told)}.",
        "",
    ]


if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).with_suffix(".md").write_text(markdown(json.loads(Path(name).read_text())))
