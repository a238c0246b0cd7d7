"""Other words for those of FIT.toml."""

from typing import get_args

import pytest

from forgefield.config import SolverName
from forgefield.jobs.fit.plan.target_choices import schema
from forgefield.toml.schema import tables, words
from forgefield.toml.synonyms import WRITTEN, meant

TABLES = [table for _, table in tables(schema())]
KEYS = {key for table in TABLES for key in table.model_fields}
WORDS = {word for table in TABLES for field in table.model_fields.values() for word in words(field.annotation)}


def test_every_word_that_is_suggested_may_stand_somewhere():
    assert {*WRITTEN} - KEYS - WORDS - {*get_args(SolverName)} == set()


def test_in_each_table_a_synonym_means_one_key():
    for known in [*({*table.model_fields} for table in TABLES)]:
        written = [word for one in known for word in WRITTEN.get(one, "").split()]
        assert sorted(written) == sorted({*written}), known


@pytest.mark.parametrize(
    ("word", "known", "found"),
    [
        ("angles", ["stretch", "bend"], "bend"),
        ("angles", ["bond_length", "bond_angle"], "bond_angle"),
        ("Impropers", ["torsion", "out_of_plane"], "out_of_plane"),
        ("stretch-bend", ["stretch", "stretch_bend"], "stretch_bend"),
        ("toleranz", ["tolerance", "weight"], "tolerance"),
        ("zzz", ["tolerance", "weight"], None),
    ],
)
def test_the_table_decides_what_a_word_means(word, known, found):
    assert meant(word, known, nearness=0.5) == found
