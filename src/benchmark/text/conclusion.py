"""What a bench recommends: in a sentence with its reason, and as tables."""

from dataclasses import dataclass

from ..analysis.candidates import SOURCE
from ..analysis.sizes import shown_layout, sizes_of
from ..analysis.warnings import trouble_of
from ..result.cell import BASELINES, Variant
from ..result.findings import Limit
from ..result.recommendations import OBJECTIVES, Choice, Objective, Recommendation, Weights
from ..result.result import BenchResult
from .numbers import amount, counted, cpus, duration, named, over_source, percent, plain, sentence, size
from .prices import cost_sentence
from .table import Entry, Table, left, right, share

_OVERALL: tuple[Objective, ...] = (
    *("cost", "fastest-read-cold", "fastest-read"),
    *("fastest-load", "fastest-dump", "smallest"),
)
_TAKES: dict[Objective, str] = {
    "fastest-read": "Reading an image with {} takes",
    "fastest-read-cold": "Reading an image with {} from storage takes",
    "fastest-load": "Loading an image with {} takes",
    "fastest-dump": "Dumping an image with {} takes",
    "smallest": "With {} an image takes",
}
_LIMITS: dict[Limit, str] = {
    "cpu": "the CPUs are the limit",
    "memory-bandwidth": "the speed of memory is the limit",
    "disk": "storage is the limit",
    "file-creation": "making files is the limit",
    "lock": "waiting for one another is the limit",
    "dispatch": "the parent process is the limit",
    "throttled": "a quota or the hypervisor takes CPU time away",
    "other-programs": "other programs hold the CPUs",
    "oversubscribed": "more is ready to run than there are CPUs",
    "undetermined": "no single limit shows",
}


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What to choose, and why."""

    sentence: str
    reason: str


def conclusion_of(result: BenchResult) -> Conclusion:
    """Return what to choose: by the cost over the data's life, or by the best objective that was measured."""
    answers = {one.objective: one for one in result.recommendations}
    found = next((answers[name] for name in _OVERALL if name in answers and answers[name].choices), None)
    if trouble := trouble_of(result):
        sizes = answers.get("smallest")  # which no trouble touches
        told = _leading(result, sizes) if sizes and sizes.winner else ""
        return Conclusion(f"This run decides nothing: {trouble}.", told)
    if found is None or found.winner is None:
        return _without(result)
    parts = [_leading(result, found), "" if found.winner == SOURCE else _converting(result, found.winner)]
    parts.append(cost_sentence(result))
    return Conclusion(_sentence(result, found, answers), " ".join(filter(None, parts)))


def _sentence(result: BenchResult, found: Recommendation, answers: dict[Objective, Recommendation]) -> str:
    what, alone = _crew(found), [one.protocol for one in found.choices if one.protocol != SOURCE][1:] == []
    if alone and found.winner != SOURCE and not (few(found) and found.choices[1:]):
        return _only(what, result, found)
    if few(found):
        order = ", then ".join(named(one.protocol) for one in found.choices[:4])
        told = "Not even 30 rounds like these would decide."
        if found.more_rounds:
            told = f"About {counted(found.more_rounds, 'more round')} would decide."
        rounds = found.rounds or "below 5"
        return f"Too few rounds ({rounds}) to choose; so far, best first: {order}. {told}"
    basis = _basis(found, result.settings.weights)
    if found.winner == SOURCE:
        return f"Keep {named(SOURCE)}: {found.reason or 'no protocol costs less'}{basis}."
    text = f"Choose {_flagged(found)}{basis}"
    if found.ties:
        return f"{text}: {found.reason}."
    if not found.decided:
        return f"{what} leads, undecided: {found.reason}."
    warm = answers.get("fastest-read")
    if found.cache == "cold" and warm and warm.decided and warm.winner not in (None, found.winner):
        text += f"; from memory {warm.winner} reads fastest"
    return f"{text}."


def _only(what: str, result: BenchResult, found: Recommendation) -> str:
    """Return what is to be said of the only protocol."""
    if len({cell.protocol for cell in result.cells} - set(BASELINES)) == 1:
        return f"Only {what} was measured: there is no other protocol to choose from."
    memory = result.settings.weights.memory_bytes
    own_library = found.objective in ("fastest-load", "fastest-dump")
    sole = "that was timed" if own_library else "whose safe read was timed"
    if found.objective == "cost" and memory is not None:
        sole = f"within {size(memory)} of memory"
    return f"Choose {_flagged(found)}: the only protocol {sole}."


def few(found: Recommendation) -> bool:
    """Return whether it rests on fewer than five rounds; results of 0.1.0 say it in their words."""
    return any(words in (found.reason or "") for words in ("too few rounds", "fewer than"))


def _basis(found: Recommendation, weights: Weights) -> str:
    """Return what a choice rests on that the user assumed."""
    basis = ", read from storage" if found.cache == "cold" else ""
    if found.objective == "cost" and weights.link_mb_per_s is not None:
        basis += f" over an assumed link of {weights.link_mb_per_s:g} MB/s"
    if found.objective == "cost" and weights.memory_bytes is not None:
        basis += f" within {size(weights.memory_bytes)} of memory"
    return basis


def _leading(result: BenchResult, found: Recommendation) -> str:
    first, *others = found.choices
    reads = result.settings.weights.reads_per_write
    often = {1.0: "once", 2.0: "twice", 10.0: "ten times"}.get(reads, f"{reads:g} times")
    written = "" if first.protocol == SOURCE else "written once and "
    what = _TAKES.get(found.objective, sentence(f"{written}read {often} with {{}}, an image costs"))
    text = f"{what.format(named(first.protocol))} {value_of(result, found, first)}"
    if others and not few(found):
        last = others[-1]
        text += f"; {named(others[0].protocol)} {plain(others[0].ratio)} times as much"
        text += f", {named(last.protocol)} {plain(last.ratio)} times" if last is not others[0] else ""
    stored = sizes_of(result, shown_layout(result)).over_source(first.protocol)
    if stored and first.protocol != SOURCE and found.objective != "smallest":
        text += f". On disk {first.protocol} takes {over_source(stored)}"
    return f"{text}."


def value_of(result: BenchResult, found: Recommendation, choice: Choice) -> str:
    """Return a candidate's value with every assumption behind it."""
    if found.unit == "bytes_per_image":
        stored = sizes_of(result, "shards" if found.layout == "shards" else "single")
        text, ratio = f"{stored.mark}{plain(choice.value / 1000)} kB", stored.over_source(choice.protocol)
        return f"{text}, {over_source(ratio)}" if ratio and choice.protocol != SOURCE else text
    value, link = duration(choice.value), result.settings.weights.link_mb_per_s
    if choice.link_ns is None or link is None:
        return value
    return f"{value}, of which {duration(choice.link_ns)} are the assumed link of {link:g} MB/s"


def _converting(result: BenchResult, winner: str) -> str:
    """Return how many workers pay, by the convert of the winner or whatever else was measured of it."""
    usable = result.host.usable_cpus
    own = [cell for cell in result.cells if cell.protocol == winner and cell.pool == "loky" and cell.rate]
    there = [variant for variant in result.variants if any(Variant.of(one) == variant for one in own)]
    variant = next((one for one in there if one.op == "convert"), next(iter(there), None))
    rates = {cell.workers: cell.rate for cell in own if Variant.of(cell) == variant}
    within = {workers: rate for workers, rate in rates.items() if workers <= max(1.0, usable)}
    if variant is None or not within:
        return ""
    best = max(within, key=within.__getitem__)
    name = "Converting" if variant.op == "convert" else sentence(variant.title)
    text = f"{name} runs at {amount(within[best])} images/s with {counted(best, 'worker')}"
    if 1 in within and best != 1:
        text += f", {plain(within[best] / within[1])} times one worker"
    curves = [one for one in result.scaling if one.protocol == winner and Variant.of(one) == variant]
    limits = [verdict.limit for one in curves for verdict in one.verdicts if verdict.workers == best]
    if limits and limits[0] in _LIMITS:
        text += f"; {_LIMITS[limits[0]]}"
    more = [rate for workers, rate in rates.items() if workers > usable]
    if more and max(more) < 1.03 * within[best]:
        text += f". More workers than the {cpus(usable)} add nothing"
    return f"{text}."


def _without(result: BenchResult) -> Conclusion:
    """Return what can be said without recommendations."""
    usable = max(1.0, result.host.usable_cpus)
    within = [cell for cell in result.cells if cell.workers <= usable and cell.protocol not in BASELINES]
    best = max((cell for cell in within if cell.op == "load"), key=lambda cell: cell.rate, default=None)
    if best is None or not best.rate:
        reasons = (one.reason for one in result.recommendations if one.reason)
        reason = next(reasons, "no valid load was measured")
        return Conclusion("No protocol can be named.", f"The measurement does not allow it: {reason}.")
    how = "" if best.pool == "none" else f" with {counted(best.workers, 'worker')}"
    scipy = "Recommendations with their odds need scipy: pip install 'brinery[bench]'."
    return Conclusion(
        f"{best.protocol} loads fastest{how}.", f"It loads {amount(best.rate)} images/s. {scipy}"
    )


def chosen(found: Recommendation) -> str:
    """Return a recommendation's winner, such as "npy with 2 workers"; too few rounds have none but so far."""
    if found.winner is None:
        return "no choice"
    return f"{_crew(found)}, so far" if few(found) else _crew(found)


def _crew(found: Recommendation) -> str:
    """Return a winner with its workers."""
    first, name = found.choices[0], named(found.choices[0].protocol)
    if found.workers is None or found.layout == "single":
        return name
    if first.dump_workers not in (None, found.workers):
        return f"{name} (write with {counted(first.dump_workers, 'worker')}, read with {found.workers})"
    return f"{name} with {counted(found.workers, 'worker')}"


def _flagged(found: Recommendation) -> str:
    """Return a winner with its workers and what speaks against it."""
    what, marks = _crew(found), flags(found.choices[0])
    if not marks:
        return what
    return f"{what[:-1]}; {marks})" if what.endswith(")") else f"{what} ({marks})"


def flags(choice: Choice) -> str:
    """Return what speaks against a protocol whatever its speed."""
    marks = {"unsafe to load from others": choice.safe, "Python only": choice.portable}
    return ", ".join(mark for mark, fine in marks.items() if fine is False)


def why(found: Recommendation) -> str:
    """Return what speaks for a winner and how surely, or why there is none."""
    if found.winner is None or not found.choices:
        return f"{sentence(found.reason or 'nothing was measured')}."
    first = found.choices[0]
    if few(found):
        others = [f"{named(one.protocol)} ({plain(one.ratio)} times as much)" for one in found.choices[1:4]]
        return f"So far, best first: {', then '.join([named(first.protocol), *others])}; {found.reason}."
    behind = next((one for one in found.choices[1:] if one.protocol not in found.ties), None)
    parts = [found.reason, flags(first)]
    if behind is not None and behind.ratio >= 1.0005:
        parts.append(_lead(found, behind))
    if first.link_ns is not None:
        parts.append(f"of {duration(first.value)} an image {duration(first.link_ns)} are the assumed link")
    if found.unit == "bytes_per_image":
        source = next((one.value for one in found.choices if one.protocol == SOURCE), None)
        own = next((one for one in found.choices if one.protocol != SOURCE), first)
        parts.append(over_source(own.value / source) if source else "")
    if found.probability is not None and not found.ties:
        odds = ">99%" if 0.995 <= found.probability < 1 else percent(found.probability)
        parts.append(f"the best in {odds} of resamples")
    return f"{sentence('; '.join(filter(None, parts)) or 'the only candidate')}."


def _lead(found: Recommendation, behind: Choice) -> str:
    name, ratio = named(behind.protocol), plain(behind.ratio)
    if found.unit == "bytes_per_image":
        return f"the smallest protocol is {name}" if found.winner == SOURCE else f"next is {name}"
    if found.objective == "cost":
        return f"next is {name}, at {ratio} times the cost"
    return f"{ratio} times as fast as {name}"


def recommendation_table(result: BenchResult) -> Table | None:
    """Return a line for each objective, or None without recommendations."""
    found = [(sentence(OBJECTIVES[one.objective]), one) for one in result.recommendations]
    rows = [(aim, chosen(one), why(one)) for aim, one in found]
    notes = [
        f"{aim}: {'; '.join(one.assumptions)}."
        for aim, one in found
        if one.assumptions and one.objective in ("cost", "fastest-read", "fastest-read-cold")
    ]
    return Table("Recommendations", left("objective", "choice", "why"), rows, notes) if rows else None


def candidate_table(result: BenchResult) -> Table:
    """Return every candidate of every objective with its value, its odds and what the value assumes."""
    rows = []
    for one in result.recommendations:
        for choice in one.choices:
            ends = (choice.ratio_low, choice.ratio_high)
            span = None if None in ends else " to ".join(map(plain, ends))
            workers = None if choice.workers is None else str(choice.workers)
            if choice.dump_workers not in (None, choice.workers):
                workers = f"read {choice.workers}, write {choice.dump_workers}"
            value, *rest = value_of(result, one, choice).split(", ", 1)
            numbers = (Entry(workers, choice.workers), Entry(value, choice.value, *rest))
            odds = (Entry(None, choice.ratio, span), share(choice.probability))
            aim, marks = OBJECTIVES[one.objective], flags(choice) or None
            rows.append((aim, named(choice.protocol), *numbers, *odds, marks))
    columns = (
        *left("aim", "protocol"),
        *right("workers", "an image", "times the winner", "odds of being best"),
        *left("against it"),
    )
    return Table("Candidates by aim", columns, rows)
