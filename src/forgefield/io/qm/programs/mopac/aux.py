"""Reads MOPAC's .aux files and what it prints."""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.assemble.parts import Part, hessian_from_triangle
from forgefield.io.qm.programs.printout import Kind, Printout
from forgefield.io.text import read_text
from forgefield.molecules.molecule import AtomicCharges, standard_masses
from forgefield.properties.modes import rigid_motions

_ENTRY = re.compile(
    r"^ *([A-Z][^\s=\[]*)(?:\[\d+\])?= *(.*?)(?=^ *[A-Z][^\s=]*(?:\[\d+\])?=|\Z)", re.MULTILINE | re.DOTALL
)
_TURNED = "ORIENTATION_ATOM_X:ANGSTROMS"
_POSITIONS = (_TURNED, "ATOM_X_OPT:ANGSTROMS", "ATOM_X:ANGSTROMS")
_GLUED = re.compile(r"(?<=\d)-")
_SPINS = ("SINGLET", "DOUBLET", "TRIPLET", "QUARTET", "QUINTET", "SEXTET", "SEPTET", "OCTET", "NONET")
_CHARGE = re.compile(r"\bCHARGE *= *([+-]?\d+)")


def _is_aux(_: Path, text: str) -> bool:
    return "START OF MOPAC FILE" in text and "ATOM_EL[" in text


def read_aux(path: Path) -> Part:
    """Return what the last job of an .aux file holds: geometry, heat of formation, gradient, Hessian, charges.

    A vibrational analysis turns the molecule, and the part is in its frame.
    """
    text = read_text(path)
    job = text[text.rindex("START OF MOPAC FILE") :]
    # The first lines of a matrix are a remark.
    job = "\n".join(line for line in job.splitlines() if not line.lstrip().startswith("#"))
    printout = Printout(path, job)
    printout.ended("END OF MOPAC FILE", "END OF MOPAC PROGRAM")
    entries = {match[1]: match[2] for match in _ENTRY.finditer(job)}
    if "ERROR_MESSAGE" in entries:
        raise InputError(f"{path}: the job failed: {entries['ERROR_MESSAGE'].splitlines()[0].strip()}; repeat it")
    missing = [key for key in ("ATOM_EL", "ATOM_X:ANGSTROMS") if key not in entries]
    if missing:
        raise InputError(f"{path}: holds no {' and no '.join(missing)}; is the file truncated?")
    symbols = entries["ATOM_EL"].split()
    key = next(key for key in _POSITIONS if key in entries)
    words = _words(entries[key])
    species, positions = printout.atoms(-1, [(s, words[3 * i : 3 * i + 3]) for i, s in enumerate(symbols)])
    keywords, masses = entries.get("KEYWORDS", "").upper(), _numbers(printout, entries, "ISOTOPIC_MASSES")
    heat = _numbers(printout, entries, "HEAT_OF_FORMATION:KCAL/MOL")
    gradient = None if key == _TURNED else _numbers(printout, entries, "GRADIENTS:KCAL/MOL/ANGSTROM")
    charges = _numbers(printout, entries, "ATOM_CHARGES")
    # Translations and rotations, of which a linear molecule has five, come last.
    frequencies = _numbers(printout, entries, "VIB._FREQ:CM(-1)")
    n_rigid = rigid_motions(positions, standard_masses(species)).shape[1]
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=None if heat is None else float(heat[0]),
        gradient=None if gradient is None or len(gradient) != 3 * len(symbols) else gradient.reshape(-1, 3),
        hessian=_hessian(printout, entries, masses, len(symbols)),
        frequencies=None if frequencies is None else frequencies[: max(len(frequencies) - n_rigid, 0)],
        masses=masses,
        level=entries.get("METHOD", "").strip(),
        program=" ".join(["MOPAC", *re.findall(r"\d[\w.]*", entries.get("MOPAC_VERSION", ""))[:1]]),
        charge=_charge(keywords),
        multiplicity=_multiplicity(keywords, printout, entries),
        charges=() if charges is None else (AtomicCharges("mulliken", charges),),
    )


def _numbers(printout: Printout, entries: dict[str, str], key: str) -> Float[np.ndarray, " numbers"] | None:
    text = entries.get(key)
    return None if text is None else printout.numbers(-1, _words(text), key)


def _words(text: str) -> list[str]:
    """Return the numbers of an entry, which may stand without a blank before a minus."""
    return _GLUED.sub(" -", text).split()


def _charge(keywords: str) -> int:
    found = _CHARGE.search(keywords)
    return int(found[1][:4]) if found else 0


def _multiplicity(keywords: str, printout: Printout, entries: dict[str, str]) -> int:
    """Return the multiplicity of the keywords; without one it is the lowest."""
    stated = next((i + 1 for i, name in enumerate(_SPINS) if re.search(rf"\b{name}\b", keywords)), None)
    electrons = _numbers(printout, entries, "NUM_ELECTRONS")
    return stated or (1 + int(electrons[0]) % 2 if electrons is not None and len(electrons) else 1)


def _hessian(
    printout: Printout, entries: dict[str, str], masses: Float[np.ndarray, " atoms"] | None, n_atoms: int
) -> Float[np.ndarray, "coordinates coordinates"] | None:
    """Return the Hessian, which is given divided by the roots of masses."""
    text = entries.get("HESSIAN_MATRIX:MILLIDYNES/ANGSTROM/SQRT(MASS(I)*MASS(J))")
    if text is None or masses is None or len(masses) != n_atoms:
        return None
    numbers = printout.numbers(-1, _words(text), "Hessian")
    unit = units.MILLIDYNE_PER_ANGSTROM / units.HARTREE_PER_BOHR2
    roots = np.sqrt(np.repeat(masses, 3))
    return roots[:, None] * hessian_from_triangle(printout.path, numbers * unit, n_atoms) * roots


KINDS = (Kind("MOPAC aux", _is_aux, read_aux),)
