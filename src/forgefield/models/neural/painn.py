"""PaiNN, a neural force field whose atoms carry scalars and vectors (Schütt, Unke and Gastegger, ICML 2021)."""

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from forgefield.errors import InputError
from forgefield.models.model import AbstractNeighbourModel, Traits
from forgefield.models.neural.core_repulsion import core_repulsion
from forgefield.models.neural.layers import Affine, Perceptron, affine, glorot, perceptron
from forgefield.models.neural.messages import received
from forgefield.models.neural.radial import AbstractBasis, AbstractEnvelope, direction, radial_channels
from forgefield.molecules.elements import SYMBOLS
from forgefield.molecules.neighbours import Neighbours, all_pairs, pairs_of_one
from forgefield.molecules.topology import Topology

NORM_FLOOR = 1e-8
"""Added to squared lengths of vectors, whose norm has no derivative at zero."""


@dataclass(frozen=True)
class Size:
    """How large a network is."""

    features: int
    blocks: int
    radial: int
    """Radial functions."""


SIZES = {"original": Size(128, 3, 20), "small": Size(64, 2, 12), "tiny": Size(32, 2, 10)}
"""`original` is that of the paper."""


@dataclass(frozen=True)
class Design:
    """All of a PaiNN that is not trained."""

    elements: tuple[int, ...]
    """Atomic numbers that the model knows, one row of the embedding each."""
    basis: AbstractBasis
    envelope: AbstractEnvelope
    unit: float
    """kcal/mol in one unit of the network's output."""
    core_cutoff: float | None = None
    """Å; where the repulsion of atomic cores (ZBL) ends. None leaves it out."""


class Block(eqx.Module):
    """One exchange of messages between atoms and one update of each atom."""

    context: Perceptron
    filters: Float[Array, "channels features3"]
    """From the channels of `radial.radial_channels`; the last row is the filters' bias."""
    mixing: Float[Array, "features features2"]
    """Combines the vectors of an atom, without bias: a bias would not turn with them."""
    update: Perceptron


class StateEmbedding(eqx.Module):
    """Spreads a molecule's charge or number of unpaired electrons over its atoms (after Unke et al. 2021, SpookyNet).

    An atom's share is softplus(q·k/√F) over the sum of these in its molecule; zero charge adds nothing. The keys and
    values differ for positive and negative states.
    """

    query: Affine
    keys: Float[Array, "2 features"]
    values: Float[Array, "2 features"]

    def __call__(
        self, scalars: Float[Array, "atoms features"], state: Int[Array, " molecules"], molecule: Int[Array, " atoms"]
    ) -> Float[Array, "atoms features"]:
        """Return what the state adds to the features of each atom."""
        sign = jnp.where(state < 0, 1, 0)[molecule]
        match = jnp.sum(self.query(scalars) * self.keys[sign], axis=1) / scalars.shape[1] ** 0.5
        share = jax.nn.softplus(match)
        total = jax.ops.segment_sum(share, molecule, state.shape[0], indices_are_sorted=True)
        amount = jnp.abs(state).astype(scalars.dtype)[molecule] * share / total[molecule]
        return amount[:, None] * self.values[sign]


class Painn(AbstractNeighbourModel):
    """An invariant energy from equivariant messages. float32 weights compute in float32, float64 weights in float64.

    Positions, their differences and the sum over atoms have the precision of the positions. Atoms of elements that
    the model does not know make the energy NaN; `require_known` lists them first.
    """

    design: Design = eqx.field(static=True)
    embedding: Float[Array | np.ndarray, "elements features"]
    charge: StateEmbedding | None
    unpaired: StateEmbedding | None
    blocks: tuple[Block, ...]
    readout: Perceptron
    references: Float[Array | np.ndarray, " elements"]
    """Energy of each element [kcal/mol], added for each atom."""
    fused: bool = eqx.field(static=True, default=False)
    """Whether all pairs of a molecule exchange their messages in one operation, for which XLA must know the kernel."""

    @property
    def traits(self) -> Traits:
        """Elements alone will do; large and periodic systems have neighbours listed."""
        layers = {"charge": self.charge, "multiplicity": self.unpaired}
        return Traits(
            laid=False,
            elements=self.design.elements,
            heeded=frozenset(name for name, layer in layers.items() if layer is not None),
            cutoff=self.design.basis.cutoff,
            most_in_pairs=_MOST_IN_PAIRS,
            in_turn=True,
            precision=self.embedding.dtype,
        )

    def with_precision(self, dtype: type) -> "Painn":
        """Return it with the weights of its network in float32 or float64; reference energies stay as they are."""
        changed = jax.tree.map(lambda a: jnp.asarray(a, dtype), self)
        return eqx.tree_at(lambda m: m.references, changed, self.references)

    def energy(self, topology: Topology, positions: Float[Array, "atoms 3"]) -> Float[Array, " molecules"]:
        """Potential energy of each molecule [kcal/mol] at positions [Å]."""
        neighbours = _neighbours(topology)
        return self.energy_of_displacements(topology, neighbours, displacements(neighbours, positions))

    def atomic_energies(self, topology: Topology, positions: Float[Array, "atoms 3"]) -> Float[Array, " atoms"]:
        """What each atom adds to the energy of its molecule [kcal/mol] at positions [Å]."""
        neighbours = _neighbours(topology)
        return self._atomic(topology, neighbours, displacements(neighbours, positions))

    def energy_of_displacements(
        self, topology: Topology, neighbours: Neighbours, d: Float[Array, "atoms places 3"]
    ) -> Float[Array, " molecules"]:
        """Potential energy of each molecule [kcal/mol] at vectors from each atom to its neighbours [Å]."""
        atomic = self._atomic(topology, neighbours, d)
        return jax.ops.segment_sum(
            atomic, jnp.asarray(topology.molecule), topology.n_molecules, indices_are_sorted=True
        )

    def _atomic(
        self, topology: Topology, neighbours: Neighbours, d: Float[Array, "atoms places 3"]
    ) -> Float[Array, " atoms"]:
        far = jnp.asarray([2.0 * self.design.basis.cutoff, 0.0, 0.0], d.dtype)[None, None]
        d = jnp.where(jnp.asarray(neighbours.valid)[..., None], d, far)
        element = self.element_rows(topology)
        atomic = self._network(topology, element, neighbours, d).astype(d.dtype) * self.design.unit
        atomic += jnp.asarray(self.references, d.dtype).at[element].get(mode="fill", fill_value=jnp.nan)
        if self.design.core_cutoff is not None:
            species = jnp.asarray(topology.species)
            atomic += core_repulsion(species, species[neighbours.atom], d, self.design.core_cutoff)
        return atomic

    def gradient(self, topology: Topology, positions: Float[Array, "atoms 3"]) -> Float[Array, "atoms 3"]:
        """Derivative of each molecule's energy by its positions [kcal/mol/Å]."""
        return jax.grad(lambda x: jnp.sum(self.energy(topology, x)))(positions)

    def energy_and_gradient(
        self, topology: Topology, positions: Float[Array, "atoms 3"]
    ) -> tuple[Float[Array, " molecules"], Float[Array, "atoms 3"]]:
        """Both, in one pass forwards and backwards."""
        energy, backward = jax.vjp(lambda x: self.energy(topology, x), positions)
        return energy, backward(jnp.ones_like(energy))[0]

    def hessian(
        self, topology: Topology, positions: Float[Array, "atoms 3"]
    ) -> Float[Array, "molecules coordinates coordinates"]:
        """Second derivatives of each molecule's energy [kcal/mol/Å²], zero-padded to the largest molecule.

        Tangent k moves coordinate k of every molecule at once: molecules do not see each other.
        """
        n = 3 * topology.n_max
        slot, molecule = jnp.asarray(topology.slot), jnp.asarray(topology.molecule)

        def column(k):
            moved = (slot[:, None] * 3 + jnp.arange(3, dtype=slot.dtype)[None, :] == k).astype(positions.dtype)
            return jax.jvp(lambda x: self.gradient(topology, x), (positions,), (moved,))[1]

        columns = jax.lax.map(column, jnp.arange(n, dtype=slot.dtype), batch_size=_HESSIAN_COLUMNS)
        filled = jnp.zeros((topology.n_molecules, topology.n_max, 3, n), positions.dtype)
        filled = filled.at[molecule, slot].set(jnp.moveaxis(columns, 0, -1))
        matrix = filled.reshape(topology.n_molecules, n, n)
        return 0.5 * (matrix + jnp.swapaxes(matrix, 1, 2))

    def charges(self, topology: Topology) -> Float[Array, " charges"]:
        """None: the energy comes without atomic charges."""
        return jnp.zeros(0)

    def element_rows(self, topology: Topology) -> Int[Array, " atoms"]:
        """Row of the embedding of each atom, beyond the last where the element is unknown."""
        row = np.full(len(SYMBOLS) + 1, len(self.design.elements))
        row[list(self.design.elements)] = np.arange(len(self.design.elements))
        return jnp.asarray(row)[topology.species]

    def _network(
        self,
        topology: Topology,
        element: Int[Array, " atoms"],
        neighbours: Neighbours,
        d: Float[Array, "atoms places 3"],
    ) -> Float[Array, " atoms"]:
        """Energy of each atom in units of the network."""
        embedding = jnp.asarray(self.embedding)
        r, u = direction(d.astype(embedding.dtype))
        channels = radial_channels(self.design.basis, self.design.envelope, r)
        scalars = embedding.at[element].get(mode="fill", fill_value=jnp.nan)
        molecule = jnp.asarray(topology.molecule)
        for layer, state in ((self.charge, topology.charge), (self.unpaired, topology.unpaired)):
            if layer is not None and state is None:
                raise InputError("the model takes charge and unpaired electrons: give both in the topology")
            if layer is not None:
                scalars += layer(scalars, jnp.asarray(state), molecule)
        atom = jnp.asarray(neighbours.atom)
        is_fused = self.fused and neighbours.shift is None and atom.shape == (1, len(scalars))
        vectors = None
        for block in self.blocks:
            if is_fused:
                scalars, vectors = _exchanged_at_once(block, scalars, vectors, channels, u)
            else:
                scalars, vectors = _exchanged(block, scalars, vectors, channels, u, atom)
            scalars, vectors = _updated(block, scalars, vectors)
        return self.readout(scalars)[:, 0]


_MOST_IN_PAIRS = 60
"""Atoms of a molecule whose pairs are all looked at."""
_HESSIAN_COLUMNS = 24
"""Columns of a Hessian that are computed at once; more need memory and gain nothing."""


def _neighbours(topology: Topology) -> Neighbours:
    """Return the listed neighbours of a topology, else all pairs of its molecules."""
    if topology.neighbours is not None:
        return topology.neighbours
    if topology.n_atoms == topology.n_max:
        return pairs_of_one(topology.molecule)
    return all_pairs(topology.molecule, topology.slot, topology.n_molecules, topology.n_max)


def displacements(neighbours: Neighbours, positions: Float[Array, "atoms 3"]) -> Float[Array, "atoms places 3"]:
    """Return the vectors from each atom to its neighbours [Å]; those of empty places are of no account."""
    d = positions[neighbours.atom] - positions[:, None]
    return d if neighbours.shift is None else d + jnp.asarray(neighbours.shift, positions.dtype)


def _exchanged(block, scalars, vectors, channels, u, atom):
    """Add to each atom the messages of its neighbours; without vectors yet, what they would send is left out."""
    (own, outward, *kept), weights = _sent(block, scalars, vectors)
    filters = jnp.split(channels @ weights, 2 + len(kept), axis=-1)
    scalars += jnp.sum(filters[0] * own[atom], axis=1)
    outward = filters[1] * outward[atom]
    along = [outward * u[..., c, None] for c in range(3)]
    if vectors is None:
        return scalars, jnp.stack([jnp.sum(a, axis=1) for a in along], axis=1)
    # What an atom sends along its own vectors is the same to all.
    theirs = (kept[0][:, None] * vectors)[atom]
    turned = [jnp.sum(along[c] + filters[2] * theirs[:, :, c], axis=1) for c in range(3)]
    return scalars, vectors + jnp.stack(turned, axis=1)


def _exchanged_at_once(block, scalars, vectors, channels, u):
    """Do the same where all atoms are the neighbours of each, in one operation for each kind of message."""
    (own, outward, *kept), weights = _sent(block, scalars, vectors)
    filters = jnp.split(weights, 2 + len(kept), axis=-1)
    scalars += received(channels, filters[0], own[:, None])[:, 0]
    turned = received(channels, filters[1], outward[:, None], u)
    if vectors is None:
        return scalars, turned
    return scalars, vectors + turned + received(channels, filters[2], kept[0][:, None] * vectors)


def _sent(block, scalars, vectors):
    """Return what each atom sends, part by part, and the weights of the filters of all parts."""
    n = scalars.shape[1]
    # Until there are vectors their filters multiply nothing.
    width = 2 * n if vectors is None else 3 * n
    second = Affine(block.context.second.weight[:, :width], block.context.second.bias[:width])
    # Split at once: backwards, slices are zeros that are added up.
    parts = jnp.split(Perceptron(block.context.first, second)(scalars), width // n, axis=-1)
    return parts, block.filters[:, :width]


def _updated(block, scalars, vectors):
    """Let the scalars and vectors of each atom act on each other."""
    kept, scaled = jnp.split(vectors @ block.mixing, 2, axis=-1)
    norm = jnp.sqrt(jnp.sum(kept**2, axis=1) + NORM_FLOOR)
    own, stretch, coupling = jnp.split(block.update(jnp.concatenate([scalars, norm], axis=-1)), 3, axis=-1)
    scalars += own + coupling * jnp.sum(kept * scaled, axis=1)
    return scalars, vectors + stretch[:, None] * scaled


def painn(
    key: PRNGKeyArray,
    design: Design,
    size: Size,
    *,
    references: Float[np.ndarray, " elements"] | None = None,
    states: bool = False,
) -> Painn:
    """Return an untrained model; with `states` it takes charges and unpaired electrons of molecules into account."""
    if design.basis.n != size.radial:
        raise InputError(f"a basis of {design.basis.n} functions is not one of the size's {size.radial}")
    n, n_elements = size.features, len(design.elements)
    keys = jr.split(key, size.blocks + 4)
    return Painn(
        design=design,
        embedding=jr.normal(keys[0], (n_elements, n), jnp.float32),
        charge=_state_embedding(keys[1], n) if states else None,
        unpaired=_state_embedding(keys[2], n) if states else None,
        blocks=tuple(_block(k, n, size.radial) for k in keys[4:]),
        readout=perceptron(keys[3], n, n // 2, 1),
        references=np.zeros(n_elements) if references is None else references,
    )


def _state_embedding(key, n):
    first, second, third = jr.split(key, 3)
    return StateEmbedding(affine(first, n, n), glorot(second, 2, n), glorot(third, 2, n))


def _block(key, n, n_radial):
    first, second, third, fourth = jr.split(key, 4)
    return Block(
        context=perceptron(first, n, n, 3 * n),
        filters=jnp.concatenate([glorot(second, n_radial, 3 * n), jnp.zeros((1, 3 * n), jnp.float32)]),
        mixing=glorot(third, n, 2 * n),
        update=perceptron(fourth, 2 * n, n, 3 * n),
    )
