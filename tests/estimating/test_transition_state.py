import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forgefield import units
from forgefield.errors import InputError
from forgefield.estimating.transition_state import AsIs, C, D, DPlus, E, treat
from forgefield.properties.modes import vibrations
from samples import AT_WATER

SOFT = 0.03 * units.HARTREE_PER_BOHR2
"""kcal/mol/Å²/amu"""
ALL = [C(), D(), DPlus(), DPlus(SOFT), E(), AsIs()]


def treated(molecule, policy, **options):
    return treat(molecule.hessian, molecule.positions, molecule.masses, policy, **options)


def test_c_puts_one_atomic_unit_per_amu_in_place_and_changes_nothing_else(rhodium):
    before = vibrations(rhodium.hessian, rhodium.positions, rhodium.masses)

    after = treated(rhodium, C())

    np.testing.assert_allclose(after.frequencies[0], 5140.5, atol=0.1)
    np.testing.assert_array_equal(after.eigenvalues[1:], before.eigenvalues[1:])
    np.testing.assert_array_equal(after.vectors, before.vectors)
    assert after.reaction_mode == 0
    assert before.frequencies[0] < -30.0


def test_hessian_under_c_has_the_eigenvalues_it_states(rhodium):
    after = treated(rhodium, C())

    again = vibrations(after.hessian, rhodium.positions, rhodium.masses)

    np.testing.assert_allclose(again.eigenvalues, np.sort(after.eigenvalues), atol=1e-9)
    np.testing.assert_allclose(np.abs(again.vectors[:, -1] @ after.vectors[:, 0]), 1.0, rtol=1e-12)


def test_only_the_reaction_mode_tells_the_hessians_of_two_policies_apart(sn2):
    difference = treated(sn2, C()).hessian - treated(sn2, D()).hessian

    weights = np.repeat(1.0 / np.sqrt(sn2.masses), 3)
    assert np.linalg.matrix_rank(weights[:, None] * difference * weights, tol=1e-9) == 1


@pytest.mark.parametrize(
    ("policy", "frequency"),
    [(D(), -461.7), (DPlus(), 461.7), (DPlus(SOFT), 890.4), (E(), -461.7), (C(2.0 * units.HARTREE_PER_BOHR2), 7269.8)],
)
def test_each_policy_replaces_the_eigenvalue_as_published(sn2, policy, frequency):
    after = treated(sn2, policy)

    np.testing.assert_allclose(after.frequencies[after.reaction_mode], frequency, atol=0.1)


def test_none_names_no_reaction_mode(sn2):
    after = treated(sn2, AsIs())

    assert after.reaction_mode is None
    assert after.frequencies[0] < -400.0
    assert after.statement == 'transition_state "none": the Hessian is used as it is (lowest frequency -461.7 cm⁻¹).'


def test_statement_says_what_was_done(sn2):
    assert treated(sn2, C()).statement == (
        'transition_state "C": the negative eigenvalue (-461.7 cm⁻¹) '
        "was replaced by a large positive one (5140.5 cm⁻¹)."
    )
    assert treated(sn2, DPlus()).statement == (
        'transition_state "D+": the negative eigenvalue (-461.7 cm⁻¹) was replaced by a positive one (461.7 cm⁻¹).'
    )


@pytest.mark.parametrize("policy", [*ALL, None])
def test_a_minimum_is_left_alone_and_the_statement_says_so(ch3f, policy):
    after = treated(ch3f, policy)

    np.testing.assert_array_equal(after.eigenvalues, after.before.eigenvalues)
    assert after.reaction_mode is None
    assert after.statement.endswith("the Hessian is used as it is (lowest frequency 1040.6 cm⁻¹).")


def test_a_transition_state_without_policy_is_an_error_that_lists_the_choices(sn2):
    with pytest.raises(InputError, match=r'sn2: .*-461\.7 cm⁻¹.*"C" \| "D" \| "D\+" \| "E" \| "none"'):
        treated(sn2, None, name="sn2")


@pytest.fixture
def second_order(sn2):
    """The SN2 transition state with its third mode turned imaginary too, at -350.5 cm⁻¹."""
    found = vibrations(sn2.hessian, sn2.positions, sn2.masses)
    mode = np.repeat(np.sqrt(sn2.masses), 3) * found.vectors[:, 3]
    sn2.hessian = sn2.hessian - 2.0 * found.eigenvalues[3] * np.outer(mode, mode)
    return sn2


@pytest.mark.parametrize("policy", ALL)
def test_two_negative_eigenvalues_are_an_error_that_names_both(second_order, policy):
    with pytest.raises(InputError, match=r"2 imaginary frequencies .*-461.7, -350.5 cm⁻¹.*allow_negative = 2"):
        treated(second_order, policy)


def test_two_negative_eigenvalues_may_be_allowed(second_order):
    after = treated(second_order, C(), allow_negative=2)

    np.testing.assert_allclose(after.frequencies[:2], [5140.5, -350.5], atol=0.1)
    assert "further imaginary frequencies were left as they are (-350.5 cm⁻¹)" in after.statement


def test_noise_is_no_transition_state(ch3f):
    found = vibrations(ch3f.hessian, ch3f.positions, ch3f.masses)
    mode = np.repeat(np.sqrt(ch3f.masses), 3) * found.vectors[:, 0]
    ch3f.hessian = ch3f.hessian - (found.eigenvalues[0] + (25.0 / units.WAVENUMBER) ** 2) * np.outer(mode, mode)

    after = treated(ch3f, C())

    assert after.reaction_mode is None
    np.testing.assert_allclose(after.frequencies[0], -25.0, atol=1e-6)


@given(st.floats(max_value=0.0))
def test_a_policy_refuses_what_is_not_positive(eigenvalue):
    with pytest.raises(InputError, match="positive eigenvalue"):
        C(eigenvalue)
    with pytest.raises(InputError, match="positive eigenvalue"):
        DPlus(eigenvalue)


def with_lowest(*frequencies):
    """A Hessian of water whose lowest frequencies are these [cm⁻¹], 3000 cm⁻¹ the rest; positions and masses."""
    positions = AT_WATER
    masses = np.array([16.0, 1.0, 1.0])
    modes = np.repeat(np.sqrt(masses), 3)[:, None] * vibrations(np.eye(9), positions, masses).vectors
    wavenumbers = np.array([*frequencies, *[3000.0] * (3 - len(frequencies))])
    # 108.5913 cm⁻¹ for an eigenvalue of 1 kcal/mol/Å²/amu.
    return (modes * np.sign(wavenumbers) * (wavenumbers / 108.5913) ** 2) @ modes.T, positions, masses


@pytest.mark.parametrize(("frequency", "reaction_mode"), [(-25.0, None), (-35.0, 0)])
def test_what_is_softer_than_thirty_wavenumbers_is_noise(frequency, reaction_mode):
    after = treat(*with_lowest(frequency), C())

    np.testing.assert_allclose(after.before.frequencies[0], frequency, rtol=1e-6)
    assert after.reaction_mode == reaction_mode
    np.testing.assert_allclose(after.frequencies[0], frequency if reaction_mode is None else 5140.5, rtol=1e-4)


@pytest.mark.parametrize(("frequency", "n_imaginary"), [(-25.0, 1), (-35.0, 2)])
def test_only_what_is_no_noise_counts_among_imaginary_frequencies(frequency, n_imaginary):
    hessian = with_lowest(-400.0, frequency)

    statement = treat(*hessian, C(), allow_negative=2).statement

    assert ("left as they are (-35.0 cm⁻¹)" in statement) == (n_imaginary == 2)
    if n_imaginary == 2:
        with pytest.raises(InputError, match=r"2 imaginary frequencies beyond 30 cm⁻¹ \(-400\.0, -35\.0 cm⁻¹\)"):
            treat(*hessian, C())
