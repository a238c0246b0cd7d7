"""Reads what DALTON prints."""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.assemble.parts import Part
from forgefield.io.qm.programs.molden import printed_modes, with_modes
from forgefield.io.qm.programs.printout import NUMBER, Kind, Printout, signed, vibrations
from forgefield.io.qm.programs.twice import check_repulsion

_END = "Total wall time used in DALTON"
_VERSION = re.compile(r"This is output from DALTON (?:release )?(?:Dalton)?(\S+)")
_GEOMETRY = re.compile(r"^ +(?:Molecular|Next|Final) geometry \(au\)", re.MULTILINE)
_ATOM = re.compile(rf" *([A-Z][a-z]?\d*)(?: *_?\d+)? +({NUMBER}) +({NUMBER}) +({NUMBER}) *")
_SLOPE = re.compile(rf" *[A-Z][a-z]?\d*(?: *_?\d+)? +({NUMBER}) +({NUMBER}) +({NUMBER}) *")
_MASS = re.compile(rf" *[A-Z][a-z]?\d*(?: *_?\d+)? +({NUMBER}) *")
_FREQUENCY = re.compile(rf" *\d+ +\S+ +({NUMBER} *i?|i *{NUMBER}) +{NUMBER}.*")
_ENERGY = re.compile(
    r"^@? *(?:Final (?P<scf>\S+) energy: +|= (?P<mp2>MP2) second order energy *: +"
    r"|Total (?P<cc>MP2|CC\S+) +energy: +|Total energy (?P<triples>CCSD\(T\)): +)(?P<energy>-\S+)",
    re.MULTILINE,
)
_FUNCTIONAL = re.compile(r"This is a DFT calculation of type: (\S+)")
_BASIS = re.compile(r'"\S*/basis/([^"/]+)"')
_CHARGE = re.compile(r"Total charge of molecule: +(-?\d+)")
_MULTIPLICITY = re.compile(r"^@ +Spin multiplicity: +(\d+)", re.MULTILINE)
_CONVERGED = "Geometry converged"


def _is_output(_: Path, text: str) -> bool:
    return "Dalton - An Electronic Structure Program" in text


def read_output(path: Path) -> Part:
    """Return what DALTON printed of the last geometry: energy, gradient, frequencies, masses and the Hessian of modes.

    The Hessian itself is printed with noise that the one of the analysis does not have (1.5 cm⁻¹ in a real file).
    """
    printout = Printout.of(path)
    printout.ended(_END)
    heads, energies = printout.matches(_GEOMETRY), printout.matches(_ENERGY)
    if not heads or not energies:
        raise InputError(f"{path}: holds no molecular geometry or no energy; is the file truncated?")
    if "Next geometry (au)" in printout.text and _CONVERGED not in printout.text:
        raise InputError(f"{path}: the optimisation did not converge; repeat it from its last geometry")
    place = heads[-1].start()
    species, positions = printout.geometry(place, _ATOM, 3, units.BOHR)
    check_repulsion(printout, place, species, positions)
    last = energies[-1]
    functional, bases = _FUNCTIONAL.search(printout.text), set(_BASIS.findall(printout.text))
    method = last["scf"] or last["mp2"] or last["cc"] or last["triples"]
    method = functional[1] if functional and method == "DFT" else method
    masses = printout.column(printout.last("Isotopic Masses"), _MASS, 3, "masses")
    masses = masses if len(masses) == len(species) else None
    gradient = printout.gradient(printout.last("Molecular gradient (au)"), _SLOPE, 3)
    frequencies, hessian = _frequencies(printout), None
    place = printout.last("Normal Coordinates (bohrs*amu**(1/2))")
    if frequencies is not None and place >= 0:
        modes = printed_modes(printout, place, len(species), len(frequencies))
        hessian = with_modes(path, species, positions, frequencies, modes, masses=masses, gradient=gradient).hessian
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=printout.energy(last),
        gradient=gradient,
        hessian=hessian,
        frequencies=frequencies,
        masses=masses,
        level="/".join([method, *bases]) if len(bases) == 1 else method,
        program=printout.program("DALTON", _VERSION),
        stationary_order=0 if _CONVERGED in printout.text else None,
        charge=printout.integer(_CHARGE, "charge"),
        multiplicity=printout.integer(_MULTIPLICITY, "multiplicity"),
    )


def _frequencies(printout: Printout) -> Float[np.ndarray, " modes"] | None:
    place = printout.last("Vibrational Frequencies and IR Intensities")
    rows = printout.rows(place, _FREQUENCY, 7)
    return vibrations(printout.numbers(place, [signed(row[1]) for row in rows], "frequencies")) if rows else None


KINDS = (Kind("DALTON output", _is_output, read_output),)
