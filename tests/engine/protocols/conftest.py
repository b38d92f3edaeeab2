"""Libraries that change others when they are imported."""

import pickle

import pytest


@pytest.fixture
def hugging_face(tmp_path, monkeypatch):
    """Hugging Face's datasets; what dill, which it imports, changes in Python's pickler is taken back."""
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    table = pickle._Pickler.dispatch
    before = dict(table)
    import datasets

    yield datasets
    table.clear()
    table.update(before)
