"""How the energies, gradients and Hessians of a force field answer to its parameters: sums of local derivatives."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from forgefield.models.blocks import (
    assembled_blocks,
    coordinates_of,
    derivatives_of_coordinates,
    local,
    molecule_of,
    parameter_slopes,
)
from forgefield.models.model import AbstractSensitivities, Found, Selection
from forgefield.molecules.topology import Interactions, Topology
from forgefield.terms.term import Term


class LocalSensitivities(AbstractSensitivities):
    """Each derivative is taken of one interaction by its own parameters, then summed over interactions."""

    terms: tuple[Term, ...] = eqx.field(static=True)
    values: Float[Array, " parameters"]
    topology: Topology
    positions: Float[Array, "atoms 3"]
    selection: Selection

    def energy(self) -> Float[Array, "molecules columns"]:
        """Derivative of the energies [kcal/mol]."""

        def of_term(term, _, x, p):
            slopes = jax.vmap(jax.grad(lambda p, q: term.profile(q, *p)))(p, jax.vmap(term.coordinates.values)(x, p))
            return (), slopes

        return self._summed((), of_term)

    def gradient(self) -> Float[Array, "molecules columns coordinates"]:
        """Derivative of the gradient [kcal/mol/Å]."""

        def of_term(term, group, x, p):
            _, first, _ = derivatives_of_coordinates(term, x, p)
            slope, _ = parameter_slopes(term, x, p)
            rows = jnp.einsum("iqp,iqc->ipc", slope, first).reshape(*slope.shape[::2], -1, 3)
            return (jnp.asarray(self.topology.slot)[group.atoms][:, None, :],), rows

        found = self._summed((self.topology.n_max, 3), of_term)
        return found.reshape(*found.shape[:2], -1)

    def charges(self) -> Float[Array, "molecules columns atoms"]:
        """Derivative of the charges [e] that follow from bond moments, zero-padded; zero where they do not move."""
        slopes = jnp.swapaxes(self._charge_slopes(), 1, 2)
        if slopes.shape[2]:
            return slopes
        return jnp.zeros((*slopes.shape[:2], self.topology.n_max), self.values.dtype)

    def displacements(self) -> Float[Array, "molecules columns coordinates"]:
        """Derivative of the positions [Å], which are fixed: zero."""
        n_molecules, n_columns = self.selection.columns.shape
        return jnp.zeros((n_molecules, n_columns, 3 * self.topology.n_max), self.positions.dtype)

    def curvatures(
        self, modes: Float[Array | np.ndarray, "molecules coordinates modes"]
    ) -> Float[Array, "molecules columns modes"]:
        """Derivative of qᵀ H q for each column q of `modes`, in Cartesian coordinates, zero-padded."""

        def of_term(term, group, x, p):
            _, first, second = derivatives_of_coordinates(term, x, p)
            slope, curvature = parameter_slopes(term, x, p)
            v = modes[molecule_of(self.topology, group)[:, None], coordinates_of(self.topology, group)]
            along = jnp.einsum("iqc,ick->iqk", first, v)
            # Not in one product: XLA would make a matrix of each mode with itself.
            bent = jnp.sum(jnp.einsum("iqcd,idk->iqck", second, v) * v[:, None], axis=2)
            bowed = jnp.einsum("iqrp,irk->iqpk", curvature, along)
            return (), jnp.sum(along[:, :, None] * bowed + slope[:, :, :, None] * bent[:, :, None], axis=1)

        return self._summed((modes.shape[2],), of_term)

    def each_hessian(
        self,
        modes: Float[Array, "molecules coordinates modes"],
        reduce: Callable[..., Found],
        *arguments: Array,
    ) -> Found:
        """Return `reduce(dH V, *arguments)` of one molecule after another, stacked.

        dH V [columns, coordinates, modes] is the derivative of a molecule's Hessian times its `modes`; what
        `reduce` makes of it is all that is kept. The arrays in `arguments` have an entry for each molecule.
        """
        parts = []
        for (term, x, p), group, active, places, members in self._groups():
            if active:
                _, first, second = derivatives_of_coordinates(term, x, p)
                slope, curvature = parameter_slopes(term, x, p)
                blocks = jax.vmap(assembled_blocks, (None, None, -1, -1), 1)(first, second, slope, curvature)
                parts.append((blocks, jnp.asarray(self.topology.slot)[group.atoms], jnp.asarray(places), members))
        n_columns, n_max = self._n_columns(), self.topology.n_max
        to_charges = self._charge_slopes()

        def of_molecule(argument):
            members, modes, to_charges, arguments = argument
            n_modes = modes.shape[1]
            total = jnp.zeros((n_columns, n_max, 3 * n_modes), modes.dtype)
            for (blocks, slots, places, _), own in zip(parts, members, strict=True):
                # Padding is beyond the last interaction: its blocks are zero.
                block = blocks.at[own].get(mode="fill", fill_value=0.0)
                slot, place = slots.at[own].get(mode="clip"), places.at[own].get(mode="clip")
                v = modes.reshape(n_max, 3, n_modes)[slot].reshape(len(own), -1, n_modes)
                rows = jnp.einsum("ipcd,idk->ipck", block, v).reshape(*place.shape, slot.shape[1], 3 * n_modes)
                total = total.at[place[:, :, None], slot[:, None, :]].add(rows, mode="drop")
            product = _through_charges(total[None], to_charges[None])[0]
            return reduce(product.reshape(-1, 3 * n_max, n_modes), *arguments)

        members = tuple(jnp.asarray(part[3]) for part in parts)
        return jax.lax.map(of_molecule, (members, modes, to_charges, arguments))

    def _groups(self):
        """Yield each term with its positions and parameters, its interactions, and what is selected of them."""
        return zip(
            local(self.terms, self.values, self.topology, self.positions),
            self.topology.interactions,
            self.selection.groups,
            self.selection.places,
            self.selection.members,
            strict=True,
        )

    def _n_columns(self) -> int:
        """Return the number of a molecule's columns, and one for each atom's charge where charges move."""
        n_charges = 0 if self.selection.charges is None else self.topology.n_max
        return self.selection.columns.shape[1] + n_charges

    def _summed(
        self,
        window: tuple[int, ...],
        of_term: Callable[[Term, Interactions, Array, Array], tuple[tuple, Array]],
    ) -> Float[Array, "molecules columns *window"]:
        """Sum over interactions the derivatives by their own parameters.

        `of_term` returns where those of one term go inside the window, and the derivatives [interactions,
        parameters, ...].
        """
        total = jnp.zeros((self.topology.n_molecules, self._n_columns(), *window), self.positions.dtype)
        for (term, x, p), group, active, places, _ in self._groups():
            if active:
                where, slopes = of_term(term, group, x, p)
                # Whole rows are added: XLA does that many times faster than single numbers.
                place = (molecule_of(self.topology, group)[:, None], jnp.asarray(places))
                further = (slice(None), slice(None), *(None,) * len(where))
                total = total.at[(*(index[further] for index in place), *where)].add(slopes, mode="drop")
        return _through_charges(total, self._charge_slopes())

    def _charge_slopes(self) -> Float[Array, "molecules charges columns"]:
        """Derivative of the charges in each molecule by its columns; none where charges do not move."""
        n_molecules, n_columns = self.selection.columns.shape
        rule, columns = self.topology.charges, self.selection.charges
        if rule is None or columns is None:
            return jnp.zeros((n_molecules, 0, n_columns), self.values.dtype)
        moment, length = self.values[rule.moment], self.values[rule.length]
        sign = jnp.asarray(rule.sign, self.values.dtype)
        atom = jnp.asarray(rule.atom)
        place = jnp.asarray(self.topology.molecule)[atom], jnp.asarray(self.topology.slot)[atom]
        slopes = jnp.zeros((n_molecules, self.topology.n_max, n_columns), self.values.dtype)
        slopes = slopes.at[(*place, columns[0])].add(sign / length, mode="drop")
        return slopes.at[(*place, columns[1])].add(-sign * moment / length**2, mode="drop")


def _through_charges(
    total: Float[Array, "molecules entries *window"], to_charges: Float[Array, "molecules charges columns"]
) -> Float[Array, "molecules columns *window"]:
    """Pass the derivatives by charges, which come last, on to what the charges are made of."""
    n_columns = to_charges.shape[2]
    if not to_charges.shape[1]:
        return total
    return total[:, :n_columns] + jnp.einsum("ms...,msl->ml...", total[:, n_columns:], to_charges)
