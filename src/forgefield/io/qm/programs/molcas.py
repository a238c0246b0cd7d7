"""Reads what Molcas and OpenMolcas print."""

import re
from itertools import takewhile
from pathlib import Path

import numpy as np
from jaxtyping import Float

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.assemble.parts import Part
from forgefield.io.qm.programs.molden import printed_modes, with_modes
from forgefield.io.qm.programs.printout import NUMBER, Kind, Printout, not_understood
from forgefield.io.qm.programs.twice import check_repulsion

_ENDS = ("Happy landing", "Timing: Wall=")
_VERSION = re.compile(r"\b(?:version|VERSION) +v?(\d\S*)")
_GATEWAY = "Cartesian Coordinates / Bohr, Angstrom"
_FINAL = re.compile(r"Nuclear coordinates (?:of|for) the final structure / (Bohr|Angstrom)", re.IGNORECASE)
_DISPLACED = "Accumulate the gradient for selected numerical differentiation"
_ROW = re.compile(rf" *\d+ +(\S+) +({NUMBER}) +({NUMBER}) +({NUMBER})(?: +{NUMBER}){{3}} *")
_FINAL_ROW = re.compile(rf" *(?:\d+ +)?([A-Z][A-Za-z]?\S*) +({NUMBER}) +({NUMBER}) +({NUMBER}) *")
_SLOPE = re.compile(rf" *[A-Z]\S* +({NUMBER}) +({NUMBER}) +({NUMBER}) *")
_ENERGY = re.compile(
    r"^:: +(?:Total (?P<scf>SCF|KS-DFT|MBPT2) energy +|(?P<root>\S+) [Rr]oot +(?:number +)?(?P<n>\d+)"
    r"\s+Total energy:? +|(?P<cc>CCSD(?:\(T\)|\+T)?) +(?:Total )?energy.*? )(?P<energy>-\d+\.\d+)",
    re.MULTILINE,
)
_FREQUENCIES = re.compile(r"^ +Frequency: +((?:i?\d+\.\d+ *)+)$", re.MULTILINE)
_CHARGE = re.compile(r"(?:Molecular charge|Total molecular charge) +(-?\d+)\.")
_SPIN = re.compile(r"(?:Total spin, S|Spin quantum number) +(\d+\.\d+)")
_BASIS = re.compile(r"Basis set label: *[A-Za-z]{1,2}\.([^.\s]+)\.")
_FUNCTIONAL = re.compile(r"^ +(\S+) +iterations: Energy and convergence statistics", re.MULTILINE)


def _is_output(_: Path, text: str) -> bool:
    page = text[:20000]
    return "This run of MOLCAS" in page or "OPENMOLCAS" in page or ("MOLCAS" in page and "Module" in page)


def read_output(path: Path) -> Part:
    """Return geometry, energy, gradient and frequencies: of the final structure, else of the first geometry, which
    others that are displaced follow."""
    printout = Printout.of(path)
    printout.ended(*_ENDS)
    final = _FINAL.search(printout.text)
    if final:
        unit = units.BOHR if final[1].lower() == "bohr" else 1.0
        lines = [line for line, _ in zip(printout.lines(final.start()), range(400), strict=False)]
        found = [match for line in _until_rows(lines) if (match := _FINAL_ROW.fullmatch(line))]
        species, positions = printout.atoms(final.start(), [(row[1], row.groups()[1:4]) for row in found], unit)
    else:
        place = printout.text.find(_GATEWAY)
        rows = printout.rows(place, _ROW, 4)
        species, positions = printout.atoms(place, [(row[1], row.groups()[1:4]) for row in rows], units.BOHR)
        check_repulsion(printout, place, species, positions)
    limits = [final.start() if final else -1, printout.text.find(_DISPLACED)]
    end = min((place for place in limits if place >= 0), default=len(printout.text))
    method, energy = _energy(printout, end)
    bases = set(_BASIS.findall(printout.text))
    spin = printout.matches(_SPIN)
    gradient = None if final else _gradient(printout, len(species))
    frequencies, hessian, masses = _frequencies(printout), None, None
    if frequencies is not None:
        place = printout.last("Harmonic frequencies in cm-1")
        modes = printed_modes(printout, place, len(species), len(frequencies))
        found = with_modes(path, species, positions, frequencies, modes, gradient=gradient)
        hessian, masses = found.hessian, found.masses
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=energy,
        gradient=gradient,
        hessian=hessian,
        frequencies=frequencies,
        masses=masses,
        level="/".join([method, *bases]) if len(bases) == 1 and method else method,
        program=printout.program("Molcas", _VERSION),
        stationary_order=0 if final and "Geometry is converged" in printout.text else None,
        charge=printout.integer(_CHARGE, "charge"),
        multiplicity=round(2 * printout.number(spin[-1].start(), spin[-1][1], "spin")) + 1 if spin else None,
    )


def _until_rows(lines: list[str]) -> list[str]:
    """Return the rows of a table, which heads without a row precede."""
    first = next((i for i, line in enumerate(lines) if _FINAL_ROW.fullmatch(line)), len(lines))
    return list(takewhile(_FINAL_ROW.fullmatch, lines[first:]))


def _energy(printout: Printout, end: int) -> tuple[str, float | None]:
    """Return method and energy [kcal/mol] of what was computed last before a place; of several states there is none."""
    found = [match for match in printout.matches(_ENERGY) if match.start() < end]
    if not found:
        raise InputError(f"{printout.path}: holds no energy; is the file truncated?")
    last = found[-1]
    if last["n"] not in (None, "1"):
        not_understood(printout.path, f"{last['n']} states were computed")
        return "", None
    functional = _FUNCTIONAL.search(printout.text)
    method = last["root"] or last["cc"] or {"SCF": "HF", "MBPT2": "MP2"}.get(last["scf"], "")
    return method or (functional[1] if functional else "DFT"), printout.energy(last)


def _gradient(printout: Printout, n_atoms: int) -> Float[np.ndarray, "atoms 3"] | None:
    """Return the first gradient, where no symmetry leaves atoms out."""
    place = printout.text.find("Molecular gradients")
    gradient = printout.gradient(place, _SLOPE, 8) if place >= 0 else None
    return gradient if gradient is not None and len(gradient) == n_atoms else None


def _frequencies(printout: Printout) -> Float[np.ndarray, " modes"] | None:
    place = printout.last("Harmonic frequencies in cm-1")
    found = printout.matches(_FREQUENCIES, place) if place >= 0 else []
    return printout.frequencies(place, [match[1] for match in found]) if found else None


KINDS = (Kind("Molcas output", _is_output, read_output),)
