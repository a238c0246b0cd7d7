"""The layouts in which a computation is kept as JSON, each turned into that of an AtomicResult of version 1.

They are QCSchema `AtomicResult` of versions 1 and 2, `OptimizationResult` of both, of which the final geometry is taken
with the last step where that is of it, records of QCPortal of both kinds, and objects of `input` and `result`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from forgefield.errors import InputError
from forgefield.io.qm.qcschema_records import flat

MOLECULE = "qcschema_molecule"
_SAME_POSITIONS = 1e-6
"""Bohr"""


def atomic_result(path: Path, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a computation in the layout of an AtomicResult of version 1, or a molecule as it is.

    Raises InputError for a computation that failed, which is quoted, and for other content.
    """
    if isinstance(content.get("result"), dict) and isinstance(content.get("input"), dict):
        content = {**content["input"], **content["result"]}
    name, kind = str(content.get("schema_name")).replace("qc_schema", "qcschema"), content.get("record_type")
    _check_success(path, content)
    match name, kind:
        case "qcschema_molecule", _:
            return {**content, "schema_name": MOLECULE}
        case "qcschema_output", _:
            return {**content, "schema_name": name}
        case "qcschema_atomic_result", _:
            return _second_version(content)
        case ("qcschema_optimization_output" | "qcschema_optimization_result", _) | (_, "optimization"):
            return _optimisation(path, content)
        case _, "singlepoint":
            return _record(path, content)
    raise InputError(
        f"{path}: schema_name is {content.get('schema_name')!r}; expected `qcschema_output`, `qcschema_atomic_result`, "
        "`qcschema_optimization_output`, `qcschema_optimization_result` or `qcschema_molecule`, or a record of "
        "QCPortal with record_type `singlepoint` or `optimization`"
    )


def _check_success(path: Path, content: Mapping[str, Any]) -> None:
    if content.get("success", True) is not True:
        error = content.get("error")
        message = error.get("error_message") if isinstance(error, dict) else error
        raise InputError(f"{path}: the computation failed: {message}")
    status = content.get("status", "complete")
    if "record_type" in content and status != "complete":
        raise InputError(f"{path}: the computation is not complete; its status is {status!r}")


def _second_version(content: Mapping[str, Any]) -> dict[str, Any]:
    specification = _object(_object(content.get("input_data")).get("specification"))
    named = {key: specification[key] for key in ("driver", "model") if key in specification}
    return {**content, **named, "schema_name": "qcschema_output", "schema_version": 1}


def _record(path: Path, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record of QCPortal, which holds results among the properties."""
    molecule, properties = content.get("molecule"), _object(content.get("properties"))
    if not isinstance(molecule, dict):
        raise InputError(f"{path}: the record names its molecule by number only; save it with its `molecule`")
    specification = _object(content.get("specification"))
    returned = content.get("return_result", properties.get("return_result"))
    return {
        "schema_name": "qcschema_output",
        "molecule": molecule,
        "driver": specification.get("driver"),
        "model": {key: specification.get(key) for key in ("method", "basis")},
        "properties": properties,
        "return_result": returned,
        "provenance": _object(content.get("provenance")) or {"creator": specification.get("program", "")},
        "extras": _object(content.get("extras")),
    }


def _optimisation(path: Path, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the last step of an optimisation, or the final geometry and energy where that is of another geometry."""
    molecule = content.get("final_molecule")
    if not isinstance(molecule, dict):
        raise InputError(f"{path}: the optimisation keeps no `final_molecule`; save it with its geometry")
    energies = content.get("energies")
    energy = energies[-1] if isinstance(energies, list) and energies else None
    if energy is None:
        energy = _object(content.get("properties")).get("return_energy")
    steps = content.get("trajectory_results") or content.get("trajectory")
    last = steps[-1] if isinstance(steps, list) and steps else None
    if isinstance(last, dict) and "final_molecule" not in last:
        step = atomic_result(path, {"record_type": None, **last})
        if _same_geometry(_object(step.get("molecule")), molecule):
            told = _object(step.get("properties"))
            return {**step, "molecule": molecule, "properties": {"return_energy": energy, **told}}
    return {
        "schema_name": "qcschema_output",
        "molecule": molecule,
        "driver": "properties",
        "model": _model(content),
        "properties": {"return_energy": energy},
        "provenance": _object(content.get("provenance")),
    }


def steps_of(content: Any) -> list[dict[str, Any]]:
    """Return the computations that an optimisation keeps of its steps, or else the computation itself."""
    record = _object(content)
    steps = record.get("trajectory_results") or record.get("trajectory")
    kept = (
        [{"record_type": None, **step} for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []
    )
    return kept or [record]


def _model(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return method and basis set of the steps of an optimisation."""
    for way in (
        ("input_specification", "model"),
        ("input_data", "specification", "specification", "model"),
        ("specification", "qc_specification"),
    ):
        place: Any = content
        for key in way:
            place = _object(place).get(key)
        if place:
            return {key: _object(place).get(key) for key in ("method", "basis") if _object(place).get(key) is not None}
    return {}


def _same_geometry(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    try:
        a, b = (np.array(flat(one.get("geometry")), dtype=np.float64) for one in (first, second))
    except (TypeError, ValueError):
        return False
    return a.shape == b.shape and a.ndim == 1 and bool((np.abs(a - b) <= _SAME_POSITIONS).all())


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
