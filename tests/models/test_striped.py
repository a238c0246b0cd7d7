"""Pairs computed in stripes give what pairs that are listed give."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.assign.explicit import rows
from forgefield.assign.explicit.striped import laid_in_stripes
from forgefield.errors import InputError
from forgefield.io.forcefields.amber.prmtop import read_prmtop
from forgefield.io.molecules import read_structures
from forgefield.models import striped
from forgefield.models.striped import Reach
from forgefield.molecules.molecule import Molecule

# Most of the time goes into compiling whole force fields.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def peptide(data):
    """The topology of alanine dipeptide, and two structures, the second with its atoms in another order."""
    folder = data / "programs" / "amber"
    rules = read_prmtop(folder / "aladip.prmtop")
    (first,) = read_structures(folder / "aladip.inpcrd", system=rules.system)
    back = np.arange(first.n_atoms)[::-1]
    moved = first.positions + np.random.default_rng(0).normal(scale=0.02, size=first.positions.shape)
    return rules, [first, Molecule("other", first.species[back], moved[back])]


def together(molecules):
    return jnp.asarray(np.concatenate([one.positions for one in molecules]))


@pytest.mark.filterwarnings("ignore:.*in another order")
@pytest.mark.parametrize("at_a_time", [100_000, 5 * 22])
def test_energies_slopes_and_hessians_are_those_of_listed_pairs(peptide, monkeypatch, at_a_time):
    rules, molecules = peptide
    monkeypatch.setattr(striped, "_AT_A_TIME", at_a_time)
    listed, topology = rules.lay(molecules)
    model, its = laid_in_stripes(rules.system, molecules)
    x = together(molecules)

    def said(model, topology):
        energy, gradient = model.energy_and_gradient(topology, x)
        return energy, model.energy(topology, x), gradient, model.hessian(topology, x)

    found, expected = (eqx.filter_jit(said)(*both) for both in ((model, its), (listed, topology)))
    for own, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(own, theirs, rtol=0, atol=1e-9)
    by_kind = eqx.filter_jit(model.energies_by_kind)(its, x)
    np.testing.assert_allclose(sum(by_kind.values()), expected[0], rtol=1e-12)


def test_hessians_of_some_atoms_and_products_are_those_of_the_whole(peptide):
    rules, (molecule, _) = peptide
    model, topology = laid_in_stripes(rules.system, [molecule])
    x, atoms = jnp.asarray(molecule.positions), np.array([12, 3, 4])
    whole = np.asarray(eqx.filter_jit(model.hessian)(topology, x))[0]

    block = model.block(topology, x, atoms)

    own = (3 * atoms[:, None] + np.arange(3)).ravel()
    np.testing.assert_allclose(block, whole[np.ix_(own, own)], rtol=0, atol=1e-9)
    along = jnp.asarray(np.random.default_rng(1).normal(size=x.shape))
    product = eqx.filter_jit(lambda x: jax.jvp(lambda x: model.gradient(topology, x), (x,), (along,))[1])(x)
    np.testing.assert_allclose(product.ravel(), whole @ along.ravel(), rtol=0, atol=1e-8)


def test_slopes_with_a_cutoff_are_differences_of_energies(peptide):
    rules, (molecule, _) = peptide
    model, topology = laid_in_stripes(rules.system, [molecule], Reach(6.0, 4.0, 20.0))
    x, along = jnp.asarray(molecule.positions), np.random.default_rng(1).normal(size=molecule.positions.shape)
    energy = eqx.filter_jit(lambda x: model.energy(topology, x)[0])

    slope = jnp.vdot(eqx.filter_jit(lambda x: model.gradient(topology, x))(x), along)

    rise = energy(x + 1e-5 * along) - energy(x - 1e-5 * along)
    np.testing.assert_allclose(slope, rise / 2e-5, rtol=1e-6)


def test_large_systems_are_laid_in_stripes_and_their_whole_hessian_is_refused(peptide, monkeypatch):
    rules, (molecule, _) = peptide
    monkeypatch.setattr(rows, "MOST_PAIRS", 100)
    monkeypatch.setattr(striped, "_MOST_IN_HESSIAN", 20)

    model, topology = rules.lay([molecule])

    assert not model.traits.of_terms
    with pytest.raises(InputError, match=r"the Hessian of 22 atoms takes 0\.0 GB; ask for that of a part"):
        model.hessian(topology, jnp.asarray(molecule.positions))
    with pytest.raises(InputError, match="rows are laid over at most 100 of them"):
        rules.assign([molecule])
