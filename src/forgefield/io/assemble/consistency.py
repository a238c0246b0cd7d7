"""Whether the Hessian of a QM job is that of its geometry and gives the frequencies that the job printed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from warnings import warn

import numpy as np
from jaxtyping import Float

from forgefield import units
from forgefield.errors import InputError, InputWarning
from forgefield.io.assemble.damage import check_atoms, check_elements, symmetric, unbalanced
from forgefield.io.offenders import listed
from forgefield.molecules.molecule import Reference, atomic_weights, standard_masses, symbol
from forgefield.properties.modes import frequencies, rigid_motions, unprojected_frequencies

TOLERANCE = 0.1
"""cm⁻¹"""
COARSE_TOLERANCE = 1.0
"""cm⁻¹, where the job printed fewer than two decimals."""
_HIGHEST = 6000.0
"""cm⁻¹; H2 has 4401, and no molecule more than 4500."""
_WITH_HYDROGEN, _WITHOUT = (2000.0, 4700.0), (400.0, 2600.0)
"""cm⁻¹; where the highest frequency of a molecule lies."""
_UNITS = {
    "kcal/mol/Å^2": 1.0,
    "eV/Å^2": units.ELECTRONVOLT,
    "kJ/mol/Å^2": units.KILOJOULE,
    "mdyn/Å": units.MILLIDYNE_PER_ANGSTROM,
    "kJ/mol/nm^2": units.KILOJOULE / units.NANOMETRE**2,
}
"""In which Hessians are stored besides Hartree/Bohr² [kcal/mol/Å²]."""
_ALMOST_LINEAR = 1e-3
"""Smallest moment of inertia, as a share of the largest, of a molecule that no program takes for a linear one."""
_TURNED = 0.015
"""Force of a rigid rotation, as a share of what a random Hessian of the same size would give, beyond which the frame is
a wrong one.

QM jobs have up to 0.0003, of a linear saddle 0.008; a frame that is off by 0.3 rad has 0.1 in a molecule of six atoms.
"""
_OFF = 0.04
"""rad: the same as the angle by which the frame is off, whatever the size of the molecule; QM jobs have up to 0.003, of
a linear saddle 0.02."""
_WEIGHTS = 5e-5
"""Share of a frequency by which programs differ for the digits of their atomic weights."""
_UNBALANCED = 0.02
"""Force of a rigid translation, as a share of the forces that cancel in it; QM jobs have 1e-10 to 0.0001."""
_NOTHING = 0.01
"""kcal/mol/Å²: what rounding and displacements leave of the Hessian of an atom."""
_NOISY = 4.0
"""Factor of what is accepted where the Hessian gives the printed frequencies: coarse grids leave forces."""
_SOFT = 150.0
"""cm⁻¹; of lower frequencies the squares are compared, as errors of a Hessian change them."""
_DEEPEST, _HIGHEST_ENERGY = 1.2, 5.0
"""Hartree per Z^(7/3), and per atom."""
_STEEPEST = 1e5
"""kcal/mol/Å; atoms at half the length of their bond have 1e4."""
_CHARGES_OFF = 0.02
"""e by which atomic charges may miss that of the molecule."""
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
    checks: tuple[Callable[[Reference], object], ...] = (
        check_energy,
        check_gradient,
        check_stiffness,
        check_whole,
        check_translations,
        check_elements,
        check_frame,
    )
    masses = reference.masses
    if _confirmed(reference):
        checks = tuple(one for one in checks if one not in (check_translations, check_elements))
        checks = (*checks, partial(check_translations, slack=_NOISY), partial(check_elements, slack=_NOISY))
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
    return replace(_with_sound_charges(reference), masses=masses)


def _confirmed(reference: Reference) -> bool:
    """Say whether the Hessian gives the printed frequencies, so that what else is off with it is noise of the job."""
    try:
        return check_frequencies(reference) is not None
    except InputError:
        return False


def check_energy(reference: Reference) -> None:
    """Raise InputError where the energy is one that nuclei and electrons cannot have.

    The energy of atoms of Thomas and Fermi, 0.77 Z^(7/3) Hartree, is below that of any molecule; heats of formation are
    near zero.
    """
    energy, n_atoms = reference.energy, len(reference.species)
    if energy is None:
        return
    deepest = -_DEEPEST * units.HARTREE * float((reference.species ** (7.0 / 3.0)).sum())
    highest = _HIGHEST_ENERGY * units.HARTREE * n_atoms
    if not deepest <= energy <= highest:
        found, low, high = (value / units.HARTREE for value in (energy, deepest, highest))
        raise InputError(
            f"{', '.join(reference.sources)}: the energy is {found:.8g} Hartree, and that of these atoms lies between "
            f"{low:.6g} and {high:.3g}; is it in another unit, or of other atoms?"
        )


def check_gradient(reference: Reference) -> None:
    """Raise InputError where the gradient moves or turns the molecule as a whole, or is none of the stationary point
    that the job says it found. Frames that no program signs may be pieces of larger systems."""
    gradient = reference.gradient
    if gradient is None:
        return
    largest = np.abs(gradient).max(initial=0.0)
    if largest > _STEEPEST:
        raise InputError(
            f"{', '.join(reference.sources)}: the gradient is up to {largest:.3g} kcal/mol/Å, and no molecule has one "
            f"above {_STEEPEST:.0e}; is the file damaged, or the gradient in another unit?"
        )
    said = unbalanced(reference.positions, gradient) if reference.program else ""
    if said:
        raise InputError(f"{', '.join(reference.sources)}: {said}; is the file damaged, or is there an outer field?")
    if reference.stationary_order is not None and not reference.constraints and largest > _STATIONARY:
        raise InputError(
            f"{', '.join(reference.sources)}: the job says that its geometry is stationary, but the gradient is "
            f"up to {largest:.3g} kcal/mol/Å, accepted {_STATIONARY:.3g}; are they of one geometry?"
        )


def _with_sound_charges(reference: Reference) -> Reference:
    """Return a reference without atomic charges that do not add up to that of the molecule; of these an InputWarning
    tells."""
    totals = {one.kind: float(one.values.sum()) for one in reference.charges}
    wrong = {kind: total for kind, total in totals.items() if abs(total - reference.charge) > _CHARGES_OFF}
    if wrong:
        named = ", ".join(f"{kind} ({total:.3f} e)" for kind, total in wrong.items())
        said = f"do not add up to that of the molecule ({reference.charge}) and are left out"
        asked = "is the file damaged, or the charge not stated?"
        warn(InputWarning(f"{', '.join(reference.sources)}: charges {named} {said}; {asked}"), stacklevel=3)
    return replace(reference, charges=tuple(one for one in reference.charges if one.kind not in wrong))


def check_whole(reference: Reference) -> None:
    """Raise InputError where the Hessian is one of a part of the atoms."""
    if reference.hessian is None or len(reference.species) == 1:
        return
    frozen = np.flatnonzero(~reference.hessian.reshape(len(reference.species), -1).any(axis=1))
    if frozen.size:
        atoms = listed([f"{symbol(reference.species[i])}{i + 1}" for i in frozen])
        raise InputError(
            f"{', '.join(reference.sources)}: the Hessian is zero for atom(s) {atoms}: they were frozen; a Hessian of "
            "all atoms is needed"
        )


def check_translations(reference: Reference, *, slack: float = 1.0) -> None:
    """Raise InputError where moving the molecule as a whole costs a force; `slack` multiplies what is accepted."""
    if reference.hessian is None:
        return
    rows = reference.hessian.reshape(len(reference.species), 3, -1)
    residual, cancelling = np.linalg.norm(rows.sum(axis=0)), np.linalg.norm(np.abs(rows).sum(axis=0))
    accepted = max(slack * _UNBALANCED * cancelling, _NOTHING)
    if residual > accepted:
        raise InputError(
            f"{', '.join(reference.sources)}: moving the molecule as a whole is not free of force: the Hessian leaves "
            f"{residual:.3g} kcal/mol/Å², accepted {accepted:.3g}; is it whole, and was no atom frozen?"
        )


def check_frequencies(reference: Reference) -> FrequencyCheck | None:
    """Return how well the Hessian reproduces the printed frequencies, None where one of the two is absent.

    Both sorted lists are compared value by value, with translations and rotations projected out and without; masses
    are those of the job. Where it does not state them, they are those of the most abundant isotopes or the atomic
    weights, whichever agree. A molecule that is almost linear may have been taken for a linear one or not, and where
    one frequency is missing the path along the gradient may have been projected out too; where rotations were not
    projected out, three more are printed. Raises InputError where none
    agrees to the tolerance, or the job printed another number of frequencies.
    """
    hessian, printed = reference.hessian, reference.frequencies
    if printed is not None and np.abs(printed).max(initial=0.0) > _HIGHEST:
        raise InputError(
            f"{', '.join(reference.sources)}: a frequency of {np.abs(printed).max():.0f} cm⁻¹ is printed, and no "
            "molecule has one above 4500; the file is damaged"
        )
    if hessian is None or printed is None:
        return None
    # Some programs print translations and rotations along, as zeros.
    printed = np.sort(printed[printed != 0.0])
    fine = COARSE_TOLERANCE if (printed == np.round(printed, 1)).all() else TOLERANCE
    isotopes, weights = standard_masses(reference.species), atomic_weights(reference.species)
    choices = [(isotopes, False, fine), (weights, True, max(fine, _WEIGHTS * np.abs(printed).max(initial=0.0)))]
    if reference.masses is not None:
        # Those that were found here before are the atomic weights again.
        found = np.array_equal(reference.masses, weights)
        choices = choices[1:] if found else [(reference.masses, False, fine)]
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
    inside = _inside(reference.hessian, reference, masses, len(printed))
    raw = unprojected_frequencies(reference.hessian, masses)
    if len(printed) not in (len(inside), len(raw) - 3, len(raw)):
        files = ", ".join(reference.sources)
        raise InputError(f"{files}: {len(printed)} frequencies are printed, the molecule has {len(inside)}")
    deviations = {False: _deviation(raw, printed), True: _deviation(inside, printed)}
    projected = deviations[True] <= deviations[False]
    deviation = _deviation(inside if projected else raw, printed, soft=_SOFT)
    if deviation > tolerance:
        free = _free(reference.hessian, reference.positions)
        other = _deviation(frequencies(free, reference.positions, masses), printed, soft=_SOFT)
        projected, deviation = (True, other) if other <= tolerance else (projected, deviation)
    return FrequencyCheck(masses, weighted, projected, deviation, tolerance)


def _inside(
    hessian: Float[np.ndarray, "coordinates coordinates"],
    reference: Reference,
    masses: Float[np.ndarray, " atoms"],
    n_printed: int,
) -> Float[np.ndarray, " modes"]:
    """Return the frequencies with rigid motions projected out, in the first way that gives as many as were printed."""
    usual = frequencies(hessian, reference.positions, masses)
    for linear in (_ALMOST_LINEAR, 0.0):
        if len(usual) != n_printed and len(reference.species) > 2:
            other = frequencies(hessian, reference.positions, masses, linear=linear)
            usual = other if len(other) == n_printed else usual
    if len(usual) == n_printed + 1 and reference.gradient is not None:
        return frequencies(hessian, reference.positions, masses, across=reference.gradient)
    return usual


def _free(
    hessian: Float[np.ndarray, "coordinates coordinates"], positions: Float[np.ndarray, "atoms 3"]
) -> Float[np.ndarray, "coordinates coordinates"]:
    """Return a Hessian without its forces on and by rigid motions; AMS takes them out before it looks at masses."""
    rigid = rigid_motions(positions, np.ones(len(positions)))
    inside = np.eye(len(hessian)) - rigid @ rigid.T
    return inside @ hessian @ inside


def _deviation(
    computed: Float[np.ndarray, " computed"], printed: Float[np.ndarray, " printed"], *, soft: float = 0.0
) -> float:
    """Return the largest deviation from the printed values of those computed ones that are furthest from zero.

    Of those below `soft` it is that of their squares, divided by twice `soft`.
    """
    if len(computed) < len(printed):
        return np.inf
    vibrating = np.argsort(np.abs(computed))[len(computed) - len(printed) :]
    found = np.sort(computed[vibrating])
    apart = np.abs(found - printed)
    largest = np.maximum(np.abs(found), np.abs(printed))
    return float(np.where(largest < soft, apart * largest / max(soft, 1.0), apart).max(initial=0.0))


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


def check_stiffness(reference: Reference) -> None:
    """Raise InputError where a Hessian gives frequencies that no molecule has, with the unit that it may be in."""
    if reference.hessian is None:
        return
    masses = standard_masses(reference.species) if reference.masses is None else reference.masses
    weights = np.repeat(1.0 / np.sqrt(masses), 3)
    # No eigenvalue is above the largest sum of a row.
    bound = np.abs(weights[:, None] * reference.hessian * weights).sum(axis=1).max()
    if np.sqrt(bound) * units.WAVENUMBER <= _HIGHEST:
        return
    highest = float(unprojected_frequencies(reference.hessian, masses).max())
    if highest <= _HIGHEST:
        return
    low, high = _WITH_HYDROGEN if (reference.species == 1).any() else _WITHOUT
    likely = [unit for unit, size in _UNITS.items() if low <= highest * np.sqrt(size / units.HARTREE_PER_BOHR2) <= high]
    said = f", but most likely in {' or '.join(likely)}" if likely else ""
    example = f'; under [[molecules]] of a FIT.toml, hessian_unit = "{likely[0]}" says so of an .npy' if likely else ""
    raise InputError(
        f"{', '.join(reference.sources)}: the Hessian gives a frequency of {highest:.0f} cm⁻¹, and no molecule has one "
        f"above 4500: it is not in Hartree/Bohr²{said}{example}"
    )


def check_frame(reference: Reference) -> None:
    """Raise InputError where the Hessian is in another orientation than the geometry.

    The energy does not change when the molecule turns, so H (ω × x) = ω × g for every axis ω, where g is the gradient.
    Where that is not known, there must be one: what an atom feels is antisymmetric in its axis and that of the turn.
    Where one atom's position explains what is left, the message names it.
    """
    if reference.hessian is None:
        return
    centred = reference.positions - reference.positions.mean(axis=0)
    turns = np.cross(np.eye(3)[:, None, :], centred).reshape(3, -1)
    felt = turns @ reference.hessian
    if reference.gradient is None:
        residual = float(np.linalg.norm(symmetric(felt)))
    else:
        felt = felt - np.cross(np.eye(3)[:, None, :], reference.gradient).reshape(3, -1)
        residual = float(np.linalg.norm(felt))
    size = float(np.linalg.norm(turns) * np.linalg.norm(reference.hessian)) / np.sqrt(centred.size)
    check_atoms(reference, felt, residual / size if size else 0.0)
    accepted = min(_TURNED * size, _OFF * _force_of_turning(reference.hessian, turns))
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
        forces.append(np.linalg.norm(symmetric(turned @ hessian - crossed)))
    return float(np.linalg.norm(forces) / np.sqrt(len(forces)))
