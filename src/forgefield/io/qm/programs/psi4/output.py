"""Reads what Psi4 prints and its Hessian file; its JSON is QCSchema."""

import re
from dataclasses import replace
from pathlib import Path

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.assemble.held import held
from forgefield.io.assemble.parts import Part, full_hessian
from forgefield.io.qm.programs.printout import NUMBER, Kind, Printout, energy_of, square
from forgefield.io.sources import stem
from forgefield.io.text import integers, read_text

_END = "*** Psi4 exiting successfully"
_VERSION = re.compile(r"^ +Psi4 (\d\S*)", re.MULTILINE)
_GEOMETRY = re.compile(r"^ +Geometry \(in (Angstrom|Bohr)\), charge = (\S+), multiplicity = (\S+):", re.MULTILINE)
_ATOM = re.compile(rf" +([A-Z]+[a-z]?)\d* +({NUMBER}) +({NUMBER}) +({NUMBER}) +({NUMBER}) *", re.IGNORECASE)
_SLOPE = re.compile(rf" +\d+ +({NUMBER}) +({NUMBER}) +({NUMBER}) *")
_CALL = re.compile(
    r"^[^#\n]*\b(energy|gradient|hessian|opt|optimize|freq|frequency|frequencies) *\( *['\"]([^'\"]+)['\"]",
    re.MULTILINE,
)
_BASIS = re.compile(r"^ +Blend *[=:] +(\S+)", re.MULTILINE)
_OPTIMISED = "Optimization is complete!"
_FIXED = re.compile(r"^\tFixed (\w+) atom list: *\n((?:[ \t]+\d+)+)", re.MULTILINE)
_FREQUENCIES = re.compile(r"^  Freq \[cm\^-1\] +(.*)$", re.MULTILINE)
_DISPLACED = ("Loading displacement", "Using finite-differences")
_ENERGIES = {
    "": re.compile(r"^    Total Energy = +(\S+)", re.MULTILINE),
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


def _is_scan(path: Path, text: str) -> bool:
    return _is_output(path, text) and text.count(_OPTIMISED) > 1


def read_output(path: Path) -> Part:
    """Return what Psi4 printed of the last geometry that no finite difference has displaced."""
    printout = Printout.of(path)
    printout.ended(_END)
    ends = [place for mark in _DISPLACED if (place := printout.text.find(mark)) >= 0]
    return _part(printout, Printout(path, printout.text[: min(ends)] if ends else printout.text))


def read_scan(path: Path) -> list[Part]:
    """Return the structures that several optimisations ended with, with the dihedrals that they held."""
    printout = Printout.of(path)
    printout.ended(_END)
    steps = [Printout(path, step) for step in printout.text.split(_OPTIMISED)[:-1]]
    parts = [_part(printout, step) for step in steps]
    return [replace(part, name=f"{stem(path)}-{k}", frequencies=None) for k, part in enumerate(parts, start=1)]


def _part(printout: Printout, undisplaced: Printout) -> Part:
    """Return what is said of the last geometry of a part of an output."""
    path = printout.path
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
    held_fast = {match[1]: match[2] for match in undisplaced.matches(_FIXED)}
    quads = integers(path, None, [held_fast.get("dihedral", "")], "dihedrals").reshape(-1, 4) - 1
    calls = _CALL.findall(printout.text)
    basis = _BASIS.search(printout.text, head.end()) or _BASIS.search(printout.text)
    method = calls[-1][1] if calls else ""
    frequencies = printout.matches(_FREQUENCIES)
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=energy_of(undisplaced, head.end(), method.lower().split("/")[0], _ENERGIES, _OTHERS),
        gradient=undisplaced.gradient(undisplaced.last("Total Gradient", head.end()), _SLOPE, 3),
        frequencies=printout.frequencies(-1, [match[1] for match in frequencies]) if frequencies else None,
        masses=undisplaced.numbers(head.start(), [row[5] for row in rows], "masses"),
        level="/".join(dict.fromkeys([*method.split("/"), *([basis[1]] if basis else [])])),
        program=printout.program("Psi4", _VERSION),
        stationary_order=0 if _OPTIMISED in printout.text and not held_fast else None,
        charge=int(undisplaced.number(head.start(), head[2], "charge")),
        multiplicity=int(undisplaced.number(head.start(), head[3], "multiplicity")),
        constraints=held(str(path), species, positions, quads.tolist()),
    )


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
    Kind("Psi4 scan", _is_scan, frames=read_scan),
    Kind("Psi4 output", _is_output, read_output),
    Kind("Psi4 Hessian", _is_hessian, read_hessian, has_geometry=False),
)
