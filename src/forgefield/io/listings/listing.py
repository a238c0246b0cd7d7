"""Listings of a structure's energy: every interaction with its parameters, value, energy and row of the file."""

import json
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from forgefield.errors import InputError
from forgefield.io.offenders import listed
from forgefield.io.outputs import write_text

KINDS: tuple[str, ...] = (
    "stretch",
    "bend",
    "stretch_bend",
    "bend_bend",
    "torsion",
    "out_of_plane",
    "torsion_stretch",
    "vdw",
    "electrostatic",
    "hydrogen_bond",
)
"""Terms in the order in which they are listed."""
OTHER_KINDS: tuple[str, ...] = (
    *("stretch_stretch", "stretch_stretch_13", "bend_torsion_bend", "urey_bradley", "improper", "cmap", "compound"),
)
"""Those that MM3* files have not, listed only where they are present."""
TOTAL = "total"
NONBONDED = ("vdw", "electrostatic", "hydrogen_bond")
COMPARED_BELOW = 5.6
"""Å; beyond, MacroModel's listings scale non-bonded energies down to its cut-off."""

_SAME_PLACE = 1e-3
"""Å; listings print four decimals."""
_SAME_PARAMETER = {
    ("stretch", "k"): 5e-5,
    ("stretch", "r0"): 5e-5,
    ("bend_bend", "k"): 5e-5,
    ("bend_bend", "theta0_1"): 5e-5,
    ("bend_bend", "theta0_2"): 5e-5,
    ("vdw", "epsilon"): 5e-5,
    ("electrostatic", "charge_product"): 5e-5,
}
_SAME_OTHERWISE = 5e-4
"""Half a unit of the last decimal that MacroModel prints, by parameter and for all others."""
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Interaction:
    """One interaction of a listing."""

    kind: str
    """One of KINDS or OTHER_KINDS."""
    atoms: tuple[int, ...]
    """1-based; of a bend_bend the centre, then the two ends of each angle."""
    parameters: Mapping[str, float]
    """In the units of the force-field file, or in those that the listing states."""
    value: float | None
    """Å or degrees; None where no single coordinate belongs to it (bend_bend)."""
    energy_kj_mol: float
    line: int | None = None
    """1-based line of the force-field file, None where the listing states none."""
    substructure: int = 0
    """Number of the substructure whose row it is, counted through the file; 0 for the main tables."""

    @property
    def is_idle(self) -> bool:
        """Whether all parameters are zero, which is the same as there being no such interaction."""
        return not any(self.parameters.values())


@dataclass(frozen=True, eq=False, repr=False)
class Listing:
    """What a force field says of one structure."""

    name: str
    file: str
    """The structure file, or the listing it was read from."""
    types: tuple[str, ...]
    charges: Float[np.ndarray, " atoms"]
    """e"""
    totals_kj_mol: Mapping[str, float]
    """Energy by kind, and under `total` their sum."""
    interactions: tuple[Interaction, ...]
    positions: Float[np.ndarray, "atoms 3"] | None = None
    """Å, in the frame of the structure file."""
    units: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Units of parameters by kind and name; none where they are those of an MM3* file."""
    omitted: frozenset[str] = frozenset()
    """Kinds whose interactions are too many to list; their energies are among the totals."""

    def __repr__(self) -> str:
        return f"Listing({self.name!r}, {len(self.types)} atoms, {len(self.interactions)} interactions)"


@dataclass(frozen=True)
class Pair:
    """An interaction of one listing and its counterpart in another; one of the two may be None."""

    interaction: Interaction | None
    reference: Interaction | None

    @property
    def either(self) -> Interaction:
        """The interaction, or its counterpart where there is none."""
        found = self.interaction or self.reference
        assert found is not None
        return found

    @property
    def energy_deviation(self) -> float:
        """Energy [kJ/mol] less that of the counterpart; what is missing has none."""
        energies = [0.0 if i is None else i.energy_kj_mol for i in (self.interaction, self.reference)]
        return energies[0] - energies[1]

    @property
    def value_deviation(self) -> float:
        """Value [Å or degrees] less that of the counterpart, dihedrals on the short way; 0 where either has none."""
        if self.interaction is None or self.reference is None:
            return 0.0
        value, reference = self.interaction.value, self.reference.value
        return 0.0 if value is None or reference is None else (value - reference + 180.0) % 360.0 - 180.0

    @property
    def lines_differ(self) -> bool:
        """Whether both are there and the counterpart states another line of the force-field file."""
        if self.interaction is None or self.reference is None or self.reference.line is None:
            return False
        return self.interaction.line != self.reference.line

    @property
    def parameters_differ(self) -> bool:
        """Whether both are there with parameters that differ by more than MacroModel's rounding."""
        if self.interaction is None or self.reference is None:
            return False
        ours, theirs = self.interaction.parameters, self.reference.parameters
        return any(
            abs(ours.get(name, 0.0) - theirs.get(name, 0.0)) > _resolution(self.either.kind, name) + _ROUNDING
            for name in {*ours, *theirs}
        )


@dataclass(frozen=True)
class TermComparison:
    """How one kind of interaction compares. Counts leave out interactions whose parameters are all zero."""

    kind: str
    n: int
    n_reference: int
    missing: int
    """Interactions that only the reference has."""
    extra: int
    """Interactions that the reference has not."""
    line_mismatches: int
    parameter_mismatches: int
    max_energy_deviation_kj_mol: float
    max_value_deviation: float
    """Å or degrees"""
    total_kj_mol: float
    """Of all interactions, whether compared or not."""
    reference_total_kj_mol: float


@dataclass(frozen=True)
class Comparison:
    """Two listings of one structure, interaction by interaction and by kind."""

    terms: tuple[TermComparison, ...]
    pairs: tuple[Pair, ...]
    max_charge_deviation: float
    """e"""

    def worst(self, n: int = 10) -> tuple[Pair, ...]:
        """Return the `n` pairs whose energies deviate most, largest first."""
        return tuple(sorted(self.pairs, key=lambda pair: -abs(pair.energy_deviation))[:n])


def interactions(
    kind: str,
    atoms: Int[np.ndarray, "interactions order"],
    parameters: Mapping[str, Float[np.ndarray, " interactions"]],
    values: Float[np.ndarray, " interactions"] | None,
    energies_kj_mol: Float[np.ndarray, " interactions"],
    lines: Sequence[int | None],
) -> tuple[Interaction, ...]:
    """Return the interactions of one kind from arrays; `atoms` are 0-based within the structure.

    Values are in Å or degrees, parameters in the units of the force-field file.
    """
    if kind not in (*KINDS, *OTHER_KINDS):
        raise InputError(f"{kind!r} is no kind of interaction; the kinds are {', '.join((*KINDS, *OTHER_KINDS))}")
    return tuple(
        Interaction(
            kind=kind,
            atoms=tuple(int(a) + 1 for a in atoms[i]),
            parameters={name: float(column[i]) for name, column in parameters.items()},
            value=None if values is None else float(values[i]),
            energy_kj_mol=float(energies_kj_mol[i]),
            line=lines[i],
        )
        for i in range(len(atoms))
    )


def totals(parts: Iterable[Interaction], others: Mapping[str, float] | None = None) -> dict[str, float]:
    """Return the energy [kJ/mol] of each kind and of all together; `others` are sums of what is not listed."""
    sums = dict.fromkeys(KINDS, 0.0) | dict(others or {})
    for interaction in parts:
        sums[interaction.kind] = sums.get(interaction.kind, 0.0) + interaction.energy_kj_mol
    return {**sums, TOTAL: sum(sums.values())}


def write_listings(path: Path, listings: Sequence[Listing]) -> None:
    """Write listings as JSON, one structure after the other."""
    structures = [_structure(listing) for listing in listings]
    write_text(path, json.dumps({"structures": structures}, indent=1, allow_nan=False) + "\n")


def _structure(listing: Listing) -> dict[str, Any]:
    atoms = zip(listing.types, listing.charges, strict=True)
    stated = {"parameter_units": listing.units} if listing.units else {}
    return {
        "name": listing.name,
        "file": listing.file,
        "atoms": [{"index": i, "type": t, "charge_e": float(q)} for i, (t, q) in enumerate(atoms, start=1)],
        **stated,
        "totals_kj_mol": dict(listing.totals_kj_mol),
        "interactions": [
            {
                "kind": i.kind,
                "atoms": list(i.atoms),
                "parameters": dict(i.parameters),
                "value": i.value,
                "energy_kj_mol": i.energy_kj_mol,
                "line": i.line,
            }
            for i in listing.interactions
        ],
    }


def compare(listing: Listing, reference: Listing, *, below: float = COMPARED_BELOW) -> Comparison:
    """Compare two listings of one structure.

    Interactions are matched by kind and atoms in either direction. Non-bonded pairs count where the reference
    has them `below` a distance [Å]. Interactions whose parameters are all zero may be absent from either listing.
    Raises InputError where the listings are of different structures.
    """
    _check_same_structure(listing, reference)
    pairs = tuple(pair for pair in _pairs(listing, reference) if _is_compared(pair, below))
    return Comparison(
        terms=tuple(_term(kind, pairs, listing, reference) for kind in KINDS),
        pairs=pairs,
        max_charge_deviation=float(np.abs(listing.charges - reference.charges).max()),
    )


def _check_same_structure(listing: Listing, reference: Listing) -> None:
    sizes = (len(listing.types), len(reference.types))
    if sizes[0] != sizes[1]:
        message = f"has {sizes[1]} atoms, {listing.file} has {sizes[0]}; it is the listing of another molecule"
        raise InputError(f"{reference.file}: {message}")
    types = enumerate(zip(reference.types, listing.types, strict=True), start=1)
    wrong = [f"atom {i} is {theirs}, not {ours}" for i, (theirs, ours) in types if theirs != ours]
    if not wrong and listing.positions is not None and reference.positions is not None:
        shifts = np.linalg.norm(listing.positions - reference.positions, axis=1)
        wrong = [f"atom {i + 1} is {shifts[i]:.3f} Å away" for i in np.flatnonzero(shifts > _SAME_PLACE)]
    if wrong:
        raise InputError(f"{reference.file}: is not the listing of {listing.file}: {listed(wrong)}")


def _key(interaction: Interaction) -> Hashable:
    """Return what is equal for two interactions of the same atoms, whichever way round they are named."""
    atoms = interaction.atoms
    if interaction.kind == "bend_bend":
        centre, *ends = atoms
        return interaction.kind, centre, frozenset((frozenset(ends[:2]), frozenset(ends[2:])))
    return interaction.kind, min(atoms, atoms[::-1])


def _pairs(listing: Listing, reference: Listing) -> Iterator[Pair]:
    """Yield every interaction of both listings with its counterpart, in the order of `listing`."""
    counterparts: dict[Hashable, list[Interaction]] = {}
    for interaction in reference.interactions:
        counterparts.setdefault(_key(interaction), []).append(interaction)
    for interaction in listing.interactions:
        found = counterparts.get(_key(interaction))
        yield Pair(interaction, found.pop(0) if found else None)
    yield from (Pair(None, interaction) for rest in counterparts.values() for interaction in rest)


def _is_compared(pair: Pair, below: float) -> bool:
    if pair.either.kind in NONBONDED:
        distance = (pair.reference or pair.either).value
        # A pair that only we have may have been printed at the limit.
        limit = below if pair.reference else below - _SAME_PLACE
        if distance is not None and distance >= limit:
            return False
    return (pair.interaction is not None and pair.reference is not None) or not pair.either.is_idle


def _term(kind: str, pairs: tuple[Pair, ...], listing: Listing, reference: Listing) -> TermComparison:
    own = [pair for pair in pairs if pair.either.kind == kind]
    return TermComparison(
        kind=kind,
        n=sum(p.interaction is not None and not p.interaction.is_idle for p in own),
        n_reference=sum(p.reference is not None and not p.reference.is_idle for p in own),
        missing=sum(p.interaction is None for p in own),
        extra=sum(p.reference is None for p in own),
        line_mismatches=sum(p.lines_differ for p in own),
        parameter_mismatches=sum(p.parameters_differ for p in own),
        max_energy_deviation_kj_mol=max((abs(p.energy_deviation) for p in own), default=0.0),
        max_value_deviation=max((abs(p.value_deviation) for p in own), default=0.0),
        total_kj_mol=listing.totals_kj_mol[kind],
        reference_total_kj_mol=reference.totals_kj_mol[kind],
    )


def _resolution(kind: str, parameter: str) -> float:
    return _SAME_PARAMETER.get((kind, parameter), _SAME_OTHERWISE)
