"""What a fit is trained on: molecules in their reference geometry and what QM said of them, as arrays."""

from dataclasses import dataclass, replace

import equinox as eqx
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from forgefield.estimating.transition_state import Policy, Treated, treat
from forgefield.fitting.data.searches import Relaxation, relaxation
from forgefield.molecules.molecule import Molecule, Reference
from forgefield.molecules.topology import Topology
from forgefield.properties.modes import signed_frequencies

FloatArray = Array | np.ndarray
OF_MOLECULES = (
    *("modes", "eigenvalues", "has_mode", "weight", "mode_weight", "hessian", "has_hessian", "has_gradient", "energy"),
    *("has_energy", "group", "has_charges"),
)
"""The arrays of a training set that have an entry for each molecule."""
_ALIKE = 0.85
"""Eigenproblems of at least this share of a bucket's size are padded to it."""


@dataclass(frozen=True)
class Bucket:
    """Molecules whose eigenproblems are padded to the same size."""

    size: int
    molecules: tuple[int, ...]


@dataclass(frozen=True)
class Band:
    """Modes whose reference frequency lies in [lowest, highest) cm⁻¹ count `weight` times."""

    lowest: float
    highest: float
    weight: float

    def holds(self, frequencies: Float[np.ndarray, " modes"]) -> Bool[np.ndarray, " modes"]:
        """Say which of these frequencies [cm⁻¹] it is about."""
        return (self.lowest <= frequencies) & (frequencies < self.highest)


@dataclass(frozen=True)
class Weights:
    """How much a molecule counts in the mean of a target, and each of its modes."""

    molecule: float = 1.0
    reaction_mode: float | None = None
    """None: 0 where a policy made its eigenvalue up, 1 where it is that of the reference."""
    bands: tuple[Band, ...] = ()

    def of_modes(self, treated: Treated) -> Float[np.ndarray, " modes"]:
        """Return the weight of each mode, without the molecule's own."""
        frequencies = signed_frequencies(treated.eigenvalues)
        weights = np.ones(len(frequencies))
        for band in self.bands:
            weights[band.holds(frequencies)] *= band.weight
        if treated.reaction_mode is not None:
            weights[treated.reaction_mode] = self.of_reaction_mode(treated)
        return weights

    def of_reaction_mode(self, treated: Treated) -> float:
        """Return the weight of the reaction mode; that of an eigenvalue which a policy put in is 0 unless stated."""
        return float(not treated.is_made_up) if self.reaction_mode is None else self.reaction_mode


@dataclass(frozen=True, eq=False)
class Example:
    """One molecule, its reference, and the Hessian after the policy for transition states."""

    molecule: Molecule
    reference: Reference
    treated: Treated | None
    """Its Hessian after the policy for transition states; None where the reference has no Hessian."""
    group: str = ""
    """Relative energies are compared within a group."""
    policy: Policy | None = None
    """What was asked to be done to a negative eigenvalue."""
    weights: Weights = Weights()
    """How much the molecule and its modes count."""
    charges: Float[np.ndarray, " atoms"] | None = None
    """Atomic charges of the reference [e], of the kind that the fit compares; None where there are none."""

    @property
    def is_saddle(self) -> bool:
        """Whether the policy found an eigenvalue to act on."""
        return self.treated is not None and self.treated.reaction_mode is not None

    def under(self, policy: Policy) -> "Example":
        """Return the example with its Hessian treated by another policy."""
        hessian = self.reference.hessian
        if self.treated is None or hessian is None:
            return self
        treated = treat(hessian, self.reference.positions, self.treated.masses, policy, name=self.molecule.name)
        return replace(self, treated=treated, policy=policy)


class TrainingSet(eqx.Module):
    """The references of a batch as arrays, padded where they are dense per molecule."""

    topology: Topology
    positions: Float[FloatArray, "atoms 3"]
    """Å"""
    masses: Float[FloatArray, " atoms"]
    """amu; 1 in molecules without modes."""
    modes: Float[FloatArray, "molecules coordinates modes"]
    """Reference modes divided by the roots of the masses, so that qᵀ H q is an eigenvalue."""
    eigenvalues: Float[FloatArray, "molecules modes"]
    """kcal/mol/Å²/amu, after the policy."""
    has_mode: Bool[FloatArray, "molecules modes"]
    weight: Float[FloatArray, " molecules"]
    """How much each molecule counts in the mean of a target."""
    mode_weight: Float[FloatArray, "molecules modes"]
    """How much each mode counts within its molecule; zero for padding."""
    hessian: Float[FloatArray, "molecules coordinates coordinates"]
    """kcal/mol/Å², after the policy."""
    has_hessian: Bool[FloatArray, " molecules"]
    gradient: Float[FloatArray, "atoms 3"]
    """kcal/mol/Å"""
    has_gradient: Bool[FloatArray, " molecules"]
    energy: Float[FloatArray, " molecules"]
    """kcal/mol"""
    has_energy: Bool[FloatArray, " molecules"]
    group: Int[FloatArray, " molecules"]
    relaxation: Relaxation
    """How the molecules are relaxed, and what they are compared in."""
    charges: Float[FloatArray, " atoms"]
    """e"""
    has_charges: Bool[FloatArray, " molecules"]
    buckets: tuple[Bucket, ...] = eqx.field(static=True)
    """Every molecule with modes once: which of them share an eigenproblem's size."""


def training_set(topology: Topology, examples: list[Example]) -> TrainingSet:
    """Gather the references of the molecules of a topology. Padding is zero and marked as absent."""
    n, coordinates = len(examples), 3 * topology.n_max
    n_modes = max((len(e.treated.eigenvalues) for e in examples if e.treated is not None), default=1)
    modes = np.zeros((n, coordinates, n_modes))
    eigenvalues = np.zeros((n, n_modes))
    has_mode = np.zeros((n, n_modes), dtype=bool)
    mode_weight = np.zeros((n, n_modes))
    hessian = np.zeros((n, coordinates, coordinates))
    for m, (treated, weights) in enumerate((e.treated, e.weights) for e in examples):
        if treated is None:
            continue
        rows, k = treated.vectors.shape
        modes[m, :rows, :k] = treated.vectors / np.repeat(np.sqrt(treated.masses), 3)[:, None]
        eigenvalues[m, :k] = treated.eigenvalues
        has_mode[m, :k] = True
        mode_weight[m, :k] = weights.of_modes(treated)
        hessian[m, :rows, :rows] = treated.hessian
    references = [e.reference for e in examples]
    groups = {name: k for k, name in enumerate(dict.fromkeys(e.group for e in examples))}
    return TrainingSet(
        topology=topology,
        positions=np.concatenate([r.positions for r in references]),
        masses=np.concatenate(
            [np.ones(len(e.reference.species)) if e.treated is None else e.treated.masses for e in examples]
        ),
        modes=modes,
        eigenvalues=eigenvalues,
        has_mode=has_mode,
        weight=np.array([e.weights.molecule for e in examples]),
        mode_weight=mode_weight,
        hessian=hessian,
        has_hessian=np.array([e.treated is not None for e in examples]),
        gradient=np.concatenate([_gradient(r) for r in references]),
        has_gradient=np.array([r.gradient is not None or r.stationary_order is not None for r in references]),
        energy=np.array([0.0 if r.energy is None else r.energy for r in references]),
        has_energy=np.array([r.energy is not None for r in references]),
        group=np.array([groups[e.group] for e in examples]),
        relaxation=relaxation(
            [e.molecule for e in examples], references, [e.treated for e in examples], topology.n_max
        ),
        charges=np.concatenate(
            [np.zeros(len(e.reference.species)) if e.charges is None else e.charges for e in examples]
        ),
        has_charges=np.array([e.charges is not None for e in examples]),
        buckets=buckets(has_mode.sum(axis=1)),
    )


def buckets(sizes: Int[np.ndarray, " molecules"]) -> tuple[Bucket, ...]:
    """Return the molecules by the size of their eigenproblem, sizes that differ little taken together."""
    found: list[Bucket] = []
    for m in np.argsort(-sizes, kind="stable"):
        if not sizes[m]:
            break
        if found and sizes[m] >= _ALIKE * found[-1].size:
            found[-1] = replace(found[-1], molecules=(*found[-1].molecules, int(m)))
        else:
            found.append(Bucket(int(sizes[m]), (int(m),)))
    return tuple(found)


def _gradient(reference: Reference) -> Float[np.ndarray, "atoms 3"]:
    """Return the gradient, zero where there is none."""
    return np.zeros_like(reference.positions) if reference.gradient is None else reference.gradient
