"""What a fit is trained on: molecules in their reference geometry and what QM said of them, as arrays."""

from dataclasses import dataclass, replace

import equinox as eqx
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from forgefield.estimate.transition_state import Policy, Treated, treat
from forgefield.molecules.molecule import Molecule, Reference
from forgefield.molecules.topology import Topology

FloatArray = Array | np.ndarray


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
    modes: Float[FloatArray, "molecules coordinates modes"]
    """Reference modes divided by the roots of the masses, so that qᵀ H q is an eigenvalue."""
    eigenvalues: Float[FloatArray, "molecules modes"]
    """kcal/mol/Å²/amu, after the policy."""
    has_mode: Bool[FloatArray, "molecules modes"]
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


def training_set(topology: Topology, examples: list[Example]) -> TrainingSet:
    """Gather the references of the molecules of a topology. Padding is zero and marked as absent."""
    n, coordinates = len(examples), 3 * topology.n_max
    n_modes = max((len(e.treated.eigenvalues) for e in examples if e.treated is not None), default=1)
    modes = np.zeros((n, coordinates, n_modes))
    eigenvalues = np.zeros((n, n_modes))
    has_mode = np.zeros((n, n_modes), dtype=bool)
    hessian = np.zeros((n, coordinates, coordinates))
    for m, treated in enumerate(e.treated for e in examples):
        if treated is None:
            continue
        rows, k = treated.vectors.shape
        modes[m, :rows, :k] = treated.vectors / np.repeat(np.sqrt(treated.masses), 3)[:, None]
        eigenvalues[m, :k] = treated.eigenvalues
        has_mode[m, :k] = True
        hessian[m, :rows, :rows] = treated.hessian
    references = [e.reference for e in examples]
    groups = {name: k for k, name in enumerate(dict.fromkeys(e.group for e in examples))}
    return TrainingSet(
        topology=topology,
        positions=np.concatenate([r.positions for r in references]),
        modes=modes,
        eigenvalues=eigenvalues,
        has_mode=has_mode,
        hessian=hessian,
        has_hessian=np.array([e.treated is not None for e in examples]),
        gradient=np.concatenate([_gradient(r) for r in references]),
        has_gradient=np.array([r.gradient is not None or r.stationary_order is not None for r in references]),
        energy=np.array([0.0 if r.energy is None else r.energy for r in references]),
        has_energy=np.array([r.energy is not None for r in references]),
        group=np.array([groups[e.group] for e in examples]),
    )


def _gradient(reference: Reference) -> Float[np.ndarray, "atoms 3"]:
    """Return the gradient, zero where there is none."""
    return np.zeros_like(reference.positions) if reference.gradient is None else reference.gradient
