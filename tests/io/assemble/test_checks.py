"""What a reference must fulfil whatever program it is from, and what trusting it makes of that."""

from dataclasses import replace

import numpy as np
import pytest

from certain import known
from forgefield.errors import InputError, InputWarning
from forgefield.io.assemble.consistency import checked
from forgefield.molecules.molecule import AtomicCharges, Reference, atomic_weights, standard_masses
from forgefield.properties.modes import frequencies, unprojected_frequencies

SPECIES = np.array([6, 6])
POSITIONS = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.3]])
STRETCH = np.diag([0.0, 0.0, 1700.0])
HESSIAN = np.block([[STRETCH, -STRETCH], [-STRETCH, STRETCH]])


@pytest.fixture
def carbon() -> Reference:
    """Two atoms and a spring at rest."""
    return Reference(SPECIES, POSITIONS, hessian=HESSIAN, gradient=np.zeros((2, 3)), sources=("c2.log",))


def test_what_is_whole_passes(carbon):
    assert checked(carbon) is not None


def test_hessian_that_moving_the_molecule_costs_energy_in_is_refused_with_both_numbers(carbon):
    held = HESSIAN.copy()
    held[0, 0] += 200.0

    with pytest.raises(InputError, match=r"c2\.log: moving the molecule as a whole .* leaves 200 .* accepted 96\.2"):
        checked(replace(carbon, hessian=held))


def test_a_stationary_point_with_a_gradient_is_refused(carbon):
    pulled = np.array([[0.0, 0.0, 20.0], [0.0, 0.0, -20.0]])

    assert checked(replace(carbon, gradient=pulled, hessian=None)) is not None
    with pytest.raises(InputError, match=r"is stationary, but the gradient is up to 20 kcal/mol/Å, accepted 11\.9"):
        checked(replace(carbon, gradient=pulled, hessian=None, stationary_order=0))


def test_masses_are_atomic_weights_where_these_give_the_frequencies(carbon):
    printed = frequencies(HESSIAN, POSITIONS, atomic_weights(SPECIES))

    found = checked(replace(carbon, frequencies=printed))

    np.testing.assert_array_equal(known(found.masses), atomic_weights(SPECIES))
    with pytest.raises(InputError, match="the Hessian contradicts the printed frequencies"):
        checked(replace(carbon, frequencies=printed + 0.3))


def test_what_is_trusted_is_a_warning(carbon):
    wrong = replace(carbon, frequencies=np.array([100.0]))

    with pytest.warns(
        InputWarning, match=r"c2\.log: the Hessian contradicts .* \(trusted all the same, as asked for\)"
    ):
        found = checked(wrong, trust=True)

    np.testing.assert_array_equal(known(found.hessian), HESSIAN)
    assert known(found.frequencies).tolist() == [100.0]


def test_gradients_that_do_not_add_up_to_zero_are_refused(carbon):
    pulled = np.array([[0.0, 0.0, 20.0], [0.0, 0.0, -2.0]])

    with pytest.raises(InputError, match=r"the gradients of all atoms add up to 18 kcal/mol/Å, accepted 5\.44"):
        checked(replace(carbon, gradient=pulled, hessian=None, program="CFOUR"))


def test_a_printed_frequency_that_no_molecule_has_is_refused(carbon):
    with pytest.raises(InputError, match="a frequency of 74000 cm⁻¹ is printed"):
        checked(replace(carbon, frequencies=np.array([-74000.0]), hessian=None))


def test_gradients_that_turn_the_molecule_are_refused(carbon):
    turning = np.array([[40.0, 0.0, 0.0], [-40.0, 0.0, 0.0]])

    with pytest.raises(InputError, match=r"the gradients turn the molecule with [\d.]+ kcal/mol, accepted [\d.]+"):
        checked(replace(carbon, gradient=turning, hessian=None, program="CFOUR"))


def test_charges_that_do_not_add_up_to_that_of_the_molecule_are_left_out_with_a_word(carbon):
    sound, wrong = AtomicCharges("mulliken", np.array([0.25, -0.25])), AtomicCharges("esp", np.array([0.25, 0.25]))

    with pytest.warns(InputWarning, match=r"charges esp \(0\.500 e\) do not add up to that of the molecule \(0\)"):
        found = checked(replace(carbon, charges=(sound, wrong)))

    assert found.charges == (sound,)


def test_noise_of_a_hessian_that_gives_the_printed_frequencies_is_no_damage(carbon):
    noisy = HESSIAN.copy()
    noisy[0, 0] += 4e-3 * np.abs(HESSIAN).max()
    bare = replace(carbon, hessian=noisy, frequencies=None)
    printed = unprojected_frequencies(noisy, standard_masses(carbon.species))
    kept = np.sort(printed[np.argsort(np.abs(printed))[-1:]])

    with pytest.raises(InputError, match=r"the element \(1, 1\) of the Hessian"):
        checked(bare)
    assert checked(replace(bare, frequencies=kept)).frequencies is not None


def test_a_gradient_that_no_molecule_has_is_refused(carbon):
    steep = np.array([[0.0, 0.0, 2e5], [0.0, 0.0, -2e5]])

    with pytest.raises(
        InputError, match=r"the gradient is up to 2e\+05 kcal/mol/Å, and no molecule has one above 1e\+05"
    ):
        checked(replace(carbon, gradient=steep, hessian=None))
