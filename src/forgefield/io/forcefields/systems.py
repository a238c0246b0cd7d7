"""How a native file holds the topology of a system: every interaction, with its values in stated units."""

from collections.abc import Iterator

import numpy as np
from pydantic import BaseModel, FiniteFloat, model_validator

from forgefield.assign.explicit.rules import SystemRules
from forgefield.assign.explicit.system import Stated, System, ThroughSpace
from forgefield.terms.bend import COSINE_BEND, HARMONIC_BEND, MM3_BEND, QUARTIC_BEND, RESTRICTED_BEND
from forgefield.terms.cmap import correction_map
from forgefield.terms.cross import (
    BEND_BEND_OF_FIVE,
    BEND_BEND_OF_FOUR,
    BOND_ANGLE,
    BOND_BOND,
    OWN_BEND_TORSION_BEND,
    OWN_STRETCH_BEND,
    OWN_STRETCH_STRETCH_13,
    OWN_TORSION_STRETCH,
    STRETCH_BENDS,
    UREY_BRADLEY,
)
from forgefield.terms.expressions.custom import custom_term
from forgefield.terms.nonbonded import (
    BUCKINGHAM_PAIR,
    DIPOLE_PAIR,
    EXP6_PAIR,
    LENNARD_JONES,
    LENNARD_JONES_GEOMETRIC,
    LENNARD_JONES_PAIR,
)
from forgefield.terms.periodic import HARMONIC_IMPROPER, PERIODIC_IMPROPER, PERIODIC_TORSION, RYCKAERT_BELLEMANS
from forgefield.terms.shifted import shifted_in_full
from forgefield.terms.stretch import CUBIC_STRETCH, FOURTH_POWER_STRETCH, HARMONIC_STRETCH, MM3_STRETCH, MORSE
from forgefield.terms.term import Term
from forgefield.terms.trigonal import (
    ALLINGER_BEND,
    IN_PLANE_BEND,
    MM3_ALLINGER_BEND,
    MM3_IN_PLANE_BEND,
    MM3_WILSON_BEND,
    WILSON_BEND,
)

_MAP = "cmap"
_TERMS = {
    term.name: term
    for term in (
        HARMONIC_STRETCH,
        CUBIC_STRETCH,
        FOURTH_POWER_STRETCH,
        MORSE,
        HARMONIC_BEND,
        COSINE_BEND,
        RESTRICTED_BEND,
        QUARTIC_BEND,
        UREY_BRADLEY,
        BOND_BOND,
        BOND_ANGLE,
        PERIODIC_TORSION,
        RYCKAERT_BELLEMANS,
        PERIODIC_IMPROPER,
        HARMONIC_IMPROPER,
        LENNARD_JONES_PAIR,
        BUCKINGHAM_PAIR,
        MM3_STRETCH,
        MM3_BEND,
        STRETCH_BENDS,
        BEND_BEND_OF_FIVE,
        BEND_BEND_OF_FOUR,
        OWN_STRETCH_BEND,
        OWN_STRETCH_STRETCH_13,
        OWN_BEND_TORSION_BEND,
        OWN_TORSION_STRETCH,
        IN_PLANE_BEND,
        MM3_IN_PLANE_BEND,
        ALLINGER_BEND,
        MM3_ALLINGER_BEND,
        WILSON_BEND,
        MM3_WILSON_BEND,
        EXP6_PAIR,
        shifted_in_full(EXP6_PAIR, (0,)),
        shifted_in_full(EXP6_PAIR, (0, 1)),
        DIPOLE_PAIR,
    )
}
_EXPRESSION = "custom"
_PAIRS = {term.name: term for term in (LENNARD_JONES, LENNARD_JONES_GEOMETRIC)}


class _Expression(BaseModel, extra="forbid", frozen=True):
    """An energy in OpenMM's language and units."""

    energy: str
    kind: str
    order: int
    parameters: tuple[str, ...]
    constants: tuple[tuple[str, FiniteFloat], ...]


class _Stated(BaseModel, extra="forbid", frozen=True):
    """The interactions of one term."""

    term: str
    units: dict[str, str]
    atoms: tuple[tuple[int, ...], ...]
    """From 1."""
    values: tuple[tuple[FiniteFloat, ...], ...]
    grid: tuple[tuple[FiniteFloat, ...], ...] = ()
    """Of a correction map [kcal/mol]."""
    rows: tuple[str, ...] = ()
    """Of each interaction, where rows do not go by types."""
    expression: _Expression | None = None


class _ThroughSpace(BaseModel, extra="forbid", frozen=True):
    """What acts between pairs of atoms."""

    term: str
    units: dict[str, str]
    values: tuple[tuple[FiniteFloat, FiniteFloat], ...]
    charges: tuple[FiniteFloat, ...]
    coulomb: FiniteFloat
    """kcal·Å/mol/e²"""
    special: tuple[tuple[int, int], ...]
    """Pairs of atoms, from 1."""
    scales: tuple[tuple[FiniteFloat, FiniteFloat], ...]
    """Of van der Waals and electrostatic energy."""


class SystemFile(BaseModel, extra="forbid", frozen=True):
    """A system."""

    source: str
    program: str
    species: tuple[int, ...]
    bonds: tuple[tuple[int, int], ...]
    """From 1."""
    types: tuple[str, ...]
    names: tuple[str, ...]
    residues: tuple[str, ...]
    masses: tuple[FiniteFloat, ...]
    """amu"""
    interactions: tuple[_Stated, ...]
    through_space: _ThroughSpace
    split: tuple[tuple[int, ...], ...] = ()
    bonded: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> "SystemFile":
        if wrong := list(_wrong(self)):
            raise ValueError("; ".join(wrong))
        return self


def _wrong(file: SystemFile) -> Iterator[str]:
    """Yield what does not go together."""
    n, space = len(file.species), file.through_space
    listed = {
        "types": file.types,
        "names": file.names,
        "residues": file.residues,
        "masses": file.masses,
        "values": space.values,
        "charges": space.charges,
    } | ({"bonded": file.bonded} if file.bonded else {})
    yield from (f"{name} must have {n} entries, not {len(held)}" for name, held in listed.items() if len(held) != n)
    chains = [*file.bonds, *space.special, *file.split, *(chain for one in file.interactions for chain in one.atoms)]
    if any(not 1 <= atom <= n for chain in chains for atom in chain):
        yield f"atoms must be from 1 to {n}"
    if any(len(set(chain)) != len(chain) for chain in chains):
        yield "an interaction names an atom twice"
    if any(not 1 <= z <= 118 for z in file.species):
        yield "species must be atomic numbers"
    if len(space.special) != len(space.scales):
        yield "special and scales must have as many entries"
    if space.term not in _PAIRS:
        yield f"there is no term {space.term!r} between pairs; known are {', '.join(_PAIRS)}"
    for one in file.interactions:
        yield from _wrong_term(one)


def _wrong_term(one: _Stated) -> Iterator[str]:
    """Yield what does not go together in the interactions of a term."""
    if one.term not in _TERMS and one.term not in (_MAP, _EXPRESSION):
        yield f"there is no term {one.term!r}; known are {', '.join((*_TERMS, _MAP, _EXPRESSION))}"
    elif (one.term == _EXPRESSION) != (one.expression is not None):
        yield f"the term {_EXPRESSION} has an expression, others have none"
    elif (one.term == _MAP) != bool(one.grid) or any(len(row) != len(one.grid) for row in one.grid):
        yield "a correction map has a square grid, other terms have none"
    else:
        term = _term(one)
        if one.rows and len(one.rows) != len(one.atoms):
            yield f"{one.term} must have a row for each interaction"
        sizes = {len(chain) for chain in one.atoms} | {term.order}, {len(v) for v in one.values} | {term.n_own}
        if len(one.atoms) != len(one.values) or max(map(len, sizes)) > 1:
            yield f"{one.term} must have {term.order} atoms and {term.n_own} values for each interaction"
        if one.units != _units(term):
            yield f"units of {one.term} must be {_units(term)}, not {one.units}"


def _units(term: Term) -> dict[str, str]:
    return {own.name: own.unit for own in term.own}


def _term(stated: _Stated) -> Term:
    if (own := stated.expression) is not None:
        return custom_term(own.energy, own.kind, own.order, own.parameters, own.constants)
    return correction_map(stated.grid) if stated.term == _MAP else _TERMS[stated.term]


def _expression(term: Term) -> _Expression | None:
    if term.name != _EXPRESSION or term.made is None:
        return None
    energy, kind, order, parameters, constants = term.made[1]
    return _Expression(energy=energy, kind=kind, order=order, parameters=parameters, constants=constants)


def _from_one(atoms: np.ndarray) -> tuple[tuple[int, ...], ...]:
    return tuple(map(tuple, (atoms + 1).tolist()))


def file_of_system(rules: SystemRules) -> SystemFile:
    """Return a system as files hold it."""
    system, space = rules.system, rules.system.through_space
    return SystemFile(
        source=system.source,
        program=system.program,
        species=tuple(system.species.tolist()),
        bonds=tuple((i + 1, j + 1) for i, j in system.bonds.tolist()),
        types=system.types,
        names=system.names,
        residues=system.residues,
        masses=tuple(system.masses.tolist()),
        interactions=tuple(
            _Stated(
                term=one.term.name,
                units=_units(one.term),
                atoms=_from_one(one.atoms),
                values=tuple(map(tuple, one.values.tolist())),
                grid=one.term.made[1][0] if one.term.name == _MAP and one.term.made else (),
                rows=one.rows,
                expression=_expression(one.term),
            )
            for one in system.interactions
            if len(one.atoms)
        ),
        through_space=_ThroughSpace(
            term=space.term.name,
            units=_units(space.term),
            values=tuple((r, e) for r, e in space.parameters.tolist()),
            charges=tuple(space.charges.tolist()),
            coulomb=space.coulomb,
            special=tuple((i + 1, j + 1) for i, j in space.special.tolist()),
            scales=tuple((v, q) for v, q in space.scales.tolist()),
        ),
        split=tuple(tuple(a + 1 for a in chain) for chain in system.split),
        bonded=system.bonded,
    )


def system_of_file(file: SystemFile) -> SystemRules:
    """Return the system that a file holds."""
    space = file.through_space
    interactions = []
    for one in file.interactions:
        term = _term(one)
        atoms = np.array(one.atoms, dtype=np.int64).reshape(-1, term.order) - 1
        interactions.append(Stated(term, atoms, np.array(one.values).reshape(-1, term.n_own), one.rows))
    system = System(
        source=file.source,
        program=file.program,
        species=np.array(file.species, dtype=np.int64),
        bonds=np.array(file.bonds, dtype=np.int64).reshape(-1, 2) - 1,
        types=file.types,
        names=file.names,
        residues=file.residues,
        masses=np.array(file.masses),
        interactions=tuple(interactions),
        through_space=ThroughSpace(
            term=_PAIRS[space.term],
            parameters=np.array(space.values).reshape(-1, 2),
            charges=np.array(space.charges),
            coulomb=space.coulomb,
            special=np.array(space.special, dtype=np.int64).reshape(-1, 2) - 1,
            scales=np.array(space.scales).reshape(-1, 2),
        ),
        split=tuple(tuple(a - 1 for a in chain) for chain in file.split),
        bonded=file.bonded,
    )
    return SystemRules(system)
