"""What the tests of converting share: forty images, and a folder of them."""

import pytest

from ..images import images, make_folder


@pytest.fixture
def files():
    return images(40)


@pytest.fixture
def folder(tmp_path, files):
    return make_folder(tmp_path / "photos", files)
