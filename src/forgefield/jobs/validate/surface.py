"""The surface of a student about one molecule: its minimum, its frequencies, and every bond from short to long."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from forgefield.distil.sampling import stretched
from forgefield.engines.teachers.teacher import AbstractTeacher, Positions
from forgefield.errors import ConvergenceError
from forgefield.jobs.label.structures import relaxed
from forgefield.jobs.validate.answers import Answers
from forgefield.molecules.molecule import Molecule, atomic_weights
from forgefield.properties.matching import match_modes
from forgefield.properties.modes import Vibrations, vibrations
from forgefield.properties.rigid import superposed
from forgefield.report.student.findings import BondScan, Minimum

POINTS, COARSE = 65, 4
"""Lengths of each bond, of which the teacher computes every fourth."""
_FLAT = 0.01
"""Share of the range of slopes that a slope of the other sign must exceed."""


def minima(
    molecule: Molecule, student: AbstractTeacher, teacher: AbstractTeacher | None
) -> tuple[Minimum, Molecule | None, Molecule | None]:
    """Return how minima and frequencies compare, and the molecule in the minima of student and teacher."""
    reference = _minimum(molecule, teacher) if teacher is not None else None
    if isinstance(reference, str):
        return (
            Minimum(molecule.name, f"the teacher has none near the structure of lowest energy: {reference}"),
            None,
            None,
        )
    here = _minimum(reference or molecule, student)
    if isinstance(here, str):
        return Minimum(molecule.name, f"the student has none: {here}"), None, reference
    if reference is None or teacher is None:
        own = _vibrations(here, student)
        return (
            Minimum(
                molecule.name, "" if own.frequencies.min(initial=0.0) > -_SOFT else _SADDLE, student=own.frequencies
            ),
            here,
            None,
        )
    here = replace(here, positions=_laid_on(here.positions, reference.positions))
    rmsd = float(np.sqrt(np.mean(np.sum((here.positions - reference.positions) ** 2, axis=1))))
    bond = float(np.abs(_lengths(here) - _lengths(reference)).max(initial=0.0))
    own, theirs = _vibrations(here, student), _vibrations(reference, teacher)
    if len(own.eigenvalues) != len(theirs.eigenvalues):
        return Minimum(molecule.name, "only one of the two minima is linear", rmsd, bond), here, reference
    overlaps = (theirs.vectors.T @ own.vectors) ** 2
    partner = match_modes(overlaps, theirs.eigenvalues, own.eigenvalues)
    problem = "" if own.frequencies.min(initial=0.0) > -_SOFT else _SADDLE
    return Minimum(molecule.name, problem, rmsd, bond, theirs.frequencies, own.frequencies[partner]), here, reference


_SOFT = 20.0
"""cm⁻¹"""
_SADDLE = "where the student comes to rest it has an imaginary frequency"


_REST = 1e-3
"""kcal/mol/Å; the largest force left in a minimum. With fifty times as much a soft torsion is off by a tenth of an Å,
and a student that begins where its teacher rests stays there."""


def _minimum(molecule: Molecule, teacher: AbstractTeacher) -> Molecule | str:
    """Return a molecule in the nearest minimum, or why there is none."""
    try:
        return replace(molecule, positions=_at_rest(molecule, teacher))
    except ConvergenceError as error:
        return str(error)


def _at_rest(molecule: Molecule, teacher: AbstractTeacher) -> Positions:
    try:
        return relaxed(molecule, teacher, left=_REST)
    except ConvergenceError:
        # Energies in single precision tell no minimum as closely.
        return relaxed(molecule, teacher)


def _vibrations(molecule: Molecule, teacher: AbstractTeacher) -> Vibrations:
    every = np.eye(3 * molecule.n_atoms).reshape(-1, molecule.n_atoms, 3)
    products = teacher.label(molecule, every).products
    assert products is not None
    hessian = products.values.reshape(3 * molecule.n_atoms, -1)
    return vibrations(0.5 * (hessian + hessian.T), molecule.positions, atomic_weights(molecule.species))


def _laid_on(moving: Positions, target: Positions) -> Positions:
    found = superposed(jnp.asarray(moving)[None], jnp.asarray(target)[None], jnp.ones((1, len(target))))
    return np.asarray(found[0])


def _lengths(molecule: Molecule) -> Float[np.ndarray, " bonds"]:
    i, j = np.asarray(molecule.bonds).T
    return np.linalg.norm(molecule.positions[i] - molecule.positions[j], axis=1)


def scan_structures(molecule: Molecule) -> list[Molecule]:
    """Return a molecule with each bond from 0.7 to 1.5 times its length, `POINTS` structures for each bond."""
    return [replace(molecule, positions=x) for x in stretched(molecule, POINTS)]


def bond_scans(
    molecule: Molecule,
    structures: Sequence[Molecule],
    student: Answers,
    teacher: AbstractTeacher | None,
) -> list[BondScan]:
    """Return every bond of a molecule as `scan_structures` has stretched it, under the student and the teacher."""
    found = []
    lowest = float(student.energy.min())
    for k, (i, j) in enumerate(np.asarray(molecule.bonds).tolist()):
        part = slice(k * POINTS, (k + 1) * POINTS)
        x = np.array([one.positions for one in structures[part]])
        lengths = np.linalg.norm(x[:, i] - x[:, j], axis=1)
        along = (x[-1] - x[0]) / (lengths[-1] - lengths[0])
        slopes = np.einsum("pax,ax->p", np.array(student.gradient[part]), along)
        found.append(
            BondScan(
                molecule=molecule.name,
                bond="-".join(f"{molecule.symbols[a]}{a + 1}" for a in (i, j)),
                lengths=lengths,
                student=student.energy[part] - lowest,
                reference=_taught(structures[part], teacher),
                kink=kink(slopes),
                turns=tuple(lengths[turns(slopes)].tolist()),
            )
        )
    return found


def kink(slopes: Float[np.ndarray, " points"]) -> float:
    """Return how far a slope is off the cubic through its four neighbours but the next, as a share of their range.

    Of a smooth curve the difference falls with the fourth power of the spacing; of one with a kink it is half the jump.
    """
    even, odd = slopes[::2], slopes[1::2]
    said = (9.0 * (even[1:-2] + even[2:-1]) - even[:-3] - even[3:]) / 16.0
    spread = float(np.ptp(slopes))
    return float(np.abs(odd[1:-1] - said).max() / spread) if spread > 0.0 else 0.0


def turns(slopes: Float[np.ndarray, " points"]) -> list[int]:
    """Return where a curve that is to fall to its minimum and rise from there turns down: it is over a hill."""
    flat = _FLAT * float(np.ptp(slopes))
    signs = [(k, slope > 0.0) for k, slope in enumerate(slopes.tolist()) if abs(slope) > flat]
    return [k for (_, before), (k, rises) in pairwise(signs) if before and not rises]


def _taught(structures: Sequence[Molecule], teacher: AbstractTeacher | None) -> Float[np.ndarray, " points"]:
    """Return the energies of every fourth structure above the lowest; NaN for the others, and without an answer."""
    energies = np.full(len(structures), np.nan)
    if teacher is None:
        return energies
    for k in range(0, len(structures), COARSE):
        try:
            energies[k] = teacher.label(structures[k]).energy
        except ConvergenceError:
            continue
    return energies - np.nanmin(energies) if np.isfinite(energies).any() else energies
