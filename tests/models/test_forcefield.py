"""A force field's derivatives, sums of local ones, against derivatives of its total energy."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.assign.generated import generate
from forgefield.models.forcefield import ForceField, select
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.topology import ChargeRule, Interactions, Topology, union
from forgefield.properties.derivatives import energies, forces, gradient, hessians
from forgefield.terms import bend, cross, mm3, nonbonded, out_of_plane, stretch, torsion

# Most of the time goes into compiling whole force fields.
pytestmark = pytest.mark.slow

TERMS = (
    *(stretch.MM3_STRETCH, bend.MM3_BEND, cross.STRETCH_BEND, cross.STRETCH_STRETCH, cross.BEND_BEND),
    *(
        cross.STRETCH_STRETCH_13,
        cross.BEND_TORSION_BEND,
        cross.UREY_BRADLEY,
        torsion.TORSION3,
        out_of_plane.COSINE_OUT_OF_PLANE,
    ),
)
CH3F = "CFHHH", [[0.02, -0.75, 0.0], [0, 0.65, 0.03], [-1.04, -1.1, 0], [0.52, -1.12, 0.9], [0.5, -1.1, -0.87]]
WATER = "OHH", [[0, 0.03, 0.12], [0, 0.76, -0.47], [0.05, -0.76, -0.45]]
ETHANE = (
    "CCHHHHHH",
    [
        *([0.01, 0, 0.76], [0, 0.02, -0.77], [1.02, 0.05, 1.16], [-0.5, 0.88, 1.17]),
        *([-0.52, -0.9, 1.15], [-1.01, 0.03, -1.16], [0.5, -0.9, -1.18], [0.53, 0.87, -1.15]),
    ],
)
NUMBERS = {"H": 1, "C": 6, "N": 7, "O": 8, "F": 9}


def molecule(symbols, positions):
    species, positions = np.array([NUMBERS[s] for s in symbols]), np.array(positions, dtype=float)
    bonds, orders = perceive_bonds(species, positions)
    return Molecule(symbols, species, positions, bonds, orders)


def everything(molecules):
    """A force field of all terms and values, with charges from bond moments, and the topology it acts on."""
    made = generate(molecules, TERMS, van_der_waals=nonbonded.EXP6)
    values, topology = np.asarray(made.model.values), made.topology
    values = values * (1 + 0.03 * np.sin(np.arange(len(values)))) + 2.0 * (values == 0) * np.cos(np.arange(len(values)))
    stretches = topology.interactions[0]
    moments = len(values) + np.unique(stretches.parameters[:, 0], return_inverse=True)[1]
    n_moments = len(np.unique(moments))
    n = len(values) + n_moments
    ends, sign = stretches.atoms.T.reshape(-1), np.repeat([-1, 1], len(moments))
    charges = ChargeRule(
        formal=(topology.species == 9).astype(float),
        atom=ends,
        moment=np.tile(moments, 2),
        length=np.tile(stretches.parameters[:, 1], 2),
        sign=sign,
    )
    contacts = topology.interactions[-1]
    scale = contacts.parameters[:, -1:]
    coulomb = Interactions(atoms=contacts.atoms, parameters=np.concatenate([n + contacts.atoms, scale], axis=1))
    bonds = Interactions(atoms=stretches.atoms, parameters=moments[:, None])
    model = ForceField(
        (*made.model.terms, nonbonded.COULOMB, mm3.BOND_MOMENT),
        jnp.asarray(np.concatenate([values, 0.3 + 0.1 * np.arange(n_moments)])),
    )
    return model, replace(topology, interactions=(*topology.interactions, coulomb, bonds), charges=charges)


Laid = tuple[ForceField, Topology]


@pytest.fixture(scope="module")
def molecules():
    return [molecule(*CH3F), molecule(*WATER), molecule(*ETHANE)]


@pytest.fixture(scope="module")
def positions(molecules):
    return jnp.concatenate([jnp.asarray(m.positions) for m in molecules])


@pytest.fixture(scope="module")
def batch(molecules):
    return everything(molecules)


@pytest.fixture(scope="module")
def everywhere(batch):
    model, topology = batch
    return select(topology, len(model.values), np.arange(len(model.values)))


@eqx.filter_jit
def evaluated(model, topology, positions):
    """Energy, gradient and Hessian."""
    return tuple(observable(model, topology, positions) for observable in (energies, gradient, hessians))


@pytest.fixture(scope="module")
def known(batch: Laid, positions):
    return evaluated(*batch, positions)


@eqx.filter_jit
def sensitivities(model, topology, positions, selection, modes):
    """Of energy, gradient, Hessian and curvatures."""
    found = model.sensitivities(topology, positions, selection)
    identity = jnp.broadcast_to(jnp.eye(3 * topology.n_max), (topology.n_molecules, *(2 * (3 * topology.n_max,))))
    own = found.energy(), found.gradient(), found.each_hessian(identity, lambda h: h), found.curvatures(modes)
    energy, gradient, hessian, curvatures = (jnp.moveaxis(selection.spread(slopes), 1, -1) for slopes in own)
    atoms = gradient.reshape(topology.n_molecules, topology.n_max, 3, -1)[topology.molecule, topology.slot]
    return energy, atoms, hessian, curvatures


@pytest.fixture(scope="module")
def modes(batch):
    _, topology = batch
    return jnp.asarray(np.random.default_rng(3).normal(size=(topology.n_molecules, 3 * topology.n_max, 7)))


@pytest.fixture(scope="module")
def slopes(batch: Laid, positions, everywhere, modes):
    return sensitivities(*batch, positions, everywhere, modes)


def columns(function, x):
    """Derivative by one component after another, which compiles sooner than all at once."""
    found = jax.lax.map(lambda v: jax.jvp(function, (x,), (v.reshape(x.shape),))[1], jnp.eye(x.size))
    return jnp.moveaxis(found, 0, -1).reshape(*found.shape[1:], *x.shape)


def whole(topology, positions, terms):
    """Energy, gradient and Hessian as functions of the values, the latter by differentiating the total energy."""

    def total(values, x):
        return ForceField(terms, values).energy(topology, x)

    def slope(values, x):
        return jax.grad(lambda x: total(values, x).sum())(x)

    return (
        lambda values: total(values, positions),
        lambda values: slope(values, positions),
        lambda values: columns(lambda x: slope(values, x), positions),
    )


def padded(topology, dense):
    """Cut a Hessian of all atoms into the blocks of its molecules."""
    place = np.asarray(topology.molecule), np.asarray(topology.slot)
    blocks = np.zeros((topology.n_molecules, topology.n_max, 3, topology.n_max, 3, *dense.shape[4:]))
    for i, (m, slot) in enumerate(zip(*place, strict=True)):
        own = np.flatnonzero(place[0] == m)
        blocks[m, slot, :, place[1][own]] = np.moveaxis(np.asarray(dense)[i][:, own], 1, 0)
    n = 3 * topology.n_max
    return blocks.reshape(topology.n_molecules, n, n, *dense.shape[4:])


def assert_equal(found, expected, digits=12):
    np.testing.assert_allclose(found, expected, rtol=0, atol=10.0**-digits * float(np.abs(expected).max()))


def test_the_batch_holds_every_term_and_charge(batch):
    model, topology = batch

    assert [term.name for term in model.terms] == [
        *("mm3_stretch", "mm3_bend", "stretch_bend", "stretch_stretch", "bend_bend"),
        *("stretch_stretch_13", "bend_torsion_bend", "urey_bradley", "torsion3"),
        *("exp6", "coulomb", "bond_moment"),
    ]
    assert (np.abs(model.charges(topology)) > 0.01).all()


@pytest.fixture(scope="module")
def dense(batch, positions):
    """Hessian of the total energy and its derivative by the values, atoms by atoms."""
    model, topology = batch
    hessian = whole(topology, positions, model.terms)[2]
    return jax.jit(lambda values: (hessian(values), columns(hessian, values)))(model.values)


def test_hessian_is_that_of_the_total_energy(batch, known, dense):
    _, topology = batch

    assert_equal(known[2], padded(topology, dense[0]))


def test_total_hessian_couples_no_two_molecules(batch, dense):
    _, topology = batch
    apart = topology.molecule[:, None] != topology.molecule[None]

    assert (np.moveaxis(np.asarray(dense[0]), 2, 1)[apart] == 0).all()


@pytest.mark.parametrize("order", [0, 1], ids=["energy", "gradient"])
def test_sensitivities_are_derivatives_of_the_whole(batch, positions, slopes, order):
    model, topology = batch
    observable = whole(topology, positions, model.terms)[order]

    expected = jax.jit(lambda values: columns(observable, values))(model.values)

    assert_equal(slopes[order], expected)


def test_sensitivities_of_the_hessian_are_its_derivatives(batch, slopes, dense):
    _, topology = batch

    assert_equal(slopes[2], padded(topology, dense[1]))


def test_curvatures_are_projections_of_the_hessians_derivatives(slopes, modes):
    assert_equal(slopes[3], np.einsum("mak,mabp,mbk->mkp", modes, slopes[2], modes))


def test_selected_columns_are_those_of_all_values(batch, positions, slopes, modes):
    model, topology = batch
    n = len(model.values)
    # A moment, a length that charges and cross terms borrow, a torsion, in no order.
    wanted = np.array([n - 1, int(topology.charges.length[0]), 5, 0, n - 3])

    found = sensitivities(model, topology, positions, select(topology, n, wanted), modes)

    for some, every in zip(found, slopes, strict=True):
        assert_equal(some, np.asarray(every)[..., wanted])


@pytest.mark.parametrize("m", [1, 2], ids=["water", "ethane"])
def test_a_batch_equals_its_molecules(batch, molecules, positions, known, m):
    model, topology = batch
    single, own = molecules[m], topology.molecule == m
    n = 3 * single.n_atoms

    energy, slope, hessian = evaluated(model, only(topology, m, single.species), positions[own])

    np.testing.assert_allclose(energy, known[0][m : m + 1], rtol=1e-13)
    assert_equal(slope, known[1][own], digits=13)
    assert_equal(hessian[0], known[2][m, :n, :n], digits=13)


def test_the_padding_of_a_hessian_is_zero(molecules, known):
    for single, block in zip(molecules, known[2], strict=True):
        n = 3 * single.n_atoms
        assert (block[n:] == 0).all()
        assert (block[:, n:] == 0).all()


def only(topology, m, species):
    """One molecule of a batch, with the same places in the values."""
    first = int(np.argmax(topology.molecule == m))
    n_values = int(topology.interactions[-2].parameters[:, :2].min()) - int(topology.interactions[-2].atoms.min())
    groups = []
    for group in topology.interactions:
        own = np.asarray(topology.molecule)[group.atoms[:, 0]] == m
        parameters = np.asarray(group.parameters)[own]
        groups.append(Interactions(group.atoms[own] - first, parameters - first * (parameters >= n_values)))
    rule = topology.charges
    ends = topology.molecule[rule.atom] == m
    charges = ChargeRule(
        rule.formal[topology.molecule == m],
        *(a[ends] for a in (rule.atom - first, rule.moment, rule.length, rule.sign)),
    )
    return union([species], tuple(groups), charges)


def test_renumbered_atoms_have_the_same_energy_and_renumbered_derivatives(batch, positions, known):
    model, topology = batch
    # The first molecule's atoms in another order.
    order = np.array([3, 0, 4, 2, 1, *range(5, topology.n_atoms)])
    n = len(model.values)
    place = np.argsort(order)
    parameters = np.concatenate([np.arange(n), n + place])
    groups = tuple(Interactions(place[g.atoms], parameters[g.parameters]) for g in topology.interactions)
    rule = replace(topology.charges, formal=topology.charges.formal[order], atom=place[topology.charges.atom])
    renumbered = replace(topology, species=topology.species[order], interactions=groups, charges=rule)

    energy, slope, hessian = evaluated(model, renumbered, positions[order])

    rows = (3 * order[:5, None] + np.arange(3)).reshape(-1)
    np.testing.assert_allclose(energy, known[0], rtol=1e-13)
    assert_equal(slope, known[1][order], digits=13)
    assert_equal(hessian[0, :15, :15], known[2][0][np.ix_(rows, rows)], digits=13)


def test_turned_molecules_have_turned_derivatives(batch, positions, known, generator):
    model, topology = batch
    rotation = np.linalg.qr(generator.normal(size=(3, 3)))[0]
    turn = np.kron(np.eye(topology.n_max), rotation)

    energy, slope, hessian = evaluated(
        model, topology, jnp.asarray(positions @ rotation.T + np.array([[3.0, -1.0, 2.0]]))
    )

    np.testing.assert_allclose(energy, known[0], rtol=1e-12)
    assert_equal(slope, known[1] @ rotation.T)
    assert_equal(hessian, turn @ known[2] @ turn.T)


def test_forces_are_minus_the_gradient_and_leave_every_molecule_at_rest(batch, positions, known):
    model, topology = batch

    pushes = forces(model, topology, positions)

    assert_equal(pushes, -known[1], digits=14)
    for m in range(topology.n_molecules):
        np.testing.assert_allclose(pushes[topology.molecule == m].sum(axis=0), np.zeros(3), atol=1e-11)


def test_one_compilation_serves_all_values_and_positions(batch, positions):
    model, topology = batch
    passes = []

    def counted(q, *p):
        passes.append(q)
        return model.terms[0].profile(q, *p)

    counting = replace(model.terms[0], profile=counted)
    stretches = replace(topology, interactions=topology.interactions[:1])
    hessians(ForceField((counting,), model.values), stretches, positions)
    n_passes = len(passes)
    hessians(ForceField((counting,), 1.1 * model.values), stretches, positions + 0.01)

    assert n_passes > 0
    assert len(passes) == n_passes
