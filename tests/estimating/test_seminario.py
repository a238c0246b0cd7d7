from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from forgefield import units
from forgefield.errors import InputError
from forgefield.estimating.seminario import (
    Approximation,
    Estimates,
    Fuerza,
    GammaFuerza,
    ModifiedSeminario,
    Qfuerza,
    estimate,
    projected_stiffness,
    replace_negative,
)
from forgefield.estimating.transition_state import C, D, treat

NO_PAIRS = np.zeros((0, 2), dtype=int)
NO_TRIPLES = np.zeros((0, 3), dtype=int)
ABC = np.array([[0, 1, 2]])
BONDS = np.array([[0, 1], [2, 1]])
CH3F_BONDS = np.array([[0, 1], [0, 2], [0, 3], [0, 4]])
CH3F_ANGLES = np.array([[a, 0, b] for a, b in combinations(range(1, 5), 2)])
METHODS = [Fuerza(), ModifiedSeminario(), GammaFuerza(), Qfuerza()]


def of_ch3f(method, ch3f):
    return estimate(method, ch3f.hessian, ch3f.positions, ch3f.species, CH3F_BONDS, CH3F_ANGLES)


def carbons(n):
    return np.full(n, 6)


def test_diatomic_gives_the_second_derivative_of_its_energy(harmonic_hessian):
    u = np.array([2.0, -1.0, 2.0]) / 3.0
    hessian = harmonic_hessian([700.0], [[u, -u]])

    found = estimate(Fuerza(), hessian, np.array([1.3 * u, 0.0 * u]), carbons(2), np.array([[0, 1]]), NO_TRIPLES)

    np.testing.assert_allclose(found.bond_k, [700.0], rtol=1e-12)
    np.testing.assert_allclose(found.bond_r0, [1.3], rtol=1e-15)


@given(
    k=st.tuples(st.floats(300.0, 900.0), st.floats(300.0, 900.0), st.floats(10.0, 150.0)),
    r1=st.floats(1.0, 1.6),
    r2=st.floats(1.0, 1.6),
    theta=st.floats(1.4, 2.6),
)
def test_bent_triatomic_gives_what_its_triangular_blocks_say(harmonic_hessian, bent, k, r1, r2, theta):
    # In the basis (bond, in-plane) -H_AB = [[k_r, 0], [-s, m]]; its right eigenvectors are (1, -t)/√(1+t²) and (0, 1),
    # those of -H_BA are (1, 0) and (t, 1)/√(1+t²), with s, m and t as below.
    molecule = bent(r1, r2, theta)
    s = k[2] * np.sin(theta) / (r1 * r2)
    m = k[2] * (1.0 / np.array([r1, r2]) ** 2 - np.cos(theta) / (r1 * r2))
    t = s / (np.array(k[:2]) - m)
    springs = np.array([r1, r2]) ** 2 * (m + np.array(k[:2]) * np.abs(t) / np.hypot(1.0, t))

    found = estimate(Fuerza(), harmonic_hessian(k, molecule.gradients), molecule.positions, carbons(3), BONDS, ABC)

    along_ab, along_ba = np.array(k[:2]) / np.hypot(1.0, t), np.array(k[:2]) + m * np.abs(t) / np.hypot(1.0, t)
    np.testing.assert_allclose(found.bond_k, 0.5 * (along_ab + along_ba), rtol=1e-9)
    np.testing.assert_allclose(found.angle_k, [1.0 / np.sum(1.0 / springs)], rtol=1e-9)
    np.testing.assert_allclose(found.angle_theta0, [theta], rtol=1e-14)


@pytest.mark.parametrize("axis", [[1.0, 0.0, 0.0], [0.0, 0.6, -0.8]])
def test_linear_angle_gives_its_constant_back(harmonic_hessian, axis):
    r1, r2, k = 1.2, 1.7, 42.0
    axis = np.array(axis)
    n1 = np.cross(axis, [0.3, 0.2, 0.1])
    n1 /= np.linalg.norm(n1)
    bends = [[n / r1, -n / r1 - n / r2, n / r2] for n in (n1, np.cross(axis, n1))]
    stretches = [[axis, -axis, 0.0 * axis], [0.0 * axis, axis, -axis]]

    found = estimate(
        Fuerza(),
        harmonic_hessian([500.0, 600.0, k, k], [*stretches, *bends]),
        np.array([r1 * axis, 0.0 * axis, -r2 * axis]),
        carbons(3),
        BONDS,
        ABC,
    )

    np.testing.assert_allclose(found.bond_k, [500.0, 600.0], rtol=1e-12)
    np.testing.assert_allclose(found.angle_k, [k], rtol=1e-12)
    np.testing.assert_allclose(found.angle_theta0, [np.pi], rtol=1e-12)


def test_linear_angle_is_the_mean_of_its_two_ways_to_bend(harmonic_hessian):
    x, y, z = np.eye(3)
    bends = [[n, -2.0 * n, n] for n in (y + z, y - z)]
    hessian = harmonic_hessian([15.0, 25.0], bends)

    found = estimate(Fuerza(), hessian, np.array([x, 0.0 * x, -x]), carbons(3), NO_PAIRS, ABC)

    np.testing.assert_allclose(found.angle_k, [2.0 * 0.5 * (15.0 + 25.0)], rtol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_a_rigid_motion_changes_no_constant(ch3f, method, generator):
    turn = Rotation.random(rng=generator).as_matrix()
    turns = np.kron(np.eye(5), turn)
    here = of_ch3f(method, ch3f)
    ch3f.positions = ch3f.positions @ turn.T + np.array([1.0, -2.0, 3.0])
    ch3f.hessian = turns @ ch3f.hessian @ turns.T

    there = of_ch3f(method, ch3f)

    np.testing.assert_allclose(there.bond_k, here.bond_k, rtol=1e-9)
    np.testing.assert_allclose(there.angle_k, here.angle_k, rtol=1e-9)
    np.testing.assert_allclose(there.angle_theta0, here.angle_theta0, rtol=1e-12)


def test_linear_and_bent_angles_of_a_transition_state_do_not_depend_on_its_orientation(sn2, generator):
    pairs = np.array([[0, i] for i in range(1, 6)])
    triples = np.array([[a, 0, b] for a, b in combinations(range(1, 6), 2)])
    turn = Rotation.random(rng=generator).as_matrix()
    turns = np.kron(np.eye(6), turn)

    here = estimate(ModifiedSeminario(), sn2.hessian, sn2.positions, sn2.species, pairs, triples)
    turned = turns @ sn2.hessian @ turns.T
    there = estimate(ModifiedSeminario(), turned, sn2.positions @ turn.T, sn2.species, pairs, triples)

    np.testing.assert_allclose(there.angle_k, here.angle_k, rtol=1e-8)
    np.testing.assert_allclose(there.bond_k, here.bond_k, rtol=1e-8)


@pytest.mark.parametrize("method", METHODS)
def test_renumbering_atoms_and_turning_angles_round_changes_no_constant(ch3f, method, generator):
    here = of_ch3f(method, ch3f)
    order = generator.permutation(5)
    new = np.argsort(order)
    coordinates = (3 * order[:, None] + np.arange(3)).reshape(-1)

    there = estimate(
        method,
        ch3f.hessian[np.ix_(coordinates, coordinates)],
        ch3f.positions[order],
        ch3f.species[order],
        new[CH3F_BONDS][:, ::-1],
        new[CH3F_ANGLES][:, ::-1],
    )

    np.testing.assert_allclose(there.bond_k, here.bond_k, rtol=1e-9)
    np.testing.assert_allclose(there.angle_k, here.angle_k, rtol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_equivalent_interactions_of_ch3f_agree(ch3f, method):
    found = of_ch3f(method, ch3f)

    hch, fch = found.angle_k[3:], found.angle_k[:3]
    np.testing.assert_allclose(found.bond_k[1:], found.bond_k[1], rtol=1e-3)
    np.testing.assert_allclose(hch, hch[0], rtol=1e-3)
    np.testing.assert_allclose(fch, fch[0], rtol=1e-3)
    assert not found.angle_doubtful.any()


def test_a_degenerate_pair_counts_with_the_length_of_the_projection():
    u = np.array([[0.0, 0.6, 0.8]])
    noise = 1e-5 * np.array([[0.0, 0.0, 0.0], [0.0, 1.0, 2.0], [0.0, -1.5, -1.0]])

    stiffness = [projected_stiffness((np.diag([9.0, 2.0, 2.0]) + x)[None], u)[0] for x in (0.0 * noise, noise)]

    np.testing.assert_allclose(stiffness, 2.0, rtol=1e-4)


def test_complex_eigenvalues_count_with_the_modulus():
    # Eigenvalues 3 ± i with eigenvectors (1, ±i, 0)/√2: 2 · 3 · |1/√2| along x.
    block = np.array([[[3.0, 1.0, 0.0], [-1.0, 3.0, 0.0], [0.0, 0.0, 5.0]]])

    np.testing.assert_allclose(projected_stiffness(block, np.array([[1.0, 0.0, 0.0]])), [3.0 * np.sqrt(2.0)])


@pytest.mark.parametrize(
    ("ends", "factor"),
    [
        (np.array([[1.0, 1.0, 1.0], [1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]]), 1.25),
        (np.array([[1.0, 0.0, 0.0], [-0.5, np.sqrt(0.75), 0.0], [-0.5, -np.sqrt(0.75), 0.0]]), 2.0),
    ],
    ids=["tetrahedral", "trigonal"],
)
def test_modified_seminario_divides_by_the_mean_square_of_directions(harmonic_hessian, ends, factor, generator):
    # Around a tetrahedral bond the other two planes stand at 120°: 1 + cos²120°; in a trigonal plane they coincide.
    n = len(ends)
    positions = np.vstack([0.0 * ends[:1], ends])
    hessian = harmonic_hessian(generator.uniform(1.0, 2.0, 30), generator.normal(size=(30, 3 * (n + 1))))
    triples = np.array([[a, 0, b] for a, b in combinations(range(1, n + 1), 2)])

    plain, modified = (
        estimate(method, hessian, positions, carbons(n + 1), NO_PAIRS, triples)
        for method in (Fuerza(), ModifiedSeminario())
    )

    np.testing.assert_allclose(modified.angle_k, plain.angle_k / factor, rtol=1e-9)


def test_modified_seminario_leaves_a_lone_angle_as_it_is(bent, harmonic_hessian):
    molecule = bent(1.0, 1.2, 1.9)
    hessian = harmonic_hessian([500.0, 600.0, 50.0], molecule.gradients)

    plain, modified = (
        estimate(method, hessian, molecule.positions, carbons(3), BONDS, ABC)
        for method in (Fuerza(), ModifiedSeminario())
    )

    np.testing.assert_array_equal(modified.angle_k, plain.angle_k)


def test_gamma_fuerza_scales_angles_only(ch3f):
    plain, scaled = of_ch3f(Fuerza(), ch3f), of_ch3f(GammaFuerza(), ch3f)

    np.testing.assert_allclose(scaled.angle_k, 0.68 * plain.angle_k, rtol=1e-15)
    np.testing.assert_array_equal(scaled.bond_k, plain.bond_k)


def test_qfuerza_gives_angles_with_a_terminal_hydrogen_half_a_millidyne(sn2):
    triples = np.array([[1, 0, 2], [3, 0, 1], [3, 0, 4]])
    arguments = sn2.hessian, sn2.positions, sn2.species, NO_PAIRS, triples

    plain, found = estimate(Fuerza(), *arguments), estimate(Qfuerza(), *arguments)

    np.testing.assert_allclose(found.angle_k[1:], 0.5 * units.MILLIDYNE_PER_ANGSTROM, rtol=1e-15)
    assert found.angle_k[0] == plain.angle_k[0]
    assert abs(found.angle_k[0] - 0.5 * units.MILLIDYNE_PER_ANGSTROM) > 1.0


def test_approximation_needs_no_hessian(ch3f):
    found = estimate(Approximation(), None, ch3f.positions, ch3f.species, CH3F_BONDS, CH3F_ANGLES)

    np.testing.assert_allclose(found.bond_k, 5.0 * units.MILLIDYNE_PER_ANGSTROM, rtol=1e-15)
    np.testing.assert_allclose(found.angle_k, 0.5 * units.MILLIDYNE_PER_ANGSTROM, rtol=1e-15)
    np.testing.assert_allclose(found.bond_r0[0], 1.3986, atol=1e-4)


def test_negative_constants_are_kept_under_d_and_replaced_under_e(sn2):
    pairs = np.array([[0, 1], [0, 2], [0, 3]])
    triples = np.array([[1, 0, 2], [1, 0, 3]])
    under_d, under_c = (
        estimate(
            Fuerza(),
            treat(sn2.hessian, sn2.positions, sn2.masses, p).hessian,
            sn2.positions,
            sn2.species,
            pairs,
            triples,
        )
        for p in (D(), C())
    )

    under_e = replace_negative(under_d, under_c)

    np.testing.assert_array_equal(np.flatnonzero(under_d.bond_k < 0.0), [0, 1])
    np.testing.assert_array_equal(under_e.bond_k[:2], under_c.bond_k[:2])
    np.testing.assert_array_equal(under_e.bond_k[2], under_d.bond_k[2])
    assert (under_e.bond_k > 0.0).all()


def test_an_angle_with_one_negative_share_is_doubtful_whatever_its_sign(harmonic_hessian):
    x, y, _ = np.eye(3)
    hessian = harmonic_hessian([30.0, -29.0], [[y, -y, 0.0 * y], [0.0 * x, -x, x]])

    found = estimate(Fuerza(), hessian, np.array([x, 0.0 * x, y]), carbons(3), NO_PAIRS, ABC)

    np.testing.assert_allclose(found.angle_k, [30.0 * -29.0], rtol=1e-12)
    np.testing.assert_array_equal(found.angle_doubtful, [True])


def test_nothing_to_estimate_gives_nothing(ch3f):
    found = estimate(ModifiedSeminario(), ch3f.hessian, ch3f.positions, ch3f.species, NO_PAIRS, NO_TRIPLES)

    assert found.bond_k.shape == found.angle_k.shape == (0,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pairs": np.array([[0, 7], [-1, 2]])}, "there are 5 atoms, so these bonds or angles cannot be: 1-8, 0-3"),
        ({"triples": np.array([[1, 0, 1]])}, "coincide in these bonds or angles: 2-1-2"),
        ({"positions": np.zeros((5, 3))}, "coincide in these bonds or angles: 1-2, 1-3"),
        ({"hessian": np.eye(12)}, "the Hessian is 12×12, but 5 atoms need 15"),
        ({"hessian": np.full((15, 15), np.nan)}, "not finite"),
        ({"hessian": None}, "there is none"),
    ],
)
def test_bad_input_is_named(ch3f, change, message):
    given_ = {
        "hessian": ch3f.hessian,
        "positions": ch3f.positions,
        "species": ch3f.species,
        "pairs": CH3F_BONDS,
        "triples": CH3F_ANGLES,
    }

    with pytest.raises(InputError, match=message):
        estimate(Fuerza(), **(given_ | change))


def test_what_c_replaces_is_as_doubtful_as_under_c():
    def found(constants, doubtful):
        angles = np.array(constants)
        return Estimates(np.zeros(0), np.zeros(0), angles, np.full(len(angles), 1.9), np.array(doubtful))

    under_e = replace_negative(
        found([-5.0, -5.0, 40.0], [True, False, True]), found([60.0, 70.0, 80.0], [False, True, False])
    )

    np.testing.assert_array_equal(under_e.angle_k, [60.0, 70.0, 40.0])
    np.testing.assert_array_equal(under_e.angle_doubtful, [False, True, True])
