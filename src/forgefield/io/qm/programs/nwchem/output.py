"""Reads what NWChem prints and its Hessian file."""

import re
from collections.abc import Sequence
from pathlib import Path
from warnings import warn

import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.errors import InputError, InputWarning
from forgefield.io.assemble.parts import Part, full_hessian, hessian_from_triangle
from forgefield.io.qm.programs.printout import NUMBER, Kind, Printout, blocks, not_understood, vibrations
from forgefield.io.qm.programs.twice import check_repulsion, has_other_charges, repulsion_of, same_repulsion
from forgefield.io.text import read_text

_END = "Total times  cpu:"
_VERSION = re.compile(r"\(NWChem\) (\S+)")
_ATOM = re.compile(rf" *\d+ +(\S+) +{NUMBER} +({NUMBER}) +({NUMBER}) +({NUMBER}) *")
_MASS = re.compile(rf" *\S+ +\d+ +({NUMBER}) +({NUMBER}) +({NUMBER}) +({NUMBER}) *")
_SLOPE = re.compile(rf" *\d+ +\S+ +({NUMBER}) +({NUMBER}) +({NUMBER}) +({NUMBER}) +({NUMBER}) +({NUMBER}) *")
_HEAD = "Output coordinates in "
_EFFECTIVE = re.compile(r"Effective nuclear repulsion energy \(a\.u\.\) +(\S+)")
_REPULSION = "Nuclear repulsion energy ="
_NEAR = 1000
"""Characters within which the terms of an energy follow it."""
_ONE_EACH = "give each geometry a job of its own"
_FAR = 100000
"""Characters before an energy within which those of its SCF stand."""
_SAME_PLACE = 2e-5
"""Å"""
_TASK = re.compile(r"^ *task +(\w+)(?: +(\w+))?", re.MULTILINE | re.IGNORECASE)
_ENERGY = re.compile(
    r"^ *(?:Total (?P<method>SCF|DFT|SO-DFT|DFT\+MP2|MP2|MCSCF|CCSD|CCSD\(T\)) energy *[=:]?"
    r"|(?P<tce>(?!.*\[T\])\S+) total energy / hartree *=) +(?P<energy>\S+)",
    re.MULTILINE,
)
"""Of all methods; what is printed last is the one that was asked for."""
_TERM = re.compile(r" +(\S.*?)(?: \(Exact\))? +(?:Exchange|Correlation)(?: Functional)? +(\d+\.\d+).*")
"""Of a functional that has no name of its own."""
_FUNCTIONAL = re.compile(r"^ +(\S+) +Method XC (?:Potential|Functional)", re.MULTILINE)
_BASIS = re.compile(r"^ *\S+ +(\S+(?: \S+)*) +\d+ +\d+ +\d+s\S* *$", re.MULTILINE)
_CHARGE = re.compile(r"^ *charge *[:=] +(-?\d+)(?:\.0*)? *$", re.MULTILINE | re.IGNORECASE)
_STATE = re.compile(
    r"^ *(?:Spin multiplicity: +(?P<multiplicity>\d+)|Multiplicity: +(?P<mcscf>\d+)|open shells *= +(?P<open>\d+)"
    r"|alpha electrons *= +(?P<alpha>\d+)\s+beta +electrons *= +(?P<beta>\d+))",
    re.MULTILINE,
)
"""By the modules for DFT, MCSCF, and SCF in its restricted and unrestricted form."""
_OTHERS = re.compile(r"TDDFT Module|EOM-?CC|NWChem (?:QMD|MD|NEB|String|Selected CI)|WFN1|Excited state energy")
_CORRELATED = re.compile(r"NWChem (?:MP2|RI-MP2|Extensible Many-Electron Theory|Direct MCSCF)")
"""Modules whose energy is printed behind that of their SCF."""
_DISPLACED = re.compile(r"NWChem (?:Numerical Gradients|Finite-difference Hessian|Nuclear Hessian and Frequency)")
"""Heads behind which energies of displaced geometries may stand."""
_OTHER_JOBS = {
    "NWChem QMD Module": "molecular dynamics",
    "NWChem Minimum Energy Path": "a reaction path",
    "IRC Optimization": "a reaction path",
    "BSSE Module": "a counterpoise job",
    "NWChem ONIOM": "a job of several layers (ONIOM)",
    "QM/MM": "a part of a larger system (QM/MM)",
    "PSPW Calculation": "a job with plane waves",
}


def _is_output(_: Path, text: str) -> bool:
    return "Northwest Computational Chemistry Package" in text


def read_output(path: Path) -> Part:
    """Return what NWChem printed of the last geometry: energy, gradient, Hessian, frequencies and masses."""
    printout = Printout.of(path)
    printout.ended(_END)
    other = next((job for mark, job in _OTHER_JOBS.items() if mark in printout.text), None)
    if other:
        raise InputError(f"{path}: is {other}; give single points of its geometries, or an .xyz with energies")
    analysis = printout.last("NWChem Nuclear Hessian and Frequency Analysis")
    place = _place(printout, analysis)
    if place < 0:
        raise InputError(f"{path}: holds no geometry; is the file truncated?")
    unit = 1.0 if printout.text[place:].startswith("Output coordinates in angstroms") else units.BOHR
    species, positions = printout.geometry(place, _ATOM, 4, unit)
    check_repulsion(printout, place, species, positions)
    method, energy = _energy(printout, place, species, positions)
    masses, hessian = _hessian(printout, analysis, positions)
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=energy,
        gradient=_gradient(printout, place, positions),
        hessian=hessian,
        frequencies=_frequencies(printout, analysis, projected=hessian is None),
        masses=masses,
        level=_level(printout, method),
        program=printout.program("NWChem", _VERSION),
        stationary_order=_stationary_order(printout, place),
        charge=printout.integer(_CHARGE, "charge"),
        multiplicity=_multiplicity(printout),
    )


def _place(printout: Printout, analysis: int) -> int:
    """Return where the geometry stands that the last task was for: of the vibrational analysis, or the last energy.

    Displaced geometries may follow the head of the analysis, and those of other tasks. Of several named geometries the
    repulsion of the nuclei tells which one it is.
    """
    if analysis >= 0 or _DISPLACED.search(printout.text):
        return printout.text.rfind(_HEAD, 0, analysis if analysis >= 0 else None)
    energies = printout.matches(_ENERGY)
    beside = _repulsion(printout, energies[-1]) if energies else None
    heads = printout.matches(_EFFECTIVE)
    same = [
        head for head in heads if beside and same_repulsion(printout.number(head.start(), head[1], "repulsion"), beside)
    ]
    return printout.text.rfind(_HEAD, 0, same[-1].start() if same else None)


def _check_geometry(
    printout: Printout, head: int, rows: Sequence[Sequence[str]], positions: Float[np.ndarray, "atoms 3"], what: str
) -> None:
    """Raise InputError where a table holds other places [Bohr] of atoms than the last geometry [Å].

    A job may have several named geometries and tasks for each.
    """
    places = printout.vectors(head, rows, "coordinates") * units.BOHR
    if len(places) != len(positions) or np.abs(places - positions).max(initial=0.0) > _SAME_PLACE:
        raise printout.wrong(head, f"{what} here is of another geometry than the one of the energy; {_ONE_EACH}")


def _energy(
    printout: Printout, place: int, species: Int[np.ndarray, " atoms"], positions: Float[np.ndarray, "atoms 3"]
) -> tuple[str, float | None]:
    """Return method and energy [kcal/mol] of the last geometry, which the repulsion of its nuclei tells.

    The energies of displaced geometries follow heads of their own; the first of them is of the geometry itself. An
    energy of a converged optimisation stands before its geometry.
    """
    displaced = _DISPLACED.search(printout.text, place)
    end = displaced.start() if displaced else len(printout.text)
    found = printout.matches(_ENERGY)
    if not found:
        raise InputError(f"{printout.path}: holds no energy of a molecular method; is the file truncated?")
    before = [match for match in found if match.start() < end]
    behind = [match for match in before if match.start() > place] or [match for match in found if match.start() > end]
    converged = _converged(printout, place)
    if not behind and not (before and converged):
        raise printout.wrong(place, "no energy follows the last geometry; is the file truncated?")
    last = before[-1] if before and (converged or before[-1] is behind[-1]) else behind[0]
    last = _of_geometry(printout, last, found, repulsion_of(species, positions))
    method = last["method"] or last["tce"]
    correlated = method in ("SCF", "DFT") and _CORRELATED.search(printout.text, min(last.start(), place))
    if correlated or _OTHERS.search(printout.text):
        not_understood(printout.path, "a module was run whose energy is not told from that of its SCF")
        return "", None
    return method, printout.energy(last)


def _of_geometry(
    printout: Printout, chosen: re.Match[str], energies: Sequence[re.Match[str]], repulsion: float
) -> re.Match[str]:
    """Return the energy that was chosen, or the last one beside which the repulsion of a geometry [Hartree] stands.

    Raises InputError where that of other nuclei stands beside all, such as of other named geometries or point charges.
    """
    beside = _repulsion(printout, chosen)
    if beside is None or same_repulsion(beside, repulsion) or has_other_charges(printout):
        return chosen
    for energy in reversed(energies):
        other = _repulsion(printout, energy)
        if other is not None and same_repulsion(other, repulsion):
            if not _DISPLACED.search(printout.text):
                said = "holds energies of several geometries, or among charges; that of the one printed last is read"
                warn(InputWarning(f"{printout.path}: {said}"), stacklevel=2)
            return energy
    raise printout.wrong(
        chosen.start(),
        f"the energy here is of nuclei that repel each other by {beside:.6f} Hartree, those of the geometry by "
        f"{repulsion:.6f}; is it of another geometry, or among point charges?",
    )


def _repulsion(printout: Printout, energy: re.Match[str]) -> float | None:
    """Return the repulsion [Hartree] that is printed beside an energy: behind it, or not far before it."""
    text = printout.text
    near = text.find(_REPULSION, energy.end(), energy.end() + _NEAR)
    near = text.rfind(_REPULSION, max(energy.start() - _FAR, 0), energy.start()) if near < 0 else near
    if near < 0 or text.find(_HEAD, near, energy.start()) >= 0:
        return None
    return printout.number(near, text[near : near + 80].split()[4], "nuclear repulsion")


def _converged(printout: Printout, place: int) -> bool:
    """Say whether an optimisation converged to a geometry: between it and the one before."""
    before = printout.text.rfind(_HEAD, 0, place)
    return printout.text.find("  Optimization converged", max(before, 0), place) >= 0


def _multiplicity(printout: Printout) -> int | None:
    found = printout.matches(_STATE)
    if not found:
        return None
    numbers = {key: int(value[:6]) for key, value in found[-1].groupdict().items() if value}
    if "alpha" in numbers:
        return abs(numbers["alpha"] - numbers["beta"]) + 1
    return numbers["open"] + 1 if "open" in numbers else numbers.get("multiplicity") or numbers.get("mcscf")


def _stationary_order(printout: Printout, place: int) -> int | None:
    """Return what an optimisation looked for and found; None where constraints held it."""
    if not _converged(printout, place) or re.search(r"^ *(?:constraints|fix atom|hcons)", printout.text, re.MULTILINE):
        return None
    tasks = [what for _, what in _TASK.findall(printout.text)]
    return 1 if "saddle" in tasks or "Transition State" in printout.text else 0


def _level(printout: Printout, method: str) -> str:
    functional = _FUNCTIONAL.search(printout.text) if "DFT" in method else None
    place = printout.last('Summary of "ao basis"')
    sets = {match[1] for match in printout.rows(place, _BASIS, skip=4)}
    name = functional[1] if functional else {"SCF": "HF", "MBPT(2)": "MP2"}.get(method, method)
    if "DFT" in method and not functional:
        terms = [row.groups() for row in printout.rows(printout.last("XC Information"), _TERM, skip=2)]
        name = "+".join(term if float(share) == 1.0 else f"{float(share):g} {term}" for term, share in terms) or name
    return "/".join([name, *sets]) if len(sets) == 1 and name else name


def _gradient(
    printout: Printout, place: int, positions: Float[np.ndarray, "atoms 3"]
) -> Float[np.ndarray, "atoms 3"] | None:
    """Return the last gradient, that of the last geometry or, where an optimisation converged, of the step before."""
    head = printout.last("ENERGY GRADIENTS")
    analysis = printout.text.find("NWChem Nuclear Hessian")
    is_before = head < place and "Optimization converged" not in printout.text[max(head, 0) : place]
    rows = printout.rows(head, _SLOPE, 4) if head >= 0 else []
    if is_before or 0 <= analysis < head or not rows:
        return None
    _check_geometry(printout, head, [row.groups()[:3] for row in rows], positions, "the gradient")
    return printout.vectors(head, [row.groups()[3:] for row in rows], "gradient") * units.HARTREE_PER_BOHR


def _hessian(
    printout: Printout, place: int, positions: Float[np.ndarray, "atoms 3"]
) -> tuple[Float[np.ndarray, " atoms"] | None, Float[np.ndarray, "coordinates coordinates"] | None]:
    """Return masses and Hessian of a vibrational analysis, which prints it divided by the roots of masses."""
    head = printout.last("- Atom information -", place)
    if place < 0 or head < 0:
        return None, None
    rows = printout.rows(head, _MASS, skip=3)
    masses = printout.numbers(head, [row[4] for row in rows], "masses")
    _check_geometry(printout, head, [row.groups()[:3] for row in rows], positions, "the vibrational analysis")
    table = printout.last("MASS-WEIGHTED NUCLEAR HESSIAN", head)
    if table < 0:
        return masses, None
    n_atoms = len(positions)
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
