"""What holds for every model. A model enters by one row: a function that lays it over molecules."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from jax import Array
from scipy.spatial.transform import Rotation

from forgefield.assign.mm3.laid import assign_mm3
from forgefield.engines.native.library import NativeError
from forgefield.engines.native.painn import native
from forgefield.io.forcefields.mm3.fld import read_fld
from forgefield.models.forcefield import ForceField
from forgefield.models.model import AbstractModel
from forgefield.models.neural.painn import Design, Size, painn
from forgefield.models.neural.radial import QuinticEnvelope, SineBasis
from forgefield.models.summed import Summed
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.neighbour_list import neighbour_list
from forgefield.molecules.paths import angles
from forgefield.molecules.topology import Interactions, Topology, union
from forgefield.properties.many import Ladder, Rung, many
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.stretch import HARMONIC_STRETCH
from samples import MM3_HEAD

# Most of the time goes into compiling whole models.
pytestmark = pytest.mark.slow

METHANOL = Molecule(
    name="methanol",
    species=np.array([6, 8, 1, 1, 1, 1]),
    positions=np.array(
        [
            *([0.0, 0.0, 0.0], [1.3, 0.4, 0.1], [-0.5, 0.9, 0.3]),
            *([-0.5, -0.6, 0.8], [-0.3, -0.4, -1.0], [1.8, 0.2, -0.7]),
        ]
    ),
    bonds=np.array([[0, 1], [0, 2], [0, 3], [0, 4], [1, 5]]),
    orders=np.ones(5),
    types=("C3", "O3", "H1", "H1", "H1", "H1"),
)
FORMALDEHYDE = Molecule(
    name="formaldehyde",
    species=np.array([6, 8, 1, 1]),
    positions=np.array([[0.0, 0.0, 0.0], [1.2, 0.1, 0.0], [-0.6, 0.9, 0.1], [-0.5, -0.9, 0.2]]),
    bonds=np.array([[0, 1], [0, 2], [0, 3]]),
    orders=np.array([2.0, 1.0, 1.0]),
    types=("C2", "O2", "H1", "H1"),
)
MOLECULES = [METHANOL, FORMALDEHYDE]
FLD = f"""{MM3_HEAD}-2
 1  C3 - O3                1.4130     5.7000     1.2000  0000 0000
 1  C3 - H1                1.1120     4.7400     0.0000  0000 0000
 1  O3 - H1                0.9470     7.2000    -1.1100  0000 0000
 1  C2 = O2                1.2080    10.1000     2.6000  0000 0000
 1  C2 - H1                1.1180     4.3700     0.3000  0000 0000
 2  00 * 00 * 00         110.0000     0.6000     0.0000  0000 0000 0000
 4  H1 - C3 - O3 - H1      0.0000     0.0000     0.2000  0000 0000 0000 0000
-6
  C3     2.0400     0.0270     0.0000                                   0000
  C2     1.9400     0.0560     0.0000                                   0000
  O3     1.8200     0.0590     0.0000                                   0000
  O2     1.8200     0.0590     0.0000                                   0000
  H1     1.6200     0.0200     0.0000                                   0000
 END OF NONBONDED INTERACTIONS
-3
"""


def harmonic(molecules, folder):
    """Stretches and bends, with the same four parameters everywhere."""
    starts = np.cumsum([0, *(m.n_atoms for m in molecules)])[:-1]
    bonds = np.concatenate([m.bonds + at for m, at in zip(molecules, starts, strict=True)])
    bends = np.concatenate([angles(m.n_atoms, m.bonds) + at for m, at in zip(molecules, starts, strict=True)])
    laid = (
        Interactions(bonds, np.tile([0, 1], (len(bonds), 1))),
        Interactions(bends, np.tile([2, 3], (len(bends), 1))),
    )
    model = ForceField((HARMONIC_STRETCH, HARMONIC_BEND), jnp.array([700.0, 1.2, 90.0, 1.9]))
    return model, union([m.species for m in molecules], laid)


def mm3(molecules, folder):
    """All of MM3*: charges from bond moments, van der Waals contacts and torsions."""
    path = folder / "mm3.fld"
    path.write_text(FLD)
    laid = assign_mm3(molecules, read_fld(path)).assignment
    return laid.model, laid.topology


def network(size, *, states=False):
    """A network none of whose biases is zero."""
    design = Design((1, 6, 8), SineBasis(size.radial, 2.0), QuinticEnvelope(), 23.06, core_cutoff=1.2)
    model = painn(jr.key(0), design, size, references=np.array([-5.0, -40.0, -60.0]), states=states)
    leaves, structure = jax.tree.flatten(model)
    keys = jr.split(jr.key(1), len(leaves))
    noise = [0.05 * jr.normal(k, a.shape, jnp.float32).astype(a.dtype) for a, k in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(structure, [a + e for a, e in zip(leaves, noise, strict=True)])


def neural(molecules, folder):
    """A PaiNN in double precision, which embeds charge and spin."""
    topology = replace(
        union([m.species for m in molecules]),
        charge=np.array([m.charge for m in molecules]),
        unpaired=np.array([m.multiplicity - 1 for m in molecules]),
    )
    return network(Size(8, 2, 4), states=True).with_precision(jnp.float64), topology


def kernel(molecules, folder):
    """A PaiNN by the C++ kernel."""
    try:
        return native(network(Size(32, 1, 5))), union([m.species for m in molecules])
    except NativeError as error:
        pytest.skip(f"no kernel: {error}")


def summed(molecules, folder):
    """A PaiNN that corrects all of MM3*."""
    baseline, laid = mm3(molecules, folder)
    correction, states = neural(molecules, folder)
    return Summed(baseline, correction), replace(laid, charge=states.charge, unpaired=states.unpaired)


ROWS = [harmonic, mm3, neural, kernel, summed]
"""Each lays its model over molecules: to the model and the topology it acts on."""


class Answers(NamedTuple):
    energy: np.ndarray
    gradient: np.ndarray
    both: tuple[np.ndarray, np.ndarray]
    hessian: np.ndarray


class Exactness(NamedTuple):
    """What rounding leaves of a number, as a share of the largest, and how far differences are best taken."""

    rounding: float
    step: float
    differences: float


EXACTNESS = {np.dtype(np.float64): Exactness(1e-10, 1e-4, 1e-5), np.dtype(np.float32): Exactness(1e-5, 3e-3, 1e-2)}

ENERGY: Callable[..., Array] = eqx.filter_jit(lambda model, topology, x: model.energy(topology, x))
GRADIENT: Callable[..., Array] = eqx.filter_jit(lambda model, topology, x: model.gradient(topology, x))


@eqx.filter_jit
def answered(model, topology, x):
    both = model.energy_and_gradient(topology, x)
    return Answers(model.energy(topology, x), model.gradient(topology, x), both, model.hessian(topology, x))


@pytest.fixture(scope="module", params=ROWS, ids=lambda row: row.__name__)
def lay(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("seam")
    return lambda molecules: request.param(molecules, folder)


@pytest.fixture(scope="module")
def laid(lay):
    return lay(MOLECULES)


@pytest.fixture(scope="module")
def exactness(laid):
    return EXACTNESS[laid[0].traits.precision]


@pytest.fixture(scope="module")
def known(laid: tuple[AbstractModel, Topology]):
    return jax.tree.map(np.asarray, answered(*laid, flat(MOLECULES)))


def flat(molecules):
    return jnp.asarray(np.concatenate([m.positions for m in molecules]))


def anywhere(generator):
    """A direction of length one in the space of all atoms."""
    d = generator.normal(size=(sum(m.n_atoms for m in MOLECULES), 3))
    return d / np.linalg.norm(d)


def close(found, expected, share):
    np.testing.assert_allclose(found, expected, rtol=0, atol=share * np.abs(expected).max())


def permuted(molecule, order):
    place = np.argsort(order)
    types = tuple(np.array(molecule.types)[order].tolist())
    moved = {"species": molecule.species[order], "positions": molecule.positions[order], "types": types}
    return replace(molecule, **moved, bonds=place[molecule.bonds])


def test_energies_of_a_union_are_those_of_its_parts(lay, known, exactness):
    parts = [ENERGY(*lay([m]), flat([m]))[0] for m in MOLECULES]

    close(known.energy, np.array(parts), exactness.rounding)


def test_moving_and_turning_molecules_keeps_energies_and_turns_gradients(laid, known, exactness, generator):
    turns = [Rotation.random(rng=generator).as_matrix() for _ in MOLECULES]
    moved = [
        replace(m, positions=m.positions @ turn.T + generator.normal(size=3))
        for m, turn in zip(MOLECULES, turns, strict=True)
    ]

    close(ENERGY(*laid, flat(moved)), known.energy, exactness.rounding)
    expected = np.einsum("aij,aj->ai", np.stack(turns)[laid[1].molecule], known.gradient)
    close(GRADIENT(*laid, flat(moved)), expected, 10 * exactness.rounding)


def test_reordering_atoms_keeps_energies_and_reorders_gradients(lay, known, exactness, generator):
    orders = [generator.permutation(m.n_atoms) for m in MOLECULES]
    shuffled = [permuted(m, order) for m, order in zip(MOLECULES, orders, strict=True)]
    model, topology = lay(shuffled)

    close(ENERGY(model, topology, flat(shuffled)), known.energy, exactness.rounding)
    expected = known.gradient[np.concatenate([orders[0], METHANOL.n_atoms + orders[1]])]
    close(GRADIENT(model, topology, flat(shuffled)), expected, 10 * exactness.rounding)


def test_gradient_is_the_slope_of_the_energy(laid, known, exactness, generator):
    x, direction, step = flat(MOLECULES), anywhere(generator), exactness.step

    rise = ENERGY(*laid, x + step * direction) - ENERGY(*laid, x - step * direction)

    slope = jax.ops.segment_sum((known.gradient * direction).sum(1), laid[1].molecule, len(MOLECULES))
    close(rise / (2 * step), slope, exactness.differences)


def test_hessian_is_symmetric_and_the_slope_of_the_gradient(laid, known, exactness, generator):
    x, direction, step = flat(MOLECULES), anywhere(generator), exactness.step

    rise = GRADIENT(*laid, x + step * direction) - GRADIENT(*laid, x - step * direction)

    close(known.hessian, np.swapaxes(known.hessian, 1, 2), exactness.rounding)
    ends = [slice(0, METHANOL.n_atoms), slice(METHANOL.n_atoms, None)]
    for hessian, own in zip(known.hessian, ends, strict=True):
        n = direction[own].size
        close(rise[own].ravel() / (2 * step), hessian[:n, :n] @ direction[own].ravel(), exactness.differences)
        assert not hessian[n:].any()


def test_energy_and_gradient_together_are_both(known, exactness):
    close(known.both[0], known.energy, exactness.rounding)
    close(known.both[1], known.gradient, exactness.rounding)


def test_numbers_have_the_precision_that_is_said_and_asked_for(laid, known, exactness):
    model, topology = laid

    precise = model.with_precision(jnp.float64)

    assert precise.traits.precision == np.float64
    assert model.with_precision(model.traits.precision.type).traits.precision == model.traits.precision
    close(known.energy, ENERGY(precise, topology, flat(MOLECULES)), exactness.rounding)


def test_only_heeded_states_change_the_energy(laid, known):
    model, topology = laid
    x = flat(MOLECULES)

    charged = ENERGY(model, replace(topology, charge=np.array([1, -1]), unpaired=np.zeros(2, int)), x)
    open_shell = ENERGY(model, replace(topology, charge=np.zeros(2, int), unpaired=np.array([2, 2])), x)

    assert (charged != known.energy).all() == ("charge" in model.traits.heeded)
    assert (open_shell != known.energy).all() == ("multiplicity" in model.traits.heeded)


@pytest.mark.parametrize("lay", [neural, kernel], ids=lambda row: row.__name__, indirect=True)
def test_neighbours_within_the_cutoff_are_all_that_is_seen(lay):
    model, topology = lay([METHANOL])
    listed = neighbour_list(METHANOL.positions, model.traits.cutoff, 0.0).neighbours

    found = ENERGY(model, replace(topology, neighbours=listed), flat([METHANOL]))

    expected = ENERGY(model, topology, flat([METHANOL]))
    close(found, expected, EXACTNESS[model.traits.precision].rounding)
    assert listed.valid.sum() < METHANOL.n_atoms * (METHANOL.n_atoms - 1)


@pytest.mark.parametrize("lay", [neural, kernel], ids=lambda row: row.__name__, indirect=True)
def test_what_fills_a_union_up_changes_nothing(lay, known, exactness):
    model, _ = lay(MOLECULES)

    found = many(model, MOLECULES, ladder=Ladder((Rung(12, 6),), budget=12))

    close([one.energy for one in found], known.energy, exactness.rounding)
    close(np.concatenate([one.gradient for one in found]), known.gradient, 10 * exactness.rounding)
