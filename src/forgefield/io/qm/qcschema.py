"""Reads QCSchema JSON and its kin, and writes `AtomicResult` of version 1."""

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from warnings import warn

import numpy as np
from jaxtyping import Float
from pydantic import BeforeValidator

from forgefield import units
from forgefield.errors import InputError, InputWarning
from forgefield.io.assemble.parts import Part, full_hessian
from forgefield.io.outputs import write_text
from forgefield.io.qm.qcschema_layouts import MOLECULE, atomic_result, steps_of
from forgefield.io.qm.qcschema_records import (
    ModelRecord,
    MoleculeRecord,
    Number,
    Numbers,
    Record,
    Whole,
    flat,
    level_of,
    load_json,
    load_value,
    molecule_record,
    multiples,
    structure,
    validated,
)
from forgefield.molecules.molecule import AtomicCharges, Molecule, Reference

_BETWEEN_NUMBERS = re.compile(r",\n +(?=[-\d])")


class _Provenance(Record):
    creator: str = ""


class _Properties(Record):
    return_energy: Number | None = None
    return_gradient: Numbers | None = None
    return_hessian: Numbers | None = None
    scf_total_energy: Number | None = None
    mp2_total_energy: Number | None = None
    ccsd_total_energy: Number | None = None
    ccsd_prt_pr_total_energy: Number | None = None


_ENERGIES = {
    "mp2": "mp2_total_energy",
    "ccsd": "ccsd_total_energy",
    "ccsd(t)": "ccsd_prt_pr_total_energy",
}
"""The properties that hold the energy of a method."""
_BEYOND_SCF = re.compile(r"mp\d|cc|q?ci|cas|adc|^td|eom|sapt|plyp|dsd|dh$|^dh|rpa")
"""Parts of the names of methods, the energy of which is not that of the SCF."""


class _Extras(Record):
    """What this program keeps beside the standard fields."""

    frequencies_cm1: list[Number] | None = None
    stationary_order: Whole | None = None
    level: str | None = None
    charges_e: dict[str, Numbers] | None = None
    formal_charges: list[Whole] | None = None


class _Variables(Record):
    """Charges among the variables of Psi4, such as `MULLIKEN CHARGES`."""

    charges: dict[str, Numbers]


class _Result(Record):
    schema_name: Literal["qcschema_output"]
    schema_version: Literal[1] = 1
    molecule: MoleculeRecord
    driver: Literal["energy", "gradient", "hessian", "properties"]
    model: ModelRecord = ModelRecord()
    properties: _Properties = _Properties()
    return_result: Any = None
    provenance: _Provenance = _Provenance()
    extras: dict[str, Any] | None = None


class _Returned(Record):
    """A result of the driver: one number or an array."""

    return_result: Annotated[list[Number], BeforeValidator(lambda v: flat(v) if isinstance(v, list) else [v])]


def read_qcschema(path: Path) -> Part:
    """Return what a QCSchema file holds: a computation in one of the layouts of `qcschema_layouts`, or a molecule.

    The energy is that of the method; where the file holds other energies only, an InputWarning says so. Raises
    InputError that lists every field that is missing or wrong, and quotes the error of a failed computation.
    """
    return _part(path, load_json(path))


def read_qcschema_records(path: Path) -> list[Part]:
    """Return every computation with a gradient of a QCSchema file: of a list each, of an optimisation its steps.

    Raises what `read_qcschema` does.
    """
    content = load_value(path)
    records = [one for record in (content if isinstance(content, list) else [content]) for one in steps_of(record)]
    return [_part(path, record) for record in records]


def _part(path: Path, record: dict[str, Any]) -> Part:
    content = atomic_result(path, record)
    if content["schema_name"] == MOLECULE:
        return Part(source=str(path), **structure(path, validated(path, MoleculeRecord, content)))
    result = validated(path, _Result, content)
    extras = validated(path, _Extras, _kept(result.extras))
    energy, gradient, hessian = _observables(path, result, len(result.molecule.symbols))
    return Part(
        source=str(path),
        energy=energy,
        gradient=gradient,
        hessian=hessian,
        frequencies=None if extras.frequencies_cm1 is None else np.array(extras.frequencies_cm1, dtype=np.float64),
        level=level_of(result.model) if extras.level is None else extras.level,
        program=result.provenance.creator,
        stationary_order=extras.stationary_order,
        charges=_charges(path, extras, result.extras or {}),
        formal_charges=None if extras.formal_charges is None else np.array(extras.formal_charges, dtype=np.int64),
        **structure(path, result.molecule),
    )


def _kept(extras: dict[str, Any] | None) -> Any:
    """Return what this program keeps beside the standard fields; nothing where there is no such entry."""
    kept = (extras or {}).get("forgefield")
    return {} if kept is None else kept


def _charges(path: Path, extras: _Extras, others: dict[str, Any]) -> tuple[AtomicCharges, ...]:
    """Return the charges that this program keeps, and those that Psi4 keeps, which has no standard field for them."""
    variables = others.get("qcvars")
    named = variables if isinstance(variables, dict) else {}
    kinds = {key.lower().removesuffix(" charges"): v for key, v in named.items() if key.lower().endswith(" charges")}
    found = validated(path, _Variables, {"charges": kinds}).charges | (extras.charges_e or {})
    return tuple(AtomicCharges(kind.lower(), np.array(values, dtype=np.float64)) for kind, values in found.items())


def _observables(
    path: Path, result: _Result, n_atoms: int
) -> tuple[float | None, Float[np.ndarray, "atoms 3"] | None, Float[np.ndarray, "coordinates coordinates"] | None]:
    """Return energy [kcal/mol], gradient [kcal/mol/Å] and Hessian [kcal/mol/Å²]."""
    named = result.properties
    energy = None if named.return_energy is None else [named.return_energy]
    if energy is None and (result.driver != "energy" or result.return_result is None):
        energy = _method_energy(path, result)
    shares = {"energy": energy, "gradient": named.return_gradient, "hessian": named.return_hessian}
    found = {key: np.array(values) for key, values in shares.items() if values is not None}
    returned = {}
    if result.driver != "properties" and result.return_result is not None:
        checked = validated(path, _Returned, {"return_result": result.return_result})
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
        full_hessian(path, found["hessian"].reshape(3 * n_atoms, -1), n_atoms) if "hessian" in found else None,
    )


def _method_energy(path: Path, result: _Result) -> list[float] | None:
    """Return the energy [Hartree] among the properties that is that of the method; None where there is none."""
    method = re.sub(r"^(?:df|ri|dlpno|ro|r|u)-?(?=mp2|cc|hf)", "", result.model.method.lower())
    key = _ENERGIES.get(method, "" if _BEYOND_SCF.search(method) or not method else "scf_total_energy")
    found = getattr(result.properties, key) if key else None
    if found is None and result.properties.scf_total_energy is not None:
        said = f"the energy of {result.model.method or 'an unnamed method'} is not read: the file holds only others"
        warn(InputWarning(f"{path}: {said}"), stacklevel=2)
    return None if found is None else [found]


def write_qcschema(path: Path, molecule: Molecule, reference: Reference) -> None:
    """Write an AtomicResult of version 1: the reference in its own frame, the bonds and the name of the molecule.

    Energy, gradient, Hessian and masses are in the standard fields, the Hessian once, as the result; frequencies and
    what the schema has no field for are under `extras.forgefield`. Raises InputError where the two are not of the same
    atoms.
    """
    if not np.array_equal(molecule.species, reference.species):
        raise InputError(f"{path}: the molecule {molecule.name} and its reference are not of the same atoms")
    returned = {
        "hessian": multiples(reference.hessian, units.HARTREE_PER_BOHR2),
        "gradient": multiples(reference.gradient, units.HARTREE_PER_BOHR),
        "energy": multiples(reference.energy, units.HARTREE),
    }
    driver = next((key for key, values in returned.items() if values is not None), "properties")
    properties = {f"return_{key}": values for key, values in returned.items() if key != "hessian"}
    method, _, basis = reference.level.partition("/")
    charges = {one.kind: multiples(one.values, 1.0) for one in reference.charges}
    content = {
        "schema_name": "qcschema_output",
        "schema_version": 1,
        "success": True,
        "molecule": molecule_record(molecule, reference),
        "driver": driver,
        "model": {"method": method, "basis": basis or None},
        "keywords": {},
        "properties": properties | {"calcinfo_natom": molecule.n_atoms},
        "return_result": returned.get(driver, {}),
        "provenance": {"creator": reference.program or "forgefield"},
        "extras": {
            "forgefield": {
                "frequencies_cm1": multiples(reference.frequencies, 1.0),
                "stationary_order": reference.stationary_order,
                "level": reference.level,
                **({"charges_e": charges} if charges else {}),
                **({} if molecule.formal_charges is None else {"formal_charges": molecule.formal_charges.tolist()}),
                "sources": list(reference.sources),
            }
        },
    }
    text = json.dumps(content, indent=1, allow_nan=False)
    write_text(path, _BETWEEN_NUMBERS.sub(", ", text) + "\n")
