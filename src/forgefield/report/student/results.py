"""What a validation found, as the text of results.json."""

import json
from dataclasses import is_dataclass
from typing import Any

import numpy as np

from forgefield.report.student.findings import BondScan, Criterion, Findings, Minimum, Quantity

UNITS = {
    "energy": "kcal/mol",
    "force": "kcal/mol/Å",
    "product": "kcal/mol/Å²",
    "stress": "kcal/mol/Å³",
    "length": "Å",
    "frequency": "cm⁻¹",
    "angle": "°",
    "drift": "kcal/mol per atom and ps",
    "time": "ps",
}


def results_text(found: Findings) -> str:
    """Return JSON; numbers that are not known are null."""
    told = {"accepted": found.accepted, "verdict": found.verdict, "units": UNITS, **_plain(found)}
    return json.dumps(told, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """Return what JSON can hold."""
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, np.ndarray | list | tuple):
        return [_plain(one) for one in (value.tolist() if isinstance(value, np.ndarray) else value)]
    if is_dataclass(value):
        value = _fields(value)
    return {str(key): _plain(one) for key, one in value.items()} if isinstance(value, dict) else value


def _fields(value: Any) -> dict[str, Any]:
    """Return what a finding holds, with what follows from it; of compared values only their errors."""
    held = {name: getattr(value, name) for name in type(value).__dataclass_fields__}
    match value:
        case Quantity():
            return {name: one for name, one in held.items() if name not in ("reference", "student")}
        case BondScan():
            return held | {"smooth": value.smooth, "sound": value.sound}
        case Minimum():
            return held | {"errors": value.errors}
        case Criterion():
            return held | {"met": value.met}
    return held
