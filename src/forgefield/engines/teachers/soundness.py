"""What a teacher must not do: leave the slope of its energy, mix up atoms, pass over a charge, be lost for numbers."""

from dataclasses import dataclass, replace

import numpy as np

from forgefield.engines.teachers.teacher import AbstractTeacher, Positions
from forgefield.errors import ConvergenceError
from forgefield.molecules.electrons import electron_problem
from forgefield.molecules.molecule import Molecule

_STEPS = (0.02, 0.005, 0.001)
"""Å that the atom which moves most is displaced by; the next where the one before says no. The second derivatives of
ANI-1x jump: at 0.02 Å its curl is up to 0.2 of a curvature, at 0.001 Å below 0.01; rounding does the rest."""
_SHARE = 0.02
"""Of a slope or of a usual curvature, that its two values may differ by. Forces whose atoms are of different members of
ANI-1x differ by 0.04 and more in ethanol."""
_NOISE = 0.3
"""kcal/mol/Å, and kcal/mol/Å² for curvatures, that may differ whatever they are: single precision makes 0.15 of ANI-1x
at the shortest step."""
_PAIRS = 2
"""Of directions: in one, forces without an energy may have no curl by chance."""
_JIGGLE = 0.03
"""Å that atoms are displaced by, lest forces are zero by symmetry."""


@dataclass(frozen=True)
class Soundness:
    """What was found out about a teacher on one molecule."""

    problems: tuple[str, ...]
    """Why its labels cannot be used, each as a sentence."""
    conservative: bool
    """Whether its forces are the slope of its energy."""


def soundness(teacher: AbstractTeacher, molecule: Molecule, *, allow_nonconservative: bool = False) -> Soundness:
    """Return what is wrong with the labels of a teacher near a structure.

    It takes some 15 labels, and up to 35 where forces are rough. Raises ConvergenceError where it has no answer there.
    """
    generator = np.random.default_rng(0)
    shifted = molecule.positions + generator.normal(scale=_JIGGLE, size=molecule.positions.shape)
    here = replace(molecule, positions=shifted)
    found = teacher.label(here)
    if found.energy is None or found.gradient is None or not np.isfinite(found.gradient).all():
        raise ConvergenceError(f"{molecule.name}: {teacher.identity.name} gives no finite energy and forces")
    pairs = (_curl(teacher, here, generator) for _ in range(_PAIRS))
    curl = next((said for said in pairs if said), None)
    broken = [said for said in (curl, _slope(teacher, here, generator)) if said]
    problems = [said for said in (_order(teacher, here, found.gradient), _charge(teacher, here)) if said]
    return Soundness(tuple(problems if allow_nonconservative else broken + problems), not broken)


def _unit(generator: np.random.Generator, shape: tuple[int, ...]) -> Positions:
    drawn = generator.normal(size=shape)
    return drawn / np.linalg.norm(drawn)


def _gradient(teacher: AbstractTeacher, molecule: Molecule, positions: Positions) -> Positions:
    found = teacher.label(replace(molecule, positions=positions)).gradient
    assert found is not None
    return found


def _energy(teacher: AbstractTeacher, molecule: Molecule, positions: Positions) -> float:
    found = teacher.label(replace(molecule, positions=positions)).energy
    assert found is not None
    return found


def _slope(teacher: AbstractTeacher, molecule: Molecule, generator: np.random.Generator) -> str | None:
    """Say whether the energy rises otherwise than its gradient says."""
    x = molecule.positions
    gradient = _gradient(teacher, molecule, x)
    # Half along the gradient, lest the slope is small by chance.
    d = gradient / max(np.linalg.norm(gradient), 1e-12) + _unit(generator, x.shape)
    d = d / np.linalg.norm(d)
    expected = float(np.sum(gradient * d))
    off = []
    for step in _STEPS:
        h = step / np.sqrt((d**2).sum(axis=1)).max()
        rise = (_energy(teacher, molecule, x + h * d) - _energy(teacher, molecule, x - h * d)) / (2.0 * h)
        off.append((abs(rise - expected), rise))
        if off[-1][0] <= _SHARE * abs(expected) + _NOISE:
            return None
    _, rise = min(off)
    return (
        f"the energy rises by {rise:.3f} kcal/mol/Å along a direction in which the forces say {expected:.3f}: "
        "the forces are not the slope of this energy"
    )


def _curl(teacher: AbstractTeacher, molecule: Molecule, generator: np.random.Generator) -> str | None:
    """Say whether the derivative of the gradient is no symmetric matrix, which no energy has."""
    x = molecule.positions
    u, v = _unit(generator, x.shape), _unit(generator, x.shape)
    off = []
    for step in _STEPS:
        h = step / np.sqrt(np.maximum((u**2).sum(axis=1), (v**2).sum(axis=1))).max()
        rises = [_gradient(teacher, molecule, x + h * d) - _gradient(teacher, molecule, x - h * d) for d in (u, v)]
        first, second = (float(np.sum(rise * d)) / (2.0 * h) for rise, d in zip(rises, (v, u), strict=True))
        # What the derivative along one of them has in a usual direction; in the other it may be small by chance.
        usual = np.sqrt(np.linalg.norm(rises[0]) * np.linalg.norm(rises[1]) / x.size) / (2.0 * h)
        off.append((abs(first - second), first, second))
        if off[-1][0] <= _SHARE * usual + _NOISE:
            return None
    _, first, second = min(off)
    return (
        f"the forces have no energy: their derivative is {first:.2f} kcal/mol/Å² along two directions and {second:.2f} "
        "with the directions exchanged (allow_nonconservative = true uses them nevertheless)"
    )


def _order(teacher: AbstractTeacher, molecule: Molecule, gradient: Positions) -> str | None:
    """Say whether forces do not follow their atoms when these are listed in another order."""
    if molecule.n_atoms < 2:
        return None
    moved = np.roll(np.arange(molecule.n_atoms), 1)
    other = replace(
        molecule,
        species=molecule.species[moved],
        positions=molecule.positions[moved],
        bonds=(np.asarray(molecule.bonds) + 1) % molecule.n_atoms,
        types=None if molecule.types is None else tuple(molecule.types[k] for k in moved),
        formal_charges=None if molecule.formal_charges is None else molecule.formal_charges[moved],
    )
    found = _gradient(teacher, other, other.positions)
    largest = float(np.abs(found - gradient[moved]).max())
    if largest <= _SHARE * float(np.abs(gradient).max()) + _NOISE:
        return None
    return (
        f"forces do not follow their atoms: with the last listed first, they change by up to {largest:.2f} kcal/mol/Å"
    )


def _charge(teacher: AbstractTeacher, molecule: Molecule) -> str | None:
    """Say whether a charged molecule gets the labels of the one with two electrons more or less."""
    if molecule.charge == 0 or teacher.acts_on_bonds:
        return None
    other = molecule.charge - int(np.sign(molecule.charge)) * 2
    if electron_problem(molecule.species, other, molecule.multiplicity):
        return None
    found, beside = (teacher.label(replace(molecule, charge=charge)).energy for charge in (molecule.charge, other))
    if found != beside:
        return None
    return f"the charge {molecule.charge:+d} is passed over: the energy with charge {other:+d} is the same"
