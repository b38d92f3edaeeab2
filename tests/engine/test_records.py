"""The rows of a sample: fields, columns of the table and order in which workers send them are one thing."""

from typing import get_args, get_type_hints

import pytest

from brinery.engine.manifest.schema import COLUMNS
from brinery.engine.records import Sample, sample_rows


def test_the_fields_of_a_sample_are_the_columns_of_its_table():
    assert list(COLUMNS["samples"]) == list(Sample._fields)
    for name, hint in get_type_hints(Sample).items():
        kinds = set(get_args(hint) or (hint,))
        kind, nullable = COLUMNS["samples"][name]
        assert (int if bool in kinds else min(kinds - {type(None)}, key=str), type(None) in kinds) == (
            kind,
            nullable,
        )


def test_rows_have_the_order_of_the_fields_however_columns_are_named():
    columns = {name: [f"{name} 0", f"{name} 1"] for name in sorted(Sample._fields)}
    assert sample_rows(**columns) == tuple(
        tuple(f"{name} {row}" for name in Sample._fields) for row in range(2)
    )
    with pytest.raises(ValueError, match="shorter"):
        sample_rows(**columns | {"xxh3": ["one"]})
    with pytest.raises(TypeError, match="'heigth'"):
        sample_rows(**columns, heigth=[1, 2])
    del columns["key"]
    with pytest.raises(TypeError, match="'key'"):
        sample_rows(**columns)
