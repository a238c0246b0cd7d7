"""What acts on which atoms of a system, in a form that does not depend on the format that it came from."""

import cmath
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from forgefield.assign.explicit.system import Stated, System
from forgefield.assign.instances import KINDS
from forgefield.io.forcefields.laid.series import periodic
from forgefield.terms.cross import BEND_BEND, BEND_BEND_OF_FOUR, OWNING
from forgefield.terms.mm3 import BOND_MOMENT
from forgefield.terms.nonbonded import CHARGE_INCREMENT, EXP6, LENNARD_JONES_PAIR
from forgefield.terms.periodic import PERIODIC_IMPROPER, PERIODIC_TORSION
from forgefield.terms.term import Term

Atoms = tuple[int, ...]
EITHER_WAY = ("stretch", "bend", "torsion", "improper", "urey_bradley", "vdw")
"""Kinds of interactions whose energy is the same from either end, with the same values."""
_ELSEWHERE = (CHARGE_INCREMENT, BOND_MOMENT, LENNARD_JONES_PAIR)
"""Terms that act through charges, or whose pairs are compared with those that combine."""
ATOM_COLUMNS = ("r [Å]", "e [kcal/mol]")
_WAVES = (PERIODIC_TORSION, PERIODIC_IMPROPER)
_MAP = "cmap"
_COUPLINGS = {term.kind for term in OWNING if term.kind in KINDS}
_SAME = {own.name: term.name for term, own in OWNING.items()} | {BEND_BEND_OF_FOUR.name: BEND_BEND.name}
"""Forms that differ in where their lengths and angles come from."""
_OTHER_END = {"k1": "k2", "k2": "k1", "r1": "r2", "r2": "r1", "theta1": "theta2", "theta2": "theta1"}


@dataclass(frozen=True)
class Key:
    """What makes two interactions the same one."""

    kind: str
    """That of the term; torsions and impropers of one angle are one."""
    atoms: Atoms
    form: str
    number: float
    """The periodicity, or a count of equal ones."""


@dataclass(frozen=True)
class Act:
    """One interaction with its values."""

    kind: str
    atoms: Atoms
    """Their places, in the order of the types."""
    types: tuple[str, ...]
    mark: str
    columns: tuple[str, ...]
    numbers: tuple[float, ...]
    wave: complex | None = None
    """Amplitude and phase of a periodic torsion, which add up."""

    @property
    def name(self) -> str:
        """The name of the row that it has, without its kind."""
        return " ".join(filter(None, ("-".join(self.types), self.mark)))


def form_of_pairs(system: System) -> str:
    """Return what the energy between all pairs is a function of."""
    return EXP6.name if system.through_space.term is EXP6 else "lennard_jones"


def acts(system: System, places: Int[np.ndarray, " atoms"]) -> tuple[dict[Key, Act], float]:
    """Return all that acts on atoms, which stand at these places, and the sum of constant energies [kcal/mol].

    What has no energy whatever the geometry is left out, but for periodic torsions without amplitude.
    """
    found: dict[Key, Act] = {}
    constant = 0.0
    for stated in system.interactions:
        if stated.term in _ELSEWHERE:
            continue
        # Periodic ones without amplitude stay, since rows of theirs are there.
        one = stated if stated.term in _WAVES else periodic(stated)
        if one.term in _WAVES:
            constant += _add_waves(found, one, system, places)
        else:
            _add_others(found, one, system, places)
    return found | dict(_of_atoms(system, places)), constant


def _add_waves(found: dict[Key, Act], stated: Stated, system: System, places: Int[np.ndarray, " atoms"]) -> float:
    """Add periodic torsions, those of one angle and periodicity together, and return their mean energies [kcal/mol]."""
    constant = 0.0
    for chain, (k, n, phase) in _each(stated):
        constant += k
        if n == 0.0:
            constant += k * math.cos(phase)
            continue
        key = Key("torsion", _ordered("torsion", chain, places), "periodic", n)
        wave, numbers = cmath.rect(k, phase), (k, phase)
        if (before := found.get(key)) is not None and before.wave is not None:
            wave += before.wave
            numbers = cmath.polar(wave)
        named = _types(stated.term, chain, system, places)
        found[key] = Act(stated.term.kind, *named, f"n{n:g}", _columns(stated.term, (0, 2)), numbers, wave)
    return constant


def _add_others(found: dict[Key, Act], stated: Stated, system: System, places: Int[np.ndarray, " atoms"]) -> None:
    term, count = stated.term, Counter(_like(key) for key in found)
    linear = term.polynomial.n_linear if term.polynomial is not None else 0
    each = [_turned(term, *one, places) for one in _each(stated)]
    for chain, values in sorted(each, key=lambda both: both[1]):
        if linear and not any(values[:linear]):
            continue
        like = term.kind, _ordered(term.kind, chain, places), _SAME.get(term.name, term.name)
        shown = _map(term, values[0]) if term.name == _MAP else (_columns(term, range(len(values))), values)
        named = _types(term, chain, system, places)
        found[Key(*like, float(count[like]))] = Act(term.kind, *named, "", *shown)
        count[like] += 1


def _like(key: Key) -> tuple[str, Atoms, str]:
    return key.kind, key.atoms, key.form


def _of_atoms(system: System, places: Int[np.ndarray, " atoms"]) -> Iterator[tuple[Key, Act]]:
    """Yield the van der Waals values and the charge of each atom; a radius without a depth means nothing."""
    space, form = system.through_space, form_of_pairs(system)
    for atom, (place, charge) in enumerate(zip(places.tolist(), space.charges.tolist(), strict=True)):
        r, e = space.parameters[atom].tolist()
        values = (r, e) if e else (0.0, 0.0)
        yield Key("vdw", (place,), form, 0.0), Act("vdw", (place,), (system.types[atom],), "", ATOM_COLUMNS, values)
        yield (
            Key("charge", (place,), "", 0.0),
            Act("charge", (place,), (system.labels[atom],), "", ("q [e]",), (charge,)),
        )


def _map(term: Term, factor: float) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Return the energies of a correction map as columns."""
    assert term.made is not None
    grid = factor * np.array(term.made[1][0])
    step = 360.0 / len(grid)
    names = tuple(f"at {step * i:g}°, {step * j:g}° [kcal/mol]" for i, j in np.ndindex(*grid.shape))
    return names, tuple(grid.ravel().tolist())


def _each(stated: Stated) -> Iterator[tuple[Atoms, tuple[float, ...]]]:
    yield from zip(map(tuple, stated.atoms.tolist()), map(tuple, stated.values.tolist()), strict=True)


def _ordered(kind: str, chain: Atoms, places: Int[np.ndarray, " atoms"]) -> Atoms:
    atoms = tuple(int(places[a]) for a in chain)
    return min(atoms, atoms[::-1]) if kind in EITHER_WAY else atoms


def _types(
    term: Term, chain: Atoms, system: System, places: Int[np.ndarray, " atoms"]
) -> tuple[Atoms, tuple[str, ...]]:
    """Return the places of atoms and their types, from the end from which these sort first."""
    own = system.bonded or system.types
    orders = (chain, chain[::-1]) if term.kind in EITHER_WAY else (chain,)
    first = min(orders, key=lambda one: tuple(own[a] for a in one))
    return tuple(int(places[a]) for a in first), tuple(own[a] for a in first)


def _turned(
    term: Term, chain: Atoms, values: tuple[float, ...], places: Int[np.ndarray, " atoms"]
) -> tuple[Atoms, tuple[float, ...]]:
    """Return the atoms of a coupling with its values, in that of the orders that mean the same which sorts first."""
    if term.kind not in _COUPLINGS:
        return chain, values
    if term is BEND_BEND_OF_FOUR:
        centre, both, *others = chain
        chain = (centre, both, others[0], both, others[1])
    order = min(KINDS[term.kind].orders, key=lambda one: tuple(int(places[chain[k]]) for k in one))
    names = [one.name for one in term.parameters]
    # Of a pair of angles the centre comes first, and the angles change places.
    changed = order[1] > 2 if term.kind == "bend_bend" else order[0] > 0
    of = [names.index(_OTHER_END.get(name, name)) if changed else k for k, name in enumerate(names)]
    return tuple(chain[k] for k in order), tuple(values[k] for k in of)


def _columns(term: Term, which: range | tuple[int, ...]) -> tuple[str, ...]:
    own = [term.parameters[k] for k in which]
    return tuple(one.name if one.unit == "1" else f"{one.name} [{one.unit}]" for one in own)
