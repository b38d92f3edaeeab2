"""Labels, suggestions, levels, missing libraries and third parties."""

import subprocess
import sys
from importlib import metadata
from importlib.metadata import EntryPoint

import pytest

from brinery.engine.protocols import registry
from brinery.engine.protocols.base import Compression
from brinery.engine.protocols.npy import NpySerializer
from brinery.engine.protocols.registry import get_serializer, known_protocols
from brinery.errors import MissingLibraryError, UnknownProtocolError, UsageError


class Mine(NpySerializer):
    name = "mine"


@pytest.fixture
def third_parties(monkeypatch):
    """Installs entry points, given as name=value."""

    def install(**values):
        entries = [EntryPoint(name, value, registry.GROUP) for name, value in values.items()]
        monkeypatch.setattr(metadata, "entry_points", lambda **_: entries)

    return install


@pytest.mark.parametrize(
    ("label", "suffix", "compression"),
    [
        ("npy", ".npy", None),
        ("npy+lz4", ".npy.lz4", Compression("lz4")),
        ("pickle-5+zstd:3", ".pkl.zst", Compression("zstd", 3)),
        ("json+gzip:9", ".jsonl.gz", Compression("gzip", 9)),
        ("hdf5+gzip:4", ".h5", Compression("gzip", 4)),
        ("hickle+lzf", ".hkl", Compression("lzf")),
        ("npz+deflate", ".npz", Compression("deflate")),
        ("webdataset+jpg:90", ".tar", Compression("jpg", 90)),
    ],
)
def test_a_label_names_protocol_compression_and_level(label, suffix, compression):
    serializer = get_serializer(label)
    assert (serializer.label, serializer.file_suffix, serializer.compression) == (label, suffix, compression)


def test_only_plain_files_can_be_mapped():
    assert get_serializer("hdf5").maps
    assert not get_serializer("hdf5+lzf").maps
    assert not get_serializer("pickle-2").maps


def test_an_unknown_name_lists_the_known_ones_and_the_closest():
    with pytest.raises(UnknownProtocolError, match=r"did you mean 'hickle'\?.*pickle-0, .*hdf5, hickle"):
        get_serializer("hikle")


def test_an_unknown_compression_lists_what_the_protocol_takes():
    with pytest.raises(UnknownProtocolError, match=r"'zstd' for protocol 'hdf5'.*it takes gzip, lzf"):
        get_serializer("hdf5+zstd")


@pytest.mark.parametrize(
    "label",
    [
        *("hdf5+gzip:10", "npy+zstd:0", "npz+deflate:x", "npy+gzip:", "npy+gzip:-1"),
        *("webdataset+jpg:0", "webdataset+jpg:101", "webdataset+png:10", "webdataset+webp:10"),
    ],
)
def test_a_bad_level_names_its_range(label):
    with pytest.raises(UsageError, match=r"a whole number from \d to \d"):
        get_serializer(label)


def test_lzf_has_no_levels():
    with pytest.raises(UsageError, match="no levels"):
        get_serializer("hdf5+lzf:1")


@pytest.mark.parametrize(
    ("label", "advice"),
    [
        ("npy+zstd", r"pip install 'brinery\[formats\]'"),
        ("hickle", "pip install 'hickle'"),
        ("safetensors", r"pip install 'brinery\[safetensors\]'"),
    ],
)
def test_a_missing_library_is_named_with_what_to_install(monkeypatch, label, advice):
    monkeypatch.setattr(
        registry, "installed", lambda name: name not in ("zstandard", "hickle", "safetensors")
    )
    with pytest.raises(MissingLibraryError, match=advice):
        get_serializer(label)
    shown = {info.name: info for info in known_protocols()}
    assert (shown["hickle"].available, shown["hickle"].extra) == (False, "hickle")
    assert shown["hdf5"].available


def test_what_is_mapped_opens_without_its_library(monkeypatch):
    monkeypatch.setattr(registry, "installed", lambda _: False)
    assert get_serializer("safetensors", to_open=True).maps
    for label in ("npy+zstd", "hickle+gzip"):
        with pytest.raises(MissingLibraryError):
            get_serializer(label, to_open=True)


def test_a_third_party_brings_a_protocol(third_parties):
    third_parties(mine=f"{__name__}:Mine")
    assert isinstance(get_serializer("mine+gzip:1"), NpySerializer)
    info = known_protocols()[-1]
    assert (info.name, info.suffix, info.available) == ("mine", ".npy", True)


def test_a_third_party_cannot_shadow_a_built_in_protocol(third_parties):
    third_parties(npy=f"{__name__}:Mine")
    assert type(get_serializer("npy")) is NpySerializer


def test_a_broken_third_party_harms_only_itself(third_parties):
    third_parties(broken="no_such_module_at_all:Thing", mine=f"{__name__}:Mine")
    assert get_serializer("mine").suffix == ".npy"
    broken = next(info for info in known_protocols() if info.name == "broken")
    assert not broken.available
    assert broken.extra is None
    assert "ModuleNotFoundError: No module named 'no_such_module_at_all'" in broken.problem
    with pytest.raises(MissingLibraryError, match=r"'broken'.*No module named 'no_such_module_at_all'"):
        get_serializer("broken")


class Fails(Mine):
    def __init__(self, _=None):
        raise KeyError("no licence")


@pytest.mark.parametrize(
    ("attribute", "problem"),
    [("Fails", "KeyError: 'no licence'"), ("GROUP_OF_NONE", "AttributeError"), ("str", "not a Serializer")],
)
def test_what_a_third_partys_code_raises_is_told_as_its_error(third_parties, attribute, problem):
    value = "builtins:str" if attribute == "str" else f"{__name__}:{attribute}"
    third_parties(broken=value)
    (info,) = (one for one in known_protocols() if one.name == "broken")
    assert problem in info.problem
    with pytest.raises(MissingLibraryError, match=f"'broken'.*{problem}"):
        get_serializer("broken")


def test_looking_up_a_protocol_imports_no_library():
    program = (
        "import sys; from brinery.engine.protocols.registry import get_serializer, known_protocols;"
        "known_protocols(); get_serializer('hickle+gzip'); get_serializer('npy+zstd');"
        "heavy = {'h5py', 'hickle', 'zstandard', 'lz4', 'joblib'} & set(sys.modules);"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
