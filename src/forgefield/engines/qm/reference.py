"""Runs quantum chemistry: what a level of theory says of a molecule, where it is or at a stationary point near it."""

from dataclasses import replace
from typing import Literal
from warnings import warn

import numpy as np
from jaxtyping import Float

from forgefield.engines.qm.engine import AbstractEngine, label
from forgefield.engines.qm.optimise import Seen, climb, descend, ignore
from forgefield.engines.qm.pyscf import PySCF
from forgefield.engines.qm.xtb import XTB
from forgefield.errors import InputError, InputWarning
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.molecule import Molecule, Reference, standard_masses, symbol
from forgefield.properties.modes import vibrations

Task = Literal["point", "minimum", "saddle"]
Masses = Float[np.ndarray, " atoms"]

_XTB = {"gfn1": "GFN1-xTB", "gfn1-xtb": "GFN1-xTB", "gfn2": "GFN2-xTB", "gfn2-xtb": "GFN2-xTB"}
_DESCENTS = 5
"""Descents before a point with an imaginary frequency is given up on."""
_ASIDE = 0.2
"""Å by which the atom that moves most is displaced from a saddle."""
_NAMES = {0: "a minimum", 1: "a first-order saddle point"}


def run(
    molecule: Molecule, engine: AbstractEngine, task: Task, *, masses: Masses | None = None, seen: Seen = ignore
) -> tuple[Molecule, Reference]:
    """Return the molecule where the task ends, and its reference data there.

    `masses` [amu] are those of the most abundant isotopes where None; `seen` is told each geometry that an optimisation
    ends with, however it ends.
    """
    match task:
        case "point":
            return molecule, reference(molecule, engine, masses=masses)
        case "minimum":
            ended, found = minimum(molecule, engine, masses=masses, seen=seen)
            return _rebonded(molecule, ended), found
        case "saddle":
            return saddle(molecule, engine, masses=masses, seen=seen)


def _rebonded(start: Molecule, end: Molecule) -> Molecule:
    """Return the end of an optimisation with the bonds that it has there; an InputWarning names those that changed."""
    was, now = ({*map(tuple, perceive_bonds(start.species, m.positions)[0].tolist())} for m in (start, end))
    told = [
        f"{', '.join(_named(start, pairs))} {what}"
        for what, pairs in (("made", now - was), ("broken", was - now))
        if pairs
    ]
    if not told:
        return end
    warn(InputWarning(f"{label(start)}: bonds changed in the optimisation: {'; '.join(told)}"), stacklevel=3)
    bonds = np.array(sorted(now), dtype=np.int64).reshape(-1, 2)
    return replace(end, bonds=bonds, orders=np.ones(len(bonds)), formal_charges=None) if len(start.bonds) else end


def _named(molecule: Molecule, pairs: set[tuple[int, ...]]) -> list[str]:
    return ["-".join(f"{symbol(molecule.species[k])}{k + 1}" for k in pair) for pair in sorted(pairs)]


def engine_named(method: str, basis: str | None) -> AbstractEngine:
    """Return the engine of a method: gfn1 and gfn2 (or gfn1-xtb, gfn2-xtb), `hf`, or a functional.

    Raises InputError where the method is unknown, or has no basis set, or has one that it cannot use.
    """
    if method.lower() in _XTB:
        if basis is not None:
            raise InputError(f"{method} has a basis set of its own; leave {basis!r} out")
        return XTB(_XTB[method.lower()])
    return PySCF(method, basis or "")


def reference(molecule: Molecule, engine: AbstractEngine, *, masses: Masses | None = None) -> Reference:
    """Return energy, gradient, Hessian, frequencies and atomic charges at the geometry of the molecule.

    Frequencies are those of `forgefield.properties.modes`, with the masses of the most abundant isotopes where none are
    given. Raises InputError where the molecule does not fit the level, ConvergenceError where its SCF fails.
    """
    engine.check(molecule)
    found = engine.evaluate(molecule)
    hessian = engine.hessian(molecule, found.density)
    masses = standard_masses(molecule.species) if masses is None else masses
    return Reference(
        species=molecule.species,
        positions=molecule.positions,
        energy=found.energy,
        gradient=found.gradient,
        hessian=hessian,
        frequencies=vibrations(hessian, molecule.positions, masses).frequencies,
        masses=masses,
        level=engine.level,
        program=engine.program,
        charge=molecule.charge,
        multiplicity=molecule.multiplicity,
        sources=(molecule.source,) if molecule.source else (),
        charges=(engine.charges(molecule, found),),
    )


def bare(molecule: Molecule, masses: Masses | None) -> Reference:
    """Return a geometry of which nothing is known yet."""
    return Reference(
        species=molecule.species,
        positions=molecule.positions,
        masses=masses,
        charge=molecule.charge,
        multiplicity=molecule.multiplicity,
    )


def minimum(
    molecule: Molecule,
    engine: AbstractEngine,
    *,
    masses: Masses | None = None,
    max_steps: int = 200,
    seen: Seen = ignore,
) -> tuple[Molecule, Reference]:
    """Return the molecule at the minimum downhill from it, and its reference data there.

    From a saddle, where symmetry may have held it, it steps off along the lowest mode and goes on, some times. Raises
    ConvergenceError, or InputError where the last point has an imaginary frequency all the same.
    """
    engine.check(molecule)
    descents = 1
    while True:
        relaxed = descend(molecule, engine, max_steps=max_steps, seen=seen)
        found = reference(relaxed, engine, masses=masses)
        if _n_imaginary(found) == 0 or descents >= _DESCENTS:
            return relaxed, _of_order(0, relaxed, found)
        molecule, descents = _beside(relaxed, found), descents + 1


def saddle(
    molecule: Molecule,
    engine: AbstractEngine,
    *,
    masses: Masses | None = None,
    max_steps: int = 200,
    seen: Seen = ignore,
) -> tuple[Molecule, Reference]:
    """Return the molecule at the first-order saddle uphill along its lowest mode, and its reference data there.

    Raises ConvergenceError, or InputError where the point found has none or several imaginary frequencies.
    """
    engine.check(molecule)
    relaxed = climb(molecule, engine, max_steps=max_steps, seen=seen)
    return relaxed, _of_order(1, relaxed, reference(relaxed, engine, masses=masses))


def _n_imaginary(found: Reference) -> int:
    return 0 if found.frequencies is None else int((found.frequencies < 0.0).sum())


def _beside(molecule: Molecule, found: Reference) -> Molecule:
    """Return the molecule displaced along its lowest mode."""
    assert found.hessian is not None
    assert found.masses is not None
    mode = vibrations(found.hessian, molecule.positions, found.masses).vectors[:, 0].reshape(-1, 3)
    moved = mode / np.sqrt(found.masses)[:, None]
    return replace(molecule, positions=molecule.positions + _ASIDE * moved / np.linalg.norm(moved, axis=1).max())


def _of_order(order: int, molecule: Molecule, found: Reference) -> Reference:
    frequencies = np.zeros(0) if found.frequencies is None else found.frequencies
    imaginary = frequencies[frequencies < 0.0]
    if len(imaginary) == order:
        return replace(found, stationary_order=order)
    listed = ", ".join(f"{frequency:.1f} cm⁻¹" for frequency in imaginary) or "none"
    raise InputError(
        f"{label(molecule)}: the optimisation did not end at {_NAMES[order]}; imaginary frequencies there: {listed}; "
        "start from a geometry nearer to it or of lower symmetry"
    )
