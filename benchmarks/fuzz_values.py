"""What a damaged file that was read says otherwise than the whole one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from forgefield.molecules.molecule import Molecule, Reference

UNITS = {
    "structures": "",
    "elements": "atoms",
    "charge": "e",
    "multiplicity": "",
    "stationary_order": "",
    "level": "",
    "positions": "Å",
    "energy": "kcal/mol",
    "gradient": "kcal/mol/Å",
    "hessian": "kcal/mol/Å²",
    "frequencies": "cm⁻¹",
    "masses": "amu",
    "charges": "e",
}
"""Of the largest change of each quantity."""
MATTERS = {
    "positions": 0.01,
    "energy": 0.01,
    "gradient": 0.1,
    "hessian": 1.0,
    "frequencies": 1.0,
    "masses": 0.001,
    "charges": 0.001,
}
"""From which change on a quantity is another one for a force field; all others at any change."""
SAME = 1e-9
"""Of the largest value of a quantity: what arithmetic in another order changes."""


@dataclass(frozen=True)
class Differences:
    """Of one damaged file."""

    changes: dict[str, float] = field(default_factory=dict)
    """By how much quantities differ."""
    lost: list[str] = field(default_factory=list)
    said: bool = False
    """Whether more was warned of than of the whole file."""


def changes(whole: object, damaged: object) -> dict[str, float]:
    """Return by how much each quantity that both hold differs; infinite where it has another size.

    What is not of structures or references is not compared.
    """
    first, second = _listed(whole), _listed(damaged)
    if len(first) != len(second):
        return {"structures": float(abs(len(first) - len(second)))}
    found: dict[str, float] = {}
    for one, other in zip(first, second, strict=True):
        for name in UNITS:
            amount = _amount(_value(one, name), _value(other, name))
            if amount > 0.0:
                found[name] = max(amount, found.get(name, 0.0))
    return found


def matters(changes: Mapping[str, float]) -> bool:
    """Say whether one of these changes is more than a last digit."""
    return any(amount > MATTERS.get(name, 0.0) for name, amount in changes.items())


def lost(whole: object, damaged: object) -> list[str]:
    """Return the quantities that only the whole file gave."""
    pairs = zip(_listed(whole), _listed(damaged), strict=False)
    return sorted(
        {
            name
            for one, other in pairs
            for name in UNITS
            if _value(one, name) is not None and _value(other, name) is None
        }
    )


def _listed(found: object) -> list[Molecule | Reference]:
    if isinstance(found, Molecule | Reference):
        return [found]
    return [one for part in found for one in _listed(part)] if isinstance(found, list | tuple) else []


def _value(found: Molecule | Reference, name: str) -> object:
    if name == "elements":
        return found.species
    if name == "charges" and isinstance(found, Reference):
        return np.concatenate([one.values for one in found.charges]) if found.charges else None
    return getattr(found, name, None)


def _amount(one: object, other: object) -> float:
    if one is None or other is None:
        return 0.0
    if isinstance(one, str):
        return float(one != other)
    first, second = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    if first.shape != second.shape:
        return np.inf
    amount = float(np.abs(first - second).max(initial=0.0))
    return amount if amount > SAME * float(np.abs(first).max(initial=0.0)) else 0.0


def listed(rows: Sequence[tuple[int, dict[str, float]]]) -> dict[str, dict[str, object]]:
    """Return how often each quantity was changed, the largest change and the variant that has it."""
    found: dict[str, dict[str, object]] = {}
    for name, unit in UNITS.items():
        amounts = [(amounts[name], variant) for variant, amounts in rows if name in amounts]
        if amounts:
            worst, variant = max(amounts)
            found[name] = {"times": len(amounts), "largest": worst, "unit": unit, "variant": variant}
    return found
