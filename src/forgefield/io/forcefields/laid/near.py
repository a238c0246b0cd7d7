"""How energies of pairs fade along bonds: those of nearer atoms are none, those three bonds apart scaled."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from forgefield.assign.explicit.system import System
from forgefield.errors import InputError
from forgefield.io.forcefields.laid.by_types import Types
from forgefield.io.forcefields.laid.pairs import Pair, Special, special_pairs
from forgefield.io.offenders import listed
from forgefield.molecules.paths import bond_separations
from forgefield.terms.nonbonded import LENNARD_JONES

_THREE_BONDS = 3
_SAME = 1e-7
"""Of scales, and relative of radii and depths."""


@dataclass(frozen=True, eq=False)
class Near:
    """The pairs three bonds apart."""

    pairs: dict[Pair, Special]
    """In ascending order."""
    charged: frozenset[Pair]
    """Those with an electrostatic energy if it is not scaled to none."""
    attracted: frozenset[Pair]
    """The same for the van der Waals energy."""

    def charge_scale(self, what: str) -> float:
        """Return what multiplies all electrostatic energies. Raises InputError where there are several such scales."""
        scales = {self.pairs[pair].charge for pair in self.charged}
        return _only(scales, f"{what} has one scale of electrostatic energies three bonds apart, here are")

    @property
    def of_one_scale(self) -> bool:
        """Whether all van der Waals energies are those of the atoms, multiplied by one number."""
        scales = [self.pairs[pair].scale for pair in self.attracted]
        known = [scale for scale in scales if scale is not None]
        own = any(one.scale is None for one in self.pairs.values())
        return not own and max(known, default=1.0) - min(known, default=1.0) <= _SAME

    def require_scaled(self, what: str) -> None:
        """Raise InputError that lists pairs whose van der Waals energies are not scaled ones of their atoms."""
        own = [f"{i + 1}-{j + 1}" for i, j in self.pairs if self.pairs[i, j].scale is None]
        if own:
            raise InputError(f"{what} cannot hold pairs with van der Waals energies of their own: {listed(own)}")

    def attraction_scale(self, what: str) -> float:
        """Return what multiplies all van der Waals energies. Raises InputError where that is not one number."""
        self.require_scaled(what)
        scales = {_number(self.pairs[pair].scale) for pair in self.attracted}
        return _only(scales, f"{what} has one scale of van der Waals energies three bonds apart, here are")


def _only(scales: set[float], complaint: str) -> float:
    if scales and max(scales) - min(scales) > _SAME:
        raise InputError(f"{complaint} {', '.join(f'{scale:g}' for scale in sorted(scales))}")
    return min(scales, default=1.0)


def _number(scale: float | None) -> float:
    assert scale is not None
    return scale


def near(system: System, what: str) -> Near:
    """Return the pairs three bonds apart.

    Raises InputError that lists nearer pairs that act, and farther ones that do not as all others do.
    """
    charges, depths = system.through_space.charges, system.through_space.parameters[:, 1]
    apart = bond_separations(system.n_atoms, system.bonds, limit=_THREE_BONDS + 1)
    three = [(i, j) for i, j in np.argwhere(np.triu(apart == _THREE_BONDS, 1)).tolist()]
    special = special_pairs(system, what, three)
    wrong, usual = [], Special((0.0, 0.0), 1.0, 1.0)
    for i, j in sorted({*special, *map(tuple, np.argwhere(np.triu(apart < _THREE_BONDS, 1)).tolist())}):
        one, wanted = special.get((i, j), usual), float(apart[i, j] > _THREE_BONDS)
        unlike = (charges[i] * charges[j] != 0.0 and one.charge != wanted) or (
            one.scale is None or (depths[i] * depths[j] != 0.0 and one.scale != wanted)
        )
        if apart[i, j] != _THREE_BONDS and unlike:
            wrong.append(f"{i + 1}-{j + 1}")
    if wrong:
        raise InputError(
            f"{what} leaves out pairs up to two bonds apart, and scales none but those three bonds apart: it cannot "
            f"hold {listed(wrong)}"
        )
    pairs = {pair: special[pair] for pair in three}
    charged = frozenset(pair for pair in pairs if charges[list(pair)].all())
    attracted = frozenset(pair for pair in pairs if depths[list(pair)].all())
    return Near(pairs, charged, attracted)


def require_lorentz_berthelot(system: System, what: str) -> None:
    """Raise InputError for a system whose van der Waals radii do not combine as sums."""
    space = system.through_space
    if space.term is not LENNARD_JONES and space.parameters[:, 1].any():
        raise InputError(f"{what} adds van der Waals radii, and cannot hold {space.term.name}")


def parameters_of_near(system: System, pairs: Near, types: Types) -> Float[np.ndarray, "types 2"] | None:
    """Return radii and depths of types that give pairs three bonds apart the minima that they have.

    They are as near to those of the types as they can be. None where no values of types do.
    """
    count = max(types) + 1
    known = np.zeros((count, 2))
    known[list(types)] = system.through_space.parameters
    acting = {(types[i], types[j]): one.minimum for (i, j), one in pairs.pairs.items() if one.minimum[1] > 0.0}
    silent = [(i, j) for (i, j), one in pairs.pairs.items() if one.minimum[1] == 0.0 and (i, j) in pairs.attracted]
    if not acting:
        return np.where([True, not silent], known, 0.0)
    depths = np.where(known[:, 1] > 0.0, known[:, 1], 1.0)
    rows = np.zeros((len(acting), count))
    for row, (one, other) in enumerate(acting):
        rows[row, one] += 1.0
        rows[row, other] += 1.0
    radii, wells = np.array(list(acting.values())).T
    lengths = known[:, 0] + np.linalg.lstsq(rows, radii - rows @ known[:, 0], rcond=None)[0]
    logs = np.log(depths) + np.linalg.lstsq(rows, 2.0 * np.log(wells) - rows @ np.log(depths), rcond=None)[0]
    used = rows.any(axis=0)
    found = np.stack([np.where(used, lengths, known[:, 0]), np.where(used, np.exp(logs), 0.0)], axis=1)
    fits = np.allclose(rows @ found[:, 0], radii, rtol=_SAME)
    fits &= np.allclose(rows @ logs, 2.0 * np.log(wells), rtol=0.0, atol=_SAME)
    free = all(found[types[i], 1] * found[types[j], 1] == 0.0 for i, j in silent)
    return found if fits and free else None
