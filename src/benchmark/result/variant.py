"""What cells and their protocols are called."""

__all__ = ["BASELINES", "protocol_title"]

BASELINES = ("article-pickle-0", "article-pickle-2", "source-files")
_TITLES = dict(
    zip(
        BASELINES, ("article's loop, pickle 0", "article's loop, pickle 2", "source image files"), strict=True
    )
)


def protocol_title(protocol: str) -> str:
    """Return a protocol's name for people; the baselines have one of their own."""
    return _TITLES.get(protocol, protocol)
