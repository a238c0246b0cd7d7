"""Reads LAMMPS input (.lmp) with its data file: molecules of the force fields of class I, in vacuum."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from warnings import warn

import numpy as np
from jaxtyping import Float, Int

from forgefield.assign.explicit.rules import SystemRules
from forgefield.assign.explicit.system import System, ThroughSpace, chemical_bonds
from forgefield.errors import InputError, InputWarning
from forgefield.io.forcefields.lammps.files import DataFile, Row, commands, read_data
from forgefield.io.forcefields.lammps.functions import KINDS, chains, functions
from forgefield.io.forcefields.lammps.pairs import STYLES, special, table
from forgefield.io.offenders import listed
from forgefield.molecules.elements import SYMBOLS, WEIGHTS

COULOMB = 332.06371
"""kcal·Å/mol/e² of LAMMPS' units `real`."""
_ALIKE = 0.1
"""amu by which masses of an element may differ."""
_SPECIAL = {
    "amber": ((0.0, 0.0, 0.5), (0.0, 0.0, 5.0 / 6.0)),
    "charmm": ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
    "dreiding": ((0.0, 0.0, 1.0), (0.0, 0.0, 1.0)),
}
"""Scales of van der Waals and electrostatic energies of atoms one, two and three bonds apart."""
_IDLE = {
    "atom_modify", "comm_modify", "compute", "dump", "dump_modify", "echo", "group", "info", "log", "min_modify",
    "min_style", "minimize", "neigh_modify", "neighbor", "newton", "print", "processors", "quit", "reset_timestep",
    "run", "run_style", "shell", "suffix", "thermo", "thermo_modify", "thermo_style", "timestep", "undump", "unfix",
    "velocity", "write_data", "write_dump", "write_restart",
}  # fmt: skip
"""Commands without energies."""
_MOVING = {"nve", "nvt", "npt", "langevin", "temp/berendsen", "temp/rescale", "temp/csvr", "momentum", "recenter"}


@dataclass
class _Input:
    """What an input says."""

    style: tuple[str, ...] = ("full",)
    styles: dict[str, tuple[str, ...]] = field(default_factory=dict)
    rows: dict[str, list[Row]] = field(default_factory=dict)
    pair: Row | None = None
    mix: str = "geometric"
    lj: tuple[float, ...] = (0.0, 0.0, 0.0)
    coul: tuple[float, ...] = (0.0, 0.0, 0.0)
    data: DataFile | None = None
    units: tuple[str, ...] = ("lj",)
    boundary: tuple[str, ...] = ("p", "p", "p")


def read_lammps(path: Path) -> SystemRules:
    """Return the force field of an input and its data file. Raises InputError that names what is not ours."""
    found = _Input()
    for row in commands(path):
        _take(found, row)
    if found.data is None:
        raise InputError(f"{path}: has no read_data, so that its atoms are not known")
    if found.units != ("real",):
        raise InputError(f"{path}: units {' '.join(found.units)} are not read, only real")
    if any("p" in word for word in found.boundary):
        raise InputError(f"{path}: the box is periodic; molecules are computed in vacuum: state `boundary s s s`")
    return SystemRules(_system(path, found, found.data))


def _take(found: _Input, row: Row) -> None:
    """Take a command to account. Raises InputError for those that are not read."""
    name, *words = row.words
    kind, _, what = name.partition("_")
    if what == "style" and kind in KINDS:
        found.styles[kind] = tuple(words[1:] if words[:1] == ["hybrid"] else words)
    elif what == "coeff" and kind in (*KINDS, "pair"):
        found.rows.setdefault(name, []).append(row)
    elif name in _TAKEN:
        _TAKEN[name](found, row)
    elif name == "kspace_style":
        raise row.wrong("sums over a periodic box (PPPM, Ewald) are not computed; take a molecule in vacuum")
    elif name not in _IDLE and not (name == "fix" and _MOVING.intersection(words[2:3])):
        raise row.wrong("the command is not read")


def _set(what: str) -> Callable[[_Input, Row], None]:
    return lambda found, row: setattr(found, what, row.words[1:])


def _pair_style(found: _Input, row: Row) -> None:
    found.pair = row


def _read_data(found: _Input, row: Row) -> None:
    found.data = read_data(row.file())


def _modify(found: _Input, row: Row) -> None:
    words = dict(zip(row.words[1::2], row.words[2::2], strict=False))
    found.mix = words.pop("mix", found.mix)
    if found.mix not in ("geometric", "arithmetic") or any(value != "no" for value in words.values()):
        raise row.wrong("only mix geometric or arithmetic, and `no` for all else, are read")


def _weigh(found: _Input, row: Row) -> None:
    words = list(row.words[1:])
    while words:
        name = words.pop(0)
        if name in _SPECIAL:
            found.lj, found.coul = _SPECIAL[name]
        elif name in ("lj", "coul", "lj/coul") and len(words) >= 3:
            at = len(row.words) - len(words)
            numbers, words = row.numbers(at, 3), words[3:]
            found.lj = numbers if "lj" in name else found.lj
            found.coul = numbers if "coul" in name else found.coul
        elif name in ("angle", "dihedral") and words[:1] == ["no"]:
            words.pop(0)
        else:
            raise row.wrong("only amber, charmm, dreiding and three scales of lj, coul or lj/coul are read")


_TAKEN: dict[str, Callable[[_Input, Row], None]] = {
    "units": _set("units"),
    "boundary": _set("boundary"),
    "atom_style": _set("style"),
    "pair_style": _pair_style,
    "pair_modify": _modify,
    "special_bonds": _weigh,
    "read_data": _read_data,
}


def _system(path: Path, found: _Input, data: DataFile) -> System:
    atoms, (of_type, of_charge, x) = data.atoms(" ".join(found.style)), data.columns(" ".join(found.style))
    numbers = np.array([row.integer(of_type) for row in atoms])
    masses, names = _masses(data, numbers)
    species = _species(path, masses)
    bonds = [chain for chain, _ in chains(data, "Bonds", 2, len(atoms))]
    bonded = np.array(bonds, dtype=np.int64).reshape(-1, 2)
    held = table(str(path), _coefficients(found, data), found.mix, int(numbers.max()))
    _say_cutoff(path, found.pair, np.array([row.numbers(x, 3) for row in atoms]))
    pairs, scales, own = special(bonded, (found.lj, found.coul), held, numbers - 1)
    return System(
        source=str(path),
        program="LAMMPS",
        species=species,
        bonds=chemical_bonds(species, bonded),
        types=tuple(names[k] for k in numbers.tolist()),
        names=tuple(row.remark or f"{SYMBOLS[z]}{k}" for k, (row, z) in enumerate(zip(atoms, species, strict=True), 1)),
        residues=tuple(f"MOL{row.words[1] if of_type > 1 else 1}" for row in atoms),
        masses=masses,
        interactions=(*functions(data, found.styles, found.rows, len(atoms)), own),
        through_space=ThroughSpace(
            term=held.term,
            parameters=held.parameters[numbers - 1],
            charges=np.array([0.0 if of_charge is None else row.number(of_charge) for row in atoms]),
            coulomb=COULOMB,
            special=pairs,
            scales=scales,
        ),
    )


def _coefficients(found: _Input, data: DataFile) -> list[tuple[Row, int]]:
    """Return the rows of pair coefficients, each with the number of words before its values, the later first.

    Raises InputError for styles that are not read.
    """
    if found.pair is None or found.pair.words[1:2] == () or found.pair.words[1] not in STYLES:
        said = f"only pair_style {' and '.join(STYLES)} are read"
        raise InputError(f"{data.path}: {said}") if found.pair is None else found.pair.wrong(said)
    return [
        *((row, 1) for row in data.sections.get("Pair Coeffs", [])),
        *((row, 2) for row in data.sections.get("PairIJ Coeffs", [])),
        *((Row(row.path, row.line, row.words[1:]), 2) for row in found.rows.get("pair_coeff", [])),
    ]


def _masses(data: DataFile, numbers: Int[np.ndarray, " atoms"]) -> tuple[Float[np.ndarray, " atoms"], dict[int, str]]:
    """Return the masses of atoms and the names of types, which remarks may state. Raises InputError."""
    rows = {row.integer(0): row for row in data.sections.get("Masses", [])}
    if lacking := sorted(set(numbers.tolist()) - set(rows)):
        raise InputError(f"{data.path}: section Masses has no type {listed([str(k) for k in lacking])}")
    names = {k: row.remark.split()[0] if row.remark else str(k) for k, row in rows.items()}
    return np.array([rows[k].number(1) for k in numbers.tolist()]), names


def _species(path: Path, masses: Float[np.ndarray, " atoms"]) -> Int[np.ndarray, " atoms"]:
    nearest = 1 + np.abs(WEIGHTS[1:, None] - masses[None]).argmin(axis=0)
    if (wrong := np.flatnonzero(np.abs(WEIGHTS[nearest] - masses) > _ALIKE)).size:
        atoms = listed([f"{k + 1} ({masses[k]:g} amu)" for k in wrong.tolist()])
        raise InputError(f"{path}: atoms {atoms} are of no element that is known by its mass")
    return nearest


def _say_cutoff(path: Path, style: Row | None, positions: Float[np.ndarray, "atoms 3"]) -> None:
    """Warn where LAMMPS would leave out pairs of the structure in the data file."""
    assert style is not None
    cutoff = min(style.numbers(2, len(style.words) - 2), default=math.inf)
    if math.dist(positions.min(axis=0), positions.max(axis=0)) > cutoff:
        said = f"{path}: pairs end at {cutoff:g} Å in LAMMPS; here they act at any distance (evaluate takes --cutoff)"
        warn(InputWarning(said), stacklevel=2)
