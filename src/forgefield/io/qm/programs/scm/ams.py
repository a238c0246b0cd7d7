"""Reads what AMS prints and the .rkf file of its engine."""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.assemble.parts import Part, full_hessian
from forgefield.io.qm.programs.molden import with_modes
from forgefield.io.qm.programs.printout import NUMBER, Kind, Printout, vibrations
from forgefield.io.qm.programs.scm.kf import KfFile
from forgefield.molecules.molecule import AtomicCharges

_VERSION = re.compile(r"\bAMS (20\d\d\.\d+)")
_GEOMETRY = "  Index Symbol   x (angstrom)"
_ATOM = re.compile(rf" *\d+ +([A-Z][a-z]?)\S* +({NUMBER}) +({NUMBER}) +({NUMBER}).*")
_SLOPE = re.compile(rf" *\d+ +[A-Z][a-z]?\S* +({NUMBER}) +({NUMBER}) +({NUMBER}) *")
_CHARGE = re.compile(rf" *\d+ +[A-Z][a-z]?\S* +({NUMBER}) *")
_FREQUENCY = re.compile(rf" *\d+ +({NUMBER}) +{NUMBER}.*")
_MODE = re.compile(rf"^ *\d+ +[A-Z][a-z]?\S* +({NUMBER}) +({NUMBER}) +({NUMBER}) *$", re.MULTILINE)
_ENERGY = re.compile(r"^ *Energy \(hartree\) +(\S+)", re.MULTILINE)
_TOTAL_CHARGE = re.compile(r"Total System Charge +(-?\d+)\.")
_MODEL = re.compile(
    r"^ *(?:Model|(?:Meta)?GGA|(?:Meta)?Hybrid|LDA|HartreeFock)\b *(.*?) *$", re.MULTILINE | re.IGNORECASE
)
_UNPAIRED = re.compile(r"^ *SpinPolarization +(\d+)\b", re.MULTILINE | re.IGNORECASE)
"""Of the input of an engine: model or functional, and electrons of one spin more than of the other."""


PERIODIC = "is periodic; what is read is a molecule"
LATTICE = "\nLattice vectors ("
"""Above the vectors in the output of AMS and of what ran below ADF's name before."""
_DYNAMICS = re.compile(r"^ *\* +MOLECULAR DYNAMICS +\*", re.MULTILINE)


def _is_output(_: Path, text: str) -> bool:
    return "Amsterdam Modeling Suite" in text[:20000]


def read_output(path: Path) -> Part:
    """Return what AMS printed of the last geometry: energy, gradient, frequencies and charges of its results.

    Engines such as ADF give energies relative to atoms.
    """
    printout = Printout.of(path)
    printout.ended("NORMAL TERMINATION")
    if LATTICE in printout.text:
        raise InputError(f"{path}: {PERIODIC}")
    if _DYNAMICS.search(printout.text):
        raise InputError(f"{path}: is molecular dynamics; give single points of its geometries")
    place = printout.last(_GEOMETRY)
    if place < 0:
        raise InputError(f"{path}: holds no geometry; is the file truncated?")
    species, positions = printout.geometry(place, _ATOM)
    energies = printout.matches(_ENERGY, place)
    modes = printout.last("Normal Mode Frequencies", place)
    slopes = printout.last("Gradients (hartree/bohr)", place)
    charges = printout.column(printout.last("\nAtomic charges\n", place) + 1, _CHARGE, 3, "charges")
    searches = "Geometry optimization failed" in printout.text
    if searches:
        raise InputError(f"{path}: the optimisation did not converge; repeat it from its last geometry")
    gradient = printout.gradient(slopes, _SLOPE, 2) if slopes >= 0 else None
    vibrating = _with_modes(printout, modes, species, positions, gradient) if modes >= 0 else None
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=printout.energy(energies[-1]) if energies else None,
        gradient=gradient,
        hessian=vibrating.hessian if vibrating else None,
        frequencies=vibrating.frequencies if vibrating else None,
        masses=vibrating.masses if vibrating else None,
        program=printout.program("AMS", _VERSION),
        stationary_order=0 if "Geometry optimization converged" in printout.text else None,
        charge=printout.integer(_TOTAL_CHARGE, "charge"),
        charges=(AtomicCharges("mulliken", charges),) if len(charges) == len(species) else (),
    )


def _with_modes(
    printout: Printout,
    place: int,
    species: Int[np.ndarray, " atoms"],
    positions: Float[np.ndarray, "atoms 3"],
    gradient: Float[np.ndarray, "atoms 3"] | None,
) -> Part:
    """Return frequencies, and the Hessian of the modes where all are printed."""
    rows = printout.rows(place, _FREQUENCY, 4)
    frequencies = vibrations(printout.numbers(place, [row[1] for row in rows], "frequencies"))
    words = [match.groups() for match in printout.matches(_MODE, place)]
    modes = printout.vectors(place, words, "modes").reshape(-1)
    whole = modes.size == len(frequencies) * positions.size
    modes = modes.reshape(len(frequencies), -1) if whole else None
    return with_modes(printout.path, species, positions, frequencies, modes, gradient=gradient)


def read_rkf(path: Path) -> Part:
    """Return the molecule of an .rkf file, and of that of an engine energy, gradient, Hessian and frequencies."""
    file = KfFile.of(path)
    numbers, coordinates = (file.numbers("Molecule", name) for name in ("AtomicNumbers", "Coords"))
    if numbers is None or coordinates is None or coordinates.size != 3 * numbers.size:
        raise InputError(f"{path}: holds no Molecule with Coords; give the .rkf file of AMS or of its engine")
    if file.numbers("Molecule", "LatticeVectors") is not None:
        raise InputError(f"{path}: {PERIODIC}")
    status = file.text("General", "termination status")
    if status and not status.startswith("NORMAL TERMINATION"):
        raise InputError(f"{path}: the job did not end normally ({status}); repeat it")
    n_atoms = numbers.size
    energy, gradient, hessian = (file.numbers("AMSResults", name) for name in ("Energy", "Gradients", "Hessian"))
    frequencies, charges = file.numbers("Vibrations", "Frequencies[cm-1]"), file.numbers("AMSResults", "Charges")
    if gradient is not None and gradient.size != 3 * n_atoms:
        raise InputError(f"{path}: {n_atoms} atoms, but a gradient of {gradient.size} numbers")
    if hessian is not None and hessian.size != (3 * n_atoms) ** 2:
        raise InputError(f"{path}: {n_atoms} atoms, but a Hessian of {hessian.size} numbers")
    charge, release = file.numbers("Molecule", "Charge"), file.text("General", "release").split()
    asked = file.text("General", "engine input")
    model, unpaired = _MODEL.search(asked), _UNPAIRED.search(asked)
    return Part(
        source=str(path),
        species=numbers.astype(np.int64),
        positions=coordinates.reshape(-1, 3) * units.BOHR,
        energy=None if energy is None else float(energy[0]) * units.HARTREE,
        gradient=None if gradient is None else gradient.reshape(-1, 3) * units.HARTREE_PER_BOHR,
        hessian=None if hessian is None else full_hessian(path, hessian.reshape(3 * n_atoms, -1), n_atoms),
        frequencies=None if frequencies is None else vibrations(frequencies),
        masses=file.numbers("Molecule", "AtomMasses"),
        level=(model[1] or model[0].strip()) if model else "",
        program=" ".join(["AMS", *release[:1]]),
        charge=None if charge is None else round(float(charge[0])),
        multiplicity=int(unpaired[1][:3]) + 1 if unpaired else None,
        charges=() if charges is None else (AtomicCharges("mulliken", charges),),
    )


KINDS = (Kind("AMS output", _is_output, read_output),)
