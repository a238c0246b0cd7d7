"""Reads MOPAC's .aux files."""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.assemble.parts import Part, hessian_from_triangle
from forgefield.io.qm.programs.printout import Kind, Printout
from forgefield.io.text import read_text
from forgefield.molecules.molecule import AtomicCharges

_ENTRY = re.compile(
    r"^ *([A-Z][^\s=\[]*)(?:\[\d+\])?= *(.*?)(?=^ *[A-Z][^\s=]*(?:\[\d+\])?=|\Z)", re.MULTILINE | re.DOTALL
)
_DAMAGED = re.compile(r"^ *[A-Z][A-Z_]{3,}[^\s=\[]*\[(?!\d+\]).*=.*$", re.MULTILINE)
_METHOD = re.compile(r"\b(?:PM\d[\w-]*|AM1|RM1|MNDOD?)(?![\w-])")
"""Among the keywords, where no entry names it."""
_TURNED = "ORIENTATION_ATOM_X:ANGSTROMS"
_POSITIONS = (_TURNED, "ATOM_X_OPT:ANGSTROMS", "ATOM_X:ANGSTROMS")
_GLUED = re.compile(r"(?<=\d)-")
_SPINS = ("SINGLET", "DOUBLET", "TRIPLET", "QUARTET", "QUINTET", "SEXTET", "SEPTET", "OCTET", "NONET")
_CHARGE = re.compile(r"\bCHARGE(?: ON SYSTEM)? *= *([+-]?\d+)")
_LINEAR = 1e-3
"""Width of a linear molecule, as a share of its length."""


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
    if damaged := _DAMAGED.search(job):
        raise InputError(
            f"{path}: {damaged[0].strip()[:60]!r} does not say how many numbers follow; the file is damaged"
        )
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
    asked = _METHOD.search(keywords)
    heat = _numbers(printout, entries, "HEAT_OF_FORMATION:KCAL/MOL")
    gradient = None if key == _TURNED else _numbers(printout, entries, "GRADIENTS:KCAL/MOL/ANGSTROM")
    charges = _numbers(printout, entries, "ATOM_CHARGES")
    frequencies = _numbers(printout, entries, "VIB._FREQ:CM(-1)")
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=None if heat is None else float(heat[0]),
        gradient=None if gradient is None or len(gradient) != 3 * len(symbols) else gradient.reshape(-1, 3),
        hessian=_hessian(printout, entries, masses, len(symbols)),
        frequencies=None if frequencies is None else _vibrations(frequencies, positions),
        masses=masses,
        level=entries.get("METHOD", "").strip() or (asked[0] if asked else ""),
        program=" ".join(["MOPAC", *re.findall(r"\d[\w.]*", entries.get("MOPAC_VERSION", ""))[:1]]),
        charge=stated_charge(keywords),
        multiplicity=stated_multiplicity(keywords),
        charges=() if charges is None else (AtomicCharges("mulliken", charges),),
    )


def _numbers(printout: Printout, entries: dict[str, str], key: str) -> Float[np.ndarray, " numbers"] | None:
    text = entries.get(key)
    return None if text is None else printout.numbers(-1, _words(text), key)


def _words(text: str) -> list[str]:
    """Return the numbers of an entry, which may stand without a blank before a minus."""
    return _GLUED.sub(" -", text).split()


def stated_charge(keywords: str) -> int:
    """Return the charge that keywords say; without one it is 0."""
    found = _CHARGE.search(keywords)
    return int(found[1][:4]) if found else 0


def stated_multiplicity(keywords: str) -> int | None:
    """Return the multiplicity that keywords say; None where they say none, and it is the lowest."""
    return next((i + 1 for i, name in enumerate(_SPINS) if re.search(rf"\b{name}\b", keywords)), None)


def _vibrations(
    frequencies: Float[np.ndarray, " all"], positions: Float[np.ndarray, "atoms 3"]
) -> Float[np.ndarray, " modes"]:
    """Return frequencies without those of translations and rotations, which are the last five or six."""
    spread = np.linalg.svd(positions - positions.mean(axis=0), compute_uv=False)
    rigid = 3 if len(positions) == 1 else 5 if spread[1] < _LINEAR * spread[0] else 6
    return frequencies[: max(len(frequencies) - rigid, 0)]


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
