"""A data set gives back what was put in, and a kill in the middle leaves it as it was."""

from dataclasses import replace

import h5py
import numpy as np
import pytest

from forgefield.errors import InputError
from forgefield.io.datasets import data_set
from forgefield.io.datasets.data_set import append, begin_data_set, keys, overview, read_failures, read_records
from forgefield.io.datasets.records import Failure, Record
from forgefield.molecules.molecule import AtomicCharges, HessianProducts, Molecule, Reference
from samples import WATER

HYDROGEN = Molecule(
    "hydrogen", np.array([1, 1]), np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.74]]), charge=1, multiplicity=2
)


def record(molecule: Molecule, number: int, n_directions: int = 0) -> Record:
    draw = np.random.default_rng(number)
    here = replace(molecule, positions=molecule.positions + draw.normal(size=molecule.positions.shape))
    shape = (n_directions, molecule.n_atoms, 3)
    whole = number % 2 == 0
    label = Reference(
        species=molecule.species,
        positions=here.positions,
        energy=float(draw.normal()),
        gradient=draw.normal(size=here.positions.shape),
        charge=molecule.charge,
        multiplicity=molecule.multiplicity,
        charges=(AtomicCharges("mulliken", draw.normal(size=molecule.n_atoms)),) if whole else (),
        products=HessianProducts(draw.normal(size=shape), draw.normal(size=shape)) if n_directions else None,
        atomic_energies=draw.normal(size=molecule.n_atoms) if whole else None,
    )
    return Record(here, label, "a teacher", "by hand" if whole else "at random", draw.bytes(32))


RECORDS = [record(WATER, 0, 2), record(HYDROGEN, 1), record(WATER, 2), record(HYDROGEN, 3, 3), record(WATER, 4, 1)]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "set.h5"
    begin_data_set(path)
    return path


def same(found: Record, given: Record) -> None:
    assert (found.teacher, found.origin, found.key) == (given.teacher, given.origin, given.key)
    assert found.molecule.name == given.molecule.name
    assert (found.molecule.charge, found.label.multiplicity) == (given.molecule.charge, given.label.multiplicity)
    np.testing.assert_array_equal(found.molecule.species, given.molecule.species)
    np.testing.assert_array_equal(found.molecule.bonds, given.molecule.bonds)
    assert found.label.energy == given.label.energy
    assert found.label.contents == given.label.contents
    for name in ("positions", "gradient", "atomic_energies"):
        np.testing.assert_array_equal(getattr(found.label, name), getattr(given.label, name))
    if given.label.products is not None:
        assert found.label.products is not None
        np.testing.assert_array_equal(found.label.products.directions, given.label.products.directions)
        np.testing.assert_array_equal(found.label.products.values, given.label.products.values)


def test_gives_back_what_was_added_in_parts(path):
    append(path, RECORDS[:2])
    append(path, RECORDS[2:])

    found = list(read_records(path))

    assert len(found) == 5
    for one, given in zip(found, RECORDS, strict=True):
        same(one, given)
    assert keys(path)[0] == {record.key for record in RECORDS}


def test_gives_chosen_records_in_their_order(path):
    append(path, RECORDS)

    found = list(read_records(path, [3, 0]))

    same(found[0], RECORDS[3])
    same(found[1], RECORDS[0])
    with pytest.raises(InputError, match="has 5 records; there is no record 6"):
        list(read_records(path, [5]))


def test_says_what_it_holds_without_reading_atoms(path):
    append(path, RECORDS)

    found = overview(path)

    assert [m.name for m in found.molecules] == ["water", "hydrogen"]
    assert found.molecule.tolist() == [0, 1, 0, 1, 0]
    assert found.n_atoms.tolist() == [3, 2, 3, 2, 3]
    assert found.n_directions.tolist() == [2, 0, 0, 3, 1]
    assert found.origins == ("by hand", "at random")


def test_keeps_what_failed_with_its_reason(path):
    failure = Failure(HYDROGEN, "at random", b"k" * 32, "the SCF ran away")

    append(path, RECORDS[:1], [failure])

    (found,) = read_failures(path)
    assert (found.reason, found.origin, found.key) == (failure.reason, failure.origin, failure.key)
    np.testing.assert_array_equal(found.molecule.positions, HYDROGEN.positions)
    assert keys(path)[1] == {failure.key}


def test_what_is_interrupted_is_not_added(path, monkeypatch):
    append(path, RECORDS[:2])

    def ended(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(data_set, "_add_failures", ended)
        with pytest.raises(KeyboardInterrupt):
            append(path, RECORDS[2:])

    assert len(list(read_records(path))) == 2
    append(path, RECORDS[2:])
    assert len(list(read_records(path))) == 5


def test_refuses_what_is_no_data_set(tmp_path):
    text, other, later = tmp_path / "text.h5", tmp_path / "other.h5", tmp_path / "later.h5"
    text.write_text("nothing")
    with h5py.File(other, "w"):
        pass
    with h5py.File(later, "w") as file:
        file.attrs["format"], file.attrs["schema"] = "ForgeField data set", 99

    for path, said in (
        (text, "is no data set, which is a file of HDF5"),
        (other, "is no ForgeField data set"),
        (later, "version 99"),
    ):
        with pytest.raises(InputError, match=said):
            overview(path)
