"""Compares two systems of the same molecule by what acts on its atoms."""

import cmath
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int

from forgefield.assign.explicit.system import System
from forgefield.io.forcefields.mm3.fld_differences import Difference, Numbers
from forgefield.io.offenders import listed
from forgefield.jobs.diff.acting import Act, Atoms, acts
from forgefield.jobs.diff.special_pairs import Pairs, differing

_RENAMED = 20
"""Types that are named."""
_NAMED = 2
"""Interactions of a row that are named."""
_SMALL_ANGLE = 1e-5
"""rad: AMBER's files have 3.141594 for π."""
_WEIGHTS = 1e-3
"""Share by which masses differ as atomic weights are rounded."""
_DIGITS = 9
"""Numbers with the same first ones are of one row."""


@dataclass
class Comparison:
    """What two force fields have in common, and what not."""

    tolerance: float
    differences: list[Difference] = field(default_factory=list)
    same: Counter[str] = field(default_factory=Counter)
    """Rows of the old one that are in the new one, by kind."""
    remarks: list[str] = field(default_factory=list)

    @property
    def words(self) -> list[str]:
        """What is the same, in sentences."""
        counts = ", ".join(f"{n} {kind}" for kind, n in self.same.items())
        rows = [f"{self.same.total()} row(s) are the same to {self.tolerance:g}: {counts}"] if self.same else []
        return [*rows, *self.remarks]

    def close(self, one: float, other: float) -> bool:
        """Say whether two numbers differ by no more than the tolerance, or by this share of the larger one."""
        return abs(one - other) <= self.tolerance * max(1.0, abs(one), abs(other))


@dataclass(frozen=True)
class _Found:
    """What a difference shows; interactions with the same are of one row."""

    kind: str
    name: str
    new_name: str
    columns: tuple[str, ...]
    numbers: tuple[Numbers | None, Numbers | None]


def compare_systems(found: Comparison, old: System, new: System, places: Int[np.ndarray, " atoms"]) -> None:
    """Compare two systems; the atoms of the new one stand at these places in the old one."""
    here = np.arange(old.n_atoms)
    mine, constant = acts(old, here)
    others, other_constant = acts(new, places)
    scale, said = _charge_scale(found, old, new, places)
    differences: dict[_Found, list[Atoms]] = {}
    rows: dict[tuple[str, str, Numbers], bool] = {}
    for key in dict.fromkeys((*mine, *others)):
        one, other = mine.get(key), others.get(key)
        same = _same(found, one, other, scale if key.kind == "charge" else 1.0)
        if one is not None and one.wave != 0.0:
            row = one.kind, one.name, _rounded(one.numbers)
            rows[row] = rows.get(row, True) and same
        if not same:
            shown = _shown(one, other)
            differences.setdefault(shown, []).append(_either(one, other).atoms)
    for pair, columns, first, second in differing(Pairs(old, here), Pairs(new, places), found.close):
        name = "-".join(sorted(old.types[atom] for atom in pair))
        shown = _Found("pair", name, "", columns, (_rounded(first), _rounded(second)))
        differences.setdefault(shown, []).append(pair)
    for shown, atoms in differences.items():
        where = _named(old, atoms)
        found.differences.append(
            Difference(shown.kind, shown.name, "", (None, None), shown.columns, shown.numbers, shown.new_name, where)
        )
    found.same.update(kind for (kind, *_), same in rows.items() if same)
    found.remarks += [*_order(places, new), *_renamed(old, new, places), *said, *_masses(old, new, places)]
    if not any(one.kind in ("torsion", "improper") for one in found.differences) and not found.close(
        constant, other_constant
    ):
        found.remarks.append(
            f"Constant energies of torsions add up to {constant:.6f} and {other_constant:.6f} kcal/mol"
        )


def _same(found: Comparison, one: Act | None, other: Act | None, scale: float) -> bool:
    """Say whether an interaction is the same; one of no amplitude worth the name may be in one alone."""
    if one is None or other is None:
        alone = _either(one, other).wave
        return alone is not None and abs(alone) <= found.tolerance
    if one.wave is not None and other.wave is not None:
        return _same_waves(found, one.wave, other.wave)
    return all(found.close(a, scale * b) for a, b in zip(one.numbers, other.numbers, strict=True))


def _same_waves(found: Comparison, one: complex, other: complex) -> bool:
    """Say whether periodic torsions are the same along the larger one; across it, a small angle counts as none."""
    larger = max(one, other, key=abs)
    apart = (other - one) * cmath.rect(1.0, -cmath.phase(larger))
    size = max(1.0, abs(larger))
    return abs(apart.real) <= found.tolerance * size and abs(apart.imag) <= max(found.tolerance, _SMALL_ANGLE) * size


def _shown(one: Act | None, other: Act | None) -> _Found:
    either = _either(one, other)
    numbers = [None if act is None else act.numbers for act in (one, other)]
    if one is not None and other is not None and one.wave is not None and other.wave is not None:
        # In the phase of the old one, where the new one has that or its opposite.
        turned = other.wave * cmath.rect(1.0, -one.numbers[1])
        if abs(turned.imag) <= 1e-9 * abs(turned):
            numbers[1] = turned.real, one.numbers[1]
    new_name = other.name if one is not None and other is not None and other.name != one.name else ""
    first, second = (None if values is None else _rounded(values) for values in numbers)
    return _Found(either.kind, either.name, new_name, either.columns, (first, second))


def _either(one: Act | None, other: Act | None) -> Act:
    """Return what acts in the old one, else in the new one."""
    found = one or other
    assert found is not None
    return found


def _rounded(numbers: Numbers) -> Numbers:
    return tuple(None if value is None else float(f"{value:.{_DIGITS}g}") for value in numbers)


def _named(system: System, atoms: list[Atoms]) -> str:
    labels = system.labels
    named = ["-".join(labels[a] for a in chain) for chain in atoms[:_NAMED]]
    more = f" and {len(atoms) - _NAMED} more" if len(atoms) > _NAMED else ""
    return ", ".join(named) + more


def _order(places: Int[np.ndarray, " atoms"], new: System) -> list[str]:
    if np.array_equal(places, np.arange(len(places))):
        return []
    return [f"Atoms are in another order in {new.source}; they are matched by their names, or by the bonds"]


def _renamed(old: System, new: System, places: Int[np.ndarray, " atoms"]) -> list[str]:
    """Say which types the two call otherwise, if any."""
    names: dict[str, dict[str, None]] = {}
    for place, name in zip(places.tolist(), new.types, strict=True):
        names.setdefault(old.types[place], {})[name] = None
    told = [f"{name} = {', '.join(others)}" for name, others in names.items() if [*others] != [name]]
    if not told:
        return []
    more = f"; and {len(told) - _RENAMED} more" if len(told) > _RENAMED else ""
    return [f"Types are called otherwise: {'; '.join(told[:_RENAMED])}{more}"]


def _masses(old: System, new: System, places: Int[np.ndarray, " atoms"]) -> list[str]:
    """Say which masses differ, as of hydrogens that are made heavier, and not as atomic weights are rounded."""
    mine, others = old.masses[places].tolist(), new.masses.tolist()
    apart = [k for k, (a, b) in enumerate(zip(mine, others, strict=True)) if abs(a - b) > _WEIGHTS * max(a, b)]
    if not apart:
        return []
    told = [f"{old.labels[places[k]]} {mine[k]:.3f} and {others[k]:.3f}" for k in apart]
    return [f"Masses differ [amu]: {listed(told, shown=_NAMED)}"]


def _charge_scale(
    found: Comparison, old: System, new: System, places: Int[np.ndarray, " atoms"]
) -> tuple[float, list[str]]:
    """Return what charges of the new one are multiplied by to be compared, and what is to be said of it.

    Where Coulomb constants differ, either the charges are the same or their energies are.
    """
    constants = old.through_space.coulomb, new.through_space.coulomb
    mine, others = old.through_space.charges[places], new.through_space.charges
    if not mine.any() or found.close(constants[0] / constants[1], 1.0):
        return 1.0, []
    scale = float(np.sqrt(constants[1] / constants[0]))
    apart = [
        sum(not found.close(a, k * b) for a, b in zip(mine.tolist(), others.tolist(), strict=True))
        for k in (1.0, scale)
    ]
    own = " and ".join(f"{constant:.5f}" for constant in constants)
    if apart[0] <= apart[1]:
        return 1.0, [f"The Coulomb constants differ: {own} kcal·Å/mol/e²"]
    return scale, [f"Charges are compared by their energies: the Coulomb constants are {own} kcal·Å/mol/e²"]
