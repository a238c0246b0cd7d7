"""Errors of labels, by hand."""

from dataclasses import replace

import numpy as np
import pytest

from forgefield.io.datasets.records import Record
from forgefield.jobs.validate.accuracy import accuracy, committee
from forgefield.jobs.validate.answers import Answers
from forgefield.molecules.molecule import HessianProducts, Molecule, Reference

WATER, METHANE = np.array([8, 1, 1]), np.array([6, 1, 1, 1, 1])


def record(name, species, energy, gradient, products=None):
    molecule = Molecule(name, species, np.arange(3.0 * len(species)).reshape(-1, 3))
    label = Reference(species, molecule.positions, energy, np.asarray(gradient, float), products=products)
    return Record(molecule, label, "", "", b"")


def said(energies, gradients, products=None):
    empty = [np.zeros((0, 0, 3))] * len(energies)
    unstressed = np.full((len(energies), 3, 3), np.nan)
    return Answers(np.array(energies, float), tuple(map(np.asarray, gradients)), tuple(products or empty), unstressed)


def slopes(records):
    return [np.array(r.label.gradient) for r in records]


RECORDS = [
    record("water", WATER, -10.0, [[3.0, 0.0, 0.0], [-3.0, 0.0, 0.0], [0.0, 0.0, 0.0]]),
    record("water", WATER, -8.0, [[20.0, 0.0, 0.0], [-20.0, 0.0, 0.0], [0.0, 0.0, 0.0]]),
    record("methane", METHANE, -40.0, np.zeros((5, 3))),
]


def test_each_composition_has_a_zero_of_its_own():
    gradients = slopes(RECORDS)

    found = accuracy(RECORDS, [said([-9.0, -5.0, 60.0], gradients)])

    assert [(o.composition, o.n, o.offset) for o in found.offsets] == [("CH4", 1, 100.0), ("H2O", 2, 2.0)]
    # Methane is alone with its composition, so that its offset is its error.
    assert (found.energy.total.n, found.energy.total.mae) == (2, 1.0)
    assert found.per_atom.mae == pytest.approx(1.0 / 3.0)
    assert found.absolute.largest == 100.0
    assert found.force.total.largest == 0.0


def test_forces_are_divided_by_molecule_element_and_size():
    gradients = slopes(RECORDS)
    gradients[1][0] += [0.0, 0.0, 6.0]

    found = accuracy(RECORDS, [said([-10.0, -8.0, -40.0], gradients)]).force

    assert found.by_molecule["water"].mae == pytest.approx(6.0 / 18.0)
    assert found.by_molecule["methane"].mae == 0.0
    assert {name: errors.largest for name, errors in found.by_element.items()} == {"C": 0.0, "H": 0.0, "O": 6.0}
    assert {name: errors.largest for name, errors in found.by_size.items()} == {
        "0 to 2": 0.0,
        "2 to 10": 0.0,
        "10 to 30": 6.0,
    }


def test_angles_are_those_of_strong_forces():
    gradients = slopes(RECORDS)
    gradients[0][0] = [0.0, 3.0, 0.0]
    gradients[2][:] = [0.0, 0.0, 0.5]

    found = accuracy(RECORDS, [said([-10.0, -8.0, -40.0], gradients)]).angles

    assert found.n == 4
    assert found.mean == pytest.approx(90.0 / 4.0)


def test_products_count_by_direction_of_unit_length_for_each_coordinate():
    directions = np.zeros((1, 3, 3))
    directions[0, 0, 0] = 2.0
    products = HessianProducts(directions, np.zeros((1, 3, 3)))
    one = record("water", WATER, 0.0, np.zeros((3, 3)), products)
    two = replace(one)

    found = accuracy([one, two], [said([0.0, 0.0], [np.zeros((3, 3))] * 2, [np.full((1, 3, 3), 2.0)] * 2)]).product

    assert found is not None
    # The direction of length 2 is one of length 3 at 1.5 times the product.
    assert found.total.largest == pytest.approx(3.0)


def test_the_factor_makes_spreads_as_large_as_errors():
    generator = np.random.default_rng(0)
    records = [record("water", WATER, 0.0, generator.normal(size=(3, 3))) for _ in range(400)]
    width = generator.uniform(0.5, 5.0, size=(400, 3, 3))
    truth = np.array([r.label.gradient for r in records])
    shared = 3.0 * width * generator.normal(size=width.shape)
    members = [said(np.zeros(400), truth + shared + width * generator.normal(size=width.shape)) for _ in range(40)]

    found = committee(records, members)

    assert found is not None
    # Their mean is off by the shared error of 3 widths, and a little by their own.
    assert found.factor == pytest.approx(3.0, rel=0.1)
    assert found.within == pytest.approx(0.68, abs=0.05)
    assert found.correlation > 0.3
    assert found.bins[-1][1] > 2.0 * found.bins[0][1]
    assert committee(records, members[:1]) is None
