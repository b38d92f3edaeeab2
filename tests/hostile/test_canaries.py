"""What a dataset from a stranger holds is never run, and never leads to another file."""

import contextlib
import io
import os
import pickle
import pickletools
import random
import sqlite3
import struct
import zipfile
from collections import Counter

import h5py
import hickle
import numpy as np
import pytest

import brinery
from brinery.engine.protocols.base import Placement, Spec
from brinery.engine.protocols.registry import get_serializer
from brinery.errors import CorruptError, DatasetError

from ..images import encoded, make_tar, pixels
from .apart import run_apart
from .test_mutations import MUTATIONS

FILES = {f"{index}.png": encoded(pixels(index, (20, 24, 3)), "PNG") for index in range(3)}
MUTATIONS_OF_POISON = 1_000_000 if os.environ.get("BRINERY_SOAK") else 2000
SECRET = b"secret" * 240  # as many bytes as one sample has


@pytest.fixture
def canary(tmp_path):
    path = tmp_path / "canary"
    yield path
    assert not path.exists(), "the payload ran"


def make(root, protocol, layout="shards"):
    options = {"workers": 1, "backend": "threading", "fsync": False, "overwrite": True}
    brinery.convert(
        make_tar(root / "in.tar", FILES), root / "out", protocol=protocol, layout=layout, **options
    )
    (file, *_) = sorted(
        path for path in (root / "out").rglob("*.*") if path.suffix not in {".sqlite", ".txt"}
    )
    return root / "out", file


def record(dataset, **values):
    with sqlite3.connect(dataset / "manifest.sqlite") as db:
        for name, value in values.items():
            db.execute(f"UPDATE samples SET {name} = ?", (value,))


@contextlib.contextmanager
def without_not_null(dataset):
    """Let the table of samples take anything for a while."""
    change = "UPDATE sqlite_master SET sql = ? WHERE name = 'samples'"
    with sqlite3.connect(dataset / "manifest.sqlite") as db:
        ((sql,),) = db.execute("SELECT sql FROM sqlite_master WHERE name = 'samples'")
        db.execute("PRAGMA writable_schema = ON")
        db.execute(change, (sql.replace(" NOT NULL", ""),))
    yield
    with sqlite3.connect(dataset / "manifest.sqlite") as db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute(change, (sql,))


def everything(dataset, root):
    """Whatever can be done with a dataset; returns the arrays that it gave."""
    arrays = []
    for via in (None, "protocol"):
        for verify in (False, True):
            with brinery.open(dataset, via=via, verify=verify) as opened:
                for index in range(len(opened)):
                    try:
                        arrays.append(opened[index])
                    except DatasetError:
                        continue
    assert len(brinery.verify(dataset, workers=1).bad) == 3
    brinery.restore(dataset, root / "restored", workers=1)
    return arrays


class Calls:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def system(canary):
    return Calls(os.system, f"touch {canary}")


def evaluated(canary):
    return Calls(eval, f"open({str(canary)!r}, 'w')")


def in_an_array(canary):
    return "0.png", np.array([system(canary)], object)


def in_the_key(canary):
    return system(canary), np.zeros((20, 24, 3), np.uint8)


def a_subclass(canary):
    return "0.png", np.memmap(canary.with_name("in.tar"), np.uint8, "r", shape=(20, 24, 3))


@pytest.mark.parametrize("payload", [system, evaluated, in_an_array, in_the_key, a_subclass])
@pytest.mark.parametrize(
    "protocol", [f"pickle-{version}" for version in range(6)] + ["pypickle-2", "pypickle-5"]
)
def test_a_pickle_that_calls_something_is_refused(tmp_path, canary, protocol, payload):
    dataset, shard = make(tmp_path, protocol)
    data = pickle.dumps(payload(canary), int(protocol[-1]))
    shard.write_bytes(data)
    record(dataset, start=0, length=len(data), payload=None)
    assert everything(dataset, tmp_path) == []


def dtype_state(code, *state):
    """A pickle of ("0.png", array) whose dtype has a state of the attacker's choice, over 1440 bytes."""
    function, arguments, (version, _, _, fortran, data) = np.zeros(1440, np.uint8).__reduce__()
    kind = Calls(np.dtype, code, False, True)
    kind.call += (state,)
    array = Calls(function, *arguments)
    array.call += ((version, (1440 // 8,), kind, fortran, data),)
    return pickle.dumps(("0.png", array), 2)


FORGERIES = {
    "objects from raw bytes": dtype_state("O8", 3, "|", None, None, None, -1, -1, 63),
    "a size of its own": dtype_state("V8", 3, "|", None, None, None, 1 << 30, 1, 0),
    "a field out of bounds": dtype_state(
        "V8", 3, "|", None, ("x",), {"x": (np.dtype("u1"), 1 << 20)}, 8, 1, 0
    ),
    "a subarray": dtype_state("V8", 3, "|", (np.dtype("u1"), (1 << 30,)), None, None, 8, 1, 0),
    "metadata": dtype_state("u8", 4, "<", None, None, None, -1, -1, 0, {"a": 1}),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_dtype_is_refused(tmp_path, forgery):
    pickletools.dis(FORGERIES[forgery], io.StringIO())  # it is a pickle
    dataset, shard = make(tmp_path, "pickle-2")
    shard.write_bytes(FORGERIES[forgery])
    record(dataset, start=0, length=len(FORGERIES[forgery]))
    assert everything(dataset, tmp_path) == []


@pytest.mark.parametrize("layout", ["shards", "mirror"])
def test_hickles_types_are_never_looked_at(tmp_path, canary, layout):
    dataset, file = make(tmp_path, "hickle", layout)
    bait = np.void(pickle.dumps(system(canary)))
    with h5py.File(file, "r+") as container:

        def poison(_, node):
            for name in ("type", "base_type"):
                node.attrs[name] = bait

        container.visititems(poison)
        table = container["hickle_types_table"]
        for name in list(table):
            del table[name]
            table[name] = np.frombuffer(pickle.dumps(system(canary)), "S1").reshape(1, -1)
    with brinery.open(dataset, via="protocol", verify=True) as opened:
        np.testing.assert_array_equal(opened[0], pixels(0, (20, 24, 3)))  # the pixels are sound


def test_hickle_itself_would_run_it(tmp_path):
    # The one above can fail: this is why hickle takes no part in reading.
    hickle.dump(np.zeros(3), str(tmp_path / "a.hkl"))
    with h5py.File(tmp_path / "a.hkl", "r+") as container:
        table = container["hickle_types_table"]
        (name,) = (name for name in table if "base_type" in table[name].attrs)
        base_type = table[name].attrs["base_type"]
        poison = np.frombuffer(pickle.dumps(system(tmp_path / "ran")), "S1").reshape(1, -1)
        link = container["data"].attrs["type"]
        assert container[link] == table[name]
        del table[name]
        table[name] = poison
        table[name].attrs["base_type"] = base_type
        container["data"].attrs["type"] = table[name].ref
    with contextlib.suppress(Exception):  # whatever hickle makes of what it ran
        hickle.load(str(tmp_path / "a.hkl"))
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "values",
    [
        *(
            {"dtype": text}
            for text in (",u1", "u1,u1", "(3,)u1", "{'names': ['a']}", "O8", "V8", "u3", "f99")
        ),
        *({"dtype": other} for other in (None, 1, b"|u1", "")),
        *(
            {"shape": text}
            for text in ("[" * 100_000, "[20, 24", "[20, -3]", "[2e1, 3]", "[true]", "{}", "20")
        ),
        *({"shape": other} for other in (None, 3, b"[3]", "[99999999999999999]", f"[{'1, ' * 40}1]")),
    ],
    ids=lambda values: repr(values)[:30],
)
def test_a_row_of_no_plain_array_is_refused(tmp_path, values):
    dataset, _ = make(tmp_path, "npy")
    with without_not_null(dataset):  # another's rows need not keep to the schema
        record(dataset, **values)
    with brinery.open(dataset) as opened:
        for read in (lambda: opened[0], lambda: list(opened), lambda: opened[:2]):
            with pytest.raises(CorruptError, match=r"no array has|row makes no sense"):
                read()


def poisoned(root, canary):
    """Files that would run something where they were loaded by their formats' own libraries."""
    for version in range(6):
        for number, payload in enumerate((system, evaluated, in_an_array, in_the_key)):
            yield f"pickle-{version}", f"{number}", pickle.dumps(payload(canary), version)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive, archive.open("0.png.npy", "w") as member:
        np.save(member, in_an_array(canary)[1], allow_pickle=True)
    yield "npz", "pickled", stream.getvalue()
    _, file = make(root, "hickle")
    with h5py.File(file, "r+") as container:
        for name in list(container["hickle_types_table"]):
            del container["hickle_types_table"][name]
            bait = np.frombuffer(pickle.dumps(system(canary)), "S1").reshape(1, -1)
            container["hickle_types_table"][name] = bait
    yield "hickle", "types", file.read_bytes()


def mutate_poison(step, root, canary):
    """Read damaged poison by the safe path; return how often each protocol gave an array all the same."""
    files = list(poisoned(root, canary))
    spec = Spec(np.dtype("u1"), (20, 24, 3))
    gave = Counter()
    pickles = sum(protocol.startswith("pickle") for protocol, _, _ in files)
    for protocol, name, data in files:
        count = MUTATIONS_OF_POISON // pickles
        slow = 1 if protocol.startswith("pickle") else 50  # HDF5 takes milliseconds
        for step.value in range(count // slow):
            chance = random.Random(f"{protocol}/{name}/{step.value}")
            damaged = bytearray(data)
            chance.choice(MUTATIONS)(damaged, chance)
            place = Placement(0, 0 if protocol == "hickle" else len(damaged), None)
            try:
                with get_serializer(protocol).shard_reader(io.BytesIO(damaged)) as reader:
                    reader.read(place, spec).tobytes()
            except CorruptError:
                continue
            gave[protocol] += 1
    return gave


def test_no_mutation_of_poison_is_run(tmp_path, canary):
    # Damage can open what a check would have shut. Arrays come from hickle, whose pixels are sound.
    gave = run_apart(mutate_poison, tmp_path, canary, within=1000)
    assert set(gave) <= {"hickle"}


def test_an_npz_with_a_pickled_member_is_refused(tmp_path, canary):
    dataset, shard = make(tmp_path, "npz")
    with zipfile.ZipFile(shard, "w") as archive:
        stream = io.BytesIO()
        np.save(stream, in_an_array(canary)[1], allow_pickle=True)
        archive.writestr("0.png.npy", stream.getvalue())
    record(dataset, start=0, length=shard.read_bytes().index(b"PK\1\2"), payload=None)
    assert everything(dataset, tmp_path) == []


def external(group, name, victim):
    group.create_dataset(name, (1, 20, 24, 3), "u1", external=[(str(victim), 0, 1440)])


def virtual(group, name, victim):
    layout = h5py.VirtualLayout((1, 20, 24, 3), "u1")
    layout[:] = h5py.VirtualSource(str(victim) + ".h5", "x", (1, 20, 24, 3), "u1")
    group.create_virtual_dataset(name, layout)


def link_outside(group, name, victim):
    group[name] = h5py.ExternalLink(str(victim) + ".h5", "x")


def soft_link(group, name, victim):
    group.file["hidden"] = np.frombuffer(SECRET, np.uint8).reshape(1, 20, 24, 3)
    group[name] = h5py.SoftLink("/hidden")


@pytest.mark.parametrize("protocol", ["hdf5", "hickle"])
@pytest.mark.parametrize("trick", [external, virtual, link_outside, soft_link])
def test_an_hdf5_file_gives_bytes_of_its_own_only(tmp_path, protocol, trick):
    dataset, shard = make(tmp_path, protocol)
    victim = tmp_path / "victim"
    victim.write_bytes(SECRET)
    with h5py.File(f"{victim}.h5", "w") as container:
        container["x"] = np.frombuffer(SECRET, np.uint8).reshape(1, 20, 24, 3)
    with h5py.File(shard, "r+") as container:
        place = container['data/"20x24x3-uint8"'] if protocol == "hickle" else container["20x24x3-uint8"]
        name = '"images"' if protocol == "hickle" else "images"
        del place[name]
        trick(place, name, victim)
        place.file.flush()
    assert b"secret" not in b"".join(array.tobytes() for array in read_through(dataset))
    with brinery.open(dataset, via="protocol") as opened, pytest.raises(CorruptError):
        opened[0]


def read_through(dataset):
    with brinery.open(dataset, via="protocol") as opened:
        for index in range(len(opened)):
            try:
                yield opened[index]
            except DatasetError:
                continue


def hot_journal(manifest, victim):
    """A journal as sqlite leaves it amid a transaction over several files, the victim among them."""
    magic, name = bytes.fromhex("d9d505f920a163d7"), os.fsencode(victim)
    header = magic + struct.pack(">5I", 0, 0, manifest.stat().st_size // 4096, 512, 4096)
    page = struct.pack(">I", 0x40000000 // 4096 + 1)
    return header.ljust(512, b"\0") + page + name + struct.pack(">2I", len(name), sum(name)) + magic


def test_a_journal_beside_the_manifest_deletes_no_other_file(tmp_path):
    dataset, _ = make(tmp_path, "npy")
    victim = tmp_path / "thesis.txt"
    victim.write_text("years of work")
    journal = dataset / "manifest.sqlite-journal"
    journal.write_bytes(hot_journal(dataset / "manifest.sqlite", victim))
    for use in (
        lambda: brinery.open(dataset),
        lambda: brinery.verify(dataset, workers=1),
        lambda: brinery.convert(tmp_path / "in.tar", dataset, workers=1, backend="threading"),
    ):
        with pytest.raises(DatasetError, match="other files"):
            use()
        assert victim.read_text() == "years of work"
    # sqlite itself would delete it: the check can fail.
    with sqlite3.connect(dataset / "manifest.sqlite") as db:
        db.execute("SELECT * FROM sqlite_master").fetchall()
    assert not victim.exists()


def test_a_journal_that_is_a_pipe_hangs_nobody(tmp_path):
    dataset, _ = make(tmp_path, "npy")
    os.mkfifo(dataset / "manifest.sqlite-journal")
    with pytest.raises(DatasetError, match="no regular file"):
        brinery.open(dataset)


def test_a_manifest_with_a_log_beside_it_is_refused(tmp_path):
    dataset, _ = make(tmp_path, "npy")
    with sqlite3.connect(dataset / "manifest.sqlite") as db:
        db.execute("PRAGMA journal_mode = WAL")
    with pytest.raises(DatasetError, match="other files"):
        brinery.open(dataset)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM dataset WHERE name = 'protocol'",
        "UPDATE dataset SET value = x'ff' WHERE name = 'layout'",
        "UPDATE dataset SET value = 'numpy' WHERE name = 'protocol'",
        "UPDATE dataset SET value = 'npy+unknown:1' WHERE name = 'protocol'",
        "INSERT INTO shards VALUES (99, 99, 0, '000099.npy', 1, 1, 9223372036854775807, NULL)",
    ],
)
def test_a_manifest_that_makes_no_sense_is_an_error_of_the_dataset(tmp_path, statement):
    dataset, _ = make(tmp_path, "npy")
    with sqlite3.connect(dataset / "manifest.sqlite") as db:
        db.execute(statement)
    with pytest.raises(DatasetError):
        brinery.open(dataset)


def test_a_sample_of_no_shard_is_an_error_of_the_dataset(tmp_path):
    dataset, _ = make(tmp_path, "npy")
    with sqlite3.connect(dataset / "manifest.sqlite") as db:
        db.execute("UPDATE samples SET shard = 7 WHERE key = '2.png'")
    with brinery.open(dataset) as opened, pytest.raises(CorruptError, match="shard 7"):
        opened["2.png"]
