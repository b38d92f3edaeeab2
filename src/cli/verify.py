"""brinery verify."""

import click

from ..engine.choices import Backend
from ..engine.sizes import format_size
from .output import ProgressBar, backend_option, emit_json, json_option, put, say, workers_option

__all__ = ["command"]

_MAX_LINES = 20


@click.command("verify", short_help="re-read every sample and compare its checksum")
@click.argument("dest")
@workers_option
@backend_option
@json_option
def command(dest: str, workers: int | None, backend: Backend, as_json: bool) -> int:
    r"""Re-read every sample of the dataset DEST and compare it with its checksum.

    Exit code 0: every sample is intact. Exit code 3: some are not, they are named.

    \b
    brinery verify photos.brine
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
                "bad": [{"key": bad.key, "reason": bad.reason} for bad in result.bad],
                "exit_code": result.exit_code,
            }
        )
        return result.exit_code
    intact = result.samples - len(result.bad)
    put(f"{dest}: {intact} of {result.samples} samples intact, {format_size(result.nbytes)} read")
    for bad in result.bad[:_MAX_LINES]:
        say(f"  {bad.key}: {bad.reason}")
    if len(result.bad) > _MAX_LINES:
        say(f"  and {len(result.bad) - _MAX_LINES} more: --json names all")
    return result.exit_code
