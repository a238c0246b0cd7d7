"""Reads the modes of Molden files, such as Psi4, CP2K, ORCA and Molpro write, and makes Hessians of modes."""

import re
import warnings
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.errors import InputError, InputWarning
from forgefield.io.assemble.parts import Part
from forgefield.io.qm.programs.printout import NUMBER, ZERO, Kind, Printout
from forgefield.io.text import read_text
from forgefield.molecules.molecule import atomic_weights, standard_masses

_SECTION = re.compile(r"^\s*\[([^\]\n]+)\](.*)$", re.MULTILINE)
_OCCUPATION = re.compile(r"^\s*Spin *= *(\w+)\s*\n\s*Occup *= *([-+\d.EeDd]+)", re.MULTILINE | re.IGNORECASE)
_WHOLE = 1e-3
"""By how much occupations may miss integers."""
_HIGHEST_CHARGE = 3.5
_FORCES = 0.005 * units.HARTREE_PER_BOHR
"""kcal/mol/Å"""
_DIRECTION = re.compile(rf"^ *[A-Z]\S*(?: +\d+)? +[xyz] +((?:{NUMBER} *)+)$", re.MULTILINE)
_OVERLAP = 2e-3
"""Largest overlap of two modes of which a Hessian is made; with five decimals it is 1e-5, with three 0.005."""


def _is_molden(_: Path, text: str) -> bool:
    return "[molden format]" in text[:2000].lower()


def read_molden(path: Path) -> Part:
    """Return geometry, frequencies and, where the modes are precise enough, the Hessian that they make."""
    text = read_text(path)
    printout = Printout(path, text)
    heads = list(_SECTION.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    bodies = {
        head[1].strip().upper(): (head[2].strip().upper(), text[head.end() : end].split("\n"))
        for head, end in zip(heads, ends, strict=True)
    }
    species, positions = _geometry(printout, bodies)
    if "FREQ" not in bodies:
        charge, multiplicity = _state(printout, bodies.get("MO", ("", []))[1], species)
        return Part(source=str(path), species=species, positions=positions, charge=charge, multiplicity=multiplicity)
    frequencies = printout.numbers(-1, bodies["FREQ"][1], "frequencies")
    modes = _modes(printout, bodies.get("FR-NORM-COORD", ("", []))[1], len(species))
    if modes is not None and len(modes) != len(frequencies):
        raise InputError(f"{path}: {len(frequencies)} frequencies, but {len(modes)} modes; is the file truncated?")
    return with_modes(path, species, positions, frequencies, modes)


def _state(printout: Printout, lines: list[str], species: Int[np.ndarray, " atoms"]) -> tuple[int | None, int | None]:
    """Return charge and multiplicity by the occupations of the orbitals, as far as these tell.

    Occupations that are no integers tell the charge alone. Electrons of a core that a potential stands for are in no
    orbital: a charge beyond any molecule's is not taken.
    """
    orbitals = _OCCUPATION.findall("\n".join(lines))
    if not orbitals:
        return None, None
    occupied = printout.numbers(-1, [occupation for _, occupation in orbitals], "occupations")
    charge = float(species.sum() - occupied.sum())
    is_beta = np.array([spin.lower().startswith("b") for spin, _ in orbitals])
    whole = bool((np.abs(occupied - np.round(occupied)) < _WHOLE).all())
    single = occupied[~is_beta].sum() - occupied[is_beta].sum() if is_beta.any() else (np.round(occupied) == 1.0).sum()
    is_charge = abs(charge) < _HIGHEST_CHARGE and abs(charge - round(charge)) < _WHOLE
    return round(charge) if is_charge else None, round(float(single)) + 1 if whole and is_charge else None


def _geometry(
    printout: Printout, bodies: dict[str, tuple[str, list[str]]]
) -> tuple[Int[np.ndarray, " atoms"], Float[np.ndarray, "atoms 3"]]:
    if "FR-COORD" in bodies:
        rows = [line.split() for line in bodies["FR-COORD"][1] if line.strip()]
        return printout.atoms(-1, [(row[0], row[1:4]) for row in rows], units.BOHR)
    if "ATOMS" not in bodies and "GEOMETRIES" in bodies:
        raise InputError(f"{printout.path}: holds [GEOMETRIES] without results of one; write them as an .xyz file")
    if "ATOMS" not in bodies:
        raise InputError(f"{printout.path}: has no [Atoms] and no [FR-COORD]; is the file truncated?")
    unit, lines = bodies["ATOMS"]
    rows = [line.split() for line in lines if line.strip()]
    if any(len(row) < 6 for row in rows):
        raise InputError(f"{printout.path}: [Atoms]: expected a label, two numbers and three coordinates in each row")
    return printout.atoms(-1, [(row[2], row[3:6]) for row in rows], units.BOHR if "AU" in unit else 1.0)


def _modes(printout: Printout, lines: list[str], n_atoms: int) -> Float[np.ndarray, "modes coordinates"] | None:
    """Return the displacements of each vibration, which is headed by a line of its own."""
    rows = [line for line in lines if line.strip() and not line.strip().lower().startswith("vibration")]
    numbers = printout.numbers(-1, rows, "modes")
    if not len(numbers):
        return None
    if len(numbers) % (3 * n_atoms):
        raise InputError(f"{printout.path}: the modes hold {len(numbers)} numbers; is the file truncated?")
    return numbers.reshape(-1, 3 * n_atoms)


def printed_modes(
    printout: Printout, place: int, n_atoms: int, n_modes: int
) -> Float[np.ndarray, "modes coordinates"] | None:
    """Return modes that are printed in columns behind a place, a row for each direction of an atom; None where not all
    are there."""
    rows = printout.matches(_DIRECTION, place)
    columns: list[Float[np.ndarray, " coordinates"]] = []
    for first in range(0, len(rows) - 3 * n_atoms + 1, 3 * n_atoms):
        block = [row[1].split() for row in rows[first : first + 3 * n_atoms]]
        if len(columns) == n_modes or len({len(words) for words in block}) > 1:
            break
        words = [word for row in block for word in row]
        columns += list(printout.numbers(place, words, "modes").reshape(3 * n_atoms, -1).T)
    return np.array(columns) if len(columns) == n_modes else None


def with_modes(
    path: Path,
    species: Int[np.ndarray, " atoms"],
    positions: Float[np.ndarray, "atoms 3"],
    frequencies: Float[np.ndarray, " all"],
    modes: Float[np.ndarray, "all coordinates"] | None,
    *,
    masses: Float[np.ndarray, " atoms"] | None = None,
    gradient: Float[np.ndarray, "atoms 3"] | None = None,
) -> Part:
    """Return a part with frequencies [cm⁻¹] and the Hessian of Cartesian displacements of any length.

    Where the masses are not stated they are those with which the modes are orthogonal: of the most abundant isotopes,
    or the atomic weights. Where forces are left there is no Hessian: the modes do not tell how turning changes them.
    """
    kept = np.abs(frequencies) >= ZERO
    hessian = None
    if modes is not None and (gradient is None or np.abs(gradient).max(initial=0.0) <= _FORCES):
        choices = (standard_masses(species), atomic_weights(species)) if masses is None else (masses,)
        made = [(*_hessian(frequencies[kept], modes[kept], choice), choice) for choice in choices]
        found, overlap, choice = min(made, key=lambda one: one[1])
        if overlap <= _OVERLAP:
            hessian, masses = found, choice
        else:
            message = f"{path}: the modes overlap by {overlap:.2g}, too much to make a Hessian of them"
            warnings.warn(InputWarning(message), stacklevel=2)
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        hessian=hessian,
        frequencies=frequencies[kept],
        masses=masses,
        gradient=gradient,
    )


def _hessian(
    frequencies: Float[np.ndarray, " modes"],
    modes: Float[np.ndarray, "modes coordinates"],
    masses: Float[np.ndarray, " atoms"],
) -> tuple[Float[np.ndarray, "coordinates coordinates"], float]:
    """Return the Hessian [kcal/mol/Å²] that has these modes for these masses, and how far they overlap."""
    roots = np.sqrt(np.repeat(masses, 3))
    weighted = modes * roots
    weighted /= np.maximum(np.linalg.norm(weighted, axis=1, keepdims=True), np.finfo(float).tiny)
    overlap = np.abs(weighted @ weighted.T - np.eye(len(weighted))).max(initial=0.0)
    left, _, right = np.linalg.svd(weighted, full_matrices=False)
    orthonormal = left @ right
    eigenvalues = np.sign(frequencies) * (frequencies / units.WAVENUMBER) ** 2
    return roots[:, None] * (orthonormal.T * eigenvalues @ orthonormal) * roots, float(overlap)


KINDS = (Kind("Molden file", _is_molden, read_molden),)
