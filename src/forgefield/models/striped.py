"""A force field of a large system: pairs are computed for a few atoms with all others at a time, and not kept."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from forgefield import units
from forgefield.errors import InputError
from forgefield.models.forcefield import ForceField
from forgefield.models.model import AbstractModel, Traits
from forgefield.molecules.topology import IntArray, Interactions, Topology
from forgefield.terms.coordinates import Values
from forgefield.terms.nonbonded import COULOMB
from forgefield.terms.term import Term

_AT_A_TIME = 100_000
"""Pairs: their numbers stay in the cache of a core."""
_MOST_IN_HESSIAN = 4_000
"""Atoms, whose Hessian takes 1.2 GB."""


@dataclass(frozen=True)
class Reach:
    """How far pairs act that are not special."""

    cutoff: float = math.inf
    """Å"""
    switch: float = math.inf
    """Å from which van der Waals energies fall to zero at the cutoff, with two derivatives."""
    dielectric: float = 78.3
    """Of the reaction field beyond the cutoff."""

    def van_der_waals(self, r: Float[Array, ""]) -> Float[Array, ""]:
        """Return by how much van der Waals energies are multiplied at a distance [Å]."""
        if self.switch >= self.cutoff:
            return jnp.ones_like(r)
        x = jnp.maximum(r - self.switch, 0.0) / (self.cutoff - self.switch)
        return 1.0 - x**3 * (10.0 - 15.0 * x + 6.0 * x**2)

    def field(self, squared: Float[Array, ""]) -> Float[Array, ""]:
        """Return what the reaction field adds to 1/r [1/Å] for r² [Å²]: at the cutoff nothing is left.

        I. G. Tironi, R. Sperb, P. E. Smith, W. F. van Gunsteren, J. Chem. Phys. 1995, 102, 5451.
        """
        if math.isinf(self.cutoff):
            return jnp.zeros_like(squared)
        below = 2.0 * self.dielectric + 1.0
        return (self.dielectric - 1.0) / below / self.cutoff**3 * squared - 3.0 * self.dielectric / below / self.cutoff


@cache
def ended(term: Term, reach: Reach) -> Term:
    """Return a term of pairs, in r², that ends as those do which are not special: switched, or with a field."""

    def profile(q: Values, *p: Float[Array, ""]) -> Float[Array, ""]:
        energy = term.profile(q, *p)
        if term is COULOMB:
            energy += units.COULOMB * p[0] * p[1] * p[2] * reach.field(q[0])
        elif reach.switch < reach.cutoff:
            energy *= reach.van_der_waals(jnp.sqrt(q[0]))
        return jnp.where(q[0] < reach.cutoff**2, energy, 0.0)

    return replace(term, name=f"{term.name}_ended", profile=profile, made=(ended, (term, reach)))


class StripedForceField(AbstractModel):
    """Interactions of terms, and the energies of all pairs of atoms of each molecule but for some.

    All molecules have as many atoms. Special pairs are among the interactions, with their own scales.
    """

    stated: ForceField
    term: Term = eqx.field(static=True)
    """A Lennard-Jones whose pairs combine the values of their atoms."""
    reach: Reach = eqx.field(static=True)
    parameters: Float[Array, "atoms 2"]
    """Half the distance of the minimum [Å] and the well depth [kcal/mol] of each atom."""
    charges_of_atoms: Float[Array, " atoms"]
    """e, such that Coulomb's constant is ours."""
    partners: Int[IntArray, "atoms most"]
    """The special pairs of each atom, by slot; padding is beyond the last."""

    @property
    def traits(self) -> Traits:
        """All that it knows of molecules is laid over them."""
        return replace(self.stated.traits, of_terms=False)

    def with_precision(self, dtype: type) -> "StripedForceField":
        """Return it with values in float32 or float64."""
        own = jnp.asarray(self.parameters, dtype), jnp.asarray(self.charges_of_atoms, dtype)
        return StripedForceField(self.stated.with_precision(dtype), self.term, self.reach, *own, self.partners)

    def energy(self, topology: Topology, positions: Float[Array, "atoms 3"]) -> Float[Array, " molecules"]:
        """Potential energy of each molecule [kcal/mol] at positions [Å]."""
        return self.stated.energy(topology, positions) + sum(self._pairs(topology, positions)[:2])

    def energies_by_kind(
        self, topology: Topology, positions: Float[Array, "atoms 3"]
    ) -> dict[str, Float[Array, " molecules"]]:
        """Potential energy of each molecule [kcal/mol] by kind of interaction."""
        van_der_waals, coulomb, _ = self._pairs(topology, positions)
        found = {self.term.kind: van_der_waals, COULOMB.kind: coulomb}
        for term, own in zip(self.stated.terms, self.stated.energy_by_term(topology, positions), strict=True):
            found[term.kind] = found.get(term.kind, 0.0) + own
        return found

    def gradient(self, topology: Topology, positions: Float[Array, "atoms 3"]) -> Float[Array, "atoms 3"]:
        """Derivative of each molecule's energy by its positions [kcal/mol/Å]."""
        return self.stated.gradient(topology, positions) + self._pairs(topology, positions)[2]

    def energy_and_gradient(
        self, topology: Topology, positions: Float[Array, "atoms 3"]
    ) -> tuple[Float[Array, " molecules"], Float[Array, "atoms 3"]]:
        """Both, with what they share computed once."""
        energy, gradient = self.stated.energy_and_gradient(topology, positions)
        van_der_waals, coulomb, slope = self._pairs(topology, positions)
        return energy + van_der_waals + coulomb, gradient + slope

    def hessian(
        self, topology: Topology, positions: Float[Array, "atoms 3"]
    ) -> Float[Array, "molecules coordinates coordinates"]:
        """Second derivatives of each molecule's energy [kcal/mol/Å²]. Raises InputError for one that is too large."""
        n = topology.n_max
        if n > _MOST_IN_HESSIAN:
            raise InputError(
                f"the Hessian of {n} atoms takes {72e-9 * n**2:.1f} GB; ask for that of a part, the others being fixed "
                "(`forgefield modes --atoms 1-40`), or for its products with vectors (jax.jvp of the gradient)"
            )
        chosen = np.arange(n)
        own = self._own(topology, positions)
        pairs = jax.lax.map(lambda one: self.block_of_pairs(chosen, *one), own)
        return self.stated.hessian(topology, positions) + pairs

    def block(
        self, topology: Topology, positions: Float[Array, "atoms 3"], atoms: Int[np.ndarray, " chosen"]
    ) -> Float[Array, "chosen*3 chosen*3"]:
        """Second derivatives [kcal/mol/Å²] of the energy of one molecule by the positions of some of its atoms."""
        groups = [np.asarray(group.atoms) for group in topology.interactions]
        near = [np.isin(group, atoms).any(axis=1) for group in groups]
        # All that interacts with the chosen atoms, these first.
        others = np.setdiff1d(np.concatenate([g[on].ravel() for g, on in zip(groups, near, strict=True)]), atoms)
        kept = np.concatenate([atoms, others])
        place = np.zeros(topology.n_atoms, dtype=np.int64)
        place[kept] = np.arange(len(kept))
        own = tuple(
            Interactions(place[atoms_of[on]], np.asarray(group.parameters)[on])
            for atoms_of, on, group in zip(groups, near, topology.interactions, strict=True)
        )
        part = Topology(
            species=np.asarray(topology.species)[kept],
            molecule=np.zeros(len(kept), dtype=np.int64),
            slot=np.arange(len(kept)),
            interactions=own,
            charges=None,
            n_molecules=1,
            n_max=len(kept),
        )
        return _block(self, part, positions, kept, atoms)

    def charges(self, topology: Topology) -> Float[Array, " charges"]:
        """None: those of its atoms are given."""
        return self.stated.charges(topology)

    def _pairs(
        self, topology: Topology, positions: Float[Array, "atoms 3"]
    ) -> tuple[Float[Array, " molecules"], Float[Array, " molecules"], Float[Array, "atoms 3"]]:
        """Return van der Waals and electrostatic energies and the gradient of pairs that are not special."""
        own = self._own(topology, positions)
        van_der_waals, coulomb, gradient = jax.lax.map(lambda one: self._of_molecule(*one), own)
        return van_der_waals, coulomb, gradient.reshape(-1, 3)

    def _own(self, topology: Topology, positions: Float[Array, "atoms 3"]) -> tuple[Array, Array, Array, Array]:
        """Return positions, values, charges and partners of each molecule."""
        m = topology.n_molecules
        x, p, q = (a.reshape(m, -1, *a.shape[1:]) for a in (positions, self.parameters, self.charges_of_atoms))
        partners = jnp.asarray(self.partners)
        return x, p, q, partners.reshape(m, -1, partners.shape[1])

    def _of_molecule(
        self,
        x: Float[Array, "n 3"],
        p: Float[Array, "n 2"],
        q: Float[Array, " n"],
        partners: Int[Array, "n most"],
    ) -> tuple[Float[Array, ""], Float[Array, ""], Float[Array, "n 3"]]:
        """Return energies and gradient of the pairs of one molecule."""
        n, of_atoms = len(x), _values(p, q)
        # Near the origin, where differences of products lose no digits.
        x = x - x.mean(axis=0)[None]

        def energies(squared: Float[Array, ""], one: Float[Array, " 3"], other: Float[Array, " 3"]):
            van_der_waals, coulomb = _pair(self.term, self.reach, squared, one, other)
            return van_der_waals + coulomb, (van_der_waals, coulomb)

        @jax.checkpoint
        def stripe(rows: Int[Array, " rows"]):
            mine, apart = jnp.minimum(rows, n - 1), _apart(rows, partners, n)
            # Where there is no pair, any distance will do that has no poles.
            squared = jnp.where(apart, _squares(x[mine], x), 1.0)
            acts = apart & (squared < self.reach.cutoff**2)
            slope, both = _all_pairs(jax.grad(energies, has_aux=True))(squared, of_atoms[mine], of_atoms)
            slope = jnp.where(acts, slope, 0.0)
            gradient = 2.0 * (slope.sum(axis=1)[:, None] * x[mine] - slope @ x)
            return gradient, jnp.stack([jnp.where(acts, one, 0.0).sum() for one in both])

        gradient, both = jax.lax.map(stripe, _stripes(np.arange(n), n))
        van_der_waals, coulomb = 0.5 * both.sum(axis=0)
        return van_der_waals, coulomb, gradient.reshape(-1, 3)[:n]

    def block_of_pairs(
        self,
        chosen: Int[IntArray, " chosen"],
        x: Float[Array, "n 3"],
        p: Float[Array, "n 2"],
        q: Float[Array, " n"],
        partners: Int[Array, "n most"],
    ) -> Float[Array, "chosen*3 chosen*3"]:
        """Return the Hessian of the pairs of one molecule by the positions of some of its atoms."""
        n, of_atoms = len(x), _values(p, q)

        def total(squared: Float[Array, ""], one: Float[Array, " 3"], other: Float[Array, " 3"]):
            return sum(_pair(self.term, self.reach, squared, one, other))

        def stripe(rows: Int[Array, " rows"]):
            mine, apart = jnp.minimum(rows, n - 1), _apart(rows, partners, n)
            squared = jnp.where(apart, _squares(x[mine], x), 1.0)
            acts = apart & (squared < self.reach.cutoff**2)
            given = squared, of_atoms[mine], of_atoms
            slope, curvature = (
                jnp.where(acts, _all_pairs(f)(*given), 0.0) for f in (jax.grad(total), jax.grad(jax.grad(total)))
            )
            between = x[mine][:, None, :] - x[None, :, :]
            whole = jnp.einsum("ij,ija,ijb->iab", 4.0 * curvature, between, between)
            whole += 2.0 * slope.sum(axis=1)[:, None, None] * jnp.eye(3)[None]
            part = between[:, chosen]
            off = jnp.einsum("ij,ija,ijb->ijab", 4.0 * curvature[:, chosen], part, part)
            return whole, off + 2.0 * slope[:, chosen][:, :, None, None] * jnp.eye(3)[None, None]

        b = len(chosen)
        whole, off = jax.lax.map(stripe, _stripes(chosen, n))
        own = jnp.arange(b)
        blocks = (-off.reshape(-1, b, 3, 3)[:b]).at[own, own].add(whole.reshape(-1, 3, 3)[:b])
        return blocks.transpose(0, 2, 1, 3).reshape(3 * b, 3 * b)


@eqx.filter_jit
def _block(
    model: StripedForceField,
    part: Topology,
    positions: Float[Array, "atoms 3"],
    kept: Int[IntArray, " kept"],
    chosen: Int[IntArray, " chosen"],
) -> Float[Array, "chosen*3 chosen*3"]:
    """Return the Hessian of the chosen atoms, which come first among those that are kept in a part."""
    stated = model.stated.hessian(part, positions[kept])[0]
    size = 3 * len(chosen)
    own = positions, model.parameters, model.charges_of_atoms, jnp.asarray(model.partners)
    return stated[:size, :size] + model.block_of_pairs(chosen, *own)


def _pair(
    term: Term, reach: Reach, squared: Float[Array, ""], one: Float[Array, " 3"], other: Float[Array, " 3"]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Return van der Waals and electrostatic energy of two atoms with these values, for r² [Å²]."""
    at = squared[None]
    unit = jnp.ones_like(squared)
    van_der_waals = term.profile(at, one[0], one[1], other[0], other[1], unit)
    if reach.switch < reach.cutoff:
        van_der_waals *= reach.van_der_waals(jnp.sqrt(squared))
    field = units.COULOMB * one[2] * other[2] * reach.field(squared)
    return van_der_waals, COULOMB.profile(at, one[2], other[2], unit) + field


def _values(p: Float[Array, "n 2"], q: Float[Array, " n"]) -> Float[Array, "n 3"]:
    return jnp.concatenate([p, q[:, None]], axis=1)


def _all_pairs(function: Callable) -> Callable:
    """Return a function of two atoms as one of some atoms with all."""
    return jax.vmap(jax.vmap(function, (0, None, 0)), (0, 0, None))


def _squares(mine: Float[Array, "rows 3"], x: Float[Array, "n 3"]) -> Float[Array, "rows n"]:
    dx, dy, dz = (mine[:, k, None] - x[None, :, k] for k in range(3))
    return dx**2 + dy**2 + dz**2


def _stripes(atoms: Int[IntArray, " _"], n: int) -> Int[Array, "stripes rows"]:
    """Return atoms in portions, the last filled up with what is none."""
    rows = max(1, min(_AT_A_TIME // n, len(atoms)))
    return jnp.full(-(-len(atoms) // rows) * rows, n).at[: len(atoms)].set(atoms).reshape(-1, rows)


def _apart(rows: Int[Array, " rows"], partners: Int[Array, "n most"], n: int) -> Bool[Array, "rows n"]:
    """Say which atoms are no special pair with each of some, nor that itself."""
    mine = jnp.minimum(rows, n - 1)
    own = jnp.concatenate([partners[mine], mine[:, None]], axis=1)
    apart = jnp.ones((len(rows), n), bool).at[jnp.arange(len(rows))[:, None], own].set(False, mode="drop")
    return apart & (rows < n)[:, None]
