"""Reads what Psi4 prints and its Hessian file; its JSON is QCSchema."""

import re
from dataclasses import replace
from pathlib import Path
from warnings import warn

import numpy as np
from jaxtyping import Float

from forgefield import units
from forgefield.errors import InputError, InputWarning
from forgefield.io.assemble.held import held
from forgefield.io.assemble.parts import Part, full_hessian
from forgefield.io.qm.programs.printout import NUMBER, Kind, Printout, not_understood, square
from forgefield.io.qm.programs.twice import check_energy, check_repulsion
from forgefield.io.sources import stem
from forgefield.io.text import integers, read_text
from forgefield.molecules.molecule import AtomicCharges

_CONVERGED = "Optimization is complete!"
_ENDS = ("*** Psi4 exiting successfully", "*** PSI4 exiting successfully")
_HEADS = ("Psi4: An Open-Source", "PSI4: An Open-Source")
_VERSION = re.compile(r"^ +(?:Psi4|PSI) (\d\S*)", re.MULTILINE)
_OLD = re.compile(r"0|1\.[0-2]\b|1\.[0-2]\D|4\.0\.0-")
"""Versions that compute the reference of finite differences last; the betas called themselves 4.0.0."""
_GEOMETRY = re.compile(r"^ +Geometry \(in (Angstrom|Bohr)\), charge = (\S+), multiplicity = (\S+):", re.MULTILINE)
_ATOM = re.compile(rf" +([A-Z]+[a-z]?)\d* +({NUMBER}) +({NUMBER}) +({NUMBER})(?: +({NUMBER}))? *", re.IGNORECASE)
"""Old versions have no column of masses."""
_SLOPE = re.compile(rf" +\d+ +({NUMBER}) +({NUMBER}) +({NUMBER}) *")
_CALL = re.compile(
    r"^[^#\n]*\b(energy|gradient|hessian|opt|optimize|freq|frequency|frequencies) *\( *['\"]([^'\"]+)['\"]",
    re.MULTILINE,
)
_BASIS = re.compile(r"^ +Blend *[=:] +(\S+)", re.MULTILINE)
_FIXED = re.compile(r"^\tFixed (\w+) atom list: *\n((?:[ \t]+\d+)+)", re.MULTILINE)
_FREQUENCIES = re.compile(r"^  Freq \[cm\^-1\] +(.*)$", re.MULTILINE)
_DISPLACEMENT = re.compile(r"Loading displacement +\d+ of +\d+")
_OF_FREQUENCIES = "to determine vibrational frequencies"
_CHARGE = re.compile(rf" +\d+ +[A-Z]+(?: +{NUMBER}){{3}} +({NUMBER}) *", re.IGNORECASE)
_KINDS = {"Mulliken": "mulliken", "Lowdin": "loewdin"}
_OLD_ROW = re.compile(rf"\s+\S+ +({NUMBER}i?) *")
_LEFT_IN = re.compile(r"include (\d+) un-projected rotation-like modes")
_AGAIN = re.compile(r"^  @\S+ Final Energy: +(\S+)", re.MULTILINE)
_DISPLACED = ("Loading displacement", "Using finite-differences")
_SCF = re.compile(r"^    Total Energy = +(\S+)", re.MULTILINE)
_CORRELATED = re.compile(
    r"^[ \t]*(?:\* |@Final )?(?:DF-|CD-)?(?P<method>(?!SCF|Reference|Total|Nuclear|n-Body)[A-Z][^\s=:]*)(?: DFT)?"
    r" total energy(?: \(a\.u\.\))? *[:=]? +(?P<energy>-\d+\.\d+)",
    re.MULTILINE | re.IGNORECASE,
)
"""Total energies by the name of their method, of the modules for coupled clusters, OCC, DFOCC, FNOCC, CI and DFT."""
_DFMP2 = re.compile(r"^\t Total Energy +=(?:.*) (?P<energy>-\d+\.\d+) \[Eh\]", re.MULTILINE)
_HARTREE_FOCK = ("scf", "hf", "rhf", "uhf", "rohf", "cuhf")
_FUNCTIONAL = re.compile(r"==> DFT Potential <==")
_NAME = re.compile(r"^ +=> (?:Composite Functional: (\S+)|(\S+) Composite Functional) <=", re.MULTILINE)
_NAMES = {"olccd": "OCEPA(0)", "lccd": "CEPA(0)", "double-hybrid": "", "ocepa(0)": "OCEPA(0)"}
"""How methods are printed that have two names."""
_OTHERS = re.compile(r"EOM|Excitation Energ|EXCITED STATES|SAPT|MCSCF|CASSCF|RASSCF|PSIMRCC|ADC|N-Body")


def _is_output(_: Path, text: str) -> bool:
    return any(mark in text for mark in (*_HEADS, *_ENDS))


def _is_scan(path: Path, text: str) -> bool:
    return _is_output(path, text) and text.count(_CONVERGED) > 1


def read_output(path: Path) -> Part:
    """Return what Psi4 printed of the last geometry that no finite difference has displaced."""
    printout = Printout.of(path)
    printout.ended(*_ENDS)
    return _part(printout, _undisplaced(printout))


def read_scan(path: Path) -> list[Part]:
    """Return the structures that several optimisations ended with, with the dihedrals that they held."""
    printout = Printout.of(path)
    printout.ended(*_ENDS)
    steps = [Printout(path, step) for step in printout.text.split(_CONVERGED)[:-1]]
    parts = [_part(printout, step) for step in steps]
    return [replace(part, name=f"{stem(path)}-{k}", frequencies=None) for k, part in enumerate(parts, start=1)]


def _part(printout: Printout, undisplaced: Printout) -> Part:
    """Return what is said of the last geometry of a part of an output."""
    path = printout.path
    # The last table of masses is that of the job; the one of an optimised geometry has none.
    tables = [(match, undisplaced.table(match.start(), _ATOM, skip=4)) for match in undisplaced.matches(_GEOMETRY)]
    tables = [(match, rows) for match, rows in tables if rows]
    tables = [(match, rows) for match, rows in tables if rows[0][5] is not None] or tables
    with_energy = [one for one in tables if undisplaced.text.find("Total Energy =", one[0].end()) > 0]
    if not tables:
        raise InputError(f"{path}: holds no geometry of a molecule; is it whole?")
    head, rows = (with_energy or tables)[-1]
    unit = 1.0 if head[1] == "Angstrom" else units.BOHR
    species, positions = undisplaced.atoms(head.start(), [(row[1], row.groups()[1:4]) for row in rows], unit)
    check_repulsion(undisplaced, head.start(), species, positions)
    check_energy(undisplaced, head.end(), _scf(undisplaced, head.end()), _AGAIN)
    held_fast = {match[1]: match[2] for match in undisplaced.matches(_FIXED)}
    quads = integers(path, None, [held_fast.get("dihedral", "")], "dihedrals").reshape(-1, 4) - 1
    calls = _CALL.findall(printout.text)
    basis = _BASIS.search(printout.text, head.end()) or _BASIS.search(printout.text)
    method = calls[-1][1] if calls else ""
    if not calls and not any(head in printout.text for head in _HEADS):
        message = "neither the head of the output nor its input is there, and the method is not known; is it whole?"
        warn(InputWarning(f"{path}: {message}"), stacklevel=3)
    energy = _energy(undisplaced, head.end(), method.lower())
    named = _named(undisplaced, method, has_energy=energy is not None)
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=energy,
        gradient=undisplaced.gradient(undisplaced.last("Total Gradient", head.end()), _SLOPE, 3),
        frequencies=_frequencies(printout),
        masses=None if rows[0][5] is None else undisplaced.numbers(head.start(), [row[5] for row in rows], "masses"),
        level="/".join(dict.fromkeys(word for word in (*named.split("/"), basis[1] if basis else "") if word)),
        program=printout.program("Psi4", _VERSION),
        stationary_order=0 if _CONVERGED in printout.text and not held_fast else None,
        charge=int(undisplaced.number(head.start(), head[2], "charge")),
        multiplicity=int(undisplaced.number(head.start(), head[3], "multiplicity")),
        n_projected=-(printout.integer(_LEFT_IN, "rotation-like modes") or 0),
        constraints=held(str(path), species, positions, quads.tolist()),
        charges=_charges(undisplaced, head.end()),
    )


def _named(printout: Printout, method: str, *, has_energy: bool) -> str:
    """Return the name of the method: that of the call, but the functional where that says SCF or there is no call."""
    word, *bases = method.split("/")
    if word and word.lower() not in _HARTREE_FOCK:
        return method
    functionals = printout.matches(_NAME)
    name = functionals[-1][1] or functionals[-1][2] if functionals else word or ("HF" if has_energy else "")
    return "/".join([name, *bases])


def _scf(printout: Printout, place: int) -> float | None:
    found = printout.matches(_SCF, place)
    return printout.energy(found[-1]) if found else None


def _undisplaced(printout: Printout) -> Printout:
    """Return what was printed of geometries that no finite difference has displaced.

    Where nothing was computed before, or the optimisation took finite differences too, it is the reference among those
    of the frequencies: the first displacement from version 1.3 on, else the last. Raises InputError where none is.
    """
    text = printout.text
    ends = [place for mark in _DISPLACED if (place := text.find(mark)) >= 0]
    if not ends:
        return printout
    before = text[: min(ends)]
    if "Total Energy =" in before and _CONVERGED not in text[len(before) :]:
        return Printout(printout.path, before)
    found = printout.matches(_DISPLACEMENT, text.rfind(_OF_FREQUENCIES))
    if _OF_FREQUENCIES not in text or not found:
        message = "has energies of finite differences alone, among which that of its geometry is not told"
        raise InputError(f"{printout.path}: {message}; give a single point of it")
    version = _VERSION.search(text)
    is_old = version is not None and _OLD.match(version[1])
    starts = [match.start() for match in found] + [len(text)]
    number = len(found) - 1 if is_old else 0
    return Printout(printout.path, text[starts[number] : starts[number + 1]])


def _energy(printout: Printout, place: int, method: str) -> float | None:
    """Return the energy [kcal/mol] of a method that is printed behind a place; None where no SCF was run there."""
    if _SCF.search(printout.text, place):
        return _of_method(printout, place, method)
    not_understood(printout.path, "no energy of an SCF follows the last geometry")
    return None


def _of_method(printout: Printout, place: int, method: str) -> float | None:
    """Return the energy [kcal/mol] of a method that is printed behind a place.

    That of the SCF counts for Hartree-Fock and functionals, and where no method is told and none beyond it was run.
    """
    method, *bases = method.split("/")
    scf = printout.matches(_SCF, place)
    behind = scf[-1].end()
    text = printout.text
    found = {match["method"].lower(): match for match in printout.matches(_CORRELATED, behind)}
    functional = _FUNCTIONAL.search(text, place)
    if "double-hybrid" in found:
        return printout.energy(found["double-hybrid"])
    if any(re.search(r"[\[+]", word) for word in (method, *bases)):
        # Such as MP2/cc-pV[TQ]Z + D:CCSD(T)/cc-pVDZ.
        not_understood(printout.path, f"that of {method} is put together from several")
        return None
    if (method in _HARTREE_FOCK or (functional and not method.startswith("td"))) and not found:
        return printout.energy(scf[-1])
    if not method and not found and not _OTHERS.search(text, place) and not _DFMP2.search(text, behind):
        return printout.energy(scf[-1])
    name = re.sub(r"^(?:gpu-)?(?:df|cd)-", "", method)
    match = found.get(_NAMES.get(name, name).lower()) or (_DFMP2.search(text, behind) if name == "mp2" else None)
    if match is None:
        not_understood(printout.path, f"the energy of {method or 'the method'} is not told from that of its SCF")
        return None
    return printout.energy(match)


def _charges(printout: Printout, place: int) -> tuple[AtomicCharges, ...]:
    found = []
    for name, kind in _KINDS.items():
        charges = printout.column(printout.last(f"{name} Charges: (a.u.)", place), _CHARGE, 2, f"{kind} charges")
        if len(charges):
            found.append(AtomicCharges(kind, charges))
    return tuple(found)


def _frequencies(printout: Printout) -> Float[np.ndarray, " modes"] | None:
    """Return the frequencies; versions before 1.2 have a table of them."""
    found = printout.matches(_FREQUENCIES)
    if found:
        return printout.frequencies(-1, [match[1] for match in found])
    place = printout.last("Irrep      Harmonic Frequency")
    return printout.frequencies(place, [row[1] for row in printout.rows(place, _OLD_ROW, 3)]) if place >= 0 else None


def _is_hessian(_: Path, text: str) -> bool:
    first, second = [*text[:400].lstrip().split("\n", 2), "", ""][:2]
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
