"""Folders: what is a member, what is none, and how names become keys."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

from brinery.parser.archives.members import Member

from ..samples import JPEG_LIKE, contents, listed, members, not_images, unreadable


def test_members_carry_what_the_file_system_says(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(JPEG_LIKE)
    os.utime(path, ns=(1, 1_234_567_890_123_456_789))
    size = len(JPEG_LIKE)
    assert listed(tmp_path) == [
        Member("a.jpg", os.path.realpath(path), 0, size, size, 1_234_567_890_123_456_789)
    ]


def test_pipes_and_sockets_are_no_images(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.jpg").write_bytes(JPEG_LIKE)
    (tmp_path / "link.jpg").symlink_to("pipe.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        entries = listed(tmp_path)
    assert [entry.key for entry in members(entries)] == ["a.jpg"]
    assert not_images(entries) == {
        "link.jpg": "symbolic link to a named pipe",
        "pipe.jpg": "named pipe",
        "socket": "socket",
    }


def test_hard_links_are_files(tmp_path):
    (tmp_path / "a.jpg").write_bytes(JPEG_LIKE)
    os.link(tmp_path / "a.jpg", tmp_path / "b.jpg")
    assert contents(tmp_path) == {"a.jpg": JPEG_LIKE, "b.jpg": JPEG_LIKE}


def test_names_that_are_no_unicode_have_keys_that_are(tmp_path):
    name = b"caf\xe9.jpg"
    Path(tmp_path, os.fsdecode(name)).write_bytes(JPEG_LIKE)
    (entry,) = listed(tmp_path)
    assert entry.key == "caf\\xe9.jpg"
    assert os.fsencode(entry.path).endswith(name)
    assert contents(tmp_path) == {"caf\\xe9.jpg": JPEG_LIKE}


def test_a_tree_deeper_than_a_stack_of_calls(tmp_path):
    descriptor = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=descriptor)
        below = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(descriptor)
    entries = listed(tmp_path)
    subprocess.run(["rm", "-r", tmp_path / "d"], check=True)  # pytest's own removal calls itself
    assert entries == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_reported_and_the_rest_is_listed(tmp_path):
    (tmp_path / "b").mkdir(mode=0)
    (tmp_path / "a.jpg").write_bytes(JPEG_LIKE)
    (tmp_path / "c.jpg").write_bytes(JPEG_LIKE)
    entries = listed(tmp_path)
    (tmp_path / "b").chmod(0o700)
    assert [entry.key for entry in entries] == ["a.jpg", "b", "c.jpg"]
    assert [(entry.key, entry.message) for entry in unreadable(entries)] == [("b", "Permission denied")]


def test_a_path_longer_than_the_system_allows_is_reported(tmp_path):
    descriptor = os.open(tmp_path, os.O_RDONLY)
    for _ in range(20):  # 20 x 250 bytes pass PATH_MAX
        os.mkdir("d" * 250, dir_fd=descriptor)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(descriptor)
    (entry,) = listed(tmp_path)
    assert entry.message == "File name too long"


@pytest.mark.parametrize("most", [1, 3, 5, 10, 11, 100])
def test_the_order_is_that_of_bytes_however_many_names_there_are(tmp_path, monkeypatch, most):
    monkeypatch.setattr("brinery.parser.archives.folder._NAMES_SORTED", most)
    names = [b"a", b"b", b"A", b"a.b", b"a b", b"\xc3\xa9", b"\xff", b"z", b"\xf0\x9f\x90\x8d", b"10", b"9"]
    for name in names:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(b"x")
    assert [os.fsencode(entry.path).rpartition(b"/")[2] for entry in listed(tmp_path)] == sorted(names)
