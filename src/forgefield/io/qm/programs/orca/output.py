"""Reads what ORCA 4 to 6 print."""

import re
from dataclasses import replace
from pathlib import Path
from warnings import warn

import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.errors import InputError, InputWarning, UnfinishedJob
from forgefield.io.assemble.held import held
from forgefield.io.assemble.parts import Part
from forgefield.io.qm.programs.printout import NUMBER, Kind, Printout, not_understood
from forgefield.io.qm.programs.twice import check_repulsion
from forgefield.io.sources import stem
from forgefield.io.text import integer
from forgefield.molecules.molecule import AtomicCharges

_END = "****ORCA TERMINATED NORMALLY****"
_VERSION = re.compile(r"Program Version\s+(\S+)")
_ATOM = re.compile(rf" *([A-Z][a-z]?) +({NUMBER}) +({NUMBER}) +({NUMBER}) *")
_MASS = re.compile(rf" *\d+ +[A-Z][a-z]? +{NUMBER} +\d+ +({NUMBER})(?: +{NUMBER}){{3}} *")
_GHOST = re.compile(
    rf"^\| *\d+> *([A-Z][a-z]? *:)(?: +{NUMBER}){{3}}|^ *\d+ +([A-Z][a-z]?) +0\.0+ +\d+(?: +{NUMBER}){{4}} *$",
    re.MULTILINE,
)
"""In the input, and without a charge in the table of atoms."""
_SLOPE = re.compile(rf" *\d+(?: +[A-Z][a-z]?)? *: +({NUMBER}) +({NUMBER}) +({NUMBER}) *")
_CHARGE = re.compile(rf" *\d+ +[A-Z][a-z]? *: +({NUMBER})(?: +{NUMBER})? *")
_FREQUENCY = re.compile(rf" *\d+: +({NUMBER}) cm\*\*-1.*")
_ENERGY = re.compile(r"FINAL SINGLE POINT ENERGY(?: \(\w+\))? +(\S+)(.*)")
_CHARGE_OF_ALL = re.compile(r"Total Charge +Charge +\.\.\.\. +(\S+)")
_MULTIPLICITY = re.compile(r"Multiplicity +Mult +\.\.\.\. +(\S+)")
_SCALE = re.compile(r"Scaling factor for frequencies = +(\S+)")
_KEYWORDS = re.compile(r"^\| *\d+> *!(.*)", re.MULTILINE)
_NEW_JOB = re.compile(r"^\| *\d+> *\$new_job\b", re.MULTILINE | re.IGNORECASE)
_STATE = re.compile(
    r"^\| *\d+> *\* *(?:xyz|xyzfile|int|internal|gzmt|gzmtfile|pdbfile) +(-?\d+) +(\d+)\b", re.MULTILINE | re.IGNORECASE
)
_DRAWN = re.compile(
    r"^\| *\d+> *\* *xyz +-?\d+ +\d+.*\n((?:^\| *\d+> *[A-Za-z].*\n)+)^\| *\d+> *\*", re.MULTILINE | re.IGNORECASE
)
_DRAWN_ATOM = re.compile(rf"^\| *\d+> *([A-Z][a-z]?) +({NUMBER}) +({NUMBER}) +({NUMBER})\b", re.MULTILINE)
_IN_BOHR = re.compile(r"^\| *\d+> *!.*\bbohrs\b", re.MULTILINE | re.IGNORECASE)
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
    "INTRINSIC REACTION COORDINATE": "a reaction path",
    "TRAJECTORY RESULTS": "a scan",
}
_SCANNED = re.compile(r"^ *\* +RELAXED SURFACE SCAN STEP +\d+ +\*", re.MULTILINE)
_DIHEDRAL = re.compile(
    rf"^ *\* +Dihedral +\( *(\d+), +(\d+), +(\d+), +(\d+)\) *: +({NUMBER}) +\*", re.MULTILINE | re.IGNORECASE
)
_EXCITED = re.compile(
    r"TD-?DFT/(?:TDA|CIS)|ORCA-CIS/TD-DFT FINISHED|(?:TD-?DFT|CIS|EOM-\S+|ADC\(2\))(?: |-)(?:EXCITED STATES|RESULTS)|"
    r"ORCA (?:TD-?DFT|CIS|ROCIS) +CALCULATION"
)
_ROOT = re.compile(r"DE\(C[A-Z/]*\) *= +\S+ Eh +\(Root +(\d+)\)[^=]*?E\(tot\) *= +(\S+) Eh")
"""Where an excited state has the energy that is printed as the final one."""
_SAME = 1e-6
"""Hartree"""


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
    ghost = _GHOST.search(printout.text)
    if ghost:
        raise printout.ghost(ghost.start(), ghost[1] or ghost[2])
    return _results(printout, printout)


def _results(printout: Printout, whole: Printout) -> Part:
    """Return what a piece of an output says of its last geometry."""
    place, species, positions = _geometry(printout)
    check_repulsion(printout, place, species, positions)
    masses = printout.column(printout.last("CARTESIAN COORDINATES (A.U.)"), _MASS, 3, "masses")
    jobs = whole.matches(_NEW_JOB)
    words = " ".join(found[1] for found in whole.matches(_KEYWORDS, jobs[-1].start() if jobs else 0)).split()
    states = whole.matches(_STATE)
    # What another program computes for ORCA is printed without them.
    charge, multiplicity = states[-1].groups() if states else (None, None)
    searches = [order for word in words if (order := _SEARCHES.get(word.lower())) is not None]
    converged = "THE OPTIMIZATION HAS CONVERGED" in printout.text
    return Part(
        source=str(printout.path),
        species=species,
        positions=positions,
        energy=_energy(printout, place),
        gradient=_gradient(printout, place),
        frequencies=_frequencies(printout, place),
        masses=masses if len(masses) else None,
        level="/".join(dict.fromkeys(word for word in words if not _NOT_OF_THE_LEVEL.fullmatch(word.lower()))),
        program=whole.program("ORCA", _VERSION),
        stationary_order=searches[-1] if searches and converged else None,
        charge=_first(whole.integer(_CHARGE_OF_ALL, "charge"), charge),
        multiplicity=_first(whole.integer(_MULTIPLICITY, "multiplicity"), multiplicity),
        charges=_charges(printout, place),
    )


def _geometry(printout: Printout) -> tuple[int, Int[np.ndarray, " atoms"], Float[np.ndarray, "atoms 3"]]:
    """Return place, species and positions of the last geometry; a small print level has that of the input alone."""
    place = printout.last("CARTESIAN COORDINATES (ANGSTROEM)")
    drawn = list(_DRAWN.finditer(printout.text)) if place < 0 else []
    if not drawn or "GEOMETRY OPTIMIZATION CYCLE" in printout.text:
        return place, *printout.geometry(place, _ATOM, skip=2)
    place = drawn[-1].start()
    rows = list(_DRAWN_ATOM.finditer(drawn[-1][1]))
    if len(rows) != drawn[-1][1].count("\n"):
        raise printout.wrong(place, "the geometry of the input, which alone is printed, has rows that are not read")
    unit = units.BOHR if _IN_BOHR.search(printout.text) else 1.0
    return place, *printout.atoms(place, [(row[1], row.groups()[1:4]) for row in rows], unit)


def _first(printed: int | None, stated: str | None) -> int | None:
    return printed if printed is not None or stated is None else int(stated[:6])


def read_scan(path: Path) -> list[Part]:
    """Return the points of a relaxed scan that converged, with the dihedrals that were held; of others an InputWarning
    tells."""
    whole = Printout.of(path)
    heads = whole.matches(_SCANNED)
    ends = [head.start() for head in heads[1:]] + [len(whole.text)]
    pieces = [Printout(path, whole.text[head.start() : end]) for head, end in zip(heads, ends, strict=True)]
    done = [piece for piece in pieces if "THE OPTIMIZATION HAS CONVERGED" in piece.text]
    said = f"{path}: {len(done)} of {len(pieces)} points of the scan were optimised"
    if not done:
        raise UnfinishedJob(f"{said}; finish the scan")
    if len(done) < len(pieces) or _END not in whole.text:
        warn(InputWarning(f"{said}; only these are read"), stacklevel=2)
    return [_point(piece, whole, f"{stem(path)}-{k}") for k, piece in enumerate(done, start=1)]


def _point(printout: Printout, whole: Printout, name: str) -> Part:
    """Return what is said of a point of a scan."""
    part = _results(printout, whole)
    held_fast = printout.matches(_DIHEDRAL)
    quads = [
        [integer(printout.path, None, word, "an atom of a dihedral") for word in row.groups()[:4]] for row in held_fast
    ]
    degrees = [printout.number(row.start(), row[5], "the angle of a dihedral") for row in held_fast]
    assert part.species is not None
    assert part.positions is not None
    constraints = held(f"{printout.path}: {name}", part.species, part.positions, quads, degrees)
    return replace(part, name=name, constraints=constraints, stationary_order=None)


def _energy(printout: Printout, place: int) -> float | None:
    """Return the energy [kcal/mol] of the last geometry; of an excited state where ORCA says of which."""
    found = printout.matches(_ENERGY, place)
    if not found:
        raise printout.wrong(place, "no FINAL SINGLE POINT ENERGY follows the last geometry; is the file truncated?")
    if "not fully converged" in found[-1][2] or "Wavefunction not" in found[-1][2]:
        raise printout.wrong(found[-1].start(), "the wave function has not converged; repeat the job")
    energy = printout.energy(found[-1])
    if not _EXCITED.search(printout.text, place):
        return energy
    roots = printout.matches(_ROOT, place)
    if (
        roots
        and abs(printout.number(roots[-1].start(), roots[-1][2], "E(tot)") * units.HARTREE - energy)
        < _SAME * units.HARTREE
    ):
        warn(InputWarning(f"{printout.path}: the energy is that of excited state {roots[-1][1]}"), stacklevel=3)
        return energy
    not_understood(printout.path, "excited states were computed, whose energy is not told from the ground state's")
    return None


def _gradient(printout: Printout, place: int) -> Float[np.ndarray, "atoms 3"] | None:
    """Return the last gradient; those of MP2 and of finite differences have heads of their own."""
    head = max(printout.last(mark, place) for mark in ("\nCARTESIAN GRADIENT", "\nThe final MP2 gradient"))
    if head < 0:
        return None
    skips = (skip for skip in range(1, 6) if printout.rows(head + 1, _SLOPE, skip))
    return printout.gradient(head + 1, _SLOPE, next(skips, 1))


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
    return printout.frequencies(head, rows) / unscaled(printout, factor)


def unscaled(printout: Printout, factor: float) -> float:
    """Return a factor by which frequencies are scaled; raises InputError where it is none."""
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


def _is_scan(path: Path, text: str) -> bool:
    return _is_output(path, text) and _SCANNED.search(text) is not None


KINDS = (
    Kind("ORCA relaxed scan", _is_scan, frames=read_scan),
    Kind("ORCA output", _is_output, read_output),
)
