"""What regions leave behind: emptied at once, deleted when the bench is over.

Deleting between regions would slow the next ones: where ext4 has no journal and needs an inode, it looks at
every one that was freed within the last minutes (find_inode_bit and recently_deleted in Linux's
fs/ext4/ialloc.c). Making a file took 1.6 ms there after a bench that deleted, beside 0.05 ms.
"""

import os
from pathlib import Path

__all__ = ["empty"]


def empty(*paths: Path) -> None:
    """Free the room that files take, and those below folders, and keep the files."""
    for path in paths:
        for one in path.rglob("*") if path.is_dir() else (path,):
            if one.is_file():
                os.truncate(one, 0)
