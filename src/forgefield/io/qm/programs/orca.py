"""Reads what ORCA 4 to 6 print and the files .hess and .engrad; xTB writes .engrad as well."""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.assemble.parts import Part, full_hessian
from forgefield.io.qm.programs.printout import NUMBER, Kind, Printout, blocks, not_understood
from forgefield.io.text import integer, read_text
from forgefield.molecules.molecule import AtomicCharges

_END = "****ORCA TERMINATED NORMALLY****"
_VERSION = re.compile(r"Program Version\s+(\S+)")
_ATOM = re.compile(rf" *([A-Z][a-z]?) +({NUMBER}) +({NUMBER}) +({NUMBER}) *")
_MASS = re.compile(rf" *\d+ +[A-Z][a-z]? +{NUMBER} +\d+ +({NUMBER})(?: +{NUMBER}){{3}} *")
_SLOPE = re.compile(rf" *\d+ +[A-Z][a-z]? *: +({NUMBER}) +({NUMBER}) +({NUMBER}) *")
_CHARGE = re.compile(rf" *\d+ +[A-Z][a-z]? *: +({NUMBER})(?: +{NUMBER})? *")
_FREQUENCY = re.compile(rf" *\d+: +({NUMBER}) cm\*\*-1.*")
_ENERGY = re.compile(r"FINAL SINGLE POINT ENERGY(?: \(\w+\))? +(\S+)(.*)")
_CHARGE_OF_ALL = re.compile(r"Total Charge +Charge +\.\.\.\. +(\S+)")
_MULTIPLICITY = re.compile(r"Multiplicity +Mult +\.\.\.\. +(\S+)")
_SCALE = re.compile(r"Scaling factor for frequencies = +(\S+)")
_KEYWORDS = re.compile(r"^\| *\d+> *!(.*)", re.MULTILINE)
_KINDS = {"MULLIKEN": "mulliken", "LOEWDIN": "loewdin", "HIRSHFELD": "hirshfeld", "CHELPG": "esp"}
_SEARCHES = {"opt": 0, "tightopt": 0, "verytightopt": 0, "looseopt": 0, "copt": 0, "optts": 1}
_NOT_OF_THE_LEVEL = re.compile(
    r"(?:tight|verytight|loose|normal|sloppy|strong|extreme)?(?:scf|opt|pno)|c?opt(?:ts)?|(?:num|an)?freq|(?:num)?grad|engrad|"
    r"sp|energy|usesym|nousesym|[ru]?(?:o)?ks|pal\d+|(?:no)?finalgrid\d*|grid\w*|defgrid\d|nofinalgridx|"
    r"(?:mini|small|normal|large)print|print\w+|(?:very)?slowconv|easyconv|normalconv|(?:no)?soscf|(?:no)?trah|(?:no)?autostart|"
    r"moread|noiter|keep\w+|nopop|chelpg|hirshfeld|allpop|nbo|bohrs|xyzfile|pdbfile|conv|direct|hueckel|patom|"
    r"(?:rev|no)?rijcosx.*|no(?:ri|mulliken|loewdin|mayer)"
)
"""Simple keywords that do not tell the method or the basis."""
_OTHER_JOBS = {
    "MOLECULAR DYNAMICS": "molecular dynamics",
    "Nudged Elastic Band": "a nudged elastic band",
    "Relaxed Surface Scan": "a relaxed scan",
    "INTRINSIC REACTION COORDINATE": "a reaction path",
    "TRAJECTORY RESULTS": "a scan",
}
_EXCITED = ("TD-DFT/TDA", "TD-DFT/CIS", "TDDFT/TDA", "CIS EXCITED STATES")


def _is_output(_: Path, text: str) -> bool:
    return "* O   R   C   A *" in text


def read_output(path: Path) -> Part:
    """Return what ORCA printed of the last geometry: energy, gradient, frequencies, masses and charges.

    Raises InputError where the job did not end or is of a kind that has no one last geometry.
    """
    printout = Printout.of(path)
    other = next((job for mark, job in _OTHER_JOBS.items() if mark in printout.text), None)
    if other:
        raise InputError(f"{path}: is {other}; give single points of its geometries, or its .xyz with energies")
    printout.ended(_END)
    place = printout.last("CARTESIAN COORDINATES (ANGSTROEM)")
    species, positions = printout.geometry(place, _ATOM, skip=2)
    masses = printout.column(printout.last("CARTESIAN COORDINATES (A.U.)"), _MASS, 3, "masses")
    words = " ".join(found[1] for found in printout.matches(_KEYWORDS)).split()
    searches = [order for word in words if (order := _SEARCHES.get(word.lower())) is not None]
    converged = "THE OPTIMIZATION HAS CONVERGED" in printout.text
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=_energy(printout, place),
        # The line of a head begins behind the break.
        gradient=printout.gradient(printout.last("\nCARTESIAN GRADIENT", place), _SLOPE, 4),
        frequencies=_frequencies(printout, place),
        masses=masses if len(masses) else None,
        level="/".join(dict.fromkeys(word for word in words if not _NOT_OF_THE_LEVEL.fullmatch(word.lower()))),
        program=printout.program("ORCA", _VERSION),
        stationary_order=searches[-1] if searches and converged else None,
        charge=printout.integer(_CHARGE_OF_ALL, "charge"),
        multiplicity=printout.integer(_MULTIPLICITY, "multiplicity"),
        charges=_charges(printout, place),
    )


def _energy(printout: Printout, place: int) -> float | None:
    """Return the energy [kcal/mol] of the last geometry; that of an excited state is left out."""
    found = printout.matches(_ENERGY, place)
    if not found:
        raise printout.wrong(place, "no FINAL SINGLE POINT ENERGY follows the last geometry; is the file truncated?")
    if "not fully converged" in found[-1][2] or "Wavefunction not" in found[-1][2]:
        raise printout.wrong(found[-1].start(), "the wave function has not converged; repeat the job")
    if any(mark in printout.text for mark in _EXCITED):
        not_understood(printout.path, "excited states were computed, whose energy is not told from the ground state's")
        return None
    return printout.energy(found[-1])


def _frequencies(printout: Printout, place: int) -> Float[np.ndarray, " modes"] | None:
    head = printout.last("\nVIBRATIONAL FREQUENCIES", place)
    if head < 0:
        return None
    rows: list[str] = []
    for line in printout.lines(head + 1, skip=2):
        found = _FREQUENCY.fullmatch(line)
        if found:
            rows.append(found[1])
        elif rows:
            break
    scale = _SCALE.search(printout.text, head)
    factor = printout.number(head, scale[1], "scale") if scale else 1.0
    return printout.frequencies(head, rows) / _scale(printout, factor)


def _scale(printout: Printout, factor: float) -> float:
    if not 0.5 < factor < 1.5:
        raise InputError(f"{printout.path}: frequencies are scaled by {factor:g}, which is no such factor")
    return factor


def _charges(printout: Printout, place: int) -> tuple[AtomicCharges, ...]:
    found = []
    for name, kind in _KINDS.items():
        for mark in (f"\n{name} ATOMIC CHARGES", f"\n{name} Charges"):
            # A table of the spins of an open shell has another column.
            charges = printout.column(printout.last(mark, place), _CHARGE, 3, f"{kind} charges")
            if len(charges):
                found.append(AtomicCharges(kind, charges))
    return tuple(found)


def _is_hess(_: Path, text: str) -> bool:
    return text.lstrip()[:40].startswith("$orca_hessian_file")


def read_hess(path: Path) -> Part:
    """Return geometry, masses, Hessian and frequencies of a .hess file."""
    printout = Printout.of(path)
    text = printout.text
    missing = [head for head in ("$hessian", "$atoms") if f"\n{head}\n" not in text]
    if missing or "\n$end" not in text:
        raise InputError(f"{path}: has no {' and no '.join(missing) or '$end'}; the file is truncated")
    place = text.index("\n$atoms\n") + 1
    n_atoms = _count(printout, place)
    rows = [line.split() for line, _ in zip(printout.lines(place, 2), range(n_atoms), strict=False)]
    if len(rows) < n_atoms or any(len(row) != 5 for row in rows):
        raise printout.wrong(place, f"expected {n_atoms} atoms: element, mass and three coordinates")
    species, positions = printout.atoms(place, [(row[0], row[2:]) for row in rows], units.BOHR)
    head = text.index("\n$hessian\n") + 1
    n = _count(printout, head)
    if n != 3 * n_atoms:
        raise printout.wrong(head, f"{n_atoms} atoms have {3 * n_atoms} coordinates, the Hessian {n}")
    factor = _after(printout, "$frequency_scale_factor")
    multiplicity = _after(printout, "$multiplicity")
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        hessian=full_hessian(path, blocks(printout, head, 2, n, "the Hessian"), n_atoms),
        frequencies=_listed_frequencies(printout, 1.0 if factor is None else printout.number(head, factor, "scale")),
        masses=printout.numbers(place, [row[1] for row in rows], "masses"),
        program="ORCA",
        multiplicity=None if multiplicity is None else integer(path, None, multiplicity, "multiplicity"),
    )


def _count(printout: Printout, place: int) -> int:
    word = next(iter(printout.lines(place)), "").strip()
    return integer(printout.path, printout.line(place) + 1, word, "the number of rows")


def _after(printout: Printout, head: str) -> str | None:
    place = printout.text.find(f"\n{head}\n")
    return None if place < 0 else next(iter(printout.lines(place + 1)), "").strip()


def _listed_frequencies(printout: Printout, factor: float) -> Float[np.ndarray, " modes"] | None:
    place = printout.text.find("\n$vibrational_frequencies\n")
    if place < 0:
        return None
    n = _count(printout, place + 1)
    rows = [line.split() for line, _ in zip(printout.lines(place + 1, 2), range(n), strict=False)]
    if len(rows) < n or any(len(row) != 2 for row in rows):
        raise printout.wrong(place + 1, f"expected {n} rows of a number and a frequency")
    return printout.frequencies(place, [row[1] for row in rows]) / _scale(printout, factor)


def _is_engrad(_: Path, text: str) -> bool:
    return "# Number of atoms" in text and "current gradient in Eh/bohr" in text


def read_engrad(path: Path) -> Part:
    """Return geometry, energy and gradient of an .engrad file."""
    lines = [line for line in read_text(path).splitlines() if line.strip() and not line.lstrip().startswith("#")]
    n_atoms = integer(path, None, lines[0].strip() if lines else "", "the number of atoms")
    printout = Printout(path, "\n".join(lines))
    if n_atoms < 1 or len(lines) != 2 + 4 * n_atoms:
        raise InputError(f"{path}: {n_atoms} atoms need {2 + 4 * n_atoms} rows, there are {len(lines)}; is it cut?")
    rows = [line.split() for line in lines[2 + 3 * n_atoms :]]
    species, positions = printout.atoms(-1, [(row[0], row[1:]) for row in rows], units.BOHR)
    gradient = printout.vectors(-1, [lines[2 : 2 + 3 * n_atoms]], "gradient")
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=printout.number(-1, lines[1], "energy") * units.HARTREE,
        gradient=gradient * units.HARTREE_PER_BOHR,
    )


_PROPERTIES_OF = re.compile(r"ORCA (\d[\d.]*)")
_SECTION = re.compile(r"^\$(\w+) *\n(.*?)^\$End", re.MULTILINE | re.DOTALL)
_ENTRY = re.compile(r"^ *&(\w+)(?: *\[[^\]\n]*\])? *(.*?)(?=^ *&|\Z)", re.MULTILINE | re.DOTALL)


def _is_properties(_: Path, text: str) -> bool:
    return text.startswith("****") and "\n$Calculation_Status" in text[:400]


def read_properties(path: Path) -> Part:
    """Return the last geometry of ORCA 6's property.txt, with its energy, gradient, charge and multiplicity."""
    printout = Printout.of(path)
    found = [(match[1], dict(_ENTRY.findall(match[2]))) for match in _SECTION.finditer(printout.text)]
    numbers = [sections.get("GeometryIndex", "").split()[:1] for name, sections in found if name == "Geometry"]
    if not numbers or not any(
        '"NORMAL TERMINATION"' in one.get("STATUS", "") for name, one in found if "Status" in name
    ):
        raise InputError(
            f"{path}: holds no geometry or no STATUS of NORMAL TERMINATION; the job did not end, repeat it"
        )
    # What is said of another geometry than the last one is left out.
    last = {name: one for name, one in found if one.get("GeometryIndex", "").split()[:1] == numbers[-1]}
    place = printout.last("&CartesianCoordinates")
    rows = [row.split() for row in last["Geometry"].get("CartesianCoordinates", "").splitlines() if row.strip()]
    bohr = '&Units "Bohr"' in next(iter(printout.lines(place, 0)), "")
    species, positions = printout.atoms(place, [(row[0], row[1:4]) for row in rows], units.BOHR if bohr else 1.0)
    energy = last.get("Single_Point_Data", {}).get("FinalEnergy")
    slopes = next((one["GRAD"] for name, one in last.items() if "Gradient" in name and "GRAD" in one), None)
    gradient = None
    if slopes is not None:
        words = [row.split()[-1:] for row in slopes.splitlines() if "." in row]
        gradient = printout.vectors(-1, words, "gradient") * units.HARTREE_PER_BOHR
    about = next((one for name, one in found if name == "Calculation_Info"), {})
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=None if energy is None else printout.number(place, energy.split()[0], "energy") * units.HARTREE,
        gradient=gradient,
        program=printout.program("ORCA", _PROPERTIES_OF),
        charge=_stated(path, about, "CHARGE"),
        multiplicity=_stated(path, about, "MULT"),
    )


def _stated(path: Path, entries: dict[str, str], key: str) -> int | None:
    words = entries.get(key, "").split()
    return integer(path, None, words[0], key) if words else None


KINDS = (
    Kind("ORCA output", _is_output, read_output),
    Kind("ORCA Hessian", _is_hess, read_hess),
    Kind("ORCA properties", _is_properties, read_properties),
    Kind("engrad", _is_engrad, read_engrad),
)
