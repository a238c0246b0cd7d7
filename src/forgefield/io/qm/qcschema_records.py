"""The parts that all kinds of QCSchema files share: molecules, models, numbers and how they are checked."""

import json
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
from jaxtyping import Float
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.text import LARGEST, read_text
from forgefield.molecules.electrons import electron_problem
from forgefield.molecules.elements import atomic_number
from forgefield.molecules.molecule import Molecule, Reference, standard_masses


def flat(values: Any) -> Any:
    """Return the elements of nested lists: the schema stores arrays flat, some programs write them in shape."""
    while isinstance(values, list) and values and all(isinstance(row, list) for row in values):
        values = [element for row in values for element in row]
    return values


def _no_number(value: Any) -> Any:
    """Refuse what would be taken for a number and is none: a truth value, or text."""
    if isinstance(value, bool | str):
        raise ValueError(f"{value!r} is not a number")
    return value


Number = Annotated[float, Field(gt=-LARGEST, lt=LARGEST, allow_inf_nan=False), BeforeValidator(_no_number)]
Whole = Annotated[int, Field(gt=-(2**31), lt=2**31), BeforeValidator(_no_number)]
Numbers = Annotated[list[Number], BeforeValidator(flat)]


class Record(BaseModel):
    """A part of a file, checked as far as it is used."""

    # Other programs add keys of their own to every part of the schema.
    model_config = ConfigDict(extra="ignore")


_R = TypeVar("_R", bound=Record)


class MoleculeRecord(Record):
    """qcschema_molecule, geometry in Bohr."""

    symbols: list[str]
    geometry: Numbers
    masses: list[Number] | None = None
    mass_numbers: list[Whole] | None = None
    real: list[bool] | None = None
    molecular_charge: Number = 0.0
    molecular_multiplicity: Number | None = None
    connectivity: list[tuple[Whole, Whole, Number]] | None = None
    name: str | None = None


class ModelRecord(Record):
    """A level of theory."""

    method: str = ""
    basis: str | dict[str, Any] | None = None


def _refused(word: str) -> Any:
    raise ValueError(f"it holds {word} where a finite number is expected")


def load_json(path: Path) -> dict[str, Any]:
    """Return the object that a JSON file holds; raises InputError that names the line where it is none."""
    content = load_value(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds a {type(content).__name__} where an object is expected")
    return content


def load_value(path: Path) -> Any:
    """Return what a JSON file holds; raises InputError that names the line where it is none."""
    try:
        return json.loads(read_text(path), parse_constant=_refused)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}, line {error.lineno}: is not JSON ({error.msg}); is the file truncated?") from None
    except (RecursionError, ValueError) as error:
        raise InputError(f"{path}: is not usable JSON ({error})") from None


def validated(path: Path, record: type[_R], content: Any) -> _R:
    """Return a part of the file as `record` has it; raises InputError that lists every field that is wrong."""
    try:
        return record.model_validate(content)
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:10]]
        raise InputError(f"{path}: has wrong entries:\n  " + "\n  ".join(wrong)) from None


def level_of(model: ModelRecord) -> str:
    """Return method and basis set, for example B3LYP/6-31G*."""
    basis = model.basis if isinstance(model.basis, str) else ""
    return "/".join(word for word in (model.method, basis) if word)


def structure(path: Path | str, molecule: MoleculeRecord) -> dict[str, Any]:
    """Return the structure as the fields of a Part, without its name where the record has none.

    Raises InputError, headed by `path`, for ghosts and whatever makes no molecule.
    """
    n_atoms = len(molecule.symbols)
    if len(molecule.geometry) != 3 * n_atoms or not n_atoms:
        raise InputError(f"{path}: {n_atoms} symbols, but {len(molecule.geometry)} coordinates")
    ghosts = [i + 1 for i, real in enumerate(molecule.real or []) if not real]
    if ghosts:
        raise InputError(f"{path}: atom(s) {', '.join(map(str, ghosts))} are ghosts; give the molecule without them")
    charge, multiplicity = molecule.molecular_charge, molecule.molecular_multiplicity
    if charge != round(charge) or (multiplicity is not None and multiplicity != round(multiplicity)):
        raise InputError(f"{path}: charge {charge} and multiplicity {multiplicity} must be whole numbers")
    species = np.array([_species(path, word) for word in molecule.symbols])
    bonds = molecule.connectivity or []
    outside = [f"{a}-{b}" for a, b, _ in bonds if not (0 <= a < n_atoms and 0 <= b < n_atoms) or a == b]
    if outside:
        raise InputError(f"{path}: connectivity joins atoms that are not there (counted from 0): {', '.join(outside)}")
    return {
        "species": species,
        "positions": np.array(molecule.geometry).reshape(-1, 3) * units.BOHR,
        "masses": _masses(path, molecule, species),
        "charge": round(charge),
        "multiplicity": None if multiplicity is None else round(multiplicity),
        "bonds": np.array([[a, b] for a, b, _ in bonds], dtype=np.int64) if bonds else None,
        "orders": np.array([order for _, _, order in bonds]) if bonds else None,
        "name": molecule.name or "",
    }


def _species(path: Path | str, word: str) -> int:
    try:
        return atomic_number(word)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _masses(path: Path | str, molecule: MoleculeRecord, species: np.ndarray) -> Float[np.ndarray, " atoms"] | None:
    if molecule.masses is not None:
        return np.array(molecule.masses, dtype=np.float64)
    usual = np.rint(standard_masses(species))
    isotopes = np.array(molecule.mass_numbers or [], dtype=np.int64)
    if isotopes.size and (isotopes.shape != usual.shape or ((isotopes != usual) & (isotopes >= 0)).any()):
        raise InputError(f"{path}: mass_numbers name uncommon isotopes; give their masses in the field `masses` too")
    return None


def multiples(values: Any, unit: float) -> Any:
    """Return a number, or the flat list of an array, in multiples of `unit` to 16 digits, which is their precision."""
    if values is None:
        return None
    scaled = np.asarray(values, dtype=np.float64) / unit
    # A seventeenth digit would be an error of the division.
    found = [float(f"{value:.16g}") for value in scaled.ravel().tolist()]
    return found if scaled.ndim else found[0]


def molecule_record(molecule: Molecule, reference: Reference) -> dict[str, Any]:
    """Return a qcschema_molecule in the frame of the reference, with the bonds and the name of the molecule."""
    bonds = [[int(a), int(b), float(order)] for (a, b), order in zip(molecule.bonds, molecule.orders, strict=True)]
    record = {
        "schema_name": "qcschema_molecule",
        "schema_version": 2,
        "name": molecule.name,
        "symbols": list(molecule.symbols),
        "geometry": multiples(reference.positions, units.BOHR),
        "molecular_charge": float(reference.charge),
        # A reader must not move the atoms: gradient and Hessian are in this frame.
        "fix_com": True,
        "fix_orientation": True,
    }
    # Where no file states it, it is one by default, which an odd number of electrons cannot have.
    if not electron_problem(reference.species, reference.charge, reference.multiplicity):
        record["molecular_multiplicity"] = reference.multiplicity
    if reference.masses is not None:
        record["masses"] = multiples(reference.masses, 1.0)
    if bonds:
        record["connectivity"] = bonds
    return record
