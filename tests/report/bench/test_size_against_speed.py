"""The Pareto line."""

import math
from itertools import pairwise

from brinery.report.bench.size_against_speed import pareto, tradeoff_chart

from ..made import bench


def test_only_what_nothing_betters_is_on_the_line():
    points = {"small": (1, 9), "fast": (9, 1), "middle": (5, 5), "worse": (6, 6), "as good": (5, 5)}
    assert pareto(points) == ["small", "fast", "middle", "as good"]


def test_labels_do_not_cover_one_another():
    made = bench({f"p{n}": 20.0 + n / 10 for n in range(9)})
    chart = tradeoff_chart(made)
    rows = chart.spec["data"]["values"]
    low, high = next(
        layer["encoding"]["y"]["scale"]["domain"] for layer in chart.spec["layer"] if "y" in layer["encoding"]
    )
    heights = sorted(380 * math.log(row["label"] / low) / math.log(high / low) for row in rows)
    assert min(b - a for a, b in pairwise(heights)) >= 13
