"""Reads what Q-Chem prints."""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.assemble.parts import Part, full_hessian
from forgefield.io.qm.programs.printout import NUMBER, Kind, Printout, blocks, energy_of
from forgefield.io.qm.programs.twice import check_repulsion
from forgefield.io.text import integer
from forgefield.molecules.molecule import AtomicCharges

_END = "Thank you very much for using Q-Chem"
_VERSION = re.compile(r"^ *Q-Chem(?:, Version)? (\d[\d.]*)", re.MULTILINE)
_ATOM = re.compile(rf" *\d+ +([A-Z][a-z]?) +({NUMBER}) +({NUMBER}) +({NUMBER}) *")
_CHARGE = re.compile(rf" *\d+ +[A-Z][a-z]? +({NUMBER})(?: +{NUMBER})? *")
_MOLECULE = re.compile(r"^\$molecule\s+(-?\d+)[ \t]+(\d+)", re.MULTILINE | re.IGNORECASE)
_REM = re.compile(r"^\$rem\s*$(.*?)^\$end", re.MULTILINE | re.DOTALL | re.IGNORECASE)
_OPTION = re.compile(r"^[ \t]*(\w+)[ \t=]+(\S+)", re.MULTILINE)
_FREQUENCIES = re.compile(r"^ Frequency: +(.*)$", re.MULTILINE)
_ELECTRONS = re.compile(r"There are +(\d+) alpha and +(\d+) beta electrons")
_ENERGIES = {
    # Version 3 may print no more than the last cycle.
    "": re.compile(
        r"(?:Total energy(?: in the final basis set)? += +|^ +\d+ +(?=-\S+ +\S+ +Convergence criterion met))(\S+)",
        re.MULTILINE,
    ),
    "mp2": re.compile(r"MP2 +total energy += +(\S+)"),
    "rimp2": re.compile(r"(?:RI-?MP2|MP2) +total energy += +(\S+)"),
    "mp3": re.compile(r"\bE?MP3(?: energy)? += +(\S+)"),
    "mp4sdq": re.compile(r"\bEMP4SDQ += +(\S+)"),
    "mp4": re.compile(r"\bEMP4 += +(\S+)"),
    "ccd": re.compile(r"CCD total energy += +(\S+)"),
    "ccsd": re.compile(r"CCSD total energy += +(\S+)"),
    "ccsd(t)": re.compile(r"CCSD\(T\) total energy += +(\S+)"),
}
_OTHERS = re.compile(r"TDDFT|Excitation Energies|MP2 |CCSD|EOM|ADC|CIS ", re.IGNORECASE)
_SEARCHES = {"opt": 0, "optimization": 0, "ts": 1}
_KINDS = {"Mulliken Net Atomic": "mulliken", "Hirshfeld Atomic": "hirshfeld", "ChElPG Net Atomic": "esp"}
_OTHER_JOBS = {
    "aimd": "molecular dynamics",
    "pes_scan": "a scan",
    "rpath": "a reaction path",
    "fsm": "a string",
    "eda": "an energy decomposition",
    "bsse": "a counterpoise correction",
}


def _is_output(_: Path, text: str) -> bool:
    return "Welcome to Q-Chem" in text or "Q-Chem, Inc." in text[:20000]


def read_output(path: Path) -> Part:
    """Return what Q-Chem printed of the last geometry: energy, gradient, Hessian, frequencies and charges."""
    printout = Printout.of(path)
    printout.ended(_END)
    jobs = [dict(_OPTION.findall(rem.lower())) for rem in _REM.findall(printout.text)]
    options = {key: value for job in jobs for key, value in job.items()}
    kinds = [job.get("jobtype", job.get("job_type", "sp")) for job in jobs]
    other = next((_OTHER_JOBS[kind] for kind in kinds if kind in _OTHER_JOBS), None)
    if other:
        raise InputError(f"{path}: is {other}; give single points of its geometries, or an .xyz with energies")
    if "MAXIMUM OPTIMIZATION CYCLES REACHED" in printout.text:
        raise InputError(f"{path}: the optimisation did not converge; repeat it from its last geometry")
    place = printout.last("Standard Nuclear Orientation (Angstroms)")
    species, positions = printout.geometry(place, _ATOM, skip=3)
    check_repulsion(printout, place, species, positions)
    searches = [_SEARCHES[kind] for kind in kinds if kind in _SEARCHES]
    found = printout.matches(_FREQUENCIES, place)
    charge, multiplicity = _state(printout, species, has_core="ecp" in options)
    method = options.get("method") or options.get("correlation") or options.get("exchange") or ""
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=energy_of(printout, place, method, _ENERGIES, _OTHERS),
        gradient=_gradient(printout, place, len(species)),
        hessian=_hessian(printout, place, len(species)),
        frequencies=printout.frequencies(place, [match[1] for match in found]) if found else None,
        level=" ".join(
            ["/".join(word.upper() for word in (method, options.get("basis", "")) if word), *_beside(options)]
        ),
        program=printout.program("Q-Chem", _VERSION),
        stationary_order=searches[-1] if searches and "OPTIMIZATION CONVERGED" in printout.text else None,
        charge=charge,
        multiplicity=multiplicity,
        charges=_charges(printout, place),
    )


def _beside(options: dict[str, str]) -> list[str]:
    """Return dispersion and solvent model, where the options ask for them."""
    asked = (options.get(key, "false") for key in ("dft_d", "solvent_method"))
    return [word.upper() for word in asked if word not in ("false", "none", "0")]


def _state(printout: Printout, species: Int[np.ndarray, " atoms"], *, has_core: bool) -> tuple[int | None, int | None]:
    """Return charge and multiplicity: of the input, and of the electrons where its molecule was read from elsewhere."""
    stated = _MOLECULE.search(printout.text)
    if stated:
        return int(stated[1][:6]), int(stated[2][:6])
    electrons = _ELECTRONS.search(printout.text)
    if electrons is None:
        return None, None
    up, down = (integer(printout.path, None, word, "electrons") for word in electrons.groups())
    return None if has_core else int(species.sum()) - up - down, up - down + 1


def _gradient(printout: Printout, place: int, n_atoms: int) -> Float[np.ndarray, "atoms 3"] | None:
    """Return the gradient, which is printed with a row for each direction, in blocks of atoms."""
    head = printout.last("Gradient of SCF Energy", place)
    head = printout.last("Full Analytical Gradient", place) if head < 0 else head
    if head < 0:
        return None
    rows: list[list[str]] = [[], [], []]
    for line in printout.lines(head):
        words = line.split()
        if words and all("." not in word and word.isdecimal() for word in words):
            continue
        if len(words) < 2 or words[0] not in ("1", "2", "3"):
            break
        rows[int(words[0]) - 1] += words[1:]
    if any(len(row) != n_atoms for row in rows):
        raise printout.wrong(head, "the gradient has not three numbers for each atom; is the file truncated?")
    gradient = printout.numbers(head, [word for row in rows for word in row], "gradient")
    return gradient.reshape(3, n_atoms).T * units.HARTREE_PER_BOHR


def _hessian(printout: Printout, place: int, n_atoms: int) -> Float[np.ndarray, "coordinates coordinates"] | None:
    heads = [printout.last(mark, place) for mark in ("Hessian of the SCF Energy", "Final Hessian.")]
    head = max(heads)
    if head < 0:
        return None
    return full_hessian(printout.path, blocks(printout, head, 1, 3 * n_atoms, "the Hessian"), n_atoms)


def _charges(printout: Printout, place: int) -> tuple[AtomicCharges, ...]:
    found = []
    for name, kind in _KINDS.items():
        charges = printout.column(printout.last(f"{name} Charges", place), _CHARGE, 4, f"{kind} charges")
        if len(charges):
            found.append(AtomicCharges(kind, charges))
    return tuple(found)


KINDS = (Kind("Q-Chem output", _is_output, read_output),)
