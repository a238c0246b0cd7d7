"""Reads Tinker's structures with their parameters: force fields of class I and MM3, laid by Tinker's rules."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from warnings import warn

import numpy as np

from forgefield.assign.explicit.rules import SystemRules
from forgefield.assign.explicit.system import Stated, System
from forgefield.errors import InputError, InputWarning
from forgefield.io.forcefields.tinker import bonded, coupled
from forgefield.io.forcefields.tinker.bonded import Part
from forgefield.io.forcefields.tinker.files import Row, TinkerStructure, is_tinker_structure, read_structure
from forgefield.io.forcefields.tinker.laid import Laid
from forgefield.io.forcefields.tinker.parameters import read_parameters
from forgefield.io.forcefields.tinker.through_space import charges_of, dipoles, through_space, van_der_waals
from forgefield.io.offenders import listed
from forgefield.molecules.elements import SYMBOLS
from forgefield.terms.term import Term

SUFFIXES = (".key", ".prm", ".xyz")


def read_key(path: Path) -> SystemRules:
    """Return the force field of a .key, of the structure beside it. Raises as `read_tinker` does."""
    return read_tinker([path])


def read_tinker(files: Sequence[Path]) -> SystemRules:
    """Return the force field of files: a structure (.xyz), parameters (.prm), keys (.key), which may name parameters.

    Without a structure it is the one beside the first file. Raises InputError that names what is not read, and
    MissingParameters that lists all interactions without a row.
    """
    of = {suffix: [path for path in files if path.suffix.lower() == suffix] for suffix in SUFFIXES}
    structures = of[".xyz"] or [files[0].with_suffix(".xyz")]
    if len(structures) > 1:
        raise InputError(f"{structures[1]}: a second structure; give one, and the parameters of it")
    path = structures[0]
    if not path.is_file():
        raise InputError(f"{files[0]}: its structure {path} is not there; give it as STRUCTURE.xyz+{files[0].name}")
    if not is_tinker_structure(path):
        raise InputError(f"{path}: has no numbers and types of atoms, as Tinker's structures have")
    keys = of[".key"] or [key for key in (path.with_suffix(".key"),) if key.is_file() and not of[".prm"]]
    if not keys and not of[".prm"]:
        raise InputError(f"{path}: its parameters are not named; give them as {path.name}+PARAMETERS.prm, or a .key")
    parameters = read_parameters(of[".prm"], keys)
    structure = read_structure(path)
    atoms = _atoms(structure, parameters.last("atom"), parameters.source)
    laid = Laid(
        structure,
        parameters,
        classes=tuple(row.classes(2)[1] if _has_class(row) else row.classes(1)[0] for row in atoms),
        species=tuple(_species(row) for row in atoms),
    )
    parameters.require_read(laid.classes, structure.types)
    _check(laid, atoms)
    return SystemRules(_system(laid, atoms))


def _atoms(structure: TinkerStructure, known: dict[int, Row], source: str) -> list[Row]:
    """Return the row of each atom's type. Raises InputError for types that there are none of."""
    if lacking := sorted({one for one in structure.types if one not in known}):
        first = [f"{one} (atom {structure.types.index(one) + 1})" for one in lacking]
        raise InputError(f"{structure.path}: types {listed(first)} are not in {source}; are its parameters others?")
    return [known[one] for one in structure.types]


def _has_class(row: Row) -> bool:
    """Say whether a row of an atom has a class behind the type, as all but the oldest files do."""
    return len(row.words) > 2 and row.words[2].isdecimal()


def _after_name(row: Row) -> int:
    """Return where the atomic number stands: behind class, symbol and description."""
    quoted = [k for k, word in enumerate(row.words) if word.startswith('"')]
    if not quoted:
        raise row.wrong("it has no description in quotes")
    return quoted[0] + 1


def _species(row: Row) -> int:
    at = _after_name(row)
    z = row.number(at)
    if z not in range(1, len(SYMBOLS)):
        raise row.wrong(f"its atomic number {z:g} is that of no element: sites without one are not read")
    return int(z)


def _check(laid: Laid, atoms: Sequence[Row]) -> None:
    """Tell atoms that are called as another element than their type is, or have other numbers of neighbours."""
    other, unusual = [], []
    for k, (row, name, z) in enumerate(zip(atoms, laid.structure.labels, laid.species, strict=True)):
        symbol, wanted = SYMBOLS[z], row.optional(_after_name(row) + 2)
        if name[:1].upper() != symbol[0]:
            other.append(f"{name} (type {laid.structure.types[k]} is {symbol})")
        if wanted != len(laid.around[k]):
            unusual.append(f"{name} ({len(laid.around[k])} for {wanted:g})")
    if other:
        said = f"atoms are called as another element than their types are: {listed(other)}"
        warn(InputWarning(f"{laid.structure.path}: {said}"), stacklevel=3)
    if unusual:
        said = f"atoms with another number of neighbours than their types have: {listed(unusual)}"
        warn(InputWarning(f"{laid.structure.path}: {said}"), stacklevel=3)


def _system(laid: Laid, atoms: Sequence[Row]) -> System:
    types = laid.structure.types
    held = van_der_waals(laid, types)
    parts = _valence(laid)
    laid.require_all()
    charges = charges_of(laid, types)
    space, pairs = through_space(laid, held, charges)
    parts += [*pairs, *dipoles(laid, types, charged=bool(charges.any()))]
    return System(
        source=str(laid.structure.path),
        program="Tinker",
        species=np.array(laid.species, dtype=np.int64),
        bonds=laid.bonds,
        types=tuple(map(str, laid.classes)),
        names=laid.structure.labels,
        residues=("MOL1",) * len(types),
        masses=np.array([row.number(_after_name(row) + 1) for row in atoms]),
        interactions=tuple(_stated(parts)),
        through_space=space,
    )


def _valence(laid: Laid) -> list[Part]:
    """Return all that acts along bonds, as far as there are rows; what has none is noted."""
    lengths, angles, torsions = bonded.lengths(laid), bonded.angles(laid), bonded.torsions(laid)
    out = dict(coupled.out_of_plane(laid))
    if laid.missing:
        return []
    in_plane = {chain[:3] for chain, k in out.items() if k != 0.0}
    flat = in_plane if laid.parameters.words["angle-trigonal"] == "IN-PLANE" else set()
    return [
        *bonded.stretches(laid, lengths),
        *bonded.bends(laid, angles, flat),
        *coupled.stretch_bends(laid, lengths, angles),
        *coupled.bend_bends(laid, angles),
        *bonded.urey_bradley(laid),
        *coupled.bends_out_of_plane(laid, out),
        *bonded.periodic(laid, torsions),
        *bonded.impropers(laid),
        *coupled.stretch_torsions(laid, lengths, torsions),
    ]


def _stated(parts: Iterable[Part]) -> list[Stated]:
    held: dict[Term, list[tuple[tuple[int, ...], tuple[float, ...]]]] = defaultdict(list)
    for term, chain, values in parts:
        held[term].append((chain, values))
    return [
        Stated(term, np.array([chain for chain, _ in each]), np.array([values for _, values in each]))
        for term, each in held.items()
    ]
