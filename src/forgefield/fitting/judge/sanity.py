"""Whether a fitted force field makes physical sense, in words."""

import numpy as np
from jaxtyping import Float

from forgefield.fitting.judge.metrics import Metrics
from forgefield.models.rows import Row

_FORCE = 5.0
"""Residual force [kcal/mol/Å] at the reference geometry beyond which it is not a stationary point of the model."""
_LENGTH_SHIFT = 0.15
"""Å by which a reference length may differ from the mean length in the molecules."""
_ANGLE_SHIFT = np.radians(20.0)
_STIFF = {"stretch": 3000.0, "bend": 800.0}
"""Force constants above these [kcal/mol/Å² or rad²] are of no known bond or angle."""


def unphysical(
    rows: tuple[Row, ...], values: Float[np.ndarray, " parameters"], geometry: Float[np.ndarray, " parameters"]
) -> list[str]:
    """Return a sentence for each parameter that no molecule has.

    `geometry` holds the mean lengths [Å] and angles [rad] of the molecules where `values` has reference values.
    """
    said = []
    for row in rows:
        if row.term.kind not in _STIFF:
            continue
        k, reference = values[row.indices[0]], values[row.indices[1]]
        mean = geometry[row.indices[1]]
        if k < 0.0:
            said.append(f"{row.parameter_name(0)} is negative ({k:.1f} {row.term.own[0].unit})")
        if k > _STIFF[row.term.kind]:
            said.append(f"{row.parameter_name(0)} is larger than of any known one ({k:.0f} {row.term.own[0].unit})")
        said.extend(_shifted(row, reference, mean))
    return said


def _shifted(row: Row, reference: float, mean: float) -> list[str]:
    if row.term.kind == "stretch" and abs(reference - mean) > _LENGTH_SHIFT:
        return [f"{row.parameter_name(1)} = {reference:.3f} Å, but the bonds are {mean:.3f} Å long"]
    if row.term.kind == "bend" and abs(reference - mean) > _ANGLE_SHIFT:
        return [f"{row.parameter_name(1)} = {np.degrees(reference):.1f}°, but the angles are {np.degrees(mean):.1f}°"]
    return []


def not_stationary(metrics: Metrics) -> list[str]:
    """Return a sentence where the reference geometry is far from a stationary point of the model."""
    force = metrics.force_max_kcal_mol_a
    if force is None or force <= _FORCE:
        return []
    return [f"the force on an atom at the reference geometry is off by up to {force:.1f} kcal/mol/Å"]
