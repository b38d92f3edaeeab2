"""Libraries that may not be there, and what to install for them."""

import re
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


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("import no_such_library_here", "ModuleNotFoundError: No module named 'no_such_library_here'"),
        ("raise ImportError('libhdf5.so.310: cannot open')", "ImportError: libhdf5.so.310: cannot open"),
        ("raise ValueError('numpy.dtype size changed')", "ValueError: numpy.dtype size changed"),
    ],
    ids=["lacks a module", "lacks a shared library", "was built for another numpy"],
)
def test_a_library_that_breaks_while_imported_says_what_broke(tmp_path, monkeypatch, code, problem):
    (tmp_path / "needy_library.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    told = f"needy_library is installed, but cannot be imported: {problem}"
    with pytest.raises(MissingLibraryError, match=re.escape(told)):
        library("needy_library")
