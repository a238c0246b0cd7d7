"""What a force field says of many structures: energies, gradients and Hessian products, batch by batch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from forgefield.assign.rules import AbstractRules, ModelRules
from forgefield.compiled import compiled
from forgefield.distil.batches import listed, sight_of
from forgefield.errors import InputError
from forgefield.models.model import AbstractModel
from forgefield.molecules.molecule import Molecule, Reference
from forgefield.molecules.padding import Layout, padded_unions
from forgefield.molecules.topology import Topology
from forgefield.properties.stress import energy_gradient_and_virials

_AT_ONCE = 16
"""Molecules of a batch."""
_STEP = 4
"""Sizes of molecules are rounded up to a multiple of it, so that few programs are compiled."""


@dataclass(frozen=True, eq=False)
class Answers:
    """In the order of the structures."""

    energy: Float[np.ndarray, " structures"]
    """kcal/mol"""
    gradient: tuple[Float[np.ndarray, "_ 3"], ...]
    """kcal/mol/Å"""
    product: tuple[Float[np.ndarray, "_ _ 3"], ...]
    """kcal/mol/Å², for each direction; empty where none is given."""
    stress: Float[np.ndarray, "structures 3 3"]
    """kcal/mol/Å³; NaN of molecules."""


Labels = Sequence[Reference]
Directions = Sequence[Float[np.ndarray, "_ _ 3"] | None]


def answers(rules: AbstractRules, molecules: Sequence[Molecule], labels: Labels | None = None) -> Answers:
    """Return what a force field says of molecules, in its own precision.

    With labels, in the cells of these, with stresses and with products along their directions. Raises InputError, or
    MissingParameters, where it cannot be laid over one of them.
    """
    known = [None] * len(molecules) if labels is None else labels
    directions = [None if one is None or one.products is None else one.products.directions for one in known]
    energy = np.zeros(len(molecules))
    gradient: list[np.ndarray] = [np.zeros((0, 3))] * len(molecules)
    product: list[np.ndarray] = [np.zeros((0, 0, 3))] * len(molecules)
    stress = np.full((len(molecules), 3, 3), np.nan)
    volumes = np.array([np.nan if one is None or one.lattice is None else one.lattice.volume for one in known])
    for places, model, topology, positions in _batches(rules, molecules, labels):
        given = [directions[k] for k in places]
        along = _together(given, len(positions), [molecules[k].n_atoms for k in places])
        x = jnp.asarray(positions)
        if topology.neighbours is None:
            said, slope = (np.asarray(a, np.float64) for a in _both(model, topology, x))
        else:
            said, slope, virials = (np.asarray(a, np.float64) for a in _strained(model, topology, x))
            stress[places] = virials[: len(places)] / volumes[places][:, None, None]
        curved = np.asarray(_along(model, topology, x, jnp.asarray(along)), np.float64) if len(along) else along
        first = 0
        for k, place in enumerate(places):
            rows = slice(first, first := first + molecules[place].n_atoms)
            energy[place], gradient[place] = said[k], slope[rows]
            one = given[k]
            product[place] = curved[: 0 if one is None else len(one), rows]
    return Answers(energy, tuple(gradient), tuple(product), stress)


_Batch = tuple[list[int], AbstractModel, Topology, Float[np.ndarray, "atoms 3"]]


def _batches(rules: AbstractRules, molecules: Sequence[Molecule], labels: Labels | None) -> Iterator[_Batch]:
    """Yield which molecules are together, and the force field over them."""
    if isinstance(rules, ModelRules):
        yield from _by_size(rules, molecules, labels)
        return
    if any(label.lattice is not None for label in labels or ()):
        raise InputError("the data set holds periodic structures, and this force field is for molecules")
    kinds: dict[bytes, list[int]] = {}
    for k, molecule in enumerate(molecules):
        kinds.setdefault(_kind(molecule), []).append(k)
    for kind in kinds.values():
        for first in range(0, len(kind), _AT_ONCE):
            places = kind[first : first + _AT_ONCE]
            # As many each time, so that one program serves all.
            held = [molecules[k] for k in [*places, *[places[-1]] * (min(len(kind), _AT_ONCE) - len(places))]]
            model, topology = rules.lay(held)
            yield places, model, topology, np.concatenate([m.positions for m in held])


def _by_size(rules: ModelRules, molecules: Sequence[Molecule], labels: Labels | None) -> Iterator[_Batch]:
    model, _ = rules.lay(list(molecules))
    order = sorted(range(len(molecules)), key=lambda k: molecules[k].n_atoms)
    for first in range(0, len(order), _AT_ONCE):
        places = order[first : first + _AT_ONCE]
        held = [molecules[k] for k in places]
        largest = -(-held[-1].n_atoms // _STEP) * _STEP
        states = [(m.charge, m.multiplicity - 1) for m in held]
        layout = Layout.of_one([m.n_atoms for m in held], _AT_ONCE * largest)
        topology, positions = padded_unions(
            [m.species for m in held], [m.positions for m in held], layout, largest, states
        )
        some = [] if labels is None else [labels[k] for k in places]
        if (sight := sight_of(some, model.traits.cutoff or 0.0)) is not None:
            topology = replace(topology, neighbours=listed(some, layout, sight))
        yield places, model, topology, positions


def _kind(molecule: Molecule) -> bytes:
    """Return what is the same for structures of one molecule."""
    bonds = np.asarray(molecule.bonds, np.int64).tobytes()
    state = f"{molecule.charge} {molecule.multiplicity} {molecule.types!r}".encode()
    return np.asarray(molecule.species, np.int64).tobytes() + bonds + state


def _together(given: Directions, n_atoms: int, sizes: Sequence[int]) -> Float[np.ndarray, "_ atoms 3"]:
    """Return directions of molecules as those of their union, zero where a molecule has fewer than others."""
    along = np.zeros((max((len(one) for one in given if one is not None), default=0), n_atoms, 3))
    first = 0
    for one, size in zip(given, sizes, strict=True):
        if one is not None:
            along[: len(one), first : first + size] = one
        first += size
    return along


@compiled
def _both(
    model: AbstractModel, topology: Topology, positions: Float[Array, "atoms 3"]
) -> tuple[Float[Array, " molecules"], Float[Array, "atoms 3"]]:
    return model.energy_and_gradient(topology, positions)


@compiled
def _strained(
    model: AbstractModel, topology: Topology, positions: Float[Array, "atoms 3"]
) -> tuple[Float[Array, " molecules"], Float[Array, "atoms 3"], Float[Array, "molecules 3 3"]]:
    return energy_gradient_and_virials(model, topology, positions)


@compiled
def _along(
    model: AbstractModel,
    topology: Topology,
    positions: Float[Array, "atoms 3"],
    directions: Float[Array, "directions atoms 3"],
) -> Float[Array, "directions atoms 3"]:
    def product(direction: Float[Array, "atoms 3"]) -> Float[Array, "atoms 3"]:
        return jax.jvp(lambda x: model.gradient(topology, x), (positions,), (direction,))[1]

    return jax.lax.map(product, directions)
