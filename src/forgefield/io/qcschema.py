"""Reads and writes QCSchema JSON: `AtomicResult` version 1, and molecules alone."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from jaxtyping import Float
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.parts import Part
from forgefield.io.text import LARGEST, read_text, write_text
from forgefield.molecules.elements import atomic_number
from forgefield.molecules.molecule import Molecule, Reference, standard_masses


def _flat(values: Any) -> Any:
    """Return the elements of nested lists: the schema stores arrays flat, some programs write them in shape."""
    while isinstance(values, list) and values and all(isinstance(row, list) for row in values):
        values = [element for row in values for element in row]
    return values


_Number = Annotated[float, Field(gt=-LARGEST, lt=LARGEST, allow_inf_nan=False)]
_Numbers = Annotated[list[_Number], BeforeValidator(_flat)]


class _Record(BaseModel):
    # Other programs add keys of their own to every part of the schema.
    model_config = ConfigDict(extra="ignore")


_R = TypeVar("_R", bound=_Record)


class _Molecule(_Record):
    symbols: list[str]
    geometry: _Numbers
    masses: list[_Number] | None = None
    mass_numbers: list[int] | None = None
    real: list[bool] | None = None
    molecular_charge: _Number = 0.0
    molecular_multiplicity: _Number = 1.0
    connectivity: list[tuple[int, int, _Number]] | None = None
    name: str | None = None


class _Model(_Record):
    method: str = ""
    basis: str | dict[str, Any] | None = None


class _Provenance(_Record):
    creator: str = ""


class _Properties(_Record):
    return_energy: _Number | None = None
    return_gradient: _Numbers | None = None
    return_hessian: _Numbers | None = None


class _Extras(_Record):
    """What this program keeps beside the standard fields."""

    frequencies_cm1: list[_Number] | None = None
    stationary_order: int | None = None
    level: str | None = None


class _Result(_Record):
    schema_name: Literal["qcschema_output"]
    schema_version: Literal[1] = 1
    success: bool = True
    error: dict[str, Any] | None = None
    molecule: _Molecule
    driver: Literal["energy", "gradient", "hessian", "properties"]
    model: _Model = _Model()
    properties: _Properties = _Properties()
    return_result: Any = None
    provenance: _Provenance = _Provenance()
    extras: dict[str, Any] | None = None


class _Returned(_Record):
    """A result of the driver: one number or an array."""

    return_result: Annotated[list[_Number], BeforeValidator(lambda v: _flat(v) if isinstance(v, list) else [v])]


def read_qcschema(path: Path) -> Part:
    """Return what a QCSchema file holds: an AtomicResult of version 1, or a molecule without results.

    Raises InputError that lists every field that is missing or wrong, and quotes the error of a failed computation.
    """
    content = _load(path)
    name = content.get("schema_name")
    if name == "qcschema_molecule":
        return Part(source=str(path), **_structure(path, _validated(path, _Molecule, content)))
    if name != "qcschema_output":
        raise InputError(f"{path}: schema_name is {name!r}; expected `qcschema_output` or `qcschema_molecule`")
    if content.get("success") is False:
        error = content.get("error")
        message = error.get("error_message") if isinstance(error, dict) else error
        raise InputError(f"{path}: the computation failed: {message}")
    result = _validated(path, _Result, content)
    extras = _validated(path, _Extras, (result.extras or {}).get("forgefield") or {})
    energy, gradient, hessian = _observables(path, result, len(result.molecule.symbols))
    return Part(
        source=str(path),
        energy=energy,
        gradient=gradient,
        hessian=hessian,
        frequencies=None if extras.frequencies_cm1 is None else np.array(extras.frequencies_cm1, dtype=np.float64),
        level=_level(result.model) if extras.level is None else extras.level,
        program=result.provenance.creator,
        stationary_order=extras.stationary_order,
        **_structure(path, result.molecule),
    )


def _load(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}, line {error.lineno}: is not JSON ({error.msg}); is the file truncated?") from None
    except (RecursionError, ValueError) as error:
        raise InputError(f"{path}: is not usable JSON ({error})") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: is no QCSchema file: it holds a {type(content).__name__}, not an object")
    return content


def _validated(path: Path, record: type[_R], content: Any) -> _R:
    try:
        return record.model_validate(content)
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:10]]
        raise InputError(f"{path}: is no valid QCSchema file:\n  " + "\n  ".join(wrong)) from None


def _level(model: _Model) -> str:
    basis = model.basis if isinstance(model.basis, str) else ""
    return "/".join(word for word in (model.method, basis) if word)


def _structure(path: Path, molecule: _Molecule) -> dict[str, Any]:
    n_atoms = len(molecule.symbols)
    if len(molecule.geometry) != 3 * n_atoms or not n_atoms:
        raise InputError(f"{path}: {n_atoms} symbols, but {len(molecule.geometry)} coordinates")
    ghosts = [i + 1 for i, real in enumerate(molecule.real or []) if not real]
    if ghosts:
        raise InputError(f"{path}: atom(s) {', '.join(map(str, ghosts))} are ghosts; give the molecule without them")
    charge, multiplicity = molecule.molecular_charge, molecule.molecular_multiplicity
    if charge != round(charge) or multiplicity != round(multiplicity):
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
        "multiplicity": round(multiplicity),
        "bonds": np.array([[a, b] for a, b, _ in bonds], dtype=np.int64) if bonds else None,
        "orders": np.array([order for _, _, order in bonds]) if bonds else None,
        "name": molecule.name or path.stem,
    }


def _species(path: Path, word: str) -> int:
    try:
        return atomic_number(word)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _masses(path: Path, molecule: _Molecule, species: np.ndarray) -> Float[np.ndarray, " atoms"] | None:
    if molecule.masses is not None:
        return np.array(molecule.masses, dtype=np.float64)
    usual = np.rint(standard_masses(species))
    isotopes = np.array(molecule.mass_numbers or [], dtype=np.int64)
    if isotopes.size and (isotopes.shape != usual.shape or ((isotopes != usual) & (isotopes >= 0)).any()):
        raise InputError(f"{path}: mass_numbers name uncommon isotopes; give their masses in the field `masses` too")
    return None


def _observables(
    path: Path, result: _Result, n_atoms: int
) -> tuple[float | None, Float[np.ndarray, "atoms 3"] | None, Float[np.ndarray, "coordinates coordinates"] | None]:
    """Return energy [kcal/mol], gradient [kcal/mol/Å] and Hessian [kcal/mol/Å²]."""
    named = result.properties
    energy = None if named.return_energy is None else [named.return_energy]
    shares = {"energy": energy, "gradient": named.return_gradient, "hessian": named.return_hessian}
    found = {key: np.array(values) for key, values in shares.items() if values is not None}
    returned = {}
    if result.driver != "properties" and result.return_result is not None:
        checked = _validated(path, _Returned, {"return_result": result.return_result})
        returned = {result.driver: np.array(checked.return_result)}
    sizes = {"energy": 1, "gradient": 3 * n_atoms, "hessian": 9 * n_atoms**2}
    wrong = [
        f"{key} of {len(values)} numbers, expected {sizes[key]}"
        for key, values in (*found.items(), *returned.items())
        if len(values) != sizes[key]
    ]
    if wrong:
        raise InputError(f"{path}: {n_atoms} atoms, but " + "; ".join(wrong))
    for key, values in returned.items():
        if not np.allclose(values, found.get(key, values), rtol=1e-6, atol=1e-8):
            raise InputError(f"{path}: return_result and properties.return_{key} contradict each other")
    found = returned | found
    return (
        float(found["energy"][0]) * units.HARTREE if "energy" in found else None,
        found["gradient"].reshape(-1, 3) * units.HARTREE_PER_BOHR if "gradient" in found else None,
        found["hessian"].reshape(3 * n_atoms, -1) * units.HARTREE_PER_BOHR2 if "hessian" in found else None,
    )


def write_qcschema(path: Path, molecule: Molecule, reference: Reference) -> None:
    """Write an AtomicResult of version 1: the reference in its own frame, the bonds and the name of the molecule.

    Energy, gradient, Hessian and masses are in the standard fields, frequencies and what the schema has no field for
    under `extras.forgefield`. Raises InputError where the two are not of the same atoms.
    """
    if not np.array_equal(molecule.species, reference.species):
        raise InputError(f"{path}: the molecule {molecule.name} and its reference are not of the same atoms")
    properties = {
        "return_energy": _listed(reference.energy, units.HARTREE),
        "return_gradient": _listed(reference.gradient, units.HARTREE_PER_BOHR),
        "return_hessian": _listed(reference.hessian, units.HARTREE_PER_BOHR2),
        "calcinfo_natom": molecule.n_atoms,
    }
    present = [key for key in ("hessian", "gradient", "energy") if properties[f"return_{key}"] is not None]
    driver = present[0] if present else "properties"
    method, _, basis = reference.level.partition("/")
    content = {
        "schema_name": "qcschema_output",
        "schema_version": 1,
        "success": True,
        "molecule": _molecule_record(molecule, reference),
        "driver": driver,
        "model": {"method": method, "basis": basis or None},
        "keywords": {},
        "properties": properties,
        "return_result": properties[f"return_{driver}"] if present else {},
        "provenance": {"creator": reference.program or "forgefield"},
        "extras": {
            "forgefield": {
                "frequencies_cm1": _listed(reference.frequencies, 1.0),
                "stationary_order": reference.stationary_order,
                "level": reference.level,
                "sources": list(reference.sources),
            }
        },
    }
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def _listed(values: Any, unit: float) -> Any:
    """Return a number, or the flat list of an array, in multiples of `unit`."""
    if values is None:
        return None
    scaled = np.asarray(values, dtype=np.float64) / unit
    return scaled.ravel().tolist() if scaled.ndim else float(scaled)


def _molecule_record(molecule: Molecule, reference: Reference) -> dict[str, Any]:
    bonds = [[int(a), int(b), float(order)] for (a, b), order in zip(molecule.bonds, molecule.orders, strict=True)]
    record = {
        "schema_name": "qcschema_molecule",
        "schema_version": 2,
        "name": molecule.name,
        "symbols": list(molecule.symbols),
        "geometry": _listed(reference.positions, units.BOHR),
        "molecular_charge": float(reference.charge),
        "molecular_multiplicity": reference.multiplicity,
        # A reader must not move the atoms: gradient and Hessian are in this frame.
        "fix_com": True,
        "fix_orientation": True,
    }
    if reference.masses is not None:
        record["masses"] = _listed(reference.masses, 1.0)
    if bonds:
        record["connectivity"] = bonds
    return record
