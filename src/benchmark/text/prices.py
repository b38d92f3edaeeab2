"""What all of the user's images would cost in money, as a sentence and a table."""

from ..analysis.prices import costs_of
from ..analysis.warnings import trouble_of
from ..result.result import BenchResult
from .numbers import amount, named, plain
from .projection import bytes_in
from .table import Column, Entry, Table, left


def cost_sentence(result: BenchResult) -> str:
    """Return which protocol costs least by the prices, and what the next one does; "" without prices."""
    found, weights = costs_of(result), result.settings.weights
    if found is None or weights.prices is None or trouble_of(result):
        return ""
    first, *others = found[1]
    life = f"kept for {weights.prices.months:g} months and read {weights.reads_per_write:g} times"
    few = "" if found[0].sure else ", so far and by fewer than five rounds"
    text = f"By the prices given{few}, all {bytes_in(found[0].source_bytes)} {life} cost least with"
    text += f" {named(first.protocol)}: {money(first.total.value)}, {money(first.storage)} of it for storage"
    if not others:
        return f"{text}."
    near = [one for one in others if (one.total.low or 0.0) <= (first.total.high or 0.0)]
    if near:
        return f"{text}; {' and '.join(named(one.protocol) for one in near)} may cost as little."
    ratio = plain(others[0].total.value / first.total.value)
    return f"{text}; {named(others[0].protocol)} costs {ratio} times as much."


def cost_table(result: BenchResult) -> Table | None:
    """Return what each protocol costs by the prices given; None without them."""
    found, weights, doubt = costs_of(result), result.settings.weights, trouble_of(result)
    if found is None or weights.prices is None:
        return None
    projection, costs = found
    prices, cheapest, rows = weights.prices, costs[0].total.value, []
    for one in sorted(costs, key=lambda one: one.storage) if doubt else costs:
        low, high = (money(end) for end in (one.total.low or 0.0, one.total.high or 0.0))
        total = Entry(money(one.total.value), one.total.value, f"{low} to {high}" if low != high else None)
        times = [Entry(money(value), value) for value in (one.write, one.read)]
        relative = Entry(plain(one.total.value / cheapest), one.total.value / cheapest) if cheapest else None
        storage = Entry(money(one.storage), one.storage)
        untimed = (None, None, None, None)
        name = named(one.protocol).removeprefix("the ")
        rows.append((name, storage, *(untimed if doubt else (*times, total, relative))))
    reads = f"read, {weights.reads_per_write:g} x"
    columns = (
        *left("protocol"),
        Column("storage"),
        Column("write"),
        Column(reads),
        Column("total", notes="total range"),
        Column("x the cheapest", spare=2),
    )
    priced = (
        f"In the currency of the prices: {prices.gb_month:g} for a GB-month, for {prices.months:g} months; "
        f"{prices.core_hour:g} for a core hour, as many cores as workers"
    )
    if weights.link_mb_per_s is not None:
        priced += f", also while they wait for a link of {weights.link_mb_per_s:g} MB/s"
    assumed = (
        "Assumed: all images are like those measured, on the same machine. Source files are there already."
    )
    notes = [f"{priced}.", assumed, *([f"Costs of time are left out: {doubt}."] if doubt else [])]
    whole = f"{bytes_in(projection.source_bytes)} of your source"
    return Table(f"What all {whole} costs, about {amount(projection.images)} images", columns, rows, notes)


def money(value: float) -> str:
    """Return an amount of money: two decimals below 100, none above."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}" if value >= 0.01 or not value else plain(value)
