"""Whether a fitted force field makes physical sense, in words."""

from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np
from jaxtyping import Float

from forgefield.fitting.judge.metrics import Metrics
from forgefield.models.rows import Row

_FORCE, _LARGE_FORCE = 5.0, 20.0
"""Residual forces [kcal/mol/Å] at the reference geometry beyond which it is not a stationary point of the model: of a
molecule that is not known to rest near, and of any, since pieces of a complex move without a change of bonds."""
_LENGTH_OFF, _ANGLE_OFF = 0.02, 3.0
"""Å and degrees, root mean square, within which a molecule rests where its reference is."""
_LENGTH_SHIFT = 0.15
"""Å by which a reference length may differ from the mean length in the molecules."""
_ANGLE_SHIFT = np.radians(20.0)
_STIFF_BEND = 800.0
"""Force constants above it [kcal/mol/rad²] are of no known angle."""
_CANCELLING = 5.0
"""kcal/mol: torsional constants of one row that are both larger, of opposite signs, stand for their sum alone."""


def unphysical(
    rows: tuple[Row, ...],
    values: Float[np.ndarray, " parameters"],
    geometry: Float[np.ndarray, " parameters"],
    stiffest: Float[np.ndarray, " parameters"],
) -> dict[str, str]:
    """Return a sentence for each parameter that no molecule has, by its name.

    `geometry` holds the mean lengths [Å] and angles [rad] of the molecules where `values` has reference values, and
    `stiffest` the largest force constants [kcal/mol/Å²] that bonds can have where it has those of stretches.
    """
    said = {}
    for row in rows:
        if row.term.kind not in ("stretch", "bend"):
            continue
        k, reference = values[row.indices[0]], values[row.indices[1]]
        limit = stiffest[row.indices[0]] if row.term.kind == "stretch" else _STIFF_BEND
        name, unit = row.parameter_name(0), row.term.own[0].unit
        if k < 0.0:
            said[name] = f"{name} is negative ({k:.1f} {unit})"
        if k > limit:
            said[name] = f"{name} is larger than of any known one ({k:.0f}, at most {limit:.0f} {unit})"
        said |= _shifted(row, reference, geometry[row.indices[1]])
    return said


def _shifted(row: Row, reference: float, mean: float) -> dict[str, str]:
    name = row.parameter_name(1)
    if row.term.kind == "stretch" and abs(reference - mean) > _LENGTH_SHIFT:
        return {name: f"{name} = {reference:.3f} Å, but the bonds are {mean:.3f} Å long"}
    if row.term.kind == "bend" and abs(reference - mean) > _ANGLE_SHIFT:
        return {name: f"{name} = {np.degrees(reference):.1f}°, but the angles are {np.degrees(mean):.1f}°"}
    return {}


def cancelling(rows: tuple[Row, ...], values: Float[np.ndarray, " parameters"]) -> list[str]:
    """Return a sentence where torsional constants of one row are large and of opposite signs."""
    found = []
    for row in rows:
        if row.term.kind != "torsion":
            continue
        pairs = [
            f"{row.parameter_name(p)} = {values[row.indices[p]]:.1f} and {row.term.own[q].name} = "
            f"{values[row.indices[q]]:.1f} {row.term.own[p].unit}"
            for p, q in combinations(range(row.term.n_own), 2)
            if min(abs(values[row.indices[p]]), abs(values[row.indices[q]])) > _CANCELLING
            and values[row.indices[p]] * values[row.indices[q]] < 0.0
        ]
        found += pairs[:1]
    if not found:
        return []
    return [
        f"Large torsional constants that cancel each other where the molecules are, and mean nothing elsewhere: "
        f"{'; '.join(found)}. Leave the torsion terms out, freeze one of the constants, or give more geometries."
    ]


def unbounded(
    rows: tuple[Row, ...], couplings: Iterable[Sequence[int]], values: Float[np.ndarray, " parameters"]
) -> list[str]:
    """Return a sentence where couplings are stronger than the stretches and bends that they couple can hold.

    `couplings` are the parameters of interactions: of a stretch-bend its constant and the reference values of two
    stretches and a bend, of others their constant and two reference values. Where k² is more than k₁k₂ or, of a
    stretch-bend, k² (1/k₁ + 1/k₂) more than the constant of the bend, the energy of these coordinates falls without a
    limit in some direction.
    """
    constant = {row.indices[1]: row.indices[0] for row in rows if row.term.kind in ("stretch", "bend")}
    own = {row.indices[0]: row for row in rows if row.term.n_own == 1}
    found: dict[str, str] = {}
    for coupling, *references in couplings:
        if coupling in own and all(place in constant for place in references):
            held = [max(values[constant[place]], 0.0) for place in references]
            strength = values[coupling] ** 2 * (sum(held[:2]) if len(held) > 2 else 1.0)
            if np.prod(held) < strength:
                found[own[coupling].parameter_name(0)] = own[coupling].term.kind
    if not found:
        return []
    kinds = " and ".join(f'"{kind}"' for kind in dict.fromkeys(found.values()))
    return [
        f"{len(found)} coupling(s) are stronger than the stretches and bends that they couple can hold: "
        f"{', '.join(found)}. Far from the molecules' geometries the energy falls there: no dynamics with it; freeze "
        f"them at zero, or leave {kinds} out of the terms."
    ]


def not_stationary(molecules: Iterable[Metrics]) -> list[str]:
    """Return a sentence where a reference geometry is far from any stationary point of the model.

    A moderate force does not tell: rows that stand for two angles a few degrees apart leave one beside a minimum.
    """
    each = [*molecules]
    if (worst := least_stationary(each)) is None:
        return []
    largest = each[worst].force_max_kcal_mol_a
    return [f"the force on an atom at the reference geometry is off by up to {largest:.1f} kcal/mol/Å"]


def least_stationary(molecules: Sequence[Metrics]) -> int | None:
    """Return which molecule has the largest force on an atom that `not_stationary` tells of; None where it does not."""
    forces = [0.0 if _rests_near(one) else one.force_max_kcal_mol_a or 0.0 for one in molecules]
    return forces.index(max(forces)) if max(forces, default=0.0) > _FORCE else None


def _rests_near(one: Metrics) -> bool:
    """Say whether a molecule is known to relax to about the geometry of its reference, as far as bonds tell."""
    pairs = (
        (one.force_max_kcal_mol_a, _LARGE_FORCE),
        (one.bond_rmsd_a, _LENGTH_OFF),
        (one.angle_rmsd_deg, _ANGLE_OFF),
    )
    return all(value is not None and value <= limit for value, limit in pairs)
