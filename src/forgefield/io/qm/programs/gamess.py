"""Reads what GAMESS-US prints and its punch file."""

import re
from itertools import takewhile
from pathlib import Path

import numpy as np
from jaxtyping import Float

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.assemble.parts import Part, full_hessian
from forgefield.io.qm.programs.printout import NUMBER, Kind, Printout, not_understood, signed, square
from forgefield.io.qm.programs.twice import check_repulsion
from forgefield.io.text import read_text
from forgefield.molecules.molecule import AtomicCharges

_END = "EXECUTION OF GAMESS TERMINATED NORMALLY"
_VERSION = re.compile(r"GAMESS VERSION = +(.*?) *\*")
_FIRST = re.compile(r"ATOM +ATOMIC +COORDINATES \(BOHR\)")
_ATOM = re.compile(rf" *\S+ +({NUMBER}) +({NUMBER}) +({NUMBER}) +({NUMBER}) *")
_SLOPE = re.compile(rf" *\d+ +\S+ +({NUMBER}) +({NUMBER}) +({NUMBER}) *")
_WEIGHT = re.compile(rf" *\d+ +\S+ +({NUMBER}) *")
_POPULATION = re.compile(rf" *\d+ +[A-Z]+ +{NUMBER} +({NUMBER}) +{NUMBER} +{NUMBER} *", re.IGNORECASE)
_FREQUENCIES = re.compile(r"^ +FREQUENCY: +(.*)$", re.MULTILINE)
_RIGID = re.compile(r"MODES +(\d+) +TO +(\d+) +ARE TAKEN AS ROTATIONS")
_OPTION = re.compile(r"\b(\w+) *= *([^\s=]+)")
_CHARGE = re.compile(r"CHARGE OF MOLECULE += +(-?\d+)")
_MULTIPLICITY = re.compile(r"SPIN MULTIPLICITY += +(\d+)")
_SCF = re.compile(r"FINAL \S+ ENERGY IS +(\S+)")
_MP2 = re.compile(r"\bE\(MP2\) *= +(\S+)")
_COUPLED = re.compile(r"^ +(?P<method>\S+) +ENERGY: +(?P<energy>-\S+)", re.MULTILINE)


def _is_output(_: Path, text: str) -> bool:
    return "GAMESS VERSION =" in text and "FROM IOWA STATE UNIVERSITY" in text


def read_output(path: Path) -> Part:
    """Return what GAMESS printed of the last geometry: energy, gradient, frequencies, masses and charges.

    The Hessian that it prints has too few digits; that of the punch file is the one to give.
    """
    printout = Printout.of(path)
    printout.ended(_END)
    text = printout.text
    options = dict(_OPTION.findall(text[text.find("$CONTRL OPTIONS") :][:2000]))
    run = options.get("RUNTYP", "")
    if run not in ("ENERGY", "GRADIENT", "HESSIAN", "OPTIMIZE", "SADPOINT", "PROP"):
        raise InputError(f"{path}: RUNTYP is {run or 'not there'}; energies, optimisations and Hessians are read")
    if "FAILURE TO LOCATE STATIONARY POINT" in text or "SEARCH IS NOT CONVERGED" in text:
        raise InputError(f"{path}: the optimisation did not converge; repeat it from its last geometry")
    place, unit, skip = printout.last("COORDINATES OF ALL ATOMS ARE (ANGS)"), 1.0, 3
    if place < 0:
        first = _FIRST.search(text)
        place, unit, skip = first.start() if first else -1, units.BOHR, 2
    rows = printout.table(place, _ATOM, skip)
    labels = [str(round(printout.number(place, row[1], "nuclear charge"))) for row in rows]
    species, positions = printout.atoms(
        place, [(label, row.groups()[1:]) for label, row in zip(labels, rows, strict=True)], unit
    )
    check_repulsion(printout, place, species, positions)
    masses = printout.column(printout.last("ATOMIC WEIGHTS (AMU)"), _WEIGHT, 2, "masses")
    found = "LOCATED *****" in text
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=_energy(printout, place, options),
        gradient=printout.gradient(printout.last("UNITS ARE HARTREE/BOHR", place), _SLOPE, 1),
        frequencies=_frequencies(printout),
        masses=masses if len(masses) else None,
        level=_level(text, options),
        program=printout.program("GAMESS", _VERSION),
        stationary_order={"OPTIMIZE": 0, "SADPOINT": 1}.get(run) if found else None,
        charge=printout.integer(_CHARGE, "charge"),
        multiplicity=printout.integer(_MULTIPLICITY, "multiplicity"),
        charges=_charges(printout, place),
    )


def _method(options: dict[str, str]) -> str:
    coupled, functional = options.get("CCTYP", "NONE"), options.get("DFTTYP", "NONE")
    if coupled != "NONE":
        return coupled
    if options.get("MPLEVL", "0") == "2":
        return "MP2"
    return functional if functional != "NONE" else options.get("SCFTYP", "")


def _level(text: str, options: dict[str, str]) -> str:
    basis: dict[str, str] = {}
    if "BASIS OPTIONS" in text:
        basis = dict(_OPTION.findall(text[text.find("BASIS OPTIONS") :][:600]))
    sets = {"STO": "STO-{}G", "N31": "{}-31G", "N21": "{}-21G", "N311": "{}-311G"}
    word = basis.get("GBASIS", "")
    name = sets.get(word, word).format(basis.get("IGAUSS", ""))
    return "/".join(word for word in (_method(options), _augmented(name, basis)) if word)


def _augmented(name: str, basis: dict[str, str]) -> str:
    """Return the name of a basis set with its diffuse and polarisation functions."""
    if name.endswith("G"):
        name = f"{name[:-1]}{'+' * [basis.get(key, 'F') for key in ('DIFFSP', 'DIFFS')].count('T')}G"
    n_d, n_f, n_p = (int(basis.get(key, "0")[:2] or 0) for key in ("NDFUNC", "NFFUNC", "NPFUNC"))
    if n_d <= 1 and n_p <= 1 and not n_f:
        return name + "*" * n_d + "*" * n_p
    heavy, light = (f"{n if n > 1 else ''}{letter}" if n else "" for n, letter in ((n_d, "d"), (n_p, "p")))
    return f"{name}({heavy}{'f' if n_f else ''}{',' if light else ''}{light})"


def _energy(printout: Printout, place: int, options: dict[str, str]) -> float | None:
    """Return the energy [kcal/mol] of the method that the options name, where that is known."""
    method, coupled = _method(options), options.get("CCTYP", "NONE")
    excited = options.get("TDDFT", "NONE") != "NONE" or options.get("CITYP", "NONE") != "NONE"
    other = options.get("MPLEVL", "0") not in ("0", "2") or (coupled == "NONE" and options.get("SCFTYP") == "MCSCF")
    pattern = _COUPLED if coupled != "NONE" else _MP2 if method == "MP2" else _SCF
    # An optimisation prints the energy of its first geometry before that geometry's table of the next step.
    found = printout.matches(pattern, place) or printout.matches(pattern)
    if coupled != "NONE":
        found = [match for match in found if match["method"] == coupled]
    if excited or other or (coupled != "NONE" and not found):
        not_understood(printout.path, f"the energy of {method} with CITYP or TDDFT is not told from that of its SCF")
        return None
    if not found:
        raise InputError(f"{printout.path}: holds no energy of {method}; is the file truncated?")
    return printout.energy(found[-1])


def _frequencies(printout: Printout) -> Float[np.ndarray, " modes"] | None:
    """Return the frequencies without the modes that GAMESS takes for translations and rotations."""
    rigid = list(_RIGID.finditer(printout.text))
    if not rigid:
        return None
    place = rigid[-1].end()
    words = [signed(match[1]) for match in printout.matches(_FREQUENCIES, place)]
    numbers = printout.numbers(place, words, "frequencies")
    first, last = (int(word[:6]) for word in rigid[-1].groups())
    return np.delete(numbers, np.arange(first - 1, min(last, len(numbers))))


def _charges(printout: Printout, place: int) -> tuple[AtomicCharges, ...]:
    head = printout.last("TOTAL MULLIKEN AND LOWDIN ATOMIC POPULATIONS", place)
    # Some versions print each row twice, without charges first.
    lines = [_POPULATION.fullmatch(line) for line in takewhile(str.strip, printout.lines(head, 2))] if head >= 0 else []
    rows = [row for row in lines if row]
    if not rows:
        return ()
    return (AtomicCharges("mulliken", printout.numbers(head, [row[1] for row in rows], "mulliken charges")),)


_HESS = re.compile(r"^ \$HESS\s*\n(.*?)^ \$END", re.MULTILINE | re.DOTALL)
_GRAD = re.compile(r"^ \$GRAD\s*\n(.*?)^ \$END", re.MULTILINE | re.DOTALL)
_PUNCHED = re.compile(rf"E(?:NERGY IS|=) +({NUMBER})")


def _is_punch(_: Path, text: str) -> bool:
    return "\n $HESS" in f"\n{text[:20]}" or "\n $HESS" in text or ("\n $GRAD" in text and "\n $DATA" in text)


def read_punch(path: Path) -> Part:
    """Return energy, gradient and Hessian of a punch file; its geometry is in the output of the job."""
    printout = Printout(path, read_text(path))
    found, slopes = list(_HESS.finditer(printout.text)), list(_GRAD.finditer(printout.text))
    if not found and not slopes:
        raise InputError(f"{path}: holds no whole $HESS and no whole $GRAD; is the file truncated?")
    group = found[-1] if found else slopes[-1]
    energy = _PUNCHED.search(printout.text, group.start(), group.end())
    gradient = None
    if slopes:
        rows = [line.split()[-3:] for line in slopes[-1][1].splitlines()[1:]]
        gradient = printout.vectors(slopes[-1].start(), rows, "gradient") * units.HARTREE_PER_BOHR
    return Part(
        source=str(path),
        energy=printout.energy(energy) if energy else None,
        gradient=gradient,
        hessian=_hessian(printout, found[-1][1]) if found else None,
        program="GAMESS",
    )


def _hessian(printout: Printout, text: str) -> Float[np.ndarray, "coordinates coordinates"]:
    """Return the Hessian from rows of two counters of together five columns and up to five numbers of fifteen."""
    words = [line[i : i + 15] for line in text.splitlines()[1:] for i in range(5, len(line.rstrip()), 15)]
    n = round(len(words) ** 0.5)
    if not n or n % 3:
        raise InputError(f"{printout.path}: $HESS has {len(words)} numbers, not (3N)²; is the file truncated?")
    return full_hessian(printout.path, square(printout, words, n, "Hessian"), n // 3)


KINDS = (
    Kind("GAMESS output", _is_output, read_output),
    Kind("GAMESS punch", _is_punch, read_punch, has_geometry=False),
)
