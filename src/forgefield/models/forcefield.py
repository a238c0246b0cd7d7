"""A classical force field: a sum of terms, each over its own interactions."""

from collections.abc import Callable, Iterator

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from forgefield.models.model import AbstractModel, AbstractSensitivities, Selection
from forgefield.molecules.topology import Interactions, Topology
from forgefield.terms.term import Term


class ForceField(AbstractModel):
    """A sum of energy terms; term `t` acts on `topology.interactions[t]`.

    `values` holds every parameter once. An interaction names its parameters by their places in
    `values`, so that equivalent interactions, and terms that share a reference length, share the number.
    """

    terms: tuple[Term, ...] = eqx.field(static=True)
    values: Float[Array, " parameters"]

    def energy(self, topology: Topology, positions: Float[Array, "atoms 3"]) -> Float[Array, " molecules"]:
        """Potential energy of each molecule [kcal/mol] at positions [Å]."""
        return sum(self.energy_by_term(topology, positions), jnp.zeros(topology.n_molecules, positions.dtype))

    def energy_by_term(
        self, topology: Topology, positions: Float[Array, "atoms 3"]
    ) -> tuple[Float[Array, " molecules"], ...]:
        """Potential energy of each molecule [kcal/mol], term by term."""
        energies = self.interaction_energies(topology, positions)
        return tuple(
            jax.ops.segment_sum(e, molecule_of(topology, group), topology.n_molecules, indices_are_sorted=False)
            for e, group in zip(energies, topology.interactions, strict=True)
        )

    def interaction_energies(
        self, topology: Topology, positions: Float[Array, "atoms 3"]
    ) -> tuple[Float[Array, " interactions"], ...]:
        """Energy of every interaction [kcal/mol], term by term."""
        return tuple(
            jax.vmap(lambda x, p, term=term: term.energy(x, *p))(x, p) for term, x, p in self.local(topology, positions)
        )

    def gradient(self, topology: Topology, positions: Float[Array, "atoms 3"]) -> Float[Array, "atoms 3"]:
        """Derivative of each molecule's energy by its positions [kcal/mol/Å], a sum of the terms' own."""
        total = jnp.zeros_like(positions)
        for (term, x, p), group in zip(self.local(topology, positions), topology.interactions, strict=True):
            # The same expansion as for Hessians, so that a program which wants both makes it once.
            _, first, _ = derivatives_of_coordinates(term, x, p)
            slope, _ = derivatives_of_profile(term, x, p)
            total = total.at[group.atoms].add(jnp.einsum("iq,iqc->ic", slope, first).reshape(x.shape))
        return total

    def hessian(
        self, topology: Topology, positions: Float[Array, "atoms 3"]
    ) -> Float[Array, "molecules coordinates coordinates"]:
        """Second derivatives of each molecule's energy [kcal/mol/Å²], a sum of the terms' own blocks."""
        n = 3 * topology.n_max
        total = jnp.zeros((topology.n_molecules, n, n), positions.dtype)
        for (term, x, p), group in zip(self.local(topology, positions), topology.interactions, strict=True):
            _, first, second = derivatives_of_coordinates(term, x, p)
            slope, curvature = derivatives_of_profile(term, x, p)
            blocks = assembled_blocks(first, second, slope, curvature)
            place = coordinates_of(topology, group)
            total = total.at[molecule_of(topology, group)[:, None, None], place[:, :, None], place[:, None, :]].add(
                blocks
            )
        return total

    def sensitivities(
        self, topology: Topology, positions: Float[Array, "atoms 3"], selection: Selection
    ) -> "LocalSensitivities":
        """Return the derivatives by the selected values, sums of the terms' own."""
        return LocalSensitivities(self, topology, positions, selection)

    def charges(self, topology: Topology) -> Float[Array, " charges"]:
        """Charge of each atom [e] that follows from bond moments; none where the topology has no such rule."""
        rule = topology.charges
        if rule is None:
            return jnp.zeros(0, self.values.dtype)
        share = jnp.asarray(rule.sign, self.values.dtype) * self.values[rule.moment] / self.values[rule.length]
        return jnp.asarray(rule.formal, self.values.dtype).at[rule.atom].add(share)

    def local(
        self, topology: Topology, positions: Float[Array, "atoms 3"]
    ) -> Iterator[tuple[Term, Float[Array, "interactions order 3"], Float[Array, "interactions parameters"]]]:
        """Yield each term with the positions and the parameters of its interactions."""
        known = jnp.concatenate([self.values, self.charges(topology)]).astype(positions.dtype)
        for term, group in zip(self.terms, topology.interactions, strict=True):
            yield term, positions[group.atoms], known[group.parameters]


class LocalSensitivities(AbstractSensitivities):
    """Each derivative is taken of one interaction by its own parameters, then summed over interactions."""

    model: ForceField
    topology: Topology
    positions: Float[Array, "atoms 3"]
    selection: Selection

    def energy(self) -> Float[Array, "molecules columns"]:
        """Derivative of the energies [kcal/mol]."""

        def of_term(term, group, x, p):
            slopes = jax.vmap(jax.grad(lambda p, q: term.profile(q, *p)))(p, jax.vmap(term.coordinates.values)(x, p))
            return (molecule_of(self.topology, group)[:, None],), slopes

        return self._summed((self.topology.n_molecules,), of_term, jnp.arange(self.topology.n_molecules))

    def gradient(self) -> Float[Array, "atoms 3 columns"]:
        """Derivative of the gradient [kcal/mol/Å]."""

        def of_term(term, group, x, p):
            _, first, _ = derivatives_of_coordinates(term, x, p)
            slope, _ = parameter_slopes(term, x, p)
            local = jnp.einsum("iqp,iqc->icp", slope, first).reshape(*x.shape, -1)
            return (jnp.asarray(group.atoms)[:, :, None, None], jnp.arange(3)[None, None, :, None]), local

        return self._summed((self.topology.n_atoms, 3), of_term, jnp.asarray(self.topology.molecule))

    def curvatures(self, modes: Float[Array, "molecules coordinates modes"]) -> Float[Array, "molecules modes columns"]:
        """Derivative of qᵀ H q for each column q of `modes`, in Cartesian coordinates, zero-padded."""

        def of_term(term, group, x, p):
            _, first, second = derivatives_of_coordinates(term, x, p)
            slope, curvature = parameter_slopes(term, x, p)
            molecule = molecule_of(self.topology, group)
            v = modes[molecule[:, None], coordinates_of(self.topology, group)]
            along = jnp.einsum("iqc,ick->iqk", first, v)
            bent = jnp.einsum("iqcd,ick,idk->iqk", second, v, v, optimize="optimal")
            local = jnp.einsum("iqk,iqrp,irk->ikp", along, curvature, along, optimize="optimal")
            local = local + jnp.einsum("iqp,iqk->ikp", slope, bent)
            return (molecule[:, None, None], jnp.arange(modes.shape[2])[None, :, None]), local

        shape = self.topology.n_molecules, modes.shape[2]
        return self._summed(shape, of_term, jnp.arange(self.topology.n_molecules))

    def hessian(self) -> Float[Array, "molecules coordinates coordinates columns"]:
        """Derivative of the Hessians [kcal/mol/Å²]."""

        def of_term(term, group, x, p):
            _, first, second = derivatives_of_coordinates(term, x, p)
            slope, curvature = parameter_slopes(term, x, p)
            blocks = jax.vmap(assembled_blocks, (None, None, -1, -1), -1)(first, second, slope, curvature)
            place = coordinates_of(self.topology, group)
            molecule = molecule_of(self.topology, group)[:, None, None, None]
            return (molecule, place[:, :, None, None], place[:, None, :, None]), blocks

        n = 3 * self.topology.n_max
        return self._summed((self.topology.n_molecules, n, n), of_term, jnp.arange(self.topology.n_molecules))

    def _summed(
        self, shape: tuple[int, ...], of_term: Callable, molecule: Int[Array, " leading"]
    ) -> Float[Array, "*shape columns"]:
        """Sum over interactions the derivatives by their own parameters.

        `of_term` returns where those of one term go, but for the last axis, and the derivatives, last axis
        parameters; `molecule` says to which molecule each entry of the leading axis of the result belongs.
        """
        n_values = self.model.values.shape[0]
        n = self.selection.n
        column = jnp.append(jnp.asarray(self.selection.column), n)
        total = jnp.zeros((*shape, n), self.positions.dtype)
        to_charges = jnp.zeros((*shape, self.topology.n_max), self.positions.dtype)
        for (term, x, p), group, active in zip(
            self.model.local(self.topology, self.positions),
            self.topology.interactions,
            self.selection.groups,
            strict=True,
        ):
            if not active:
                continue
            where, slopes = of_term(term, group, x, p)
            parameters = jnp.asarray(group.parameters)
            own = column[jnp.minimum(parameters, n_values)]
            last = (slice(None), *(None,) * (slopes.ndim - 2), slice(None))
            total = total.at[(*where, own[last])].add(slopes, mode="drop")
            if self.topology.charges is not None:
                atom = jnp.maximum(parameters - n_values, 0)
                slot = jnp.where(parameters < n_values, self.topology.n_max, jnp.asarray(self.topology.slot)[atom])
                to_charges = to_charges.at[(*where, slot[last])].add(slopes, mode="drop")
        if self.topology.charges is None:
            return total
        return total + jnp.einsum("m...s,msp->m...p", to_charges, self._charge_slopes()[molecule])

    def _charge_slopes(self) -> Float[Array, "molecules slots columns"]:
        """Derivative of the charges in each molecule by the selected values."""
        rule = self.topology.charges
        assert rule is not None
        values = self.model.values
        moment, length = values[rule.moment], values[rule.length]
        sign = jnp.asarray(rule.sign, values.dtype)
        column = jnp.asarray(self.selection.column)
        shape = self.topology.n_molecules, self.topology.n_max, self.selection.n
        place = self.topology.molecule[rule.atom], self.topology.slot[rule.atom]
        slopes = jnp.zeros(shape, values.dtype)
        slopes = slopes.at[(*place, column[rule.moment])].add(sign / length, mode="drop")
        return slopes.at[(*place, column[rule.length])].add(-sign * moment / length**2, mode="drop")


def select(topology: Topology, n_values: int, wanted: Int[np.ndarray, " columns"]) -> Selection:
    """Return the selection whose columns are these places in the values of a ForceField, in this order."""
    column = np.full(n_values, len(wanted))
    column[wanted] = np.arange(len(wanted))
    selected = column < len(wanted)
    rule = topology.charges
    charges_move = rule is not None and bool(selected[rule.moment].any() or selected[rule.length].any())
    n_charges = 0 if rule is None else topology.n_atoms
    moving = np.concatenate([selected, np.full(n_charges, charges_move)])
    groups = tuple(bool(moving[np.asarray(group.parameters)].any()) for group in topology.interactions)
    return Selection(column=column, n=len(wanted), groups=groups)


def molecule_of(topology: Topology, group: Interactions) -> Int[Array, " interactions"]:
    """Return the molecule that each interaction belongs to."""
    return jnp.asarray(topology.molecule)[group.atoms[:, 0]]


def coordinates_of(topology: Topology, group: Interactions) -> Int[Array, "interactions coordinates"]:
    """Return the rows of a molecule's Hessian that the coordinates of each interaction's atoms have."""
    slots = jnp.asarray(topology.slot)[group.atoms]
    return (3 * slots[:, :, None] + jnp.arange(3)[None, None, :]).reshape(-1, 3 * slots.shape[1])


def derivatives_of_coordinates(
    term: Term, x: Float[Array, "interactions order 3"], p: Float[Array, "interactions parameters"]
) -> tuple[
    Float[Array, "interactions coordinates"],
    Float[Array, "interactions coordinates local"],
    Float[Array, "interactions coordinates local local"],
]:
    """Return a term's internal coordinates with their first and second derivatives by the atoms' positions."""
    return jax.vmap(term.coordinates.expansion)(x, p)


def derivatives_of_profile(
    term: Term, x: Float[Array, "interactions order 3"], p: Float[Array, "interactions parameters"]
) -> tuple[Float[Array, "interactions coordinates"], Float[Array, "interactions coordinates coordinates"]]:
    """Return the first and second derivatives of a term's energy by its internal coordinates."""
    slope = jax.grad(lambda q, p: term.profile(q, *p))
    q = jax.vmap(term.coordinates.values)(x, p)
    return jax.vmap(slope)(q, p), jax.vmap(jax.jacfwd(slope))(q, p)


def parameter_slopes(
    term: Term, x: Float[Array, "interactions order 3"], p: Float[Array, "interactions parameters"]
) -> tuple[
    Float[Array, "interactions coordinates parameters"], Float[Array, "interactions coordinates coordinates parameters"]
]:
    """Return how the derivatives of the profile change with the parameters."""
    slope = jax.grad(lambda q, p: term.profile(q, *p))
    q = jax.vmap(term.coordinates.values)(x, p)
    return jax.vmap(jax.jacfwd(slope, argnums=1))(q, p), jax.vmap(jax.jacfwd(jax.jacfwd(slope), argnums=1))(q, p)


def assembled_blocks(
    first: Float[Array, "interactions coordinates local"],
    second: Float[Array, "interactions coordinates local local"],
    slope: Float[Array, "interactions coordinates"],
    curvature: Float[Array, "interactions coordinates coordinates"],
) -> Float[Array, "interactions local local"]:
    """Return the local Hessians Bᵀ f'' B + Σ f' ∂²q of energies f(q) with B = ∂q."""
    bent = jnp.einsum("iq,iqcd->icd", slope, second)
    return bent + jnp.einsum("iqc,iqr,ird->icd", first, curvature, first, optimize="optimal")
