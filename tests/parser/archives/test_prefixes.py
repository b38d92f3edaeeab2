"""Several sources: what stands before the keys of each."""

import pytest

from brinery.errors import UsageError
from brinery.parser.archives.prefixes import prefixes


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["/data/a.zip", "/data/b.tar"], ["a.zip/", "b.tar/"]),
        (["/d/train/images.tar", "/d/val/images.tar"], ["train/images.tar/", "val/images.tar/"]),
        (
            ["/a/x/i.tar", "/b/x/i.tar", "/c/y/i.tar", "/c/y/j.tar"],
            ["a/x/i.tar/", "b/x/i.tar/", "y/i.tar/", "j.tar/"],
        ),
        (["/i.tar", "/a/i.tar"], ["i.tar/", "a/i.tar/"]),
        (["/", "/a"], ["root/", "a/"]),
        (["/d/caf\udce9", "/d/b"], ["caf\\xe9/", "b/"]),
    ],
)
def test_the_shortest_end_of_the_path_that_no_other_has(paths, expected):
    assert prefixes(paths) == expected
    assert dict(zip(reversed(paths), prefixes([*reversed(paths)]), strict=True)) == dict(
        zip(paths, expected, strict=True)
    )


def test_no_prefix_begins_with_another():
    found = prefixes(["/x/train", "/y/train/images.tar", "/z/val/images.tar"])
    assert found == ["train/", "y/train/images.tar/", "val/images.tar/"]
    assert prefixes(["/y/train/images.tar", "/z/val/images.tar", "/x/train"])[2] == "x/train/"


def test_what_others_have_is_left_to_them():
    assert prefixes(["/d/val/images.tar"], ["/d/train/images.tar"]) == ["val/images.tar/"]
    assert prefixes(["/d/b.zip"], ["/d/a.zip"], lambda prefix: prefix == "b.zip/") == ["d/b.zip/"]


def test_what_cannot_be_told_apart_is_refused():
    with pytest.raises(UsageError, match=r"/d/b\.zip cannot be told from"):
        prefixes(["/d/b.zip"], taken=lambda _: True)
