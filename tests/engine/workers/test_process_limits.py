"""What keeps worker processes from starting, said in words that help."""

import errno
import multiprocessing
import os

import pytest

from brinery.engine.workers.process_limits import reason_of, why_no_processes


def test_nothing_speaks_against_processes_here():
    assert why_no_processes() is None


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EAGAIN, "ulimit -u"),
        (errno.ENOMEM, "memory is short"),
        (errno.EMFILE, "ulimit -n"),
        (errno.ENFILE, "the system's limit of open files"),
        (errno.ENOSPC, "/dev/shm, where their locks lie, cannot be written (No space left on device)"),
        (errno.EROFS, "/dev/shm"),
    ],
)
def test_an_error_of_the_system_names_its_limit(number, words):
    assert words in reason_of(OSError(number, os.strerror(number)))


def test_a_thread_that_cannot_start_is_the_limit_of_threads():
    assert "ulimit -u" in reason_of(RuntimeError("can't start new thread"))


def test_the_first_error_is_the_reason_and_not_that_of_clearing_up():
    behind = AttributeError("no such queue")
    behind.__context__ = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    assert "ulimit -n" in reason_of(behind)


def ask(connection):
    connection.send(why_no_processes())


def test_a_daemonic_process_may_start_none():
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    process = context.Process(target=ask, args=(there,), daemon=True)
    process.start()
    assert "daemonic" in here.recv()
    process.join()
