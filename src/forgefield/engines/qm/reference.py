"""Runs quantum chemistry: what a level of theory says of a molecule, where it is or at a stationary point near it."""

from dataclasses import replace
from typing import Literal

import numpy as np

from forgefield.engines.qm.engine import AbstractEngine, label
from forgefield.engines.qm.optimise import climb, descend
from forgefield.engines.qm.pyscf import PySCF
from forgefield.engines.qm.xtb import XTB
from forgefield.errors import InputError
from forgefield.molecules.molecule import Molecule, Reference, standard_masses
from forgefield.properties.modes import vibrations

Task = Literal["point", "minimum", "saddle"]

_XTB = {"gfn1": "GFN1-xTB", "gfn1-xtb": "GFN1-xTB", "gfn2": "GFN2-xTB", "gfn2-xtb": "GFN2-xTB"}
_NAMES = {0: "a minimum", 1: "a first-order saddle point"}


def run(molecule: Molecule, engine: AbstractEngine, task: Task) -> tuple[Molecule, Reference]:
    """Return the molecule where the task ends, and its reference data there."""
    match task:
        case "point":
            return molecule, reference(molecule, engine)
        case "minimum":
            return minimum(molecule, engine)
        case "saddle":
            return saddle(molecule, engine)


def engine_named(method: str, basis: str | None) -> AbstractEngine:
    """Return the engine of a method: gfn1 and gfn2 (or gfn1-xtb, gfn2-xtb), `hf`, or a functional.

    Raises InputError where the method is unknown, or has no basis set, or has one that it cannot use.
    """
    if method.lower() in _XTB:
        if basis is not None:
            raise InputError(f"{method} has a basis set of its own; leave {basis!r} out")
        return XTB(_XTB[method.lower()])
    return PySCF(method, basis or "")


def reference(molecule: Molecule, engine: AbstractEngine) -> Reference:
    """Return energy, gradient, Hessian, frequencies and atomic charges at the geometry of the molecule.

    Frequencies are those of `forgefield.properties.modes`, with the masses of the most abundant isotopes. Raises
    InputError where the molecule does not fit the level, ConvergenceError where its SCF fails.
    """
    engine.check(molecule)
    found = engine.evaluate(molecule)
    hessian = engine.hessian(molecule, found.density)
    masses = standard_masses(molecule.species)
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


def minimum(molecule: Molecule, engine: AbstractEngine, *, max_steps: int = 200) -> tuple[Molecule, Reference]:
    """Return the molecule at the minimum downhill from it, and its reference data there.

    Raises ConvergenceError, or InputError where the point found has an imaginary frequency.
    """
    engine.check(molecule)
    relaxed = descend(molecule, engine, max_steps=max_steps)
    return relaxed, _of_order(0, relaxed, reference(relaxed, engine))


def saddle(molecule: Molecule, engine: AbstractEngine, *, max_steps: int = 200) -> tuple[Molecule, Reference]:
    """Return the molecule at the first-order saddle uphill along its lowest mode, and its reference data there.

    Raises ConvergenceError, or InputError where the point found has none or several imaginary frequencies.
    """
    engine.check(molecule)
    relaxed = climb(molecule, engine, max_steps=max_steps)
    return relaxed, _of_order(1, relaxed, reference(relaxed, engine))


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
