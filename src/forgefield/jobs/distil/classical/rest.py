"""The geometry in which a molecule gets its types: at rest, as bonds that shake are of all lengths."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize

from forgefield.assign.assignment import Assignment
from forgefield.assign.generated import generate
from forgefield.distil.sampling import clashes
from forgefield.fitting.frames.frames import Frames
from forgefield.jobs.distil.classical.fitted import answers_of, fitted, standing
from forgefield.jobs.distil.classical.labelled import Labelled
from forgefield.jobs.distil.classical.plan import ClassicalPlan, generated
from forgefield.molecules.molecule import Molecule, Reference

_RESTING = 0.5
"""kcal/mol/Å; the largest component of the gradient of a structure that is relaxed."""
_REACH = 2
"""Bonds that surroundings reach in the force field by which others are relaxed."""
_MOST_STEPS = 300


def at_rest(labelled: Sequence[Labelled], plan: ClassicalPlan) -> list[Labelled]:
    """Return the molecules in their lowest structure that is relaxed.

    Where the data set has none, a harmonic force field that is fitted first relaxes the lowest one.
    """
    resting = [_lowest_resting(one) for one in labelled]
    found = [
        one if there is None else standing(one, there.positions) for one, there in zip(labelled, resting, strict=True)
    ]
    shaking = [k for k, there in enumerate(resting) if there is None]
    if not shaking:
        return found
    whole = [found[k].whole() for k in shaking]
    made = generated("harmonic", nonbonded="uff")
    laid = generate([one.molecule for one in whole], made.terms, depth=_REACH, van_der_waals=made.van_der_waals)
    first = fitted(laid, whole, plan, made=True).assignment
    for m, k in enumerate(shaking):
        found[k] = standing(found[k], _relaxed(first, m, found[k].molecule.positions))
    return found


def collapsed(laid: Assignment, molecules: Sequence[Molecule]) -> list[str]:
    """Return the names of molecules in whose minimum atoms that are not bonded clash."""
    return [
        molecule.name
        for m, molecule in enumerate(molecules)
        if clashes(molecule, _relaxed(laid, m, molecule.positions))
    ]


def _lowest_resting(labelled: Labelled) -> Reference | None:
    resting = [r for r in labelled.references if r.gradient is not None and np.abs(r.gradient).max() < _RESTING]
    return min(resting, key=lambda reference: float(reference.energy or 0.0), default=None)


def _relaxed(laid: Assignment, molecule: int, positions: Float[np.ndarray, "atoms 3"]) -> Float[np.ndarray, "atoms 3"]:
    """Return the minimum of a force field near a structure (L-BFGS)."""
    n = len(positions)

    def surface(x: np.ndarray) -> tuple[float, np.ndarray]:
        nothing = np.zeros((1, 0, n, 3))
        at = Frames(x.reshape(1, n, 3), np.zeros(1), np.zeros((1, n, 3)), nothing, nothing)
        found = answers_of(laid, molecule, at)
        return float(found.energy[0]), found.gradient[0].ravel()

    return minimize(
        surface, positions.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": _MOST_STEPS}
    ).x.reshape(n, 3)
