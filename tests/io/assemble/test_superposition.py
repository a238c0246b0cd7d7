import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from forgefield.errors import InputError
from forgefield.io.assemble.superposition import rotated_hessian, same_structure, superpose
from forgefield.molecules.molecule import Molecule, Reference

NAMES = ("a.mae", "b.fchk")


@pytest.fixture
def positions(generator):
    return generator.normal(size=(5, 3))


@pytest.fixture
def turn(generator):
    return Rotation.random(rng=generator).as_matrix()


def test_turned_and_shifted_geometry_is_laid_on_the_first(positions, turn):
    moved = positions @ turn.T + 3.0

    superposition = superpose(moved, positions)

    np.testing.assert_allclose(superposition.rotation, turn, atol=1e-14)
    assert superposition.deviations.max() < 1e-14


def test_mirror_image_is_not_superposed(positions):
    assert superpose(-positions, positions).deviations.max() > 0.1


def test_rounded_geometry_stays_in_its_frame(positions):
    assert superpose(np.round(positions, 3), positions).is_same_frame


@pytest.mark.parametrize("positions", [np.zeros((1, 3)), np.array([[0.0, 0, 0], [0, 0, 1]])], ids=["atom", "diatomic"])
def test_small_molecules_are_superposed(positions):
    superposition = superpose(positions[:, ::-1] + 1.0, positions)

    assert superposition.deviations.max() < 1e-14
    assert np.linalg.det(superposition.rotation) == pytest.approx(1.0)


def test_hessian_turns_with_its_molecule(generator, turn):
    # The Hessian of E = (a·x)²/2 is a aᵀ, and a turns as positions do.
    a = generator.normal(size=(4, 3))

    turned = rotated_hessian(np.outer(a, a), turn)

    np.testing.assert_allclose(turned, np.outer(a @ turn, a @ turn), atol=1e-14)


def test_other_order_is_told_atom_by_atom(positions):
    first = Molecule("a", np.array([6, 1, 1, 8, 1]), positions)
    second = Reference(np.array([6, 1, 8, 1, 1]), positions)

    message = (
        r"in another order than in the other: atom 3 is H in a.mae, O in b.fchk, atom 4 is O in a.mae, H in b.fchk"
    )
    with pytest.raises(InputError, match=message):
        same_structure(first, second, NAMES)


def test_other_elements_and_numbers_are_told(positions):
    first = Molecule("a", np.array([6, 1, 1, 8, 1]), positions)

    with pytest.raises(InputError, match=r"other elements: atom 1 is C in a.mae, N in b.fchk"):
        same_structure(first, Reference(np.array([7, 1, 1, 8, 1]), positions), NAMES)
    with pytest.raises(InputError, match=r"5 atoms in a.mae, 4 in b.fchk"):
        same_structure(first, Reference(np.array([6, 1, 1, 8]), positions[:4]), NAMES)


def test_equal_atoms_in_another_order_are_told_by_their_distance(positions):
    species = np.array([6, 1, 1, 8, 1])

    with pytest.raises(
        InputError, match=r"these atoms are off: .*H2 by \d\.\d{3} Å, .*atoms of one element in another"
    ):
        same_structure(Molecule("a", species, positions), Reference(species, positions[[0, 2, 1, 3, 4]]), NAMES)


@pytest.mark.parametrize(("apart", "same"), [(0.015, True), (0.03, False)])
def test_an_atom_two_hundredths_of_an_angstrom_off_is_in_another_geometry(apart, same):
    # By symmetry two opposite corners of an octahedron that move apart neither turn nor shift it.
    octahedron = 2.0 * np.concatenate([np.eye(3), -np.eye(3)])
    stretched = octahedron + apart * np.array([[1.0, 0, 0], [0, 0, 0], [0, 0, 0], [-1.0, 0, 0], [0, 0, 0], [0, 0, 0]])
    pair = Molecule("a", np.full(6, 9), octahedron), Reference(np.full(6, 9), stretched)

    if same:
        np.testing.assert_allclose(same_structure(*pair, NAMES).deviations.max(), apart, atol=1e-12)
        return
    with pytest.raises(InputError, match=r"F1 by 0\.030 Å, F4 by 0\.030 Å \(accepted: 0\.02 Å\)"):
        same_structure(*pair, NAMES)


def test_the_other_enantiomer_is_another_geometry():
    bromochlorofluoromethane = np.array(
        [[0, 0, 0], [0, 0, 1.1], [1.27, 0, -0.45], [-0.8, 1.39, -0.6], [-0.87, -1.5, -0.7]]
    )
    species, mirror = np.array([6, 1, 9, 17, 35]), np.array([-1.0, 1.0, 1.0])

    with pytest.raises(InputError, match="a mirror image"):
        same_structure(
            Molecule("a", species, bromochlorofluoromethane),
            Reference(species, bromochlorofluoromethane * mirror),
            NAMES,
        )
