"""Whether the Hessian of a QM job is that of its geometry and gives the frequencies that the job printed."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from forgefield.errors import InputError
from forgefield.molecules.molecule import Reference, standard_masses
from forgefield.properties.modes import frequencies, unprojected_frequencies

TOLERANCE = 0.1
"""cm⁻¹"""
COARSE_TOLERANCE = 1.0
"""cm⁻¹, where the job printed fewer than two decimals."""
_TURNED = 0.02
"""Force of a rigid rotation, as a share of the forces that cancel in it, beyond which the frame is a wrong one.

QM jobs have 0.0001 to 0.002; a frame that is off by 0.3 rad has 0.1 in a molecule of six atoms, 0.02 in one of forty.
"""
_OFF = 0.15
"""rad: the same as the angle by which the frame is off, whatever the size of the molecule; QM jobs have up to 0.01."""

_NEARLY = 0.02
"""rad; so little is accepted in any case."""


@dataclass(frozen=True)
class FrequencyCheck:
    """How well a Hessian reproduces the printed frequencies."""

    projected: bool
    """Whether the better agreement is that with translations and rotations projected out."""
    deviation: float
    """Largest deviation [cm⁻¹]."""
    tolerance: float
    """Largest deviation that is accepted [cm⁻¹]."""


def check_frequencies(reference: Reference) -> FrequencyCheck | None:
    """Return how well the Hessian reproduces the printed frequencies, None where one of the two is absent.

    Both sorted lists are compared value by value, with translations and rotations projected out and without; masses
    are those of the job, else of the most abundant isotopes. Raises InputError where neither agrees to the tolerance
    or the job printed another number of frequencies than the molecule has.
    """
    if reference.hessian is None or reference.frequencies is None:
        return None
    files = ", ".join(reference.sources)
    masses = standard_masses(reference.species) if reference.masses is None else reference.masses
    # Some programs print translations and rotations along, as zeros.
    printed = np.sort(reference.frequencies[reference.frequencies != 0.0])
    inside = frequencies(reference.hessian, reference.positions, masses)
    raw = unprojected_frequencies(reference.hessian, masses)
    if len(printed) not in (len(inside), len(raw)):
        raise InputError(f"{files}: {len(printed)} frequencies are printed, the molecule has {len(inside)}")
    deviations = {False: _deviation(raw, printed), True: _deviation(inside, printed)}
    projected = deviations[True] <= deviations[False]
    tolerance = COARSE_TOLERANCE if (printed == np.round(printed, 1)).all() else TOLERANCE
    if deviations[projected] > tolerance:
        raise InputError(_contradiction(files, deviations, tolerance, inside, printed))
    return FrequencyCheck(projected, deviations[projected], tolerance)


def _deviation(computed: Float[np.ndarray, " computed"], printed: Float[np.ndarray, " printed"]) -> float:
    """Return the largest deviation from the printed values of those computed ones that are furthest from zero."""
    if len(computed) < len(printed):
        return np.inf
    vibrating = np.argsort(np.abs(computed))[len(computed) - len(printed) :]
    return float(np.abs(np.sort(computed[vibrating]) - printed).max(initial=0.0))


def _contradiction(
    files: str,
    deviations: dict[bool, float],
    tolerance: float,
    computed: Float[np.ndarray, " modes"],
    printed: Float[np.ndarray, " printed"],
) -> str:
    message = (
        f"{files}: the Hessian contradicts the printed frequencies, by up to {deviations[True]:.2f} cm⁻¹ with and "
        f"{deviations[False]:.2f} cm⁻¹ without projection of translations and rotations (accepted: {tolerance:g} cm⁻¹)"
    )
    if len(computed) == len(printed):
        worst = np.argsort(-np.abs(computed - printed))[:3]
        pairs = ", ".join(f"{computed[i]:.2f} for {printed[i]:.2f}" for i in sorted(worst))
        message += f"; the worst with projection: {pairs}"
    return message + ". Are they of the same job, geometry and isotopes?"


def check_frame(reference: Reference) -> None:
    """Raise InputError where the Hessian is in another orientation than the geometry.

    The energy does not change when the molecule turns, so H (ω × x) = ω × g for every axis ω, where g is the gradient.
    """
    if reference.hessian is None:
        return
    centred = reference.positions - reference.positions.mean(axis=0)
    gradient = np.zeros_like(centred) if reference.gradient is None else reference.gradient
    turns = np.cross(np.eye(3)[:, None, :], centred).reshape(3, -1)
    forces = np.cross(np.eye(3)[:, None, :], gradient).reshape(3, -1)
    cancelling = np.linalg.norm(np.abs(turns) @ np.abs(reference.hessian))
    residual = np.linalg.norm(turns @ reference.hessian - forces)
    # Nothing cancels in turns of a molecule that lies along an axis.
    turned = _force_of_turning(reference.hessian, turns)
    accepted = min(max(_TURNED * cancelling, _NEARLY * turned), _OFF * turned)
    if residual > accepted:
        raise InputError(
            f"{', '.join(reference.sources)}: the Hessian does not belong to this geometry: turning the molecule "
            f"is not free of force ({residual:.3g} kcal/mol/Å, accepted {accepted:.3g}); "
            "geometry and Hessian must be of the same orientation and the same order of atoms"
        )


def _force_of_turning(
    hessian: Float[np.ndarray, "coordinates coordinates"], turns: Float[np.ndarray, "axes coordinates"]
) -> float:
    """Return the force of a rigid rotation per radian by which the frame is off, its mean square over the axes."""
    forces = []
    for axis in np.eye(3):
        generator = np.cross(axis, np.eye(3)).T
        turned, crossed = (
            (rows.reshape(len(turns), -1, 3) @ generator).reshape(turns.shape) for rows in (turns, turns @ hessian)
        )
        # A Hessian turned by a small angle changes by its commutator with the generator.
        forces.append(turned @ hessian - crossed)
    return float(np.linalg.norm(forces) / np.sqrt(len(forces)))
