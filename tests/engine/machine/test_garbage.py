"""Collections look at what is new only, for as long as they are told to."""

import gc

import pytest

from brinery.engine.machine.garbage import only_new_garbage


def test_what_existed_is_left_out_and_comes_back():
    gc.unfreeze()
    with only_new_garbage():
        assert gc.get_freeze_count() > 1000
        old = gc.get_objects()
        new = [[] for _ in range(10)]
        assert len(gc.get_objects()) < len(old) + 100
        assert any(one is new for one in gc.get_objects())
    assert gc.get_freeze_count() == 0


def test_what_the_caller_froze_stays_frozen():
    frozen = [[] for _ in range(10)]
    gc.freeze()
    try:
        with only_new_garbage():
            assert not any(one is frozen for one in gc.get_objects())
        assert not any(one is frozen for one in gc.get_objects())
        assert gc.get_freeze_count() > 1000
    finally:
        gc.unfreeze()


def test_an_error_thaws_too():
    gc.unfreeze()
    with pytest.raises(ZeroDivisionError), only_new_garbage():
        _ = 1 / 0
    assert gc.get_freeze_count() == 0
