"""Normal modes: against frequencies printed by QM programs, and by hand."""

import re

import numpy as np
import pytest

from certain import known
from forgefield import units
from forgefield.io.qm.gaussian.fchk import read_fchk
from forgefield.molecules.elements import SYMBOLS
from forgefield.molecules.molecule import standard_masses
from forgefield.properties.modes import rigid_motions, signed_frequencies, unprojected_frequencies, vibrations

CO2 = np.array([[0.0, 0.0, -1.16], [0.0, 0.0, 0.0], [0.0, 0.0, 1.16]])
CO2_MASSES = np.array([16.0, 12.0, 16.0])
BENT = np.array([[0.9, 0.1, 0.0], [0.0, 0.0, 0.2], [-0.3, 1.0, -0.1]])


def carbon_dioxide(k, k_bend, direction):
    """Harmonic Hessian of O-C-O along an axis: k of each stretch, k_bend of θ."""
    axis = np.asarray(direction) / np.linalg.norm(direction)
    across = np.linalg.svd(axis[None])[2][1:]
    stretches = np.array([[-1.0, 1.0, 0.0], [0.0, -1.0, 1.0]])[:, :, None] * axis
    bends = np.array([1.0, -2.0, 1.0])[:, None] / 1.16 * across[:, None]
    rows, constants = np.concatenate([stretches, bends]).reshape(4, 9), np.array([k, k, k_bend, k_bend])
    return rows.T @ (constants[:, None] * rows), 1.16 * np.array([[-1.0], [0.0], [1.0]]) * axis


@pytest.mark.parametrize(("folder", "name"), [("ch3f", "ch3f"), ("sn2", "sn2-ts")])
def test_psi4_hessians_give_the_printed_frequencies(data, folder, name):
    lines = [line.split() for line in (data / folder / f"{name}-optimized.xyz").read_text().splitlines()[2:]]
    masses = standard_masses(np.array([SYMBOLS.index(words[0]) for words in lines if words]))
    positions = np.array([[float(word) for word in words[1:4]] for words in lines if words])
    hessian = np.load(data / folder / f"{name}-hessian.npy") * units.HARTREE_PER_BOHR2

    found = vibrations(hessian, positions, masses).frequencies

    np.testing.assert_allclose(found, np.loadtxt(data / folder / f"{name}-frequencies.txt"), atol=0.1)


@pytest.mark.parametrize("name", ["GS", "TS"])
def test_gaussian_hessians_give_the_printed_frequencies(data, name):
    part = read_fchk(data / f"ethane/{name}.fchk")
    printed = re.findall(r"Frequencies --(.*)", (data / f"ethane/{name}.log").read_text())

    found = vibrations(known(part.hessian), known(part.positions), standard_masses(known(part.species))).frequencies

    np.testing.assert_allclose(found, [float(word) for line in printed for word in line.split()], atol=0.01)


@pytest.mark.parametrize(
    ("positions", "n_motions"),
    [(BENT, 6), (CO2, 5), (CO2 + 3.0, 5), (BENT[:2], 5), (BENT[:1], 3)],
    ids=["bent", "linear", "linear, far from the origin", "two atoms", "one atom"],
)
def test_rigid_motions_are_orthonormal_and_as_many_as_the_shape_allows(positions, n_motions):
    motions = rigid_motions(positions, np.array([16.0, 12.0, 1.0])[: len(positions)])

    assert motions.shape == (3 * len(positions), n_motions)
    np.testing.assert_allclose(motions.T @ motions, np.eye(n_motions), atol=1e-14)


def test_rigid_motions_hold_translations_and_turns():
    masses = np.array([16.0, 12.0, 1.0])
    motions = rigid_motions(BENT, masses)
    shift = np.tile([0.3, -0.5, 0.8], (3, 1))
    turn = np.cross([0.2, 0.9, -0.4], BENT)

    for motion in (shift, turn):
        weighted = (np.sqrt(masses)[:, None] * motion).reshape(-1)
        np.testing.assert_allclose(motions @ (motions.T @ weighted), weighted, atol=1e-13)


@pytest.mark.parametrize("direction", [(0.0, 0.0, 1.0), (1.0, 2.0, -0.5)])
def test_a_linear_molecule_has_one_more_vibration(direction):
    hessian, positions = carbon_dioxide(2000.0, 100.0, direction)
    m_o, m_c = CO2_MASSES[:2]

    found = vibrations(hessian, positions, CO2_MASSES)

    bend = 100.0 * 2 * (1 / m_o + 2 / m_c) / 1.16**2
    expected = [bend, bend, 2000.0 / m_o, 2000.0 * (1 / m_o + 2 / m_c)]
    np.testing.assert_allclose(found.eigenvalues, expected, rtol=1e-12)


def test_a_diatomic_vibrates_with_its_reduced_mass():
    hessian = 500.0 * np.kron([[1.0, -1.0], [-1.0, 1.0]], np.diag([1.0, 0.0, 0.0]))

    found = vibrations(hessian, np.array([[0.0, 0.0, 0.0], [1.1, 0.0, 0.0]]), np.array([1.0, 19.0]))

    np.testing.assert_allclose(found.frequencies, [(500.0 * 20.0 / 19.0) ** 0.5 * 108.5913], rtol=1e-6)


def test_an_atom_does_not_vibrate():
    found = vibrations(np.zeros((3, 3)), np.array([[0.1, -2.3, 71.7]]), np.array([4.002603]))

    assert found.frequencies.shape == (0,)
    assert found.vectors.shape == (3, 0)


def test_vibrations_are_orthonormal_and_free_of_rigid_motions(generator):
    masses = np.array([16.0, 12.0, 1.0])
    hessian = generator.normal(size=(9, 9))

    found = vibrations(hessian, BENT, masses)

    np.testing.assert_allclose(found.vectors.T @ found.vectors, np.eye(3), atol=1e-14)
    np.testing.assert_allclose(rigid_motions(BENT, masses).T @ found.vectors, np.zeros((6, 3)), atol=1e-14)
    assert (np.diff(found.eigenvalues) >= 0).all()


def test_vibrations_do_not_depend_on_where_the_molecule_is(generator):
    masses = np.array([16.0, 12.0, 1.0])
    hessian = generator.normal(size=(9, 9))
    rotation = np.linalg.qr(generator.normal(size=(3, 3)))[0]
    turn = np.kron(np.eye(3), rotation)

    moved = vibrations(turn @ hessian @ turn.T, BENT @ rotation.T + 5.0, masses)

    np.testing.assert_allclose(moved.eigenvalues, vibrations(hessian, BENT, masses).eigenvalues, atol=1e-13)


def test_imaginary_frequencies_are_negative():
    np.testing.assert_allclose(signed_frequencies(np.array([-4.0, 0.0, 9.0])) / units.WAVENUMBER, [-2.0, 0.0, 3.0])


def test_unprojected_frequencies_are_all_of_them():
    hessian, _ = carbon_dioxide(2000.0, 100.0, (0.0, 0.0, 1.0))

    found = unprojected_frequencies(hessian, CO2_MASSES)

    assert found.shape == (9,)
    np.testing.assert_allclose(np.sort(np.abs(found))[:5], np.zeros(5), atol=1e-3)
    np.testing.assert_allclose(found[-1], (2000.0 * (1 / 16 + 2 / 12)) ** 0.5 * units.WAVENUMBER, rtol=1e-12)


@pytest.mark.parametrize(("bend", "n_vibrations"), [(0.0, 4), (0.1, 4), (3.0, 3), (5.0, 3)])
def test_a_molecule_bent_by_a_few_degrees_turns_about_its_axis(bend, n_vibrations):
    # Moments of inertia by hand: 6 % of a degree² of bend in 10⁴, so that 3° are 2 and 0.1° are 0.002 in 10⁴.
    half = np.radians(bend) / 2.0
    arm = 1.16 * np.array([np.cos(half), np.sin(half)])
    positions = np.array([[arm[0], arm[1], 0.0], [0.0, 0.0, 0.0], [-arm[0], arm[1], 0.0]])
    hessian = np.eye(9)

    assert len(vibrations(hessian, positions, np.array([16.0, 12.0, 16.0])).eigenvalues) == n_vibrations
