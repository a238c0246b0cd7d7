"""Single numbers of a geometry or a Hessian that contradict all others: digits that were lost or exchanged."""

from collections.abc import Sequence
from pathlib import Path
from warnings import warn

import numpy as np
from jaxtyping import Float, Int

from forgefield.errors import InputError, InputWarning
from forgefield.molecules.molecule import Reference, standard_masses, symbol
from forgefield.properties.modes import rigid_motions

_ALONE = 30.0
"""How many times the root mean square of all others a difference must be to be damage; noise has up to 6."""
_FEWEST = 6
"""Rows of a Hessian from which on one pair of elements stands out among the others."""
_ROUNDING = 5e-5
"""Difference between the halves of a Hessian that may be rounding, as a share of its largest element."""
_ELEMENT, _ELEMENT_EXPLAINS = 1.5e-3, 0.8
"""Error of one element, as a share of the largest, and the share of the force of translations that it must explain; of
142 QM jobs none has more than 0.0008, of which one element explains 0.4."""
_SMALL, _SMALL_EXPLAINS, _SMALL_ATOMS = 1e-5, 0.95, 4
"""The same of a small error that stands alone, in molecules of so many atoms; of 55 QM jobs, one element explains
up to 0.83 of less than that, and 0.4 of more."""
_OUT, _SECOND, _LEAST, _ALIKE = 25.0, 4.0, 0.2, 0.1
"""Times the median of what columns of its atoms' elements leave, times the next of these, and kcal/mol/Å²: the error of
an element, which is felt in both its columns, to a tenth of it; of 25 QM jobs of four atoms or more, none has 0.1."""
_COLUMN = 2.5e-3
"""Sum of a column's elements for one direction, as a share of the largest element; 0.0008 in the same jobs."""
_AMONG_OTHERS = 20.0
"""Times the median of all such sums; what is larger is damage, as noise is alike in all columns."""
_ATOM, _ATOM_EXPLAINS = 1.5e-3, 0.9
"""Force of rotations, as a share of what a random Hessian of the same size would give, and the share of it that one
atom's position must explain; of the same jobs none has more than 0.0009, and 0.85 from four atoms on."""
_NET, _NET_SHARE = 5.0, 0.02
"""kcal/mol/Å, and a share of what cancels: the sum of all gradients of a molecule, which grids leave at 0.1 % of it."""
_TORQUE, _TORQUE_SHARE = 10.0, 0.02
"""kcal/mol, and a share of what cancels: the torque of all gradients; of 260 QM jobs none has 1 % and 10 kcal/mol."""
_TURNED = np.cross(np.eye(3)[:, None, :], np.eye(3))
"""How points on the axes move by turns: [axis of the turn, axis of the point, component]."""


def check_halves(source: str, matrix: Float[np.ndarray, "coordinates coordinates"]) -> None:
    """Raise InputError where one pair of elements differs between the halves of a Hessian as no other does."""
    if len(matrix) < _FEWEST:
        return
    apart = np.abs(np.triu(matrix - matrix.T))
    i, j = np.unravel_index(apart.argmax(), apart.shape)
    largest = float(apart[i, j])
    apart[i, j] = 0.0
    others = float(np.sqrt(2.0 * (apart**2).sum())) / max(len(matrix), 1)
    if largest > max(_ROUNDING * float(np.abs(matrix).max(initial=0.0)), _ALONE * others):
        raise InputError(
            f"{source}: the elements ({i + 1}, {j + 1}) and ({j + 1}, {i + 1}) of the Hessian are {matrix[i, j]:.6g} "
            f"and {matrix[j, i]:.6g}, and no others differ so much; the file is damaged"
        )


def check_elements(reference: Reference, *, slack: float = 1.0) -> None:
    """Raise InputError where elements of the Hessian make moving the molecule as a whole cost a force.

    Where one element alone does, the message names it. `slack` multiplies what is accepted.
    """
    hessian = reference.hessian
    if hessian is None or len(reference.species) == 1:
        return
    n = len(hessian)
    left = hessian.reshape(n // 3, 3, n).sum(axis=0)[np.arange(n) % 3]
    # An element and its mirror image leave the same in two columns.
    errors = (left + left.T) / 2.0
    explained = np.where(np.eye(n, dtype=bool), errors**2, 2.0 * errors**2)
    i, j = np.unravel_index(explained.argmax(), explained.shape)
    total = float((left[:3] ** 2).sum())
    size = abs(errors[i, j]) / (slack * np.abs(hessian).max(initial=1e-300))
    is_large = size > _ELEMENT and explained[i, j] > _ELEMENT_EXPLAINS * total
    is_alone = size > _SMALL and explained[i, j] > _SMALL_EXPLAINS * total and n >= 3 * _SMALL_ATOMS
    if (
        not (is_large or is_alone)
        and n >= 3 * _SMALL_ATOMS
        and (found := _standing_out(left, reference.species, slack))
    ):
        (i, j), is_alone = found, True
    if is_large or is_alone:
        raise InputError(
            f"{', '.join(reference.sources)}: the element ({i + 1}, {j + 1}) of the Hessian is {hessian[i, j]:.6g} "
            f"kcal/mol/Å², and all others ask for {hessian[i, j] - errors[i, j]:.6g}; the file is damaged"
        )
    k, j = np.unravel_index(np.abs(left[:3]).argmax(), (3, n))
    residual, accepted = float(abs(left[k, j])), slack * _COLUMN * float(np.abs(hessian).max(initial=0.0))
    if residual > accepted:
        is_noise = residual < _AMONG_OTHERS * float(np.median(np.abs(left[:3])))
        cause = "is the grid of the job too coarse for its functional?" if is_noise else "the file is damaged"
        raise InputError(
            f"{', '.join(reference.sources)}: moving the molecule along {'xyz'[k]} is not free of force: in column "
            f"{j + 1} the Hessian leaves {residual:.3g} kcal/mol/Å², accepted {accepted:.3g}; {cause}"
        )


def _standing_out(
    left: Float[np.ndarray, "coordinates coordinates"], species: Int[np.ndarray, " atoms"], slack: float
) -> tuple[int, int] | None:
    """Return the element whose error is felt alike in both its columns, far above what others of their atoms leave."""
    kinds = np.repeat(species, 3)
    noise = np.zeros(len(kinds))
    for kind in np.unique(kinds):
        noise[kinds == kind] = np.median(np.abs(left[:3, kinds == kind]))
    errors = (left + left.T) / 2.0
    floor = _LEAST / _OUT
    ratio = np.abs(left) / np.maximum(noise, floor)
    alike = np.abs(left - left.T) < _ALIKE * np.abs(errors)
    ratio = np.triu(np.minimum(ratio, ratio.T) * alike)
    i, j = np.unravel_index(ratio.argmax(), ratio.shape)
    largest = ratio[i, j]
    ratio[i, j] = 0.0
    return (int(i), int(j)) if largest > max(slack * _OUT, _SECOND * ratio.max()) else None


def check_atoms(reference: Reference, felt: Float[np.ndarray, "axes coordinates"], share: float) -> None:
    """Raise InputError where an error in one atom's position explains why turning the molecule costs a force.

    `felt` is that force, without what the gradient explains where that is known, and `share` its size as a share of
    what a random Hessian would give. Linear molecules are not looked at: atoms beside their axis cost little.
    """
    hessian, positions = reference.hessian, reference.positions
    if hessian is None or share <= _ATOM or len(positions) < 4:
        return
    if rigid_motions(positions, standard_masses(reference.species)).shape[1] < 6:
        return
    is_known = reference.gradient is not None
    force = (felt if is_known else symmetric(felt)).ravel()
    worst, atom, off = 0.0, 0, np.zeros(3)
    for k in range(len(positions)):
        answers = np.einsum("tpa,ac->ptc", _TURNED, hessian[3 * k : 3 * k + 3])
        rows = np.stack([(one if is_known else symmetric(one)).ravel() for one in answers])
        shift = np.linalg.lstsq(rows.T, force, rcond=None)[0]
        explains = 1.0 - float(((force - shift @ rows) ** 2).sum() / (force**2).sum())
        if explains > worst:
            worst, atom, off = explains, k, shift
    if worst > _ATOM_EXPLAINS:
        right = ", ".join(f"{x:.4f}" for x in positions[atom] - off)
        name = f"{symbol(reference.species[atom])}{atom + 1}"
        raise InputError(
            f"{', '.join(reference.sources)}: the position of atom {name} contradicts the Hessian, which asks for "
            f"about {right} Å; the file is damaged, or geometry and Hessian are of different jobs"
        )


def unbalanced(positions: Float[np.ndarray, "atoms 3"], gradient: Float[np.ndarray, "atoms 3"]) -> str:
    """Say whether the gradient moves or turns a molecule as a whole; nothing where it does not."""
    net, cancelling = np.linalg.norm(gradient.sum(axis=0)), np.linalg.norm(gradient, axis=1).sum()
    accepted = _NET + _NET_SHARE * cancelling
    if net > accepted:
        return f"the gradients of all atoms add up to {net:.3g} kcal/mol/Å, accepted {accepted:.3g}, and not to zero"
    arms = positions - positions.mean(axis=0)
    torque = np.linalg.norm(np.cross(arms, gradient).sum(axis=0))
    accepted = _TORQUE + _TORQUE_SHARE * (np.linalg.norm(arms, axis=1) * np.linalg.norm(gradient, axis=1)).sum()
    if torque > accepted:
        return f"the gradients turn the molecule with {torque:.3g} kcal/mol, accepted {accepted:.3g}"
    return ""


def tell_unbalanced(
    path: Path, frames: Sequence[tuple[str, Float[np.ndarray, "_ 3"] | None, Float[np.ndarray, "_ 3"] | None]]
) -> None:
    """Give an InputWarning where gradients of frames (name, positions, gradient) move or turn the molecule.

    Where those of more than half of them do, they are pieces of larger systems, of which nothing is said.
    """
    pushed = [(name, unbalanced(x, slope)) for name, x, slope in frames if x is not None and slope is not None]
    wrong = [(name, said) for name, said in pushed if said]
    if wrong and 2 * len(wrong) <= len(pushed):
        name, said = wrong[0]
        warn(InputWarning(f"{path}: frame {name}: {said}; nor do {len(wrong) - 1} more frames"), stacklevel=4)


def symmetric(felt: Float[np.ndarray, "axes coordinates"]) -> Float[np.ndarray, "axes coordinates"]:
    """Return the part of each atom's matrix of axes that is symmetric."""
    blocks = felt.reshape(3, -1, 3)
    return ((blocks + blocks.swapaxes(0, 2)) / 2.0).reshape(felt.shape)
