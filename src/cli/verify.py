"""brinery verify."""

import click

from ..engine.choices import Backend
from ..engine.sizes import format_size
from .output import ProgressBar, backend_option, counted, emit_json, json_option, put, say, workers_option

__all__ = ["command"]

_MAX_LINES = 20
_MAX_KEYS = 3


@click.command("verify", short_help="re-read every sample and compare its checksum")
@click.argument("dest")
@workers_option
@backend_option
@json_option
def command(dest: str, workers: int | None, backend: Backend, as_json: bool) -> int:
    r"""Re-read every sample of the dataset DEST and compare it with its checksum.

    Exit code 0: every sample is intact. Exit code 3: some are not; the files that hold them are named, what
    is wrong with each, and the command that converts what was lost again from the sources.

    \b
    brinery verify photos.brine
    brinery verify photos.brine --json | jq -r '.damage[] | "\(.file): \(.cause)"'
    """
    from ..engine.datasets.verify import verify  # noqa: PLC0415 - start-up stays cheap

    with ProgressBar("verifying", "samples") as bar:
        result = verify(
            dest,
            workers=workers,
            backend=backend,
            progress=lambda done, total: bar.update(done, done / total),
        )
    if as_json:
        emit_json(
            {
                "path": dest,
                "samples": result.samples,
                "bytes": result.nbytes,
                "bad": [{"key": bad.key, "reason": bad.reason, "file": bad.file} for bad in result.bad],
                "damage": [
                    {"file": one.file, "cause": one.cause, "samples": list(one.keys)} for one in result.damage
                ],
                "strangers": list(result.strangers),
                "repair": result.repair or None,
                "exit_code": result.exit_code,
            }
        )
    else:
        intact = result.samples - len(result.bad)
        read = format_size(result.nbytes)
        put(f"{dest}: {intact:,} of {counted(result.samples, 'sample')} intact, {read} read")
    for damage in result.damage[:_MAX_LINES]:
        say(f"  {damage.file}: {damage.cause}{_costs(damage.keys)}")
    if len(result.damage) > _MAX_LINES:
        say(f"  and {counted(len(result.damage) - _MAX_LINES, 'more kind')} of damage: --json names all")
    for path in result.strangers[:_MAX_LINES]:
        say(f"  {path}: it is no file of this dataset")
    if len(result.strangers) > _MAX_LINES:
        say(f"  and {len(result.strangers) - _MAX_LINES:,} more files that are not of this dataset: --json")
    if result.repair:
        say(f"To make anew what its source still holds: {result.repair}")
    return result.exit_code


def _costs(keys: tuple[str, ...]) -> str:
    """Return how many samples a damage costs, and the first ones."""
    if not keys:
        return ""
    more = f" and {len(keys) - _MAX_KEYS:,} more" if len(keys) > _MAX_KEYS else ""
    return f"; {counted(len(keys), 'sample')}: {', '.join(keys[:_MAX_KEYS])}{more}"
