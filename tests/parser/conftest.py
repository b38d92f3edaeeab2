"""What the tests of archives share: a file in a folder of its own."""

import pytest


@pytest.fixture
def write(tmp_path):
    def write(data, name="a.zip"):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return write
