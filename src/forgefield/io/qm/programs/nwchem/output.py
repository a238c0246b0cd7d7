"""Reads what NWChem prints and its Hessian file."""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.assemble.parts import Part, full_hessian, hessian_from_triangle
from forgefield.io.qm.programs.printout import NUMBER, Kind, Printout, blocks, not_understood, vibrations
from forgefield.io.text import read_text

_END = "Total times  cpu:"
_VERSION = re.compile(r"\(NWChem\) (\S+)")
_ATOM = re.compile(rf" *\d+ +(\S+) +{NUMBER} +({NUMBER}) +({NUMBER}) +({NUMBER}) *")
_MASS = re.compile(rf" *\S+ +\d+ +({NUMBER}) +({NUMBER}) +({NUMBER}) +({NUMBER}) *")
_SLOPE = re.compile(rf" *\d+ +\S+ +{NUMBER} +{NUMBER} +{NUMBER} +({NUMBER}) +({NUMBER}) +({NUMBER}) *")
_TASK = re.compile(r"^ *task +(\w+)(?: +(\w+))?", re.MULTILINE | re.IGNORECASE)
_ENERGIES = {
    "scf": re.compile(r"Total SCF energy = +(\S+)"),
    "dft": re.compile(r"Total DFT energy = +(\S+)"),
    "mp2": re.compile(r"Total MP2 energy +(\S+)"),
    "ccsd": re.compile(r"Total CCSD energy: +(\S+)"),
    "ccsd(t)": re.compile(r"Total CCSD\(T\) energy: +(\S+)"),
}
"""By the theory that a module is named for."""
_FUNCTIONAL = re.compile(r"^ +(\S+) +Method XC (?:Potential|Functional)", re.MULTILINE)
_BASIS = re.compile(r"^ *\S+ +(\S+(?: \S+)*) +\d+ +\d+ +\d+s\S* *$", re.MULTILINE)
_CHARGE = re.compile(r"^ *Charge *: +(-?\d+)", re.MULTILINE | re.IGNORECASE)
_MULTIPLICITY = re.compile(r"^ *Spin multiplicity: +(\d+)", re.MULTILINE)
_OTHERS = re.compile(r"TDDFT Module|Tensor Contraction Engine|NWChem (?:MCSCF|QMD|MD|NEB|String)")


def _is_output(_: Path, text: str) -> bool:
    return "Northwest Computational Chemistry Package" in text


def read_output(path: Path) -> Part:
    """Return what NWChem printed of the last geometry: energy, gradient, Hessian, frequencies and masses."""
    printout = Printout.of(path)
    printout.ended(_END)
    place = printout.last("Output coordinates in ")
    if place < 0:
        raise InputError(f"{path}: holds no geometry; is the file truncated?")
    unit = 1.0 if printout.text[place:].startswith("Output coordinates in angstroms") else units.BOHR
    species, positions = printout.geometry(place, _ATOM, 4, unit)
    analysis = printout.last("NWChem Nuclear Hessian and Frequency Analysis")
    theory, energy = _energy(printout, analysis)
    masses, hessian = _hessian(printout, analysis, len(species))
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=energy,
        gradient=_gradient(printout, place),
        hessian=hessian,
        frequencies=_frequencies(printout, analysis, projected=hessian is None),
        masses=masses,
        level=_level(printout, theory),
        program=printout.program("NWChem", _VERSION),
        stationary_order=_stationary_order(printout.text),
        charge=printout.integer(_CHARGE, "charge"),
        multiplicity=printout.integer(_MULTIPLICITY, "multiplicity"),
    )


def _energy(printout: Printout, analysis: int) -> tuple[str, float | None]:
    """Return the theory and the energy [kcal/mol] of the last geometry.

    The energies of displaced geometries follow the head of a vibrational analysis; the first of them is of that itself.
    An energy of a converged optimisation stands before its geometry.
    """
    if _OTHERS.search(printout.text):
        not_understood(printout.path, "a module was run whose energy is not told from that of its SCF")
        return "", None
    found = {name: printout.matches(pattern) for name, pattern in _ENERGIES.items()}
    theory = [name for name, matches in found.items() if matches]
    if not theory:
        raise InputError(f"{printout.path}: holds no energy; is the file truncated?")
    matches = found[theory[-1]]
    before = [match for match in matches if analysis < 0 or match.start() < analysis]
    return theory[-1], printout.energy(before[-1] if before else matches[0])


def _stationary_order(text: str) -> int | None:
    if "Optimization converged" not in text:
        return None
    tasks = [what for _, what in _TASK.findall(text)]
    return 1 if "saddle" in tasks or "Transition State" in text else 0


def _level(printout: Printout, theory: str) -> str:
    functional = _FUNCTIONAL.search(printout.text) if theory == "dft" else None
    place = printout.last('Summary of "ao basis"')
    sets = {match[1] for match in printout.rows(place, _BASIS, skip=4)}
    method = functional[1] if functional else "HF" if theory == "scf" else theory.upper()
    return "/".join([method, *sets]) if len(sets) == 1 and method else method


def _gradient(printout: Printout, place: int) -> Float[np.ndarray, "atoms 3"] | None:
    """Return the last gradient, that of the last geometry or, where an optimisation converged, of the step before."""
    head = printout.last("ENERGY GRADIENTS")
    analysis = printout.text.find("NWChem Nuclear Hessian")
    is_before = head < place and "Optimization converged" not in printout.text[max(head, 0) : place]
    return None if is_before or 0 <= analysis < head else printout.gradient(head, _SLOPE, 4)


def _hessian(
    printout: Printout, place: int, n_atoms: int
) -> tuple[Float[np.ndarray, " atoms"] | None, Float[np.ndarray, "coordinates coordinates"] | None]:
    """Return masses and Hessian of a vibrational analysis, which prints it divided by the roots of masses."""
    head = printout.last("- Atom information -", place)
    if place < 0 or head < 0:
        return None, None
    rows = printout.rows(head, _MASS, skip=3)
    masses = printout.numbers(head, [row[4] for row in rows], "masses")
    table = printout.last("MASS-WEIGHTED NUCLEAR HESSIAN", head)
    if table < 0 or len(rows) != n_atoms:
        return masses if len(rows) == n_atoms else None, None
    weighted = blocks(printout, table, 4, 3 * n_atoms, "the mass-weighted Hessian", triangular=True)
    roots = np.sqrt(np.repeat(masses, 3))
    # Divided by thousands of atomic mass units.
    return masses, full_hessian(printout.path, roots[:, None] * weighted * roots / 1000.0, n_atoms)


def _frequencies(printout: Printout, place: int, *, projected: bool) -> Float[np.ndarray, " modes"] | None:
    """Return the frequencies of a vibrational analysis, those of its projected Hessian or of the other one.

    NWChem's projection moves vibrations by up to 2 cm⁻¹, so that those of the printed Hessian are the others, without
    as many as the projection makes zero.
    """
    if place < 0:
        return None
    found = {
        name: printout.matches(re.compile(rf"^ {re.escape(name)} +((?:{NUMBER} *)+)$", re.MULTILINE), place)
        for name in ("P.Frequency", "Frequency")
    }
    if not all(found.values()):
        raise printout.wrong(
            place, "no frequencies follow the head of the vibrational analysis; is the file truncated?"
        )
    inside, raw = (printout.numbers(place, [one[1] for one in matches], "frequencies") for matches in found.values())
    if projected:
        return vibrations(inside)
    return np.sort(raw[np.argsort(np.abs(raw))[len(raw) - len(vibrations(inside)) :]])


def _is_hessian(path: Path, text: str) -> bool:
    if path.suffix.lower() != ".hess":
        return False
    words = text.split()
    return len(words) > 5 and all("D" in word.upper() for word in words[:6])


def read_hessian(path: Path) -> Part:
    """Return the Hessian of a file that holds its lower triangle and nothing else."""
    printout = Printout(path, read_text(path))
    numbers = printout.numbers(-1, [printout.text], "Hessian")
    n = round(((8 * len(numbers) + 1) ** 0.5 - 1) / 2)
    hessian = hessian_from_triangle(path, numbers, n // 3)
    return Part(source=str(path), hessian=hessian, program="NWChem")


KINDS = (
    Kind("NWChem output", _is_output, read_output),
    Kind("NWChem Hessian", _is_hessian, read_hessian, has_geometry=False),
)
