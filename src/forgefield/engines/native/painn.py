"""PaiNN with the energy and gradient of small molecules from a fused C++ kernel; the same model otherwise."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from forgefield.engines.native.library import MESSAGES, PAINN, NativeError, register
from forgefield.models.model import AbstractNeighbourModel, Traits
from forgefield.models.neural.layers import Affine
from forgefield.models.neural.messages import STRIP
from forgefield.models.neural.painn import Painn
from forgefield.models.neural.radial import CosineEnvelope, GaussianBasis
from forgefield.molecules.neighbours import Neighbours
from forgefield.molecules.topology import Topology
from forgefield.units import COULOMB

_STRIP = 16
"""Columns of a matrix that the kernel wants side by side; features come in multiples of twice as many."""


class NativePainn(AbstractNeighbourModel):
    """Energy and gradient by the kernel where a topology has no listed neighbours, all else by XLA.

    Results are those of the model itself to rounding in float32. Its weights are not trainable: they are held twice.
    """

    model: Painn
    packed: Float[Array, " weights"]

    @property
    def traits(self) -> Traits:
        """Those of the model, but that the kernel finds pairs itself, and takes replicas together."""
        return replace(self.model.traits, most_in_pairs=None, in_turn=False)

    def with_precision(self, dtype: type) -> AbstractNeighbourModel:
        """Return it in float32, which is its own, or the model without the kernel in float64."""
        return self if dtype == jnp.float32 else self.model.with_precision(dtype)

    def energy(self, topology: Topology, positions: Float[Array, "atoms 3"]) -> Float[Array, " molecules"]:
        """Potential energy of each molecule [kcal/mol] at positions [Å]."""
        return self.energy_and_gradient(topology, positions)[0]

    def gradient(self, topology: Topology, positions: Float[Array, "atoms 3"]) -> Float[Array, "atoms 3"]:
        """Derivative of each molecule's energy by its positions [kcal/mol/Å]."""
        return self.energy_and_gradient(topology, positions)[1]

    def hessian(
        self, topology: Topology, positions: Float[Array, "atoms 3"]
    ) -> Float[Array, "molecules coordinates coordinates"]:
        """Second derivatives of each molecule's energy [kcal/mol/Å²], zero-padded to the largest molecule."""
        return self.model.hessian(topology, positions)

    def charges(self, topology: Topology) -> Float[Array, " charges"]:
        """None, as of the model."""
        return self.model.charges(topology)

    def energy_of_displacements(
        self, topology: Topology, neighbours: Neighbours, d: Float[Array, "atoms places 3"]
    ) -> Float[Array, " molecules"]:
        """Potential energy of each molecule [kcal/mol] at vectors from each atom to its neighbours [Å]."""
        return self.model.energy_of_displacements(topology, neighbours, d)

    def energy_and_gradient(
        self, topology: Topology, positions: Float[Array, "atoms 3"]
    ) -> tuple[Float[Array, " molecules"], Float[Array, "atoms 3"]]:
        """Both, in one call of the kernel."""
        if topology.neighbours is not None:
            return self.model.energy_and_gradient(topology, positions)
        design = self.model.design
        element = self.model.element_rows(topology)
        molecule = jnp.asarray(topology.molecule)
        x = positions.astype(jnp.float64)
        n = x.shape[0]
        call = jax.ffi.ffi_call(
            register(PAINN),
            (jax.ShapeDtypeStruct((n,), jnp.float64), jax.ShapeDtypeStruct((n, 3), jnp.float64)),
            vmap_method="expand_dims",
        )
        atomic, gradient = call(
            x,
            element.astype(jnp.int64),
            molecule.astype(jnp.int64),
            self.packed,
            np.array(design.elements, np.float64),
            features=np.int64(self.model.embedding.shape[1]),
            blocks=np.int64(len(self.model.blocks)),
            channels=np.int64(design.basis.n + 1),
            elements=np.int64(len(design.elements)),
            cutoff=np.float64(design.basis.cutoff),
            core_cutoff=np.float64(design.core_cutoff or 0.0),
            coulomb=np.float64(COULOMB / design.unit),
            gaussian=isinstance(design.basis, GaussianBasis),
            cosine=isinstance(design.envelope, CosineEnvelope),
        )
        atomic = atomic * design.unit + jnp.asarray(self.model.references, x.dtype).at[element].get(
            mode="fill", fill_value=jnp.nan
        )
        energy = jax.ops.segment_sum(atomic, molecule, topology.n_molecules, indices_are_sorted=True)
        gradient = gradient * design.unit
        return energy.astype(positions.dtype), gradient.astype(positions.dtype)


def native(model: Painn) -> NativePainn:
    """Return the model with its energy and gradient by the kernel. Raises NativeError where that cannot be.

    The kernel runs on the CPU in single precision, for models without states whose features are a multiple of 32.
    """
    _require(model, 2 * _STRIP)
    if model.charge is not None or model.unpaired is not None:
        raise NativeError("the kernel knows no charge and spin of molecules")
    if jnp.result_type(float) != jnp.float64:
        raise NativeError("the kernel takes positions in double precision; set jax_enable_x64")
    register(PAINN)
    return NativePainn(model, jnp.asarray(_packed(model)))


def fused(model: Painn) -> Painn:
    """Return the model with its messages by their kernel. Raises NativeError where that cannot be.

    The kernel runs on the CPU in single precision, for features that are a multiple of 16.
    """
    _require(model, STRIP)
    register(MESSAGES)
    return replace(model, fused=True)


def _require(model: Painn, features: int) -> None:
    """Require what all kernels need, and a multiple of some features. Raises NativeError."""
    if model.embedding.shape[1] % features:
        raise NativeError(f"the kernel takes multiples of {features} features, not {model.embedding.shape[1]}")
    if model.embedding.dtype != jnp.float32:
        raise NativeError("the kernel computes in single precision; the model is in double")
    if jax.default_backend() != "cpu":
        raise NativeError("the kernel runs on the CPU only")


def _packed(model: Painn) -> Float[np.ndarray, " weights"]:
    """Return the weights in the order in which the kernel unpacks them, those of each map also transposed."""
    parts = [np.asarray(model.embedding)]
    for block in model.blocks:
        mixing = np.asarray(block.mixing)
        parts += [*_map(block.context.first), *_map(block.context.second), _strips(np.asarray(block.filters))]
        parts += [_strips(mixing), _strips(mixing.T), *_map(block.update.first), *_map(block.update.second)]
    last = model.readout.second
    parts += [*_map(model.readout.first), *map(np.asarray, (last.weight, last.bias, last.weight.T))]
    return np.concatenate([part.astype(np.float32).ravel() for part in parts])


def _map(affine: Affine) -> list[Float[np.ndarray, "..."]]:
    weight = np.asarray(affine.weight)
    return [_strips(weight), np.asarray(affine.bias), _strips(weight.T)]


def _strips(matrix: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "strips rows width"]:
    """Return a matrix in strips of neighbouring columns, which the kernel then reads from end to end."""
    return matrix.reshape(matrix.shape[0], -1, _STRIP).swapaxes(0, 1)
