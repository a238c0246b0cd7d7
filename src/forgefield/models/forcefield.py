"""A classical force field: a sum of terms, each over its own interactions."""

from collections.abc import Iterator

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from forgefield.models.blocks import (
    assembled_blocks,
    charges,
    derivatives_of_coordinates,
    derivatives_of_profile,
    hessians_of_cells,
    local,
    molecule_of,
    with_blocks,
)
from forgefield.models.model import AbstractParametrisedModel, Selection, Traits
from forgefield.models.sensitivities import LocalSensitivities
from forgefield.molecules.topology import Interactions, Topology
from forgefield.terms.term import Term


class ForceField(AbstractParametrisedModel):
    """A sum of energy terms; term `t` acts on `topology.interactions[t]`.

    `values` holds every parameter once. An interaction names its parameters by their places in
    `values`, so that equivalent interactions, and terms that share a reference length, share the number.
    """

    terms: tuple[Term, ...] = eqx.field(static=True)
    values: Float[Array, " parameters"]

    @property
    def traits(self) -> Traits:
        """All that it knows of molecules is laid over them."""
        return Traits(
            laid=True,
            elements=None,
            heeded=frozenset(),
            cutoff=None,
            most_in_pairs=None,
            in_turn=False,
            precision=self.values.dtype,
            of_terms=True,
        )

    def with_precision(self, dtype: type) -> "ForceField":
        """Return it with values in float32 or float64."""
        return ForceField(self.terms, jnp.asarray(self.values, dtype))

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

    def energy_and_gradient(
        self, topology: Topology, positions: Float[Array, "atoms 3"]
    ) -> tuple[Float[Array, " molecules"], Float[Array, "atoms 3"]]:
        """Both, each by its own way: a gradient takes no energies."""
        return self.energy(topology, positions), self.gradient(topology, positions)

    def hessian(
        self, topology: Topology, positions: Float[Array, "atoms 3"]
    ) -> Float[Array, "molecules coordinates coordinates"]:
        """Second derivatives of each molecule's energy [kcal/mol/Å²], a sum of the terms' own blocks."""
        cells = jnp.zeros((topology.n_molecules * topology.n_max**2, 9), positions.dtype)
        for (term, x, p), group in zip(self.local(topology, positions), topology.interactions, strict=True):
            _, first, second = derivatives_of_coordinates(term, x, p)
            slope, curvature = derivatives_of_profile(term, x, p)
            cells = with_blocks(cells, topology, group, assembled_blocks(first, second, slope, curvature))
        return hessians_of_cells(topology, cells)

    def sensitivities(
        self, topology: Topology, positions: Float[Array, "atoms 3"], selection: Selection
    ) -> "LocalSensitivities":
        """Return the derivatives by the selected values, sums of the terms' own."""
        return LocalSensitivities(self.terms, self.values, topology, positions, selection)

    def charges(self, topology: Topology) -> Float[Array, " charges"]:
        """Charge of each atom [e] that follows from bond moments; none where the topology has no such rule."""
        return charges(self.values, topology)

    def local(
        self, topology: Topology, positions: Float[Array, "atoms 3"]
    ) -> Iterator[tuple[Term, Float[Array, "interactions order 3"], Float[Array, "interactions parameters"]]]:
        """Yield each term with the positions and the parameters of its interactions."""
        return local(self.terms, self.values, topology, positions)


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
    used = _used(topology, column, groups, len(wanted), charges_move)
    n_local = max(int(used.sum(axis=1).max(initial=0)), 1)
    columns = np.full((topology.n_molecules, n_local), len(wanted))
    own = np.full((topology.n_molecules, len(wanted) + 1), n_local + topology.n_max)
    for m, mine in enumerate(used):
        present = np.flatnonzero(mine)
        columns[m, : len(present)] = present
        own[m, present] = np.arange(len(present))
    active = [group if moves else None for group, moves in zip(topology.interactions, groups, strict=True)]
    ends = None
    if rule is not None and charges_move:
        of_end = topology.molecule[rule.atom]
        ends = own[of_end, column[rule.moment]], own[of_end, column[rule.length]]
    return Selection(
        n=len(wanted),
        groups=groups,
        columns=columns,
        places=tuple(_places(topology, group, column, own, n_local) for group in active),
        members=tuple(_members(topology, group) for group in active),
        charges=ends,
    )


def _used(
    topology: Topology, column: Int[np.ndarray, " values"], groups: tuple[bool, ...], n: int, charges_move: bool
) -> Bool[np.ndarray, "molecules columns"]:
    """Say which columns the interactions of each molecule have."""
    used = np.zeros((topology.n_molecules, n + 1), dtype=bool)
    for group, active in zip(topology.interactions, groups, strict=True):
        if active:
            parameters = np.asarray(group.parameters)
            own = np.where(parameters < len(column), column[np.minimum(parameters, len(column) - 1)], n)
            used[topology.molecule[group.atoms[:, 0]][:, None], own] = True
    rule = topology.charges
    if rule is not None and charges_move:
        used[topology.molecule[rule.atom], column[rule.moment]] = True
        used[topology.molecule[rule.atom], column[rule.length]] = True
    return used[:, :n]


def _places(
    topology: Topology,
    group: Interactions | None,
    column: Int[np.ndarray, " values"],
    own: Int[np.ndarray, "molecules columns"],
    n_local: int,
) -> Int[np.ndarray, "interactions parameters"]:
    """Return the column, in its molecule, of each parameter of an active group; those of charges come last."""
    if group is None:
        return np.zeros((0, 0), dtype=np.int64)
    parameters, n_values = np.asarray(group.parameters), len(column)
    molecule = topology.molecule[group.atoms[:, 0]][:, None]
    of_value = own[molecule, column[np.minimum(parameters, n_values - 1)]]
    of_charge = n_local + topology.slot[np.maximum(parameters - n_values, 0)]
    return np.where(parameters < n_values, of_value, of_charge)


def _members(topology: Topology, group: Interactions | None) -> Int[np.ndarray, "molecules members"]:
    """Return which interactions of an active group each molecule has, padded by one beyond the last."""
    if group is None:
        return np.zeros((topology.n_molecules, 0), dtype=np.int64)
    molecule = topology.molecule[group.atoms[:, 0]]
    counts = np.bincount(molecule, minlength=topology.n_molecules)
    members = np.full((topology.n_molecules, counts.max(initial=0)), len(molecule))
    order = np.argsort(molecule, kind="stable")
    first = np.cumsum(counts) - counts
    members[molecule[order], np.arange(len(order)) - first[molecule[order]]] = order
    return members
