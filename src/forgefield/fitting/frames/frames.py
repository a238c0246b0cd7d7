"""Labelled structures of one molecule as arrays."""

from collections.abc import Sequence

import equinox as eqx
import numpy as np
from jaxtyping import Float

from forgefield.molecules.molecule import Reference


class Frames(eqx.Module):
    """Structures of one molecule with what a teacher says of each."""

    positions: Float[np.ndarray, "frames atoms 3"]
    """Å"""
    energy: Float[np.ndarray, " frames"]
    """kcal/mol"""
    gradient: Float[np.ndarray, "frames atoms 3"]
    """kcal/mol/Å"""
    directions: Float[np.ndarray, "frames directions atoms 3"]
    """Of the length of one for each coordinate (the mean square is one); zero where there is no product."""
    products: Float[np.ndarray, "frames directions atoms 3"]
    """The Hessian times these [kcal/mol/Å²]."""

    def __len__(self) -> int:
        return len(self.energy)

    @property
    def n_products(self) -> int:
        """How many directions there is a product along."""
        return int((self.directions != 0.0).any(axis=(2, 3)).sum())

    def of(self, places: slice) -> "Frames":
        """Return some of the structures."""
        return Frames(*(getattr(self, name)[places] for name in _ARRAYS))


_ARRAYS = ("positions", "energy", "gradient", "directions", "products")


def frames_of(references: Sequence[Reference]) -> Frames:
    """Return references with energies and gradients, all of the same atoms, as arrays."""
    n_atoms = len(references[0].species)
    along = [0 if r.products is None else len(r.products.directions) for r in references]
    directions = np.zeros((len(references), max(along), n_atoms, 3))
    products = np.zeros_like(directions)
    for k, (reference, n) in enumerate(zip(references, along, strict=True)):
        if reference.products is not None:
            known = reference.products
            scale = 1.0 / np.sqrt(np.mean(known.directions**2, axis=(1, 2)))[:, None, None]
            directions[k, :n], products[k, :n] = scale * known.directions, scale * known.values
    return Frames(
        np.array([r.positions for r in references]),
        np.array([r.energy for r in references], dtype=np.float64),
        np.array([r.gradient for r in references], dtype=np.float64),
        directions,
        products,
    )
