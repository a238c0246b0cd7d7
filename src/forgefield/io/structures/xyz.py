"""Reads and writes xyz and extended xyz files of one or more frames."""

import re
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from jaxtyping import Float, Int

from forgefield import units
from forgefield.errors import InputError, located
from forgefield.io.assemble.damage import tell_unbalanced
from forgefield.io.assemble.digits import tell_odd_digits
from forgefield.io.assemble.held import held
from forgefield.io.assemble.parts import Part, molecule
from forgefield.io.outputs import write_text
from forgefield.io.sources import stem
from forgefield.io.structures.isotopes import isotope
from forgefield.io.structures.oddities import shape_of, tell_oddities
from forgefield.io.structures.xyz_columns import check_columns, elements_at, warn_of_keys
from forgefield.io.structures.xyz_keys import (
    ENERGIES,
    STATES,
    comment_energy,
    comment_state,
    energy_of,
    gradient_of,
    state_of,
    without_state,
)
from forgefield.io.text import floats, integer, read_text
from forgefield.molecules.electrons import electron_problem
from forgefield.molecules.elements import SYMBOLS, atomic_number
from forgefield.molecules.molecule import AtomicCharges, Dihedral, Reference, standard_masses

_DIHEDRALS, _ANGLES = "dihedrals", "dihedrals_deg"
"""Keys of the chains that were held (atoms counted from 1) and of their angles [degrees]; the singular will do."""
_EXTENDED = re.compile(r"\bProperties=|\bdihedrals?\s*=")
_NUMERIC = (*STATES, *ENERGIES, _DIHEDRALS, _ANGLES, "dihedral", "dihedral_deg")
_READ = (*_NUMERIC, "Properties", "pbc", "level", "charges_kind")
"""Keys of an extended comment."""


def read_xyz(path: Path) -> list[Part]:
    """Return the frames of an xyz file (Å), or of an extended one with its energy [eV] and forces [eV/Å].

    Elements may be isotopes (D, T, 13C), whose masses are those of the frame; a column `masses` [amu] goes before. The
    comment of a frame may state `charge=-1 multiplicity=1` and `energy_hartree=…` (or _ev, _kcal_mol, _kj_mol); the
    names of other programs are in `xyz_keys`. That of an extended one may state, as a frame of a relaxed scan,
    `dihedrals="1-2-3-4 2-3-4-5" dihedrals_deg="60 -120"`: the chains that were held, atoms counted from 1, and their
    angles, which may be left out.
    Columns of atomic charges [e] are `charges`, of the kind that the comment states as `charges_kind=esp`, or
    `esp_charges:R:1` and the like. Columns of numbers that are not read, keys that look like results and are not read,
    and what looks wrong give an InputWarning. Raises InputError that names the line, or the frame and what is wrong
    with it.
    """
    text = read_text(path)
    lines = text.splitlines()
    # Before the library sees it too: that would count through a damaged number of atoms, line by line.
    starts = _frame_starts(path, lines)
    comments = [lines[start + 1] for start in starts]
    if any(_EXTENDED.search(comment) for comment in comments):
        check_columns(path, lines, starts, _NUMERIC)
        warn_of_keys(path, comments, _READ)
        return _looked_at(path, _read_extended(path, lines, starts))
    read = ("charge", "multiplicity", "Properties", *(key for key in ENERGIES if key.startswith("energy_")))
    warn_of_keys(path, [without_state(comment) for comment in comments], read)
    parts = [_frame(path, lines, start, _frame_name(path, i, len(starts))) for i, start in enumerate(starts)]
    rows = [row for start in starts for row in range(start + 2, start + 2 + int(lines[start]))]
    tell_odd_digits(path, [(row + 1, word) for row in rows for word in lines[row].split()[1:4]], "coordinates")
    return _looked_at(path, parts)


def _looked_at(path: Path, parts: list[Part]) -> list[Part]:
    """Return the frames after an InputWarning of what looks wrong in those without results, and in forces."""
    shapes = [shape_of(molecule(part)) for part in parts if part.energy is None and part.gradient is None]
    tell_oddities(path, shapes)
    tell_unbalanced(path, [(part.name, part.positions, part.gradient) for part in parts])
    return parts


def write_xyz(path: Path, references: Sequence[Reference]) -> None:
    """Write an extended xyz file: a frame for each reference, with its energy [eV] and forces [eV/Å] where it has them.

    Charge, multiplicity, level of theory and the dihedrals that were held are in the comment; of Hessians the format
    knows nothing.
    """
    from ase.io import write  # noqa: PLC0415 (slow to load, and of use for these files alone)

    text = StringIO()
    write(text, [_atoms(reference) for reference in references], format="extxyz")
    write_text(path, text.getvalue())


def _atoms(reference: Reference) -> Atoms:
    possible = not electron_problem(reference.species, reference.charge, reference.multiplicity)
    stated = {
        "charge": reference.charge,
        # Where no file states it, it is one by default, which an odd number of electrons cannot have.
        "multiplicity": reference.multiplicity if possible else "",
        "level": reference.level,
    }
    info = {k: v for k, v in stated.items() if v != ""}
    if reference.constraints:
        info[_DIHEDRALS] = " ".join("-".join(str(a + 1) for a in d.atoms) for d in reference.constraints)
        info[_ANGLES] = " ".join(f"{d.angle / units.DEGREE:.6f}" for d in reference.constraints)
    atoms = Atoms(reference.species, reference.positions, masses=reference.masses, info=info)
    for one in reference.charges:
        atoms.set_array(f"{one.kind}_charges".replace(" ", "_"), one.values)
    results = {}
    if reference.energy is not None:
        results["energy"] = reference.energy / units.ELECTRONVOLT
    if reference.gradient is not None:
        results["forces"] = -reference.gradient / units.ELECTRONVOLT
    if results:
        atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def _frame_name(path: Path, index: int, n_frames: int) -> str:
    return stem(path) if n_frames == 1 else f"{stem(path)}-{index + 1}"


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
    if len(words) > 1:
        begins = "a frame of an xyz file begins with a line of the number of atoms alone, and one for a comment"
        raise InputError(located(path, line + 1, f"expected the number of atoms, found {text.strip()!r}; {begins}"))
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
    state = comment_state(path, start + 2, comment)
    species, masses = _species(path, start, [row[0] for row in rows])
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=comment_energy(path, name, comment),
        masses=masses,
        charge=state.charge,
        multiplicity=state.multiplicity,
        name=name,
    )


def _species(
    path: Path, start: int, words: list[str]
) -> tuple[Int[np.ndarray, " atoms"], Float[np.ndarray, " atoms"] | None]:
    """Return atomic numbers, and masses [amu] where the words name isotopes."""
    species, named, wrong = [], {}, []
    for i, word in enumerate(words):
        try:
            numbered = word.isascii() and word.isdecimal() and len(word) < 4 and int(word) < len(SYMBOLS)
            found = isotope(word)
            if found is not None:
                named[i] = found[1]
            species.append(int(word) if numbered else atomic_number(word if found is None else found[0]))
        except InputError:
            wrong.append(f"{word!r} (line {start + 3 + i})")
    if wrong:
        raise InputError(f"{path}: " + ", ".join(wrong) + " are no element symbols; write those, as C, Cl or H")
    return np.array(species), _masses(np.array(species), named)


def _masses(species: Int[np.ndarray, " atoms"], named: Mapping[int, float]) -> Float[np.ndarray, " atoms"] | None:
    """Return the masses [amu] of atoms some of which are named as isotopes; None where none is."""
    if not named:
        return None
    masses = standard_masses(species)
    masses[list(named)] = list(named.values())
    return masses


def _read_extended(path: Path, lines: list[str], starts: list[int]) -> list[Part]:
    from ase.io import iread  # noqa: PLC0415 (as above)

    n_frames, lines = len(starts), list(lines)
    named = [_without_isotopes(lines, start) for start in starts]
    try:
        frames = list(iread(StringIO("\n".join([*lines, ""])), index=":", format="extxyz"))
    except Exception as error:  # The library raises whatever its parser stumbles on.
        raise InputError(f"{path}: is not a readable extended xyz file ({type(error).__name__}: {error})") from error
    if len(frames) != n_frames:
        raise InputError(f"{path}: holds {n_frames} frames, {len(frames)} of them can be read; remove blank lines")
    return [
        _extended_frame(path, atoms, _frame_name(path, i, n_frames), isotopes)
        for i, (atoms, isotopes) in enumerate(zip(frames, named, strict=True))
    ]


def _without_isotopes(lines: list[str], start: int) -> dict[int, float]:
    """Put elements in the place of isotopes in the rows of a frame; return their masses [amu] by atom."""
    place = elements_at(lines[start + 1])
    named: dict[int, float] = {}
    if place is None:
        return named
    for atom in range(int(lines[start])):
        words = lines[start + 2 + atom].split()
        found = isotope(words[place])
        if found is not None:
            words[place], named[atom] = found
            lines[start + 2 + atom] = " ".join(words)
    return named


def _extended_frame(path: Path, atoms: Atoms, name: str, isotopes: Mapping[int, float]) -> Part:
    if atoms.pbc.any():
        raise InputError(f'{path}: frame {name} is periodic; write pbc="F F F" if it is a molecule')
    results = atoms.calc.results if atoms.calc is not None else {}
    state = state_of(path, None, atoms.info)
    species = np.asarray(atoms.numbers, dtype=np.int64)
    positions = np.asarray(atoms.positions, dtype=np.float64)
    told = {**atoms.info, **({} if results.get("energy") is None else {"energy": results["energy"]})}
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=energy_of(path, name, told),
        gradient=gradient_of(path, name, {**atoms.arrays, "forces": results.get("forces")}),
        masses=np.asarray(atoms.get_masses()) if atoms.has("masses") else _masses(species, isotopes),
        charge=state.charge,
        multiplicity=state.multiplicity,
        level=str(atoms.info.get("level", "")),
        name=name,
        constraints=_constraints(path, atoms, name),
        charges=_charges(path, atoms, name),
    )


def _charges(path: Path, atoms: Atoms, name: str) -> tuple[AtomicCharges, ...]:
    """Return the columns of charges: `charges`, of the kind that the comment states, or `esp_charges` and the like."""
    results = atoms.calc.results if atoms.calc is not None else {}
    columns = {key: values for key, values in {**results, **atoms.arrays}.items() if key.endswith("charges")}
    stated = str(atoms.info.get("charges_kind", "charges"))
    found = []
    for key, values in columns.items():
        if np.shape(values) != (len(atoms),) or np.asarray(values).dtype.kind not in "fi":
            raise InputError(f"{path}: frame {name}: the column {key} is not one number for each atom")
        kind = stated if key in ("charges", "initial_charges") else key.removesuffix("charges").rstrip("_")
        found.append(AtomicCharges(kind.lower(), np.asarray(values, dtype=np.float64)))
    return tuple(found)


def _constraints(path: Path, atoms: Atoms, name: str) -> tuple[Dihedral, ...]:
    """Return the dihedrals that a frame states to have been held, after checking that it has their angles."""
    info = {key.replace("dihedral_", f"{_DIHEDRALS}_"): value for key, value in atoms.info.items()}
    chosen = info.get(_DIHEDRALS, info.get("dihedral"))
    if chosen is None:
        return ()
    words = _words(chosen)
    # A library reads "1 2 3 4", the atoms of one chain without hyphens, as an array.
    chains = [word.split("-") for word in words] if any("-" in word for word in words) else [words]
    quads = [[integer(path, None, atom, f"an atom of {_DIHEDRALS} of frame {name}") - 1 for atom in c] for c in chains]
    stated = info.get(_ANGLES)
    degrees = None if stated is None else floats(path, None, _words(stated), f"{_ANGLES} of frame {name}").tolist()
    return held(f"{path}: frame {name}", atoms.numbers.astype(np.int64), atoms.positions, quads, degrees)


def _words(value: Any) -> list[str]:
    """Return what stands between blanks and commas, however the library has split it."""
    if isinstance(value, str):
        return value.replace(",", " ").split()
    return [str(element) for element in np.ravel(value)]
