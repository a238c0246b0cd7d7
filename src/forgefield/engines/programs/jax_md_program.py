"""jax-md, by the functions that it has for molecules; its Hessians are exact."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from forgefield import units
from forgefield.assign.explicit.system import Stated
from forgefield.engines.programs.program import AbstractLaid, AbstractProgram, Hessian, Positions
from forgefield.io.forcefields.openmm.system.nonbonded import MINIMUM
from forgefield.io.forcefields.openmm.system.writer import SWITCHED, WITHOUT_ENERGY, series
from forgefield.molecules.molecule import Molecule
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.cross import UREY_BRADLEY
from forgefield.terms.nonbonded import COULOMB, LENNARD_JONES, LENNARD_JONES_GEOMETRIC
from forgefield.terms.periodic import PERIODIC_IMPROPER, PERIODIC_TORSION, RYCKAERT_BELLEMANS
from forgefield.terms.stretch import HARMONIC_STRETCH
from forgefield.terms.term import Term

Values = dict[str, np.ndarray | Array]
"""What a function of jax-md is given of all interactions, by its own names."""


def _springs(stated: Stated) -> Values:
    return {"k": stated.values[:, 0], "l": stated.values[:, 1]}


def _angles(stated: Stated) -> Values:
    return {"k": stated.values[:, 0], "theta0": stated.values[:, 1]}


def _torsions(stated: Stated) -> Values:
    k, period, phase = (np.concatenate(column) for column in zip(*series(stated), strict=True))
    return {"k": k, "period": period, "phase": phase}


def _lennard_jones(stated: Stated) -> Values:
    r_i, e_i, r_j, e_j, scale = stated.values.T
    radius = 2.0 * np.sqrt(r_i * r_j) if stated.term is LENNARD_JONES_GEOMETRIC else r_i + r_j
    return {"sigma": radius / MINIMUM, "epsilon": scale * np.sqrt(e_i * e_j)}


def _products(stated: Stated) -> Values:
    return {"product": stated.values.prod(axis=1) * units.COULOMB}


_TORSIONS = (PERIODIC_TORSION, PERIODIC_IMPROPER, RYCKAERT_BELLEMANS, *SWITCHED)
_HELD: dict[Term, Callable[[Stated], Values]] = {
    **dict.fromkeys((HARMONIC_STRETCH, UREY_BRADLEY), _springs),
    HARMONIC_BEND: _angles,
    **dict.fromkeys(_TORSIONS, _torsions),
    **dict.fromkeys((LENNARD_JONES, LENNARD_JONES_GEOMETRIC), _lennard_jones),
    COULOMB: _products,
}


@dataclass(frozen=True)
class JaxMd(AbstractProgram):
    """jax-md in the process and precision of ForgeField."""

    @property
    def name(self) -> str:
        """What messages and tables call it."""
        return "jax-md"

    @property
    def precision(self) -> str:
        """Of its numbers."""
        return "double"

    @property
    def step(self) -> None:
        """None: it has second derivatives."""
        return

    def why_not(self) -> str:
        """Return why it cannot be used here."""
        try:
            import jax_md  # noqa: F401, PLC0415  # pyright: ignore[reportMissingImports] (no dependency)
        except ImportError as error:
            return f"jax-md is not installed ({error}); run: pip install jax-md"
        return ""

    def missing(self, molecule: Molecule, stated: Sequence[Stated]) -> list[str]:
        """Return the terms that jax-md has no function for."""
        return [f"{one.term.name} ({len(one.atoms)})" for one in _acting(stated) if one.term not in _HELD]

    def laid(self, molecule: Molecule, stated: Sequence[Stated], types: tuple[str, ...]) -> "LaidJaxMd":
        """Lay interactions over a molecule."""
        return LaidJaxMd(stated)


class LaidJaxMd(AbstractLaid):
    """Functions that are compiled once; the values are arguments of theirs."""

    def __init__(self, stated: Sequence[Stated]) -> None:
        energy = _energy([(one.term, one.atoms) for one in _acting(stated)])
        self._slopes, self._curvature = eqx.filter_jit(jax.value_and_grad(energy)), eqx.filter_jit(jax.hessian(energy))
        self.change(stated)

    def change(self, stated: Sequence[Stated]) -> None:
        """Take the values as what the functions are given."""
        self._values = [_HELD[one.term](one) for one in _acting(stated)]

    def energy_and_gradient(self, positions: Positions) -> tuple[float, Positions]:
        """Return energy and gradient by automatic differentiation."""
        energy, gradient = self._slopes(jnp.asarray(positions), self._values)
        return float(energy), np.asarray(gradient)

    def hessian(self, positions: Positions) -> Hessian:
        """Return the second derivatives by automatic differentiation."""
        return np.asarray(self._curvature(jnp.asarray(positions), self._values)).reshape(positions.size, -1)


def _acting(stated: Sequence[Stated]) -> list[Stated]:
    return [one for one in stated if len(one.atoms) and one.term not in WITHOUT_ENERGY]


def _energy(parts: list[tuple[Term, np.ndarray]]) -> Callable[[Float[Array, "atoms 3"], list[Values]], Array]:
    """Return the energy [kcal/mol] of interactions as a function of positions [Å] and their values."""
    from jax_md import smap, space  # noqa: PLC0415  # pyright: ignore[reportMissingImports]
    from jax_md.mm_forcefields.amber.energy import (  # noqa: PLC0415  # pyright: ignore[reportMissingImports]
        harmonic_angle,
        harmonic_bond,
        lennard_jones,
        periodic_torsion,
    )

    apart, _ = space.free()
    distance = space.canonicalize_displacement_or_metric(apart)

    def of_part(term: Term, atoms: np.ndarray, values: Values) -> Callable[..., Any]:
        if term is HARMONIC_BEND:
            return smap.angle(harmonic_angle, apart, atoms, **values)
        if term in _TORSIONS:
            chains = np.tile(atoms, (len(values["k"]) // len(atoms), 1))
            return smap.torsion(periodic_torsion, apart, chains, **values)
        if term is COULOMB:
            return smap.bond(lambda dr, product, **_: product / dr, distance, atoms, **values)
        function = harmonic_bond if term in (HARMONIC_STRETCH, UREY_BRADLEY) else lennard_jones
        return smap.bond(function, distance, atoms, **values)

    def energy(positions: Float[Array, "atoms 3"], values: list[Values]) -> Array:
        each = [of_part(*part, given)(positions) for part, given in zip(parts, values, strict=True)]
        return sum(each, jnp.zeros(()))

    return energy
