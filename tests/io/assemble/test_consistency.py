from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from certain import known
from forgefield import units
from forgefield.errors import InputError
from forgefield.io.assemble.consistency import check_frame, check_frequencies, check_stiffness, check_whole, checked
from forgefield.molecules.molecule import Reference, atomic_weights, standard_masses
from forgefield.properties.modes import unprojected_frequencies, vibrations

SPECIES = np.array([8, 1, 1])
POSITIONS = np.array([[0.0, 0.0, 0.1173], [0.0, 0.7572, -0.4692], [0.0, -0.7572, -0.4692]])


@pytest.fixture
def water(generator):
    """Three springs between three atoms: no force, and free to move and turn."""
    hessian = np.zeros((3, 3, 3, 3))
    for a, b, k in ((0, 1, 1100.0), (0, 2, 1100.0), (1, 2, 300.0)):
        u = (POSITIONS[b] - POSITIONS[a]) / np.linalg.norm(POSITIONS[b] - POSITIONS[a])
        for i, j, sign in ((a, a, 1.0), (b, b, 1.0), (a, b, -1.0), (b, a, -1.0)):
            hessian[i, :, j, :] += sign * k * np.outer(u, u)
    hessian = hessian.reshape(9, 9)
    frequencies = vibrations(hessian, POSITIONS, standard_masses(SPECIES)).frequencies
    return Reference(SPECIES, POSITIONS, hessian=hessian, frequencies=frequencies, sources=("w.log",))


def test_frequencies_of_the_hessian_agree(water):
    check = known(check_frequencies(replace(water, frequencies=np.round(water.frequencies[::-1], 4))))

    assert check.deviation < 1e-4
    assert check.tolerance == 0.1


def test_says_when_agreement_needs_no_projection(water):
    # An overall field makes translations stiff; the printed values are those of all 3N eigenvalues.
    hessian = water.hessian + 3.0 * np.eye(9)
    printed = unprojected_frequencies(hessian, standard_masses(SPECIES))[-3:]

    check = known(check_frequencies(replace(water, hessian=hessian, frequencies=printed)))

    assert (check.projected, check.deviation) == (False, pytest.approx(0.0, abs=1e-8))


def test_projection_is_named_where_it_is_needed(water):
    # Noise that couples a translation to a vibration shifts raw eigenvalues and leaves those inside the projection.
    weights = np.repeat(np.sqrt(standard_masses(SPECIES)), 3)
    translation = np.tile([1.0, 0.0, 0.0], 3) * weights / np.linalg.norm(weights[::3])
    vibration = vibrations(water.hessian, POSITIONS, standard_masses(SPECIES)).vectors[:, 0]
    coupling = 5.0 * np.outer(translation, vibration) * np.outer(weights, weights)

    check = known(check_frequencies(replace(water, hessian=water.hessian + coupling + coupling.T)))

    assert (check.projected, check.deviation < 1e-9) == (True, True)


def test_isotopes_of_the_job_count(water):
    masses = np.array([15.9949, 2.0141, 2.0141])
    heavy = vibrations(water.hessian, POSITIONS, masses).frequencies

    assert known(check_frequencies(replace(water, frequencies=heavy, masses=masses))).deviation < 1e-9
    with pytest.raises(InputError, match="Are they of the same job, geometry and isotopes"):
        check_frequencies(replace(water, frequencies=heavy))


def test_printed_zeros_of_translations_are_set_aside(water):
    printed = np.concatenate([np.zeros(6), water.frequencies])

    assert known(check_frequencies(replace(water, frequencies=printed))).deviation < 1e-9


def test_few_decimals_are_granted_one_wavenumber(water):
    coarse = replace(water, frequencies=np.round(water.frequencies) + 0.4)

    assert known(check_frequencies(coarse)).tolerance == 1.0


def test_nothing_is_checked_without_both(water):
    assert check_frequencies(replace(water, frequencies=None)) is None
    assert check_frequencies(replace(water, hessian=None)) is None


def test_contradicting_frequencies_are_refused(water):
    wrong = replace(water, frequencies=water.frequencies + np.array([0.0, 0.25, 0.0]))

    message = (
        r"w\.log: the Hessian contradicts the printed frequencies, by up to 0\.25 cm⁻¹ with and 0\.25 cm⁻¹ without"
    )
    with pytest.raises(InputError, match=message):
        check_frequencies(wrong)


def test_other_number_of_frequencies_is_refused(water):
    with pytest.raises(InputError, match="2 frequencies are printed, the molecule has 3"):
        check_frequencies(replace(water, frequencies=water.frequencies[1:]))


def test_hessian_of_another_orientation_is_refused(water):
    turn = Rotation.from_rotvec([0.3, 0.4, 0.5]).as_matrix()

    check_frame(water)
    with pytest.raises(InputError, match="the Hessian does not belong to this geometry"):
        check_frame(replace(water, positions=water.positions @ turn))


def test_gradient_accounts_for_a_structure_that_is_not_stationary(generator):
    # One stretched spring, E = k (r - r0)²/2: away from r0 turning it changes the direction of its force.
    k, excess, r = 1000.0, 0.5, 1.0
    along, across = np.diag([0.0, 0.0, k]), np.diag([k * excess / r, k * excess / r, 0.0])
    block = along + across
    hessian = np.block([[block, -block], [-block, block]])
    positions = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, r]])
    gradient = np.array([[0.0, 0.0, -k * excess], [0.0, 0.0, k * excess]])

    stretched = Reference(np.array([1, 1]), positions, gradient=gradient, hessian=hessian)
    check_frame(stretched)
    with pytest.raises(InputError, match="turning the molecule is not free of force"):
        check_frame(replace(stretched, gradient=-gradient))
    # Without it the Hessian tells that there is one.
    check_frame(replace(stretched, gradient=None))
    with pytest.raises(InputError, match="turning the molecule is not free of force"):
        check_frame(turned(replace(stretched, gradient=None), 0, 0.1))


def test_linear_molecule_may_feel_what_a_grid_leaves_over(generator):
    along, noise = np.diag([0.0, 0.0, 3600.0]), generator.normal(scale=0.3, size=(3, 3))
    block = along + noise + noise.T
    nitrogen = Reference(np.array([7, 7]), np.array([[0.0, 0.0, 0.55], [0.0, 0.0, -0.55]]))

    check_frame(replace(nitrogen, hessian=np.block([[block, -block], [-block, block]])))


def test_hessian_of_a_part_of_the_atoms_is_named_as_such(water):
    hessian = water.hessian.copy()
    hessian[3:6], hessian[:, 3:6] = 0.0, 0.0

    check_whole(water)
    with pytest.raises(InputError, match=r"w\.log: the Hessian is zero for atom\(s\) H2: they were frozen"):
        check_whole(replace(water, hessian=hessian))


@pytest.mark.parametrize(("species", "unit"), [(SPECIES, r"kcal/mol/Å\^2"), (np.array([8, 6, 6]), r"kcal/mol/Å\^2")])
def test_hessian_in_another_unit_is_refused_with_the_likely_one(water, species, unit):
    check_stiffness(replace(water, species=species))
    with pytest.raises(InputError, match=f"gives a frequency of .* it is not in Hartree/Bohr².*{unit}"):
        check_stiffness(replace(water, species=species, hessian=water.hessian * units.HARTREE_PER_BOHR2))


@pytest.fixture
def helix():
    """A helix of 150 atoms, near ones joined by springs at rest: no force, and free to move and turn."""
    n = np.arange(150)
    positions = np.stack([2.3 * np.cos(1.745 * n), 2.3 * np.sin(1.745 * n), n / 2.4], axis=1)
    hessian = np.zeros((150, 3, 150, 3))
    for a, b in np.argwhere(np.triu(np.linalg.norm(positions[:, None] - positions, axis=2) < 4.0, 1)):
        u = (positions[b] - positions[a]) / np.linalg.norm(positions[b] - positions[a])
        for i, j, sign in ((a, a, 1.0), (b, b, 1.0), (a, b, -1.0), (b, a, -1.0)):
            hessian[i, :, j, :] += sign * 300.0 * np.outer(u, u)
    return Reference(np.full(150, 6), positions, hessian=hessian.reshape(450, 450), sources=("helix.log",))


def turned(reference, axis, angle):
    return replace(reference, positions=reference.positions @ Rotation.from_rotvec(angle * np.eye(3)[axis]).as_matrix())


@pytest.mark.parametrize("molecule", ["water", "helix"])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_frame_turned_by_three_tenths_of_a_radian_is_refused_in_small_and_large_molecules(molecule, axis, request):
    reference = request.getfixturevalue(molecule)

    check_frame(turned(reference, axis, 0.01))
    with pytest.raises(InputError, match="the Hessian does not belong to this geometry"):
        check_frame(turned(reference, axis, 0.3))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_frame_of_a_small_molecule_turned_by_three_degrees_is_refused(water, axis):
    with pytest.raises(InputError, match="the Hessian does not belong to this geometry"):
        check_frame(turned(water, axis, np.radians(3.0)))


def test_a_reference_that_was_checked_passes_again(water):
    # Programs whose atomic weights have other digits print frequencies that are off by 0.1 cm⁻¹.
    masses = np.array([15.9994, 1.00794, 1.00794])
    printed = np.round(vibrations(water.hessian, POSITIONS, masses).frequencies, 2)

    once = checked(replace(water, frequencies=printed))

    np.testing.assert_array_equal(checked(once).masses, atomic_weights(SPECIES))
