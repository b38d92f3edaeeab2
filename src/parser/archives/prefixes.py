"""What stands before the keys of each of several sources."""

from collections.abc import Callable, Sequence

from ...errors import UsageError
from .names import key_of_name

__all__ = ["prefixes"]


def _nobody(_: str) -> bool:
    return False


def prefixes(
    paths: Sequence[str], others: Sequence[str] = (), taken: Callable[[str], bool] = _nobody
) -> list[str]:
    """Return the prefix of each path: its shortest end of whole names that no other path has, and a slash.

    `train/images.tar` and `val/images.tar` keep a folder each; `a.zip` and `b.zip` need none. No prefix
    begins with another one, so that a key's beginning tells its source.

    Args:
        paths: absolute.
        others: paths of sources that have their prefixes already.
        taken: whether a prefix cannot be used for another reason.

    Raises:
        UsageError: a path cannot be told apart.
    """
    names = {path: [*map(key_of_name, path.split("/")[1:])] for path in (*paths, *others)}
    chosen: list[str] = []
    for path in paths:
        mine = names[path] if path != "/" else ["root"]
        rivals = [theirs for other, theirs in names.items() if other != path]
        for depth in range(1, len(mine) + 1):
            prefix = "/".join(mine[-depth:]) + "/"
            shared = depth < len(mine) and any(theirs[-depth:] == mine[-depth:] for theirs in rivals)
            nested = any(prefix.startswith(one) or one.startswith(prefix) for one in chosen)
            if not (shared or nested or taken(prefix)):
                chosen.append(prefix)
                break
        else:
            raise UsageError(f"the keys of {path} cannot be told from those of another source: rename it")
    return chosen
