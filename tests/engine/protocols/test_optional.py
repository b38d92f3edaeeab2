"""Libraries that may not be there, and what to install for them."""

import sys

import pytest

from brinery.engine.protocols.optional import installed, library, missing
from brinery.errors import MissingLibraryError


def test_a_library_or_a_module_of_it_is_imported():
    assert library("json") is sys.modules["json"]
    assert library("xml.dom").__name__ == "xml.dom"


def test_installed_looks_without_importing():
    assert installed("json")
    assert not installed("no_such_library_here")
    assert "no_such_library_here" not in sys.modules


@pytest.mark.parametrize(
    ("name", "words"), [("zstandard", "brinery[formats]"), ("h5py", "h5py"), ("other", "other")]
)
def test_a_missing_one_says_what_to_install(name, words):
    assert f"{name} is not installed: pip install '{words}'" in str(missing(name))


def test_a_missing_library_is_an_error_by_its_name():
    with pytest.raises(MissingLibraryError, match="no_such_library_here is not installed"):
        library("no_such_library_here.inner")


def test_what_a_library_itself_misses_is_not_called_the_library(tmp_path, monkeypatch):
    (tmp_path / "needy_library.py").write_text("import no_such_library_here")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_library_here"):
        library("needy_library")
