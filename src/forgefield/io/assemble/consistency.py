"""Whether the Hessian of a QM job is that of its geometry and gives the frequencies that the job printed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from warnings import warn

import numpy as np
from jaxtyping import Float

from forgefield import units
from forgefield.errors import InputError, InputWarning
from forgefield.molecules.molecule import Reference, atomic_weights, standard_masses
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


_WEIGHTS = 5e-5
"""Share of a frequency by which programs differ for the digits of their atomic weights."""
_UNBALANCED = 0.02
"""Force of a rigid translation, as a share of the forces that cancel in it; QM jobs have 1e-10 to 0.0001."""
_STATIONARY = 0.01 * units.HARTREE_PER_BOHR
"""kcal/mol/Å: largest gradient of a converged optimisation; the loosest criteria of QM programs are a third of it."""


@dataclass(frozen=True, eq=False)
class FrequencyCheck:
    """How well a Hessian reproduces the printed frequencies."""

    masses: Float[np.ndarray, " atoms"]
    """With which it does [amu]."""
    weighted: bool
    """Whether they are atomic weights, because the job states no masses and isotopes do not agree."""
    projected: bool
    """Whether the better agreement is that with translations and rotations projected out."""
    deviation: float
    """Largest deviation [cm⁻¹]."""
    tolerance: float
    """Largest deviation that is accepted [cm⁻¹]."""


def checked(reference: Reference, *, trust: bool = False) -> Reference:
    """Return a reference after all checks, with the masses that reproduce its frequencies.

    Raises InputError for the first that fails; with `trust` each that fails is an InputWarning.
    """
    checks: tuple[Callable[[Reference], object], ...] = (check_gradient, check_translations, check_frame)
    masses = reference.masses
    for check in (*checks, check_frequencies):
        try:
            found = check(reference)
        except InputError as error:
            if not trust:
                raise
            warn(InputWarning(f"{error} (trusted all the same, as asked for)"), stacklevel=2)
        else:
            if masses is None and isinstance(found, FrequencyCheck) and found.weighted:
                masses = found.masses
    return replace(reference, masses=masses)


def check_gradient(reference: Reference) -> None:
    """Raise InputError where the gradient is none of the stationary point that the job says it found."""
    gradient = reference.gradient
    if gradient is None:
        return
    largest = np.abs(gradient).max(initial=0.0)
    if reference.stationary_order is not None and not reference.constraints and largest > _STATIONARY:
        raise InputError(
            f"{', '.join(reference.sources)}: the job says that its geometry is stationary, but the gradient is "
            f"up to {largest:.3g} kcal/mol/Å, accepted {_STATIONARY:.3g}; are they of one geometry?"
        )


def check_translations(reference: Reference) -> None:
    """Raise InputError where moving the molecule as a whole is not free of force."""
    if reference.hessian is None:
        return
    rows = reference.hessian.reshape(len(reference.species), 3, -1)
    residual, cancelling = np.linalg.norm(rows.sum(axis=0)), np.linalg.norm(np.abs(rows).sum(axis=0))
    if residual > _UNBALANCED * cancelling:
        raise InputError(
            f"{', '.join(reference.sources)}: moving the molecule as a whole is not free of force: the Hessian leaves "
            f"{residual:.3g} kcal/mol/Å², accepted {_UNBALANCED * cancelling:.3g}; is it whole, and was no atom frozen?"
        )


def check_frequencies(reference: Reference) -> FrequencyCheck | None:
    """Return how well the Hessian reproduces the printed frequencies, None where one of the two is absent.

    Both sorted lists are compared value by value, with translations and rotations projected out and without; masses
    are those of the job. Where it does not state them, they are those of the most abundant isotopes or the atomic
    weights, whichever agree. Raises InputError where none agrees to the tolerance or the job printed another number of
    frequencies than the molecule has.
    """
    hessian, printed = reference.hessian, reference.frequencies
    if hessian is None or printed is None:
        return None
    # Some programs print translations and rotations along, as zeros.
    printed = np.sort(printed[printed != 0.0])
    fine = COARSE_TOLERANCE if (printed == np.round(printed, 1)).all() else TOLERANCE
    isotopes, weights = standard_masses(reference.species), atomic_weights(reference.species)
    choices = [(isotopes, False, fine), (weights, True, max(fine, _WEIGHTS * np.abs(printed).max(initial=0.0)))]
    if reference.masses is not None:
        choices = [(reference.masses, False, fine)]
    checks = [_compared(reference, printed, *choice) for choice in choices]
    check = next((one for one in checks if one.deviation <= one.tolerance), checks[0])
    if check.deviation > check.tolerance:
        raise InputError(_contradiction(reference, hessian, printed, check))
    return check


def _compared(
    reference: Reference,
    printed: Float[np.ndarray, " printed"],
    masses: Float[np.ndarray, " atoms"],
    weighted: bool,
    tolerance: float,
) -> FrequencyCheck:
    assert reference.hessian is not None
    inside = frequencies(reference.hessian, reference.positions, masses)
    raw = unprojected_frequencies(reference.hessian, masses)
    if len(printed) not in (len(inside), len(raw)):
        files = ", ".join(reference.sources)
        raise InputError(f"{files}: {len(printed)} frequencies are printed, the molecule has {len(inside)}")
    deviations = {False: _deviation(raw, printed), True: _deviation(inside, printed)}
    projected = deviations[True] <= deviations[False]
    return FrequencyCheck(masses, weighted, projected, deviations[projected], tolerance)


def _deviation(computed: Float[np.ndarray, " computed"], printed: Float[np.ndarray, " printed"]) -> float:
    """Return the largest deviation from the printed values of those computed ones that are furthest from zero."""
    if len(computed) < len(printed):
        return np.inf
    vibrating = np.argsort(np.abs(computed))[len(computed) - len(printed) :]
    return float(np.abs(np.sort(computed[vibrating]) - printed).max(initial=0.0))


def _contradiction(
    reference: Reference,
    hessian: Float[np.ndarray, "coordinates coordinates"],
    printed: Float[np.ndarray, " printed"],
    check: FrequencyCheck,
) -> str:
    computed = frequencies(hessian, reference.positions, check.masses)
    raw = _deviation(unprojected_frequencies(hessian, check.masses), printed)
    message = (
        f"{', '.join(reference.sources)}: the Hessian contradicts the printed frequencies, by up to "
        f"{_deviation(computed, printed):.2f} cm⁻¹ with and {raw:.2f} cm⁻¹ without projection of translations and "
        f"rotations (accepted: {check.tolerance:g} cm⁻¹)"
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
    accepted = min(_TURNED * cancelling, _OFF * _force_of_turning(reference.hessian, turns))
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
