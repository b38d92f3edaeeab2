import pytest

from brinery.benchmark.options import CHOICE, SEED_PROTOCOLS, every_protocol, make_bench_options
from brinery.engine.protocols import registry
from brinery.errors import UnknownProtocolError, UsageError


def test_the_defaults_are_the_seed_protocols_over_four_numbers_of_workers():
    options = make_bench_options()
    assert options.protocols == SEED_PROTOCOLS
    assert options.cores == (1, 2, 4, 8)
    assert options.ops == ("convert", "dump", "load", "map")


def test_images_of_ones_own_are_measured_in_what_people_choose_between(tmp_path):
    options = make_bench_options(tmp_path)
    assert (options.preset, options.protocols, options.lacking) == ("choose", CHOICE, ())
    assert make_bench_options(tmp_path, protocols="npy,json").protocols == ("npy", "json")
    assert make_bench_options(preset="choose", protocols="npy,json").protocols == (*CHOICE, "json")
    assert make_bench_options(tmp_path, preset="scaling").protocols == SEED_PROTOCOLS


def test_a_choice_whose_library_is_not_installed_is_left_out_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "installed", lambda name: name != "h5py")
    options = make_bench_options(tmp_path)
    assert options.protocols == tuple(label for label in CHOICE if label != "hdf5")
    assert options.lacking == ("hdf5 is left out: h5py is not installed: pip install 'h5py'",)


def test_lists_are_text_with_commas_or_sequences():
    options = make_bench_options(cores="4, 1", protocols="npy,hdf5+gzip:4", ops=["load_lazy"])
    assert (options.cores, options.protocols, options.ops) == ((1, 4), ("npy", "hdf5+gzip:4"), ("load_lazy",))


@pytest.mark.parametrize("cores", ["0", "a,b", "", "1,,2", "1,1", "01,1", "-1", "1.5", "99999", [0], []])
def test_cores_that_make_no_sense(cores):
    with pytest.raises(UsageError, match="cores"):
        make_bench_options(cores=cores)


def test_an_unknown_protocol_lists_the_known():
    with pytest.raises(UnknownProtocolError, match="pickle-5"):
        make_bench_options(protocols="nope")


@pytest.mark.parametrize(
    "values",
    [
        {"protocols": "npy,npy"},
        {"protocols": ""},
        {"ops": "dump,fly"},
        {"ops": "dump,dump"},
        {"preset": "all"},
        {"rounds": 0},
        {"budget": -1},
        {"limit": 0},
        {"seed": -1},
        {"cache": "hot"},
        {"durability": "buffered,maybe"},
    ],
)
def test_other_values_that_make_no_sense(values):
    with pytest.raises(UsageError):
        make_bench_options(**values)


def test_the_full_preset_takes_every_protocol_and_compression():
    labels = every_protocol()
    assert {"pickle-3", "npz", "npz+deflate", "hdf5+gzip", "pypickle-5"} <= set(labels)
    assert len(set(labels)) == len(labels)
    assert "webdataset+png" in labels
    assert not [label for label in labels if "+jpg" in label]  # it loses pixels
    assert make_bench_options(preset="full").protocols == labels
