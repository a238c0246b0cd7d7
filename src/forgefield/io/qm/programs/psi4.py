"""Reads what Psi4 prints and its Hessian file; its JSON is QCSchema."""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.assemble.parts import Part, full_hessian
from forgefield.io.qm.programs.printout import NUMBER, Kind, Printout, not_understood, square
from forgefield.io.text import integers, read_text

_END = "*** Psi4 exiting successfully"
_VERSION = re.compile(r"^ +Psi4 (\d\S*)", re.MULTILINE)
_GEOMETRY = re.compile(r"^ +Geometry \(in (Angstrom|Bohr)\), charge = (\S+), multiplicity = (\S+):", re.MULTILINE)
_ATOM = re.compile(rf" +([A-Z]+[a-z]?)\d* +({NUMBER}) +({NUMBER}) +({NUMBER}) +({NUMBER}) *", re.IGNORECASE)
_SLOPE = re.compile(rf" +\d+ +({NUMBER}) +({NUMBER}) +({NUMBER}) *")
_SCF = re.compile(r"^    Total Energy = +(\S+)", re.MULTILINE)
_CALL = re.compile(
    r"^[^#\n]*\b(energy|gradient|hessian|opt|optimize|freq|frequency|frequencies) *\( *['\"]([^'\"]+)['\"]",
    re.MULTILINE,
)
_BASIS = re.compile(r"^ +Blend *[=:] +(\S+)", re.MULTILINE)
_FREQUENCIES = re.compile(r"^  Freq \[cm\^-1\] +(.*)$", re.MULTILINE)
_DISPLACED = ("Loading displacement", "Using finite-differences")
_CORRELATED = {
    "mp2": re.compile(r"^\s*(?:DF-MP2 )?Total Energy(?: \(a\.u\.\))? +[=:] +(\S+)(?: \[Eh\])?$", re.MULTILINE),
    "ccsd": re.compile(r"\* CCSD total energy += +(\S+)"),
    "ccsd(t)": re.compile(r"\* CCSD\(T\) total energy += +(\S+)"),
}
_OTHERS = re.compile(
    r"DF-MP2 Energies|DFOCC|OCC iterations|COUPLED CLUSTER|Coupled Cluster|\* CCSD|CCENERGY|DETCI|SAPT|FNOCC|ADC|"
    r"double-hybrid|Excitation Energ|DCT|MCSCF",
)


def _is_output(_: Path, text: str) -> bool:
    return "Psi4: An Open-Source" in text


def read_output(path: Path) -> Part:
    """Return what Psi4 printed of the last geometry that no finite difference has displaced."""
    printout = Printout.of(path)
    printout.ended(_END)
    ends = [place for mark in _DISPLACED if (place := printout.text.find(mark)) >= 0]
    undisplaced = Printout(path, printout.text[: min(ends)] if ends else printout.text)
    # The last table of masses is that of the job; the one of an optimised geometry has none.
    tables = [(match, undisplaced.table(match.start(), _ATOM, skip=4)) for match in undisplaced.matches(_GEOMETRY)]
    tables = [
        (match, rows) for match, rows in tables if rows and undisplaced.text.find("Total Energy =", match.end()) > 0
    ]
    if not tables:
        raise InputError(f"{path}: no energy follows a geometry; is it a job of one molecule, and whole?")
    head, rows = tables[-1]
    unit = 1.0 if head[1] == "Angstrom" else units.BOHR
    species, positions = undisplaced.atoms(head.start(), [(row[1], row.groups()[1:4]) for row in rows], unit)
    calls = _CALL.findall(printout.text)
    basis = _BASIS.search(printout.text, head.end()) or _BASIS.search(printout.text)
    method = calls[-1][1] if calls else ""
    version = _VERSION.search(printout.text)
    frequencies = printout.matches(_FREQUENCIES)
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=_energy(undisplaced, tables[-1][0].end(), method.lower().split("/")[0]),
        gradient=_gradient(undisplaced, tables[-1][0].end(), len(rows)),
        # Imaginary ones are printed as 123.45i.
        frequencies=printout.frequencies(-1, [re.sub(r"(\S+)i\b", r"-\1", match[1]) for match in frequencies])
        if frequencies
        else None,
        masses=undisplaced.numbers(head.start(), [row[5] for row in rows], "masses"),
        level="/".join(dict.fromkeys([*method.split("/"), *([basis[1]] if basis else [])])),
        program=f"Psi4 {version[1]}" if version else "Psi4",
        stationary_order=0 if "Optimization is complete!" in printout.text else None,
        charge=int(undisplaced.number(head.start(), head[2], "charge")),
        multiplicity=int(undisplaced.number(head.start(), head[3], "multiplicity")),
    )


def _energy(printout: Printout, place: int, method: str) -> float | None:
    """Return the energy [kcal/mol] of a method; None where it is not told from that of its SCF."""
    pattern = _CORRELATED.get(method)
    if pattern is None:
        if _OTHERS.search(printout.text, place):
            not_understood(printout.path, f"the energy of {method or 'the method'} is not told from that of its SCF")
            return None
        pattern = _SCF
    found = printout.matches(pattern, place)
    if not found:
        raise printout.wrong(place, f"no energy of {method or 'the method'} follows the last geometry")
    return printout.number(found[-1].start(), found[-1][1], "energy") * units.HARTREE


def _gradient(printout: Printout, place: int, n_atoms: int) -> Float[np.ndarray, "atoms 3"] | None:
    head = printout.last("Total Gradient", place)
    rows = printout.rows(head, _SLOPE, skip=3) if head >= 0 else []
    if len(rows) != n_atoms:
        return None
    return printout.vectors(head, [row.groups() for row in rows], "gradient") * units.HARTREE_PER_BOHR


def _is_hessian(_: Path, text: str) -> bool:
    first, second = [*text.lstrip().split("\n", 2), "", ""][:2]
    words = first.split()
    return (
        len(words) == 2
        and all(word.isdecimal() and len(word) < 6 for word in words)
        and int(words[1]) in (3 * int(words[0]), 6 * int(words[0]))
        and len(second.split()) == 3
    )


def read_hessian(path: Path) -> Part:
    """Return the Hessian of a file that begins with the numbers of atoms and of coordinates."""
    head, _, rest = read_text(path).lstrip().partition("\n")
    n_atoms = int(integers(path, 1, [head], "the number of atoms")[0])
    printout = Printout(path, rest)
    matrix = square(printout, rest.split(), 3 * n_atoms, "Hessian")
    return Part(source=str(path), hessian=full_hessian(path, matrix, n_atoms), program="Psi4")


KINDS = (
    Kind("Psi4 output", _is_output, read_output),
    Kind("Psi4 Hessian", _is_hessian, read_hessian, has_geometry=False),
)
