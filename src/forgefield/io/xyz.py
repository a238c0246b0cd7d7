"""Reads xyz and extended xyz files of one or more frames."""

import re
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import iread, write
from jaxtyping import Int

from forgefield import units
from forgefield.errors import InputError, located
from forgefield.io.parts import Part
from forgefield.io.text import floats, integer, read_text, write_text
from forgefield.molecules.elements import SYMBOLS, atomic_number
from forgefield.molecules.molecule import Reference

_STATED = re.compile(r"\b(charge|multiplicity)\s*=\s*\"?([^\s\",;]+)", re.IGNORECASE)


def read_xyz(path: Path) -> list[Part]:
    """Return the frames of an xyz file (Å), or of an extended one with its energy [eV] and forces [eV/Å].

    The comment of a frame may state `charge=-1 multiplicity=1`. Raises InputError that names the line.
    """
    lines = read_text(path).splitlines()
    # Before the library sees it too: that would count through a damaged number of atoms, line by line.
    starts = _frame_starts(path, lines)
    if any("Properties=" in lines[start + 1] for start in starts):
        return _read_extended(path, len(starts))
    return [_frame(path, lines, start, _frame_name(path, i, len(starts))) for i, start in enumerate(starts)]


def write_xyz(path: Path, references: Sequence[Reference]) -> None:
    """Write an extended xyz file: a frame for each reference, with its energy [eV] and forces [eV/Å] where it has them.

    Charge, multiplicity and level of theory are in the comment; of Hessians the format knows nothing.
    """
    text = StringIO()
    write(text, [_atoms(reference) for reference in references], format="extxyz")
    write_text(path, text.getvalue())


def _atoms(reference: Reference) -> Atoms:
    stated = {"charge": reference.charge, "multiplicity": reference.multiplicity, "level": reference.level}
    atoms = Atoms(
        reference.species,
        reference.positions,
        masses=reference.masses,
        info={k: v for k, v in stated.items() if v != ""},
    )
    results = {}
    if reference.energy is not None:
        results["energy"] = reference.energy / units.ELECTRONVOLT
    if reference.gradient is not None:
        results["forces"] = -reference.gradient / units.ELECTRONVOLT
    if results:
        atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def _frame_name(path: Path, index: int, n_frames: int) -> str:
    return path.stem if n_frames == 1 else f"{path.stem}-{index + 1}"


def _frame_starts(path: Path, lines: list[str]) -> list[int]:
    starts, line = [], 0
    while line < len(lines):
        if not lines[line].strip():
            line += 1
            continue
        n_atoms = _atom_count(path, line, lines[line])
        if line + 2 + n_atoms > len(lines):
            message = f"the frame has {n_atoms} atoms, but the file ends after {max(len(lines) - line - 2, 0)} of them"
            raise InputError(located(path, line + 1, message))
        starts.append(line)
        line += 2 + n_atoms
    return starts


def _atom_count(path: Path, line: int, text: str) -> int:
    words = text.split()
    if len(words) > 1 and words[0].isdigit():
        raise InputError(
            located(path, line + 1, f"expected only the number of atoms, found {text.strip()!r}; is it a Tinker file?")
        )
    n_atoms = integer(path, line + 1, text.strip(), "the number of atoms")
    if n_atoms < 1:
        raise InputError(located(path, line + 1, f"the number of atoms is {n_atoms}"))
    return n_atoms


def _frame(path: Path, lines: list[str], start: int, name: str) -> Part:
    comment = lines[start + 1]
    n_atoms = int(lines[start])
    rows = [line.split() for line in lines[start + 2 : start + 2 + n_atoms]]
    short = [start + 3 + i for i, row in enumerate(rows) if len(row) < 4]
    if short:
        numbers = ", ".join(map(str, short))
        raise InputError(f"{path}, line(s) {numbers}: expected an element and three coordinates")
    positions = floats(path, start + 3, [" ".join(row[1:4]) for row in rows], "coordinates").reshape(-1, 3)
    stated = {key.lower(): integer(path, start + 2, value, key.lower()) for key, value in _STATED.findall(comment)}
    return Part(
        source=str(path),
        species=_species(path, start, [row[0] for row in rows]),
        positions=positions,
        charge=stated.get("charge"),
        multiplicity=stated.get("multiplicity"),
        name=name,
    )


def _species(path: Path, start: int, words: list[str]) -> Int[np.ndarray, " atoms"]:
    species, wrong = [], []
    for i, word in enumerate(words):
        try:
            species.append(int(word) if word.isdecimal() and int(word) < len(SYMBOLS) else atomic_number(word))
        except InputError:
            wrong.append(f"{word!r} (line {start + 3 + i})")
    if wrong:
        raise InputError(f"{path}: " + ", ".join(wrong) + " are no element symbols")
    return np.array(species)


def _read_extended(path: Path, n_frames: int) -> list[Part]:
    try:
        frames = list(iread(path, index=":", format="extxyz"))
    except Exception as error:  # The library raises whatever its parser stumbles on.
        raise InputError(f"{path}: is not a readable extended xyz file ({type(error).__name__}: {error})") from error
    if len(frames) != n_frames:
        raise InputError(f"{path}: holds {n_frames} frames, {len(frames)} of them can be read; remove blank lines")
    return [_extended_frame(path, atoms, _frame_name(path, i, n_frames)) for i, atoms in enumerate(frames)]


def _extended_frame(path: Path, atoms: Atoms, name: str) -> Part:
    if atoms.pbc.any():
        raise InputError(f'{path}: frame {name} is periodic; write pbc="F F F" if it is a molecule')
    results = atoms.calc.results if atoms.calc is not None else {}
    energy, forces = results.get("energy"), results.get("forces")
    stated = {
        key: integer(path, None, str(atoms.info[key]), f"{key} of frame {name}")
        for key in ("charge", "multiplicity")
        if key in atoms.info
    }
    if energy is not None:
        energy = float(floats(path, None, [str(energy)], f"energy of frame {name}")[0]) * units.ELECTRONVOLT
    if forces is not None:
        # What overflows becomes infinite, which a Part refuses.
        with np.errstate(over="ignore"):
            forces = np.asarray(forces, dtype=np.float64) * units.ELECTRONVOLT
    return Part(
        source=str(path),
        species=np.asarray(atoms.numbers, dtype=np.int64),
        positions=np.asarray(atoms.positions, dtype=np.float64),
        energy=energy,
        gradient=None if forces is None else -forces,
        masses=np.asarray(atoms.get_masses(), dtype=np.float64) if atoms.has("masses") else None,
        charge=stated.get("charge"),
        multiplicity=stated.get("multiplicity"),
        name=name,
    )
