"""Reads what MOPAC prints, which has no whole Hessian; that is in its .aux file."""

import itertools
import re
from pathlib import Path

import numpy as np
from jaxtyping import Float

from forgefield.errors import InputError
from forgefield.io.assemble.parts import Part
from forgefield.io.qm.programs.mopac.aux import stated_charge, stated_multiplicity
from forgefield.io.qm.programs.printout import NUMBER, Kind, Printout
from forgefield.molecules.molecule import AtomicCharges

_METHOD = re.compile(r"^ +(\S+) CALCULATION RESULTS", re.MULTILINE)
_VERSION = re.compile(r"MOPAC ?(v\d\S*|20\d\d\b|\d+\.\S+)")
_INPUT = re.compile(
    rf" *\d+ +([A-Z][a-z]?)\S*(?: +({NUMBER}))(?: *\*)?(?: +({NUMBER}))(?: *\*)?(?: +({NUMBER}))(?: *\*)? *"
)
_HEAT = re.compile(r"\b(?:FINAL )?HEAT OF FORMATION +=? +(\S+) KCALS?/MOLE?")
_FORMULA = re.compile(r"EMPIRICAL FORMULA: .*= *(\d+) *atoms", re.IGNORECASE)
_FREQUENCY = re.compile(
    r"^ *VIBRATION +(?P<number>\d+) +(?P<symmetry>\S*).*\n *FREQUENCY +(?P<value>-?\d+\.\d+)", re.MULTILINE
)
_ALONE = re.compile(r"\d+[AB]")
"""Symmetry of vibrations of which each is described."""
_POPULATION = re.compile(rf" *\d+ +[A-Z][a-z]? +({NUMBER}) +{NUMBER}.*")
_SLOPE = re.compile(rf"^ *\d+ +\d+ +[A-Z][a-z]? +CARTESIAN [XYZ] +{NUMBER} +({NUMBER}) +KCAL/ANGSTROM", re.MULTILINE)
_FOUND = re.compile(r"IS LESS THAN CUTOFF|TEST WAS SATISFIED|GEOMETRY OPTIMISED USING")


def _is_output(_: Path, text: str) -> bool:
    return "MOPAC" in text and bool(_METHOD.search(text))


def read_output(path: Path) -> Part:
    """Return what the last job of an output says: geometry, heat of formation, frequencies and charges."""
    whole = Printout.of(path)
    whole.ended("JOB ENDED NORMALLY", "MOPAC DONE")
    methods = whole.matches(_METHOD)
    printout = Printout(path, whole.text[methods[-1].start() :])
    text = printout.text
    if "EXCESS NUMBER OF OPTIMIZATION CYCLES" in text or "NUMERICAL PROBLEMS IN BRACKETING" in text:
        raise InputError(f"{path}: the optimisation did not converge; repeat it from its last geometry")
    heats = printout.matches(_HEAT)
    if not heats:
        raise InputError(f"{path}: holds no heat of formation; is the file truncated?")
    species, positions = _geometry(printout)
    charges = printout.column(printout.last("NET ATOMIC CHARGES"), _POPULATION, 3, "charges")
    slopes = [match[1] for match in printout.matches(_SLOPE)]
    keywords = text[: text.find("(ANGSTROMS)")].upper()
    version = _VERSION.search(whole.text)
    searches = _FOUND.search(text) and not re.search(r"\bTS\b", keywords)
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=printout.number(heats[-1].start(), heats[-1][1], "heat of formation"),
        gradient=printout.vectors(-1, [slopes], "gradient") if len(slopes) == positions.size else None,
        frequencies=_frequencies(printout),
        level=methods[-1][1],
        program=f"MOPAC {version[1].lstrip('v')}" if version else "MOPAC",
        stationary_order=0 if searches else None,
        charge=stated_charge(keywords),
        multiplicity=stated_multiplicity(keywords),
        charges=(AtomicCharges("mulliken", charges),) if len(charges) == len(species) else (),
    )


def _geometry(printout: Printout) -> tuple[np.ndarray, np.ndarray]:
    """Return species and positions [Å] of the last whole table: a job of force constants prints its input alone.

    A table of fewer decimals may follow, in which the molecule is turned.
    """
    tables = []
    for head in re.finditer(r"CARTESIAN COORDINATES *\n|\(ANGSTROMS\) +\(ANGSTROMS\).*\n", printout.text):
        rows = printout.rows(head.end(), _INPUT, 1)
        if rows and all(len(word.partition(".")[2]) > 6 for word in rows[0].groups()[1:]):
            tables.append((head.end(), rows))
    place, rows = tables[-1] if tables else (0, [])
    formula = _FORMULA.search(printout.text)
    if formula and int(formula[1][:6]) != len(rows):
        raise printout.wrong(
            place, f"the geometry has {len(rows)} atoms, the formula {formula[1]}; is the file damaged?"
        )
    return printout.atoms(place, [(row[1], row.groups()[1:]) for row in rows])


def _frequencies(printout: Printout) -> Float[np.ndarray, " modes"] | None:
    place = printout.last("DESCRIPTION OF VIBRATIONS")
    found = printout.matches(_FREQUENCY, place) if place >= 0 else []
    if not found:
        return None
    # Of vibrations with one frequency by symmetry, five at most, only the last is described.
    numbers = [0, *(int(match["number"][:6]) for match in found)]
    repeats = [after - before for before, after in itertools.pairwise(numbers)]
    alone = [bool(_ALONE.match(match["symmetry"])) for match in found]
    if not all(1 <= n <= (1 if is_one else 5) for n, is_one in zip(repeats, alone, strict=True)):
        raise printout.wrong(place, "the vibrations are not numbered one after the other; is the file damaged?")
    rows = [match["value"] for match, n in zip(found, repeats, strict=True) for _ in range(n)]
    return printout.frequencies(place, rows)


KINDS = (Kind("MOPAC output", _is_output, read_output),)
